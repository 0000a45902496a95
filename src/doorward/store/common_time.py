"""The time that all processes of one database share: the database's own.

What one process writes down and another compares with its clock, to the second, must be of one clock: a replica that is
twelve seconds ahead would else take a lost answer's second refresh for a stolen token.
"""

import logging

from doorward.base.clock import Clock
from doorward.store.sql import Sql, Store

NOTABLE = 1.0
SLOW = 0.5
_log = logging.getLogger("doorward.store")


class _Now(Sql):
    """The time of the database; each engine has words of its own for it."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("SELECT CAST(extract(epoch FROM clock_timestamp()) AS double precision)")
        self.sqlite = "SELECT (julianday('now') - 2440587.5) * 86400.0"


NOW = _Now()


class CommonTime:
    """How far this process is ahead of the database's clock.

    Less than `NOTABLE` seconds count as none, so that on a machine whose clock is right every time is exactly its own.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Trust `clock` until `measure` has been called."""
        self._store = store
        self._clock = clock
        self._ahead = 0.0

    def of(self, now: float) -> float:
        """Give what the shared clock shows when this process's own shows `now`."""
        return now - self._ahead

    async def measure(self) -> None:
        """Compare the clocks; an answer that took long tells nothing. Raises as `Store.read` does."""
        began, asked_at = self._clock.monotonic(), self._clock.now()
        row = await self._store.read(lambda cursor: cursor.one(NOW))
        took = self._clock.monotonic() - began
        if row is None or took > SLOW:
            return
        ahead = asked_at + took / 2 - float(row[0])
        if abs(ahead - self._ahead) > NOTABLE:
            self._ahead = ahead if abs(ahead) > NOTABLE else 0.0
            _log.warning("clock.apart", extra={"facts": {"seconds_ahead_of_database": round(self._ahead, 1)}})
