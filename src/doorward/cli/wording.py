"""How `doorward explain` words what it found: times, lines of facts, verdicts."""

import math
from collections.abc import Sequence

from doorward.base.clock import rfc3339
from doorward.base.errors import ErrorRow
from doorward.cli.output import table

_UNITS = ((86400 * 365, "year"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_YEAR_9999 = 253402300799


def time_in_words(at: object, now: float) -> str:
    """Give a time and how far from `now` it is; a value that is no time is said to be none."""
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        return f"{at!r}, which is not a time"
    if not 0 <= at <= _YEAR_9999:
        return f"{at}, which is no time of this era"
    return f"{rfc3339(at)}, {distance(at - now)}"


def distance(seconds: float) -> str:
    """Say how far a moment is away: `in 59 minutes`, `2 days ago`."""
    span = abs(seconds)
    if span < 1:
        return "now"
    size, unit = next((size, unit) for size, unit in _UNITS if span >= size)
    count = int(span // size)
    words = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"in {words}" if seconds > 0 else f"{words} ago"


def section(title: str, lines: Sequence[Sequence[str]]) -> str:
    """Lay lines out below a title."""
    return "\n".join([title, *(f"  {line}" for line in table(lines).split("\n"))])


def refusal(row: ErrorRow, reason: str) -> str:
    """Say that a token is refused, with the code as it goes over the wire."""
    return f"Refused: {row.code} (HTTP {row.status}, {row.message!r}), because {reason}\nFix: {row.fix}"
