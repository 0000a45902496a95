"""Sweeping: rows that nobody can use any more are deleted, in batches that never hold the writer for long.

What is deleted cannot be had back, so a clock that may be wrong is not followed at once: on a machine that woke up a
month ahead every session would else be gone before anybody set the clock.
"""

import logging
import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from doorward.base.clock import Clock
from doorward.store import Store, audit, signing_keys, tokens
from doorward.store.common_time import CommonTime
from doorward.store.sweeping import sweep_with

KEEP_ENDED = 24 * 3600.0
PATIENCE = 24 * 3600.0
JUMP = 3600.0
_log = logging.getLogger("doorward.store")

Sweep: TypeAlias = Callable[[float], Awaitable[int]]
"""Deletes what has expired before a time, in seconds since the epoch; gives the number of rows."""


class Broom:
    """Sweeps for one process, unless its clock may be wrong.

    It may be when it is more than a day ahead of the newest record from before the process began, or has leapt ahead
    since by more than an hour. A service may also have been down or suspended for so long; so after a further day
    under the same clock it is believed.
    """

    def __init__(self, store: Store, clock: Clock, common_time: CommonTime, *further: Sweep) -> None:
        """Begin to watch `clock`; of it and `common_time` the earlier is followed. `further` are swept as well."""
        self._store = store
        self._clock = clock
        self._common_time = common_time
        self._further = further
        self._began_at = clock.now()
        self._seen = (clock.now(), clock.monotonic())
        self._not_before: float | None = None

    async def sweep(self, keep_audit: float) -> int:
        """Sweep as `sweep` does, and what else was named, with nothing deleted while the clock may be wrong."""
        if self._not_before is None:
            self._not_before = await self._judge_start()
        self._note_leap()
        if self._clock.monotonic() < self._not_before:
            return 0
        shown = self._clock.now()
        now = min(shown, self._common_time.of(shown))
        return await sweep(self._store, now, keep_audit) + sum([await further(now) for further in self._further])

    async def _judge_start(self) -> float:
        row = await self._store.read(lambda cursor: cursor.one(audit.NEWEST, self._began_at))
        newest = None if row is None else row[0]
        if newest is None:  # a new database: there is nothing to delete, and nobody to warn
            return self._clock.monotonic() + PATIENCE
        if self._began_at - newest <= PATIENCE:
            return -math.inf
        return self._put_off("the clock is far ahead of the newest record")

    def _note_leap(self) -> None:
        now, steady = self._clock.now(), self._clock.monotonic()
        leap = (now - self._seen[0]) - (steady - self._seen[1])
        self._seen = (now, steady)
        if leap > JUMP:
            self._not_before = self._put_off("the clock has leapt ahead")

    def _put_off(self, reason: str) -> float:
        _log.warning("sweep.put_off", extra={"facts": {"reason": reason, "seconds": PATIENCE}})
        return self._clock.monotonic() + PATIENCE


async def sweep(store: Store, now: float, keep_audit: float) -> int:
    """Delete what has expired before `now`; gives the number of rows that were named directly.

    Ended pairs and families stay for a day, so that `doorward explain` can still say of a token when it ended. Records
    of the audit trail stay for `keep_audit` seconds, with 0 for ever.
    """
    trail = await sweep_with(store, audit.SWEEP, now - keep_audit) if keep_audit else 0
    return (
        trail
        + await sweep_with(store, tokens.SWEEP_PAIRS, now - KEEP_ENDED)
        + await sweep_with(store, tokens.SWEEP_FAMILIES, now - KEEP_ENDED)
        + await sweep_with(store, tokens.SWEEP_SEEN, now)
        + await sweep_with(store, signing_keys.SWEEP, now)
    )
