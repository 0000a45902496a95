"""What a run of the benchmark found, and what of it must be reached."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

OF_DATABASE = ("select", "four rows, durable")


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round on one engine: seconds of each part of the floor, rates per second, and seconds of processor a request.

    The processor's seconds leave out what other work on the machine takes, but not that it empties the caches.
    """

    parts: dict[str, float]
    bare_login: float
    login: float
    first: float
    first_database: float
    bare_introspection: float
    first_introspection: float
    introspection: float
    processor: dict[str, float]

    @property
    def floor(self) -> float:
        """Give the seconds that one login takes at the least: the bare server's and those of every part."""
        return 1 / self.bare_login + sum(self.parts.values())

    @property
    def share(self) -> float:
        """Give the logins per second as a share of the floor's."""
        return self.login * self.floor

    @property
    def first_share(self) -> float:
        """Give the first sign-ins per second as a share of what their own statements allow."""
        database = sum(seconds for name, seconds in self.parts.items() if name in OF_DATABASE)
        return self.first * (self.floor - database + self.first_database)

    @property
    def introspection_share(self) -> float:
        """Give the introspections per second, each token asked about many times, as a share of the bare server's."""
        return self.introspection / self.bare_introspection

    @property
    def login_share_of_processor(self) -> float:
        """Give what the floor asks of the processor as a share of what a login takes; only waiting is left out."""
        return (self.processor["bare login"] + sum(self.parts.values())) / self.processor["login"]

    @property
    def introspection_share_of_processor(self) -> float:
        """Give the same of introspections against the bare server."""
        return self.processor["bare introspection"] / self.processor["introspection"]

    @property
    def first_introspection_share(self) -> float:
        """Give the introspections per second of tokens that nobody has asked about, as a share of the bare server's."""
        return self.first_introspection / self.bare_introspection


class EngineResults(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured on one engine; memory in MiB, at the start and after all rounds."""

    engine: str
    ready_seconds: float
    idle_memory: float
    memory: float
    rounds: list[Round]

    def median(self, figure: Callable[[Round], float]) -> float:
        """Give the median of a figure over the rounds."""
        return statistics.median(map(figure, self.rounds))

    def spread(self, figure: Callable[[Round], float]) -> tuple[float, float]:
        """Give the least and the greatest of a figure over the rounds."""
        values = list(map(figure, self.rounds))
        return min(values), max(values)


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """How latency grows with the number of users on one engine: median seconds of a login with few and with many."""

    engine: str
    few: int
    many: int
    p50_few: float
    p50_many: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure that must be reached: at least `bound`, or with `at_most` at most."""

    name: str
    value: float
    bound: float
    at_most: bool = False

    @property
    def is_reached(self) -> bool:
        """Say whether it is."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    users: int
    connections: int
    rounds: int
    access_log: bool
    engines: list[EngineResults]
    growth: list[Growth] = []

    def figures(self) -> list[Figure]:
        """Give every figure that must be reached."""
        found: list[Figure] = []
        for engine in self.engines:
            found += [
                Figure(name=f"{engine.engine}: logins, share of the floor", value=engine.median(lambda r: r.share),
                       bound=0.6),
                Figure(name=f"{engine.engine}: introspections, share of the bare server",
                       value=engine.median(lambda r: r.introspection_share), bound=0.5),
                Figure(name=f"{engine.engine}: seconds until ready", value=engine.ready_seconds, bound=0.3,
                       at_most=True),
                Figure(name=f"{engine.engine}: MiB of memory when ready", value=engine.idle_memory, bound=60.0,
                       at_most=True),
            ]  # fmt: skip
        for growth in self.growth:
            name = f"{growth.engine}: p50 of a login at {growth.many} users, times that at {growth.few}"
            found.append(Figure(name=name, value=growth.p50_many / growth.p50_few, bound=1.3, at_most=True))
        return found
