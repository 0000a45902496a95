"""Whom a request comes from: the one place where credentials become a caller, for every door.

Interface section 5: a session token in X-ZUMO-AUTH, then `Authorization: Bearer`, then the session cookie. A token
that is present and does not pass is refused and nothing else is looked at; a cookie that says nothing is nobody's.
Where both tokens are present both must be good, and the session token speaks.

`recognise_now` answers from memory alone, without waiting; whoever it does not know is asked about by `recognise`.
"""

import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.frozen import frozen
from doorward.base.refusals import MALFORMED_REQUEST
from doorward.base.refusals_easyauth import INVALID_BEARER, INVALID_SESSION_TOKEN
from doorward.identity.admission import Allow, Anonymous, Bad, Recognised, Via
from doorward.identity.visit import Visit
from doorward.protocol.easyauth import SESSION_TOKEN, session_cookie_value
from doorward.sessions.desk import SessionDesk
from doorward.sessions.memory import Kind, key_of
from doorward.sessions.presenting import Presenter
from doorward.sessions.session import Caller
from doorward.sessions.session_token import SessionTokens

BearerCheck: TypeAlias = Callable[[str], Awaitable[Caller]]
"""Gives the caller with a bearer of one form, who counts until `Caller.until`; raises `DoorwardError`."""

SiteOf: TypeAlias = Callable[[Visit], str]

ANONYMOUS = Caller(credential=Anonymous())
FOREIGN = Caller(credential=Anonymous(brings_foreign=True))
_CREDENTIALS = frozenset({b"cookie", b"authorization", SESSION_TOKEN})
_THREE_PARTS = re.compile(rb"[^.]*\.[^.]*\.[^.]*")
_PLATFORM_TOKEN = re.compile(rb"[0-9a-f]{64}", re.IGNORECASE)


@frozen
class Bearers:
    """Which bearers are looked at.

    `provider` checks JWTs of providers, None where no provider takes bearers; `platform` checks platform tokens, None
    where the token service is off. Without either `Authorization` is the application's own. `passes_foreign` is
    `easyauth.foreign_bearers = "pass"`.
    """

    provider: BearerCheck | None = None
    platform: BearerCheck | None = None
    passes_foreign: bool = False


_Shown: TypeAlias = tuple[bytes | None, bytes | None, str | None, Caller]
"""The credentials of a request: session token, bearer, cookie, and who it is without any of them.

A plain tuple, since one is made for each request.
"""


class Gate:
    """Recognises callers."""

    def __init__(
        self,
        desk: SessionDesk,
        tokens: SessionTokens,
        presenter: Presenter,
        clock: Clock,
        bearers: Bearers | None = None,
        site_of: SiteOf | None = None,
    ) -> None:
        """Ask `desk` and `tokens` for sessions, and `bearers` for what comes in Authorization.

        `site_of` gives the origin that a visit is served under, None where there is only one: a session counts at the
        origin that it was begun at, and at no other.
        """
        self._desk = desk
        self._tokens = tokens
        self._presenter = presenter
        self._clock = clock
        self._site_of = site_of
        self._bearers = Bearers() if bearers is None else bearers
        self._reads_authorization = not (self._bearers.provider is None and self._bearers.platform is None)

    # --- in memory ---------------------------------------------------------------------------------------------------

    def recognise_now(self, visit: Visit) -> Caller | None:
        """Give the caller if memory can tell, or None; never waits."""
        caller = self._known(visit)
        return caller if self._site_of is None or caller is None else self._held_to_site(visit, caller)

    def _held_to_site(self, visit: Visit, caller: Caller) -> Caller:
        """Give a caller whose session counts at the origin of this visit, else what a foreign credential comes to."""
        session = caller.session
        if self._site_of is None or session is None or not session.site or session.site == self._site_of(visit):
            return caller
        if isinstance(caller.credential, Recognised) and caller.credential.via is Via.SESSION_TOKEN:
            return _refused(DoorwardError(INVALID_SESSION_TOKEN, reason="made for another site", session=session.id))
        return ANONYMOUS

    def _known(self, visit: Visit) -> Caller | None:
        line = _only_cookies(visit)
        if line is not None and (caller := self._desk.known_by_line(line)) is not None:
            return caller
        try:
            shown = self._look(visit)
        except DoorwardError as refusal:
            return _refused(refusal)
        token, bearer, cookie, nobody = shown
        if token is None and bearer is None:
            return nobody if cookie is None else self._known_by_cookie(cookie, line)
        known = None if bearer is None else self._known_bearer(bearer)
        if token is None or (bearer is not None and known is None):
            return known
        return self._known_by_token(token)

    def _known_by_cookie(self, cookie: str, line: bytes | None) -> Caller | None:
        caller = self._desk.known_caller(cookie)
        if caller is not None and line is not None:
            self._desk.note_line(line, cookie)
        return caller

    def _known_by_token(self, token: bytes) -> Caller | None:
        if not self._desk.notices.are_fresh():
            return None
        return self._living(key_of(Kind.SESSION_TOKEN, token))

    def _known_bearer(self, bearer: bytes) -> Caller | None:
        return self._living(key_of(Kind.BEARER, bearer))

    def _living(self, key: bytes) -> Caller | None:
        caller = self._desk.memory.get(key)
        return None if caller is None or self._clock.now() >= caller.until else caller

    # --- once more ---------------------------------------------------------------------------------------------------

    def key(self, visit: Visit) -> bytes | None:
        """Give the key under which memory has whoever sent these header fields, empty where they show no credential.

        None where more than one credential decides, or none of ours.
        """
        try:
            token, bearer, cookie, nobody = self._look(visit)
        except DoorwardError:
            return None
        shown = [
            key_of(kind, credential)
            for kind, credential in (
                (Kind.SESSION_TOKEN, token),
                (Kind.BEARER, bearer),
                (Kind.COOKIE, None if cookie is None else cookie.encode("utf-8", "replace")),
            )
            if credential is not None
        ]
        if len(shown) > 1 or nobody is not ANONYMOUS:
            return None
        return shown[0] if shown else b""

    def site(self, visit: Visit) -> str | None:
        """Give the origin at which the credentials of a visit must count, None where there is only one."""
        return None if self._site_of is None else self._site_of(visit)

    def recognise_again(self, key: bytes, site: str | None) -> Allow | None:
        """Let whoever memory has under `key` pass at `site` with a request that changes nothing, or give None."""
        caller = self._desk.memory.get(key)
        if caller is None or self._clock.now() >= caller.until or not self._desk.notices.are_fresh():
            return None
        session, credential = caller.session, caller.credential
        if site is not None and session is not None and session.site and session.site != site:
            return None
        return credential.allow if isinstance(credential, Recognised) else None

    # --- by asking ---------------------------------------------------------------------------------------------------

    async def recognise(self, visit: Visit) -> Caller:
        """Give the caller.

        Raises `DoorwardError` for what is no fault of the caller's: `store_unavailable`, `keys_unavailable`.
        """
        return self._held_to_site(visit, await self._ask(visit))

    async def recognise_late(self, visit: Visit) -> Caller:
        """Give the caller for a refresh: a session's credential counts for the grace after its end as well.

        Raises as `recognise` does.
        """
        return self._held_to_site(visit, await self._ask_late(visit))

    async def _ask(self, visit: Visit) -> Caller:
        try:
            token, bearer, cookie, nobody = self._look(visit)
            caller = None if bearer is None else await self._by_bearer(bearer)
            if token is not None:
                return await self._by_session_token(token)
        except DoorwardError as refusal:
            if refusal.row.status >= 500:
                raise
            return _refused(refusal)
        if caller is None and cookie is not None:
            caller = await self._desk.find_caller(cookie)
        return nobody if caller is None else caller

    async def _ask_late(self, visit: Visit) -> Caller:
        try:
            token, bearer, cookie, nobody = self._look(visit)
            caller = None if bearer is None else await self._by_bearer(bearer)
            if token is not None:
                return await self._read_session_token(token, self._desk.rules.extension)
        except DoorwardError as refusal:
            if refusal.row.status >= 500:
                raise
            return _refused(refusal)
        if caller is not None:
            return caller
        session = None if cookie is None else await self._desk.find_late(cookie)
        if session is None:
            return nobody
        return Caller(credential=Recognised(via=Via.COOKIE, principal=session.principal), session=session)

    async def _by_session_token(self, token: bytes) -> Caller:
        await self._desk.notices.freshen()
        key = key_of(Kind.SESSION_TOKEN, token)
        if (known := self._living(key)) is not None:
            return known
        taken = self._desk.notices.taken
        caller = await self._read_session_token(token, late=0.0)
        self._desk.remember(key, caller, taken)
        return caller

    async def _read_session_token(self, token: bytes, late: float) -> Caller:
        """Check a token and read its session from the database: a new token may tell of a refresh elsewhere."""
        read = self._tokens.read(token, self._clock.now(), late=late)
        self._desk.notices.refuse_while_away()
        session = await self._desk.find_by_id(read.session_id)
        if session is None:
            raise DoorwardError(INVALID_SESSION_TOKEN, reason="its session has ended", session=read.session_id)
        principal = self._presenter.by_session_token(read.claims, session)
        credential = Recognised(via=Via.SESSION_TOKEN, principal=principal)
        return Caller(credential=credential, session=session, me=session.me, until=read.expires_at)

    async def _by_bearer(self, bearer: bytes) -> Caller:
        """Check a bearer by the check of its form; raises `DoorwardError` where it does not pass."""
        if (known := self._known_bearer(bearer)) is not None:
            return known
        if _PLATFORM_TOKEN.fullmatch(bearer):
            check = self._bearers.platform
        else:
            check = self._bearers.provider if _THREE_PARTS.fullmatch(bearer) else None
        if check is None or not bearer.isascii():
            raise DoorwardError(INVALID_BEARER, reason="no bearer of this form is taken here")
        caller = await check(bearer.decode("ascii"))
        self._desk.memory.put(key_of(Kind.BEARER, bearer), caller)
        return caller

    # --- what the request shows --------------------------------------------------------------------------------------

    def _look(self, visit: Visit) -> _Shown:
        """Give the credentials of a request; raises `DoorwardError` (`malformed_request`)."""
        tokens: list[bytes] = []
        authorizations: list[bytes] = []
        has_cookies = False
        for name, value in visit.raw_headers:
            if name == b"cookie":
                has_cookies = True
            elif name == SESSION_TOKEN:
                tokens.append(value)
            elif name == b"authorization" and self._reads_authorization:
                authorizations.append(value)
        if len(tokens) > 1 or len(authorizations) > 1:
            # Two readers could believe different ones.
            raise DoorwardError(MALFORMED_REQUEST, reason="two headers with credentials of one kind")
        bearer = _bearer(authorizations[0]) if authorizations else None
        token = tokens[0].strip() if tokens else None
        if bearer is not None and self._is_foreign(bearer):
            # It is not for us: the request goes on as it came, and a cookie lends it no identity.
            return token, None, None, FOREIGN
        return token, bearer, session_cookie_value(visit.raw_headers) if has_cookies else None, ANONYMOUS

    def _is_foreign(self, bearer: bytes) -> bool:
        return (
            self._bearers.passes_foreign
            and _THREE_PARTS.fullmatch(bearer) is None
            and _PLATFORM_TOKEN.fullmatch(bearer) is None
        )


def _only_cookies(visit: Visit) -> bytes | None:
    """Give the one Cookie header of a request that shows no other credential; it alone then says who calls."""
    line = None
    for name, value in visit.raw_headers:
        if name in _CREDENTIALS:
            if line is not None or name != b"cookie":
                return None
            line = value
    return line


def _bearer(authorization: bytes) -> bytes | None:
    """Give the credentials of the scheme Bearer (RFC 6750 section 2.1), None for every other scheme."""
    parts = authorization.split(None, 1)  # other readers take any white space for the space
    if not parts or parts[0].lower() != b"bearer":
        return None
    return parts[1].strip() if len(parts) > 1 else b""


def _refused(refusal: DoorwardError) -> Caller:
    row: ErrorRow = refusal.row
    return Caller(credential=Bad(row=row, facts=refusal.facts))
