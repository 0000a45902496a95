"""Sweeping what is left of sessions: rows that nobody can use any more, in batches that never hold the writer long."""

from doorward.store import Store, nonces, sessions, sign_in_codes
from doorward.store.sweeping import sweep_with

KEEP_CHANGES = 600.0
"""For how many seconds a change stays: a process that has not read for longer forgets everything that it knew."""


async def sweep_sessions(store: Store, now: float, extension: float) -> int:
    """Delete sessions that ended more than `extension` seconds before `now`, used nonces, codes, and known changes.

    `extension` is for how long an expired credential may still ask for a refresh. Gives the number of rows.
    """
    return (
        await sweep_with(store, sessions.SWEEP, now - extension)
        + await sweep_with(store, sessions.SWEEP_CHANGES, now - KEEP_CHANGES)
        + await sweep_with(store, nonces.SWEEP, now)
        + await sweep_with(store, sign_in_codes.SWEEP, now)
    )
