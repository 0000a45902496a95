"""Sessions as an operator sees and ends them: without their contents, and without the keys that seal them."""

from collections.abc import Sequence
from typing import Any

from doorward.base.clock import rfc3339
from doorward.store import Append, Cursor, Store, sessions


async def list_sessions(store: Store, user_id: str | None, now: float) -> list[dict[str, object]]:
    """Give the living sessions, of one `user_id` or of all, as `sessions list` prints them; nothing is unsealed."""
    if user_id is None:
        rows = await store.read(lambda cursor: cursor.all(sessions.LIVING, now))
    else:
        rows = await store.read(lambda cursor: cursor.all(sessions.LIVING_OF_USER, now, user_id))
    return [_listed(row) for row in rows]


async def end_session(store: Store, session_id: str, now: float, records: Sequence[Append] = ()) -> bool:
    """End a session for its cookie and for every session token made from it; says whether it was there.

    `records` are appended only where it was. Every process takes notice. Raises as `Store.write` does.
    """

    async def end(cursor: Cursor) -> bool:
        if not await cursor.run(sessions.END, session_id):
            return False
        await append_all(cursor, records)
        await sessions.note_session_change(cursor, session_id, now)
        return True

    return await store.write(end)


async def append_all(cursor: Cursor, rows: Sequence[Append]) -> None:
    """Append rows within the caller's transaction."""
    for insert, params in rows:
        await cursor.insert(insert, *params)


def _listed(row: Sequence[Any]) -> dict[str, object]:
    session_id, provider, user_id, created_at, ends_at = row
    return {
        "id": session_id,
        "provider": provider,
        "user_id": user_id,
        "created_at": rfc3339(created_at),
        "expires_at": rfc3339(ends_at),
    }
