"""What a suite found whose figures are all ratios of measurements of one round, with what of it must be reached."""

import statistics
from collections.abc import Iterator

import msgspec

from benchmarks.results import Figure

_OF = ": "


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What must be reached: `of` measured against `to`, or by itself, at least `bound` or with `at_most` at most."""

    name: str
    of: str
    to: str | None
    bound: float
    aim: float | None = None
    at_most: bool = False


def of(who: str, what: str) -> str:
    """Name a measurement by whom and what it is of; in the tables it stands in who's column."""
    return f"{who}{_OF}{what}"


class Ratios(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run: by round, what each measurement gave (per second, unless its name says otherwise)."""

    about: str
    rounds: list[dict[str, float]]
    marks: list[Mark]
    missing: list[str] = []

    def names(self) -> list[str]:
        """Name the measurements, in the order in which they were made."""
        return list(dict.fromkeys(name for measured in self.rounds for name in measured))

    def median(self, name: str) -> float:
        """Give the median of a measurement."""
        return statistics.median(measured[name] for measured in self.rounds if name in measured)

    def shares(self, mark: Mark) -> list[float]:
        """Give what counts for a mark in each round, nothing where it could not be measured."""
        of, to = mark.of, mark.to
        if to is None:
            return [measured[of] for measured in self.rounds if of in measured]
        return [measured[of] / measured[to] for measured in self.rounds if of in measured and to in measured]

    def figures(self) -> list[Figure]:
        """Give every figure that must be reached and was measured."""
        return [
            Figure(name=mark.name, value=statistics.median(shares), bound=mark.bound, at_most=mark.at_most)
            for mark in self.marks
            if (shares := self.shares(mark))
        ]

    def lines(self) -> Iterator[str]:
        """Give the tables of a page."""
        yield self.about
        yield ""
        yield from self._columns()
        yield from self._rows()
        yield "| must be reached | measured (least to greatest) | bound | aim |"
        yield "|---|---|---|---|"
        for mark in self.marks:
            yield _row(mark, self.shares(mark))
        for reason in self.missing:
            yield ""
            yield f"Not measured: {reason}"

    def _columns(self) -> Iterator[str]:
        """Give the medians of what is named by `of`: a line for everything, a column for everybody."""
        pairs = [name.partition(_OF)[::2] for name in self.names() if _OF in name]
        everybody = list(dict.fromkeys(who for who, _ in pairs))
        if not pairs:
            return
        yield f"| median of | {' | '.join(everybody)} |"
        yield "|---" * (len(everybody) + 1) + "|"
        for what in dict.fromkeys(what for _, what in pairs):
            cells = (_number(self.median(of(who, what))) if (who, what) in pairs else "" for who in everybody)
            yield f"| {what} | {' | '.join(cells)} |"
        yield ""

    def _rows(self) -> Iterator[str]:
        """Give the other measurements, with how far the rounds are apart."""
        names = [name for name in self.names() if _OF not in name]
        if not names:
            return
        yield "| measured | median | least to greatest |"
        yield "|---|---|---|"
        for name in names:
            values = [measured[name] for measured in self.rounds if name in measured]
            yield f"| {name} | {_number(self.median(name))} | {_number(min(values))} to {_number(max(values))} |"
        yield ""


def _number(value: float) -> str:
    """Write three figures at least, and never an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(mark: Mark, shares: list[float]) -> str:
    sign = "at most" if mark.at_most else "at least"
    aim = "" if mark.aim is None else f"{mark.aim:g}"
    if not shares:
        return f"| {mark.name} | not measured | {sign} {mark.bound:g} | {aim} |"
    value = statistics.median(shares)
    missed = "" if (value <= mark.bound if mark.at_most else value >= mark.bound) else " **missed**"
    measured = f"{value:.2f}{missed} ({min(shares):.2f} to {max(shares):.2f})"
    return f"| {mark.name} | {measured} | {sign} {mark.bound:g} | {aim} |"
