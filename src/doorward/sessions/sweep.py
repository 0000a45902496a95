"""Sweeping what is left of sessions: rows that nobody can use any more, in batches that never hold the writer long."""

from doorward.store import Cursor, Sql, Store, nonces, sessions, sign_in_codes

KEEP_CHANGES = 600.0
"""For how many seconds a change stays: a process that has not read for longer forgets everything that it knew."""
_MAX_BATCHES = 200


async def sweep_sessions(store: Store, now: float, extension: float) -> int:
    """Delete sessions that ended more than `extension` seconds before `now`, used nonces, codes, and known changes.

    `extension` is for how long an expired credential may still ask for a refresh. Gives the number of rows.
    """
    return (
        await _sweep_with(store, sessions.SWEEP, now - extension)
        + await _sweep_with(store, sessions.SWEEP_CHANGES, now - KEEP_CHANGES)
        + await _sweep_with(store, nonces.SWEEP, now)
        + await _sweep_with(store, sign_in_codes.SWEEP, now)
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
