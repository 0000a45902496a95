"""Sessions that end because their provider says so (OpenID Connect Back-Channel Logout 1.0 section 2.7).

A provider speaks of a person by `sub` and of its own session with them by `sid`; both mean something at one issuer
alone. Each of our sessions keeps digests of the two by which it can be found, and nobody can read the two off them.
"""

import hashlib
from collections.abc import Callable, Sequence

from doorward.base.frozen import frozen
from doorward.identity.claims import first_value
from doorward.identity.person import Identity
from doorward.sessions.ledger import append_all
from doorward.sessions.notices import Notices
from doorward.store import Append, Cursor, Row, Store, nonces, sessions

KEPT = 25 * 3600.0
"""For how many seconds it is remembered that a provider's message came: longer than it counts."""


@frozen
class ProviderEnd:
    """What a provider said: at `issuer` the session `sid` has ended, or every session of `subject`.

    With both, it is the session `sid` of that subject. `message_id` is the message's own, `issued_at` its time in
    seconds since the epoch.
    """

    provider: str
    issuer: str
    subject: str | None
    sid: str | None
    message_id: str
    issued_at: float


class ProviderEnds:
    """Ends sessions that a provider says have ended."""

    def __init__(self, store: Store, notices: Notices) -> None:
        """Work on `store`; `notices` are those of the desk."""
        self._store = store
        self._notices = notices

    async def take(self, end: ProviderEnd, now: float, record: Callable[[], Append]) -> int | None:
        """End every session that a message speaks of, and give how many; None when it came before.

        `record` makes the record of one of them, in the same transaction. Raises as `Store.write` does.
        """
        used = _key(end.provider, end.issuer, "message", end.message_id)

        async def take(cursor: Cursor) -> list[str] | None:
            if not await cursor.insert(nonces.USE, used, end.issued_at + KEPT):
                return None
            found = [row[0] for row in await _find(cursor, end)]
            ended = [session_id for session_id in found if await cursor.run(sessions.END, session_id)]
            await append_all(cursor, [record() for _ in ended])
            for session_id in ended:
                await sessions.note_session_change(cursor, session_id, now)
            return ended

        ended = await self._store.write(take)
        for session_id in ended or ():
            self._notices.forget(session_id)
        return None if ended is None else len(ended)


def keys_of(identity: Identity) -> tuple[bytes | None, bytes | None]:
    """Give the digests by which a session is found: of the person, and of the provider's own session with them."""
    issuer, sid = (first_value(identity.claims, name) for name in ("iss", "sid"))
    if issuer is None:
        return None, None
    subject = _key(identity.provider, issuer, "sub", identity.subject)
    return subject, None if sid is None else _key(identity.provider, issuer, "sid", sid)


async def _find(cursor: Cursor, end: ProviderEnd) -> Sequence[Row]:
    subject = None if end.subject is None else _key(end.provider, end.issuer, "sub", end.subject)
    sid = None if end.sid is None else _key(end.provider, end.issuer, "sid", end.sid)
    if subject is not None and sid is not None:
        return await cursor.all(sessions.OF_SUBJECT_AND_SID, subject, sid)
    if sid is not None:
        return await cursor.all(sessions.OF_SID, sid)
    return await cursor.all(sessions.OF_SUBJECT, subject)


def _key(*parts: str) -> bytes:
    """Give one digest of several texts; the length before each keeps two rows of texts from becoming one."""
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")).digest()
