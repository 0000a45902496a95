"""Deleting what nobody can use any more, some rows at a time, so that the writer is never held for long."""

from doorward.store.sql import Cursor, Sql, Store

_MAX_BATCHES = 200


async def sweep_with(store: Store, statement: Sql, before: float) -> int:
    """Delete with a statement that takes some rows at a time, until none is left; gives the number of rows."""

    async def delete(cursor: Cursor) -> int:
        return await cursor.run(statement, before)

    total = 0
    for _ in range(_MAX_BATCHES):
        count = await store.write(delete)
        total += count
        if not count:
            break
    return total
