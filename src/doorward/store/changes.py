"""What processes tell each other: rows of `changes(id, at, kind, subject)`.

Whoever changes something that others keep in memory writes a row in the same transaction; every process reads the
newest rows twice a second. Reading overlaps by some seconds, because on PostgreSQL a row with a smaller id may become
visible after one with a greater id. Nothing is held open and nothing is lost when the connection breaks.
"""

from doorward.base.clock import Clock
from doorward.store.sql import Cursor, Insert, Sql, Store

ADD = Insert("changes", {"at": "double precision", "kind": "text", "subject": "text"})
NEWEST = Sql("SELECT id, kind, subject FROM changes WHERE at >= $1 ORDER BY id")
SWEEP = Sql("DELETE FROM changes WHERE at < $1")
OVERLAP = 10.0


async def note_change(cursor: Cursor, now: float, kind: str, subject: str) -> None:
    """Tell every process, within the caller's transaction, that `subject` of `kind` has changed."""
    await cursor.insert(ADD, now, kind, subject)


class Follower:
    """Reads the changes that this process has not seen yet."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Follow from this moment on: what is older is loaded by whoever needs it."""
        self._store = store
        self._clock = clock
        self._read_until = clock.now()
        self._seen: set[int] = set()

    async def read(self) -> list[tuple[str, str]]:
        """Give (kind, subject) of the changes since the last reading; raises as `Store.read` does."""
        since, now = self._read_until - OVERLAP, self._clock.now()
        rows = await self._store.read(lambda cursor: cursor.all(NEWEST, since))
        new = [(str(kind), str(subject)) for number, kind, subject in rows if number not in self._seen]
        self._seen = {int(number) for number, _, _ in rows}
        self._read_until = now
        return new
