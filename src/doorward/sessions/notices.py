"""Taking notice of what other processes did to sessions, and how far the memory may be believed.

What is remembered is as good as the last reading of the changes. While readings succeed, a session that was ended
anywhere is forgotten here within a second. While they fail, known sessions live on for the grace that the settings
give, and nobody else is let in (interface, `easyauth.store_grace`).
"""

import asyncio
import math
from contextlib import suppress

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.sessions.memory import Memory
from doorward.store import Cursor, Row, Store, sessions
from doorward.store.sql import unavailable

READ_SECONDS = 0.4
FRESH_SECONDS = 0.9
PATIENCE = 2.0
"""For how many seconds a reading is waited for: requests wait with it."""


class Notices:
    """Reads the numbered changes of sessions, and forgets what they name."""

    def __init__(self, store: Store, clock: Clock, memory: Memory, *, grace: float) -> None:
        """Know nothing yet: before the first reading nothing that is remembered is believed."""
        self._store = store
        self._clock = clock
        self._memory = memory
        self._grace = grace
        self._number: int | None = None
        self._fresh_until = -math.inf
        self._reading: asyncio.Task[None] | None = None
        self._as_of = -math.inf
        self.is_away = False
        """Whether the last reading failed."""
        self.taken = 0
        """Grows whenever something was forgotten: what was read from the database before may be out of date."""

    def are_fresh(self) -> bool:
        """Say whether the memory may be believed without another reading."""
        return self._clock.monotonic() < self._fresh_until

    async def freshen(self) -> None:
        """Take notice, unless that was just done; raises `DoorwardError` (`store_unavailable`) after the grace."""
        if self.are_fresh():
            return
        try:
            await self.take()
        except DoorwardError:
            if not self.are_fresh():
                raise

    async def take(self) -> None:
        """Read what changed, once for all who wait; raises `DoorwardError` (`store_unavailable`)."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._take(), name="doorward-session-notices")
            self._reading.add_done_callback(self._landed)
        await asyncio.shield(self._reading)

    async def run(self) -> None:
        """Take notice again and again until cancelled, so that no request has to wait for a reading."""
        while True:
            with suppress(DoorwardError):  # whoever asks for an unknown session reports the outage
                await self.take()
            await asyncio.sleep(READ_SECONDS)

    def forget(self, session_id: str) -> None:
        """Forget a session that this process has just changed itself."""
        self.taken += 1
        self._memory.drop(session_id)

    def refuse_while_away(self) -> None:
        """Refuse at once what only the database could tell; raises `DoorwardError` (`store_unavailable`)."""
        if self.is_away:
            raise DoorwardError(STORE_UNAVAILABLE, retry_after=1, reason="the changes of sessions cannot be read")

    def _landed(self, reading: "asyncio.Task[None]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # asked for, so that asyncio does not log what those who wait are told

    async def _take(self) -> None:
        asked_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                number, rows = await self._store.read(self._read)
        except TimeoutError as error:
            self._lose()
            raise unavailable(error, "no answer in time") from error
        except DoorwardError:
            self._lose()
            raise
        self._note(number, rows)
        self._as_of, self._fresh_until, self.is_away = asked_at, asked_at + FRESH_SECONDS, False

    def _lose(self) -> None:
        """Count on the grace, since nothing can be read."""
        self._fresh_until, self.is_away = self._as_of + self._grace, True

    async def _read(self, cursor: Cursor) -> tuple[int, list[Row]]:
        row = await cursor.one(sessions.NEWEST_CHANGE, sessions.CHANGE_KIND)
        number = 0 if row is None else int(row[0])
        if number == self._number or self._number is None:
            return number, []
        return number, await cursor.all(sessions.CHANGES_AFTER, self._number)

    def _note(self, number: int, rows: list[Row]) -> None:
        """Forget what `rows` name; everybody where they do not follow on what was read before.

        They do not when rows were swept in the meantime, or when an older database was put back.
        """
        if number == self._number:
            return
        follows_on = [row[0] for row in rows] == [(self._number or 0) + place for place in range(1, len(rows) + 1)]
        self.taken += 1
        if self._number is None or not rows or not follows_on or len(rows) > sessions.MOST_CHANGES:
            self._memory.clear()
            self._number = number
            return
        for _, session_id in rows:
            self._memory.drop(session_id)
        self._number = int(rows[-1][0])
