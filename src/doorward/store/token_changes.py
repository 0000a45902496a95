"""Whose tokens may have died, told to every process: one row a change, `token_changes(id, user_id)`.

Whoever ends tokens adds a row in the same transaction: the user whose they were, or nobody in particular where they are
too many to name. Unlike `changes` nothing is locked, since people sign out all the time and must not wait for each
other. A row can therefore be committed after one with a higher number. On PostgreSQL each row has the number of its
transaction, and a reading goes back to the oldest transaction that the reading before could not see the end of; SQLite
has one writer, so its rows come in the order of their commits. No clock decides.
"""

from doorward.store.sql import Cursor, Sql, Store

AT_ONCE = 2000
"""Of so many users in one reading nobody is told apart any more."""
_NOWHERE = 2**62


class _Twofold(Sql):
    """A statement for which each engine has words of its own."""

    __slots__ = ()

    def __init__(self, *, postgres: str, sqlite: str) -> None:
        super().__init__(postgres)
        self.sqlite = Sql(sqlite).sqlite


NOTE = Sql("INSERT INTO token_changes (user_id) VALUES ($1)")
SINCE = _Twofold(
    postgres="SELECT here.place, c.id, c.user_id"
    " FROM (SELECT txid_snapshot_xmin(txid_current_snapshot()) AS place) AS here"
    f" LEFT JOIN token_changes c ON c.transaction >= $1 LIMIT {AT_ONCE}",
    sqlite="SELECT here.place, c.id, c.user_id"
    " FROM (SELECT COALESCE(MAX(seq), 0) + 1 AS place FROM sqlite_sequence WHERE name = 'token_changes') AS here"
    f" LEFT JOIN token_changes c ON c.id >= $1 LIMIT {AT_ONCE}",
)
"""Where the next reading is to begin, and what was told from a place on: one row at least, if need be without a change.
"""
SWEEP = _Twofold(
    postgres="DELETE FROM token_changes WHERE id IN"
    " (SELECT id FROM token_changes WHERE transaction < $1 ORDER BY transaction LIMIT 500)",
    sqlite="DELETE FROM token_changes WHERE id IN (SELECT id FROM token_changes WHERE id < $1 ORDER BY id LIMIT 500)",
)


async def note_user(cursor: Cursor, user_id: int) -> None:
    """Tell every process, within the caller's transaction, that tokens of one user may have died."""
    await cursor.run(NOTE, user_id)


async def note_everybody(cursor: Cursor) -> None:
    """Tell every process, within the caller's transaction, that anybody's tokens, or a client, may have died."""
    await cursor.run(NOTE, None)


class TokenNews:
    """Reads what has been told since this process last looked."""

    def __init__(self, store: Store) -> None:
        """Know no place yet: the first reading says that it may be anybody."""
        self._store = store
        self._place: int | None = None
        self._told: frozenset[int] = frozenset()

    @property
    def place(self) -> int:
        """Give the place from which the next reading begins: all before it were read."""
        return self._place or 0

    async def read(self) -> frozenset[int] | None:
        """Give the users of whom something was told since the last reading, or None where it may be anybody.

        That is so after a reading that failed, and in a database that went back to an older state. Raises as
        `Store.read` does.
        """
        began, self._place = self._place, None
        since = _NOWHERE if began is None else began
        rows = await self._store.read(lambda cursor: cursor.all(SINCE, since))
        place = int(rows[0][0])
        # On PostgreSQL what was read before may come again, while an older transaction lasts.
        told = {int(number): user for _, number, user in rows if number is not None}
        fresh = [user for number, user in told.items() if number not in self._told]
        self._place, self._told = place, frozenset(told)
        if began is None or place < began or len(rows) == AT_ONCE or None in fresh:
            return None
        return frozenset(fresh)

    def lose_place(self) -> None:
        """Begin anew: the next reading says that it may be anybody."""
        self._place = None
