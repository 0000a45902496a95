"""The rounds of the benchmark of the gateway: everybody is asked in turn, in each round for everything."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks import wrk
from benchmarks.gateway_figures import (
    DECIDED,
    DIRECT,
    ENVOY,
    FEW,
    IDLE,
    MANY,
    NGINX,
    OURS,
    P99,
    PROCESSOR,
    SIZES,
    TWO,
    USUAL,
    rate,
)
from benchmarks.gateway_stand import One, Stand
from benchmarks.processes import generate
from benchmarks.ratios import of
from benchmarks.signed_in import browser_request

_BRIEF = 1.0
_REMEMBERING_SECONDS = 60.0
_PASSES = {OURS: 1, TWO: 4, DECIDED: 1}
"""How often all sessions come by before the measurement; which of two workers one comes to is chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long it takes: seconds of the usual measurement, windows of p99, and whether everything else is asked.

    Without windows the p99 is that of the usual measurement. Not whole is fewer combinations, and without Envoy.
    """

    seconds: float
    windows: int
    is_whole: bool

    def others(self) -> list[tuple[str, int]]:
        """Give the sizes and numbers of connections beside the usual ones."""
        every = [(path, connections) for connections in (FEW, USUAL, MANY) for path in SIZES]
        return [each for each in every if each != ("/", USUAL) and (self.is_whole or "/" in each or USUAL in each)]


class Rounds:
    """One run."""

    def __init__(self, length: Length, stand: Stand) -> None:
        """Ask those of `stand`, which are running."""
        self._length = length
        self._stand = stand
        self._compared = [name for name in (OURS, NGINX, ENVOY) if name in stand.everybody]

    def warm_up(self, cookies: Iterable[str]) -> None:
        """Have every session remembered, and every connection to the application opened."""
        file = self._stand.stage.directory / "everybody"
        file.write_bytes(msgspec.msgpack.encode([browser_request(cookie) for cookie in cookies]))
        for name, passes in _PASSES.items():
            for _ in range(passes if name in self._stand.everybody else 0):
                generate(self._stand.everybody[name].port, USUAL, _REMEMBERING_SECONDS, file)
        for one in self._stand.everybody.values():
            self._ask(one, seconds=_BRIEF)

    def round(self) -> dict[str, float]:
        """Measure everything once."""
        found: dict[str, float] = {}
        for name, one in self._stand.everybody.items():
            before = one.processor_seconds
            asked = self._ask(one, seconds=self._length.seconds)
            taken = one.processor_seconds - before
            found[of(name, rate())] = asked.rate
            found[of(name, PROCESSOR)] = taken / asked.requests * 1e6
            if name in self._compared:
                found[of(name, P99)] = asked.p99 * 1000
        found |= self._slowest() | self._others()
        return found | self._idle()

    def _others(self) -> dict[str, float]:
        """Ask those compared for other sizes and over other numbers of connections."""
        found: dict[str, float] = {}
        for path, connections in self._length.others():
            for name in self._compared if self._length.is_whole else [n for n in self._compared if n != ENVOY]:
                asked = self._ask(self._stand.everybody[name], path, connections)
                found[of(name, rate(path, connections))] = asked.rate
        return found

    def _slowest(self) -> dict[str, float]:
        """Give the p99 of those compared: the median over several windows, since one stall would decide one window."""
        windows: dict[str, list[float]] = {name: [] for name in self._compared}
        for _ in range(self._length.windows):
            for name, seen in windows.items():
                seen.append(self._ask(self._stand.everybody[name]).p99 * 1000)
        return {of(name, P99): statistics.median(seen) for name, seen in windows.items() if seen}

    def _idle(self) -> dict[str, float]:
        """Compare a request through the gateway with one to the application itself, one at a time."""
        scripts: dict[str, Path] = dict(self._stand.everybody[OURS].scripts)
        application = One(port=self._stand.stage.application, processes=(), scripts=scripts)
        direct = self._ask(application, connections=FEW).p50 * 1000
        ours = self._ask(self._stand.everybody[OURS], connections=FEW).p50 * 1000
        return {DIRECT: direct, IDLE: ours - direct}

    def _ask(self, one: One, path: str = "/", connections: int = USUAL, seconds: float = _BRIEF) -> wrk.Asked:
        return wrk.ask(one.port, connections, seconds, one.scripts[path])
