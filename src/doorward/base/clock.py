"""Time, passed in.

Every part that asks for the time is handed a `Clock`, so that a test can stand still and a request can use one reading
from its first check to its last. All times in Doorward are seconds since 1970-01-01T00:00:00Z.
"""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Give the wall-clock time in seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Give seconds from an arbitrary start that never run backwards."""
        ...


class SystemClock:
    """The machine's own clock; every request asks it several times, so nothing stands between."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class FrozenClock:
    """A clock that moves only when it is told to; for tests and for the emulator."""

    def __init__(self, at: float) -> None:
        """Stop the clock at `at`, seconds since the Unix epoch."""
        self._at = at

    def now(self) -> float:
        """Give the time the clock was stopped at."""
        return self._at

    def monotonic(self) -> float:
        """Give the same time: it only moves forward."""
        return self._at

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self._at += seconds


def rfc3339(at: float) -> str:
    """Print a time as RFC 3339 in UTC, to the millisecond: `2026-01-31T12:00:00.000Z`."""
    whole, micros = divmod(round(at * 1_000_000), 1_000_000)
    return f"{_to_the_second(whole)}.{micros // 1000:03d}Z"


@lru_cache(64)
def _to_the_second(at: int) -> str:
    """Print whole seconds; busy logs print the same second many times."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").removesuffix("+00:00")
