"""The life of a session: begun, found, refreshed, ended, listed.

The cookie is 256 random bits; the database keeps its SHA-256, and identity and provider tokens sealed. Each sign-in
begins a session under a new cookie and ends the one that the browser had, so that no cookie that was known before a
sign-in is worth anything after it. What becomes of the cookie's value in a refresh stands in `cookie_value.py`.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from doorward.base.clock import Clock
from doorward.base.entropy import TOKEN_BYTES, Entropy, ordered_id
from doorward.identity.admission import Recognised, Via
from doorward.identity.person import Identity
from doorward.protocol.jose import base64url_encode
from doorward.protocol.sealing import NotOpened, Sealer
from doorward.sessions.cookie_value import MARK_BYTES, CookieValues, read_value, write_value
from doorward.sessions.ledger import append_all, end_session, list_sessions
from doorward.sessions.memory import Kind, Memory, key_of
from doorward.sessions.notices import Notices
from doorward.sessions.provider_ends import keys_of
from doorward.sessions.rules import SessionRules
from doorward.sessions.session import Caller, Present, Session
from doorward.store import Append, Cursor, Row, Store, sessions

_log = logging.getLogger("doorward.sessions")


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is sealed of a session."""

    identity: Identity
    site: str = ""
    values: CookieValues = msgspec.field(default_factory=CookieValues)


class SessionDesk:
    """The sessions of one database, as one process sees them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        *,
        sealer: Sealer,
        rules: SessionRules,
        present: Present,
        memory: Memory | None = None,
    ) -> None:
        """Work on `store`; `present` makes headers and the body of `/.auth/me` of an identity."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealer = sealer
        self._present = present
        self.rules = rules
        self.memory = Memory() if memory is None else memory
        self.notices = Notices(store, clock, self.memory, grace=rules.store_grace)

    # --- begin and end -----------------------------------------------------------------------------------------------

    async def start(
        self,
        identity: Identity,
        now: float,
        *,
        records: Sequence[Append] = (),
        replaces: str | None = None,
        with_token: bool = False,
        site: str = "",
    ) -> tuple[str, Session]:
        """Begin a session and give its cookie; `records` are appended with it, all or nothing.

        `replaces` is the cookie that the browser sent, whose session ends. `with_token` says that a session token will
        be made of it, which the session then lasts for. `site` is the origin that it counts at. Raises as
        `Store.write` does.
        """
        secret = base64url_encode(self._entropy.draw(TOKEN_BYTES)).decode()
        kept = self.rules.kept(identity)
        principal, me = self._present(kept, refreshed=False)
        session = Session(
            id=ordered_id(self._entropy, now),
            provider=identity.provider,
            user_id=identity.user_id,
            identity=kept,
            principal=principal,
            me=me,
            refreshed=False,
            generation=0,
            created_at=now,
            expires_at=self.rules.cookie_ends(identity, now),
            token_expires_at=self.rules.token_ends(identity, now) if with_token else None,
            site=site,
        )
        rows = [self._row(session, _digest(secret)), *records]
        taken = self.notices.taken
        before = (await self._load(replaces))[0] if replaces else None
        if before is None:
            await self._store.append(rows)
        else:
            await self._start_anew(before.id, rows, now)
            taken = self.notices.taken
        self.remember(key_of(Kind.COOKIE, secret.encode()), _caller(session, session.expires_at), taken)
        return secret, session

    async def end(self, session_id: str, now: float, records: Sequence[Append] = ()) -> bool:
        """End a session for its cookie and for every session token made from it; says whether it was there.

        `records` are appended only where it was. Raises as `Store.write` does.
        """
        ended = await end_session(self._store, session_id, now, records)
        self.notices.forget(session_id)
        return ended

    async def renew(
        self,
        session: Session,
        identity: Identity,
        now: float,
        *,
        records: Sequence[Append] = (),
        by_cookie: bool = True,
    ) -> Session | None:
        """Give the session with what a refresh brought, and everything of it begun anew.

        With `by_cookie` its cookie gets a new value, which is to be handed out; else the cookie lives no longer than
        before. None when it has ended, or was refreshed by somebody else in the meantime. Raises as `Store.write` does.
        """
        principal, me = self._present(identity, refreshed=True)
        expires_at, values = session.expires_at, session.values
        if by_cookie:
            mark = base64url_encode(self._entropy.draw(MARK_BYTES)).decode()
            expires_at, values = self.rules.cookie_ends(identity, now), values.replaced_by(mark, now, expires_at)
        renewed = replace(
            session,
            identity=identity,
            principal=principal,
            me=me,
            refreshed=True,
            generation=session.generation + 1,
            expires_at=expires_at,
            token_expires_at=self.rules.token_ends(identity, now),
            values=values,
        )
        sealed = self._seal(renewed)

        async def take_over(cursor: Cursor) -> bool:
            times = (renewed.expires_at, renewed.token_expires_at, _ends_at(renewed))
            if not await cursor.run(sessions.RENEW, session.id, session.generation, sealed, *times):
                return False
            await append_all(cursor, records)
            await sessions.note_session_change(cursor, session.id, now)
            return True

        taken_over = await self._store.write(take_over)
        self.notices.forget(session.id)
        return renewed if taken_over else None

    # --- find --------------------------------------------------------------------------------------------------------

    def known(self, cookie: str) -> Session | None:
        """Give the session of a cookie if this process remembers it and may believe what it remembers."""
        caller = self.known_caller(cookie)
        return None if caller is None else caller.session

    def known_caller(self, cookie: str) -> Caller | None:
        """Give what a cookie comes to, as `known` does."""
        if not self.notices.are_fresh():
            return None
        return self._remembered(key_of(Kind.COOKIE, cookie.encode("utf-8", "replace")))

    def known_by_line(self, line: bytes) -> Caller | None:
        """Give what a whole Cookie header comes to that `note_line` was told of, as `known` does."""
        caller = self.memory.get_by_line(line)
        if caller is None or self._clock.now() >= caller.until or not self.notices.are_fresh():
            return None
        return caller

    def note_line(self, line: bytes, cookie: str) -> None:
        """Note that this is the session cookie in a Cookie header, and that there is no other."""
        self.memory.put_line(line, key_of(Kind.COOKIE, cookie.encode("utf-8", "replace")))

    async def find(self, cookie: str) -> Session | None:
        """Give the session of a cookie, or None where there is none or it has expired.

        Raises `DoorwardError` (`store_unavailable`) when nobody can tell.
        """
        caller = await self.find_caller(cookie)
        return None if caller is None else caller.session

    async def find_caller(self, cookie: str) -> Caller | None:
        """Give what a cookie comes to, as `find` does."""
        if read_value(cookie) is None:
            return None
        await self.notices.freshen()
        key = key_of(Kind.COOKIE, cookie.encode())
        caller = self._remembered(key)
        if caller is not None:
            return caller
        self.notices.refuse_while_away()
        taken = self.notices.taken
        session, until = await self._load(cookie)
        if session is None or self._clock.now() >= until:
            return None
        caller = _caller(session, until)
        self.remember(key, caller, taken)
        return caller

    async def find_late(self, cookie: str) -> Session | None:
        """Give the session of a cookie that may have expired, but not longer ago than a refresh is allowed."""
        session, until = await self._load(cookie, self.rules.extension)
        return None if session is None or self._clock.now() >= until else session

    async def find_by_id(self, session_id: str) -> Session | None:
        """Give a session as it is stored, whether or not it has expired; raises as `Store.find` does."""
        row = await self._store.find(sessions.BY_ID, session_id)
        return None if row is None else self._open(row)

    async def list_living(self, user_id: str | None, now: float) -> list[dict[str, object]]:
        """Give the living sessions, of one user or of all, as `sessions list` prints them."""
        return await list_sessions(self._store, user_id, now)

    def remember(self, key: bytes, caller: Caller, taken: int) -> None:
        """Remember a caller that was read when `notices.taken` was `taken`: unless something changed since."""
        if self.notices.taken == taken:
            self.memory.put(key, caller)

    def _remembered(self, key: bytes) -> Caller | None:
        caller = self.memory.get(key)
        return None if caller is None or self._clock.now() >= caller.until else caller

    # --- rows --------------------------------------------------------------------------------------------------------

    async def _load(self, cookie: str, extension: float = 0.0) -> tuple[Session | None, float]:
        """Read the session of a cookie, whether or not it has expired, and until when this value of it counts."""
        value = read_value(cookie)
        row = None if value is None else await self._store.find(sessions.BY_DIGEST, _digest(value[0]))
        session = None if row is None else self._open(row)
        if session is None or value is None:
            return None, 0.0
        until = session.values.until(value[1], session.expires_at, extension)
        return (None, 0.0) if until is None else (session, until)

    async def _start_anew(self, before: str, rows: Sequence[Append], now: float) -> None:
        async def start(cursor: Cursor) -> None:
            await append_all(cursor, rows)
            if await cursor.run(sessions.END, before):
                await sessions.note_session_change(cursor, before, now)

        await self._store.write(start)
        self.notices.forget(before)

    def _row(self, session: Session, digest: bytes) -> Append:
        return sessions.ADD, (
            session.id,
            digest,
            session.provider,
            session.user_id,
            self._seal(session),
            int(session.refreshed),
            session.generation,
            session.created_at,
            session.expires_at,
            session.token_expires_at,
            _ends_at(session),
            *keys_of(session.identity),
        )

    def _seal(self, session: Session) -> bytes:
        kept = _Kept(session.identity, session.site, session.values)
        return self._sealer.seal(msgspec.json.encode(kept), _context(session.id), self._entropy)

    def _open(self, row: Row) -> Session | None:
        """Read a row; one that the encryption key does not open is no session any more."""
        session_id, _, provider, user_id, sealed, refreshed, generation, created_at, expires_at, token_expires_at = row
        try:
            kept = msgspec.json.decode(self._sealer.open(sealed, _context(session_id)), type=_Kept)
        except (NotOpened, msgspec.DecodeError):
            _log.warning("session.not_opened", extra={"facts": {"session": session_id}})
            return None
        try:
            principal, me = self._present(kept.identity, refreshed=bool(refreshed))
        except LookupError:  # who signed in at a provider that was taken out of the settings is signed in no longer
            return None
        return Session(
            id=session_id,
            provider=provider,
            user_id=user_id,
            identity=kept.identity,
            principal=principal,
            me=me,
            refreshed=bool(refreshed),
            generation=generation,
            created_at=created_at,
            expires_at=expires_at,
            token_expires_at=token_expires_at,
            site=kept.site,
            values=kept.values,
        )


def renewed_cookie(cookie: str, session: Session) -> str:
    """Give the cookie under which a refreshed session goes on."""
    return write_value(cookie, session.values.mark)


def _caller(session: Session, until: float) -> Caller:
    credential = Recognised(via=Via.COOKIE, principal=session.principal)
    return Caller(credential=credential, session=session, me=session.me, until=until)


def _ends_at(session: Session) -> float:
    return max(session.expires_at, session.token_expires_at or 0.0)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _context(session_id: str) -> str:
    return f"sessions/{session_id}"
