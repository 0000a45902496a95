"""Sweeping: rows that nobody can use any more are deleted, in batches that never hold the writer for long."""

from doorward.store import Cursor, Sql, Store, audit, signing_keys, tokens

KEEP_ENDED = 24 * 3600.0
_MAX_BATCHES = 200


async def sweep(store: Store, now: float, keep_audit: float) -> int:
    """Delete what has expired before `now`; gives the number of rows that were named directly.

    Ended pairs and families stay for a day, so that `doorward explain` can still say of a token when it ended. Records
    of the audit trail stay for `keep_audit` seconds, with 0 for ever.
    """
    trail = await _sweep_with(store, audit.SWEEP, now - keep_audit) if keep_audit else 0
    return (
        trail
        + await _sweep_with(store, tokens.SWEEP_PAIRS, now - KEEP_ENDED)
        + await _sweep_with(store, tokens.SWEEP_FAMILIES, now - KEEP_ENDED)
        + await _sweep_with(store, tokens.SWEEP_SEEN, now)
        + await _sweep_with(store, signing_keys.SWEEP, now)
    )


async def _sweep_with(store: Store, statement: Sql, before: float) -> int:
    async def delete(cursor: Cursor) -> int:
        return await cursor.run(statement, before)

    total = 0
    for _ in range(_MAX_BATCHES):
        count = await store.write(delete)
        total += count
        if not count:
            break
    return total
