"""What processes tell each other: one row a kind of thing that others keep in memory, `changes(kind, version)`.

Whoever changes such a thing adds one to its version in the same transaction; every process compares the versions twice
a second. No clock decides, and the lock on the row puts versions in the order of their commits, so that none is missed
however long a transaction is held up. Nothing is held open and nothing is lost when the connection breaks.
"""

from doorward.store.sql import Cursor, Sql, Store

NOTE = Sql(
    "INSERT INTO changes (kind, version) VALUES ($1, 1) ON CONFLICT (kind) DO UPDATE SET version = changes.version + 1"
)
ALL = Sql("SELECT kind, version FROM changes")


async def note_change(cursor: Cursor, kind: str) -> None:
    """Tell every process, within the caller's transaction, that something of `kind` has changed.

    The next one who tells of the same kind waits until the transaction has ended, so let this be its last statement.
    """
    await cursor.run(NOTE, kind)


class Follower:
    """Tells what has changed since this process last looked."""

    def __init__(self, store: Store) -> None:
        """Know nothing yet: the first reading gives every kind that was ever changed."""
        self._store = store
        self._versions: dict[str, int] = {}

    async def read(self) -> set[str]:
        """Give the kinds that have changed since the last reading; raises as `Store.read` does.

        A version that became smaller, because an older database was put back, is a change like any other.
        """
        rows = await self._store.read(lambda cursor: cursor.all(ALL))
        versions = {str(kind): int(version) for kind, version in rows}
        changed = {kind for kind, version in versions.items() if self._versions.get(kind) != version}
        self._versions = versions
        return changed
