"""The session token, `authenticationToken`: a JWT that stands for a session (easy-auth reference 3.1).

Signed HS256 with the bytes of the signing key and without a `kid`, as App Service does, so that whoever shares the key
can read it. The last claim, `jti`, names the session: the token dies with it (interface, "Sign-out and the session
token"). Refuses everything but what this writes; only times may also be text, since others write them so.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import NoReturn, cast

import msgspec

from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals_easyauth import INVALID_SESSION_TOKEN
from doorward.base.strict_json import FEW_PARTS, decode_object
from doorward.identity.sid import login_sid, stable_sid
from doorward.protocol.jose import base64url_decode, base64url_encode
from doorward.protocol.oidc import is_time
from doorward.sessions.session import Session

MAX_TOKEN = 4096
CLOCK_ALLOWANCE = 300.0
"""How far ahead the clock of the replica that made a token may be."""
_HEADER = base64url_encode(b'{"alg":"HS256","typ":"JWT"}')
_HEADERS = ({"alg": "HS256", "typ": "JWT"}, {"alg": "HS256"})
_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_SECONDS = re.compile(r"[0-9]{1,12}")


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims, in the order in which they are written; times are whole seconds."""

    stable_sid: str
    sub: str
    idp: str
    ver: str = "3"
    nbf: int
    exp: int
    iat: int
    iss: str
    aud: str
    jti: str


@frozen
class ReadToken:
    """A session token that we signed: its claims, the session that it names, and when it expires, in seconds."""

    claims: Mapping[str, object] = field(repr=False)
    session_id: str
    expires_at: float


class SessionTokens:
    """Writes and reads session tokens."""

    def __init__(self, key: bytes, sites: Iterable[str], *, hide_deprecated_sid: bool = False) -> None:
        """Sign with `key`; `sites` are the origins that tokens may be for, such as `https://app.example.com`."""
        self._key = key
        self._sites = tuple(f"{site}/" for site in sites)
        self._hide_deprecated_sid = hide_deprecated_sid

    def write(self, session: Session, site: str, now: float) -> str:
        """Make a token for a session that lasts until `session.token_expires_at`, for the site of the request."""
        if session.token_expires_at is None:
            raise ValueError("the session was begun without a token")
        claims = _Claims(
            stable_sid=stable_sid(session.identity),
            sub=self.user_sid(session),
            idp=session.provider,
            nbf=int(now),
            exp=int(session.token_expires_at),
            iat=int(now),
            iss=f"{site}/",
            aud=f"{site}/",
            jti=session.id,
        )
        signing_input = _HEADER + b"." + base64url_encode(msgspec.json.encode(claims))
        return (signing_input + b"." + base64url_encode(self._signature(signing_input))).decode()

    def user_sid(self, session: Session) -> str:
        """Give the `sid` that names the user: from the login name, or with `hide_deprecated_sid` the stable one."""
        return (stable_sid if self._hide_deprecated_sid else login_sid)(session.identity)

    def answer(self, session: Session, site: str, now: float) -> bytes:
        """Give the JSON that a client gets together with a new token (easy-auth reference 3, 5)."""
        token = self.write(session, site, now)
        return msgspec.json.encode({"authenticationToken": token, "user": {"userId": self.user_sid(session)}})

    def read(self, token: bytes, now: float, *, late: float = 0.0) -> ReadToken:
        """Give what a token says that we signed, that is for one of our sites, and whose times hold.

        `late` is for how many seconds an expired one still counts. Whether its session lives is the caller's question.
        Raises `DoorwardError` (`invalid_session_token`).
        """
        claims = self._opened(token)
        begins, expires = _seconds(claims, "nbf"), _seconds(claims, "exp")
        if claims.get("iss") != claims.get("aud") or claims.get("aud") not in self._sites:
            _refuse("made for another site")
        if begins > now + CLOCK_ALLOWANCE:
            _refuse("not yet valid")
        if now >= expires + late:
            _refuse("expired")
        session_id = claims.get("jti")
        if not isinstance(session_id, str):
            _refuse("it names no session")
        return ReadToken(claims=claims, session_id=session_id, expires_at=expires)

    def _opened(self, token: bytes) -> dict[str, object]:
        parts = _COMPACT.fullmatch(token) if len(token) <= MAX_TOKEN else None
        if parts is None:
            _refuse("not a compact token")
        try:
            header, signature = decode_object(base64url_decode(parts[1]), FEW_PARTS), base64url_decode(parts[3])
            if header not in _HEADERS:
                _refuse("its header is not as we write it")
            if not hmac.compare_digest(signature, self._signature(parts[1] + b"." + parts[2])):
                _refuse("bad signature")
            return decode_object(base64url_decode(parts[2]), FEW_PARTS)
        except ValueError as error:
            raise DoorwardError(INVALID_SESSION_TOKEN, reason=str(error)) from error

    def _signature(self, signing_input: bytes) -> bytes:
        return hmac.digest(self._key, signing_input, "sha256")


def _seconds(claims: Mapping[str, object], name: str) -> float:
    """Read a time, written as a number or as text."""
    value = claims.get(name)
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        return float(value)
    if not is_time(value):
        _refuse(f"{name} is no time")
    return cast("float", value)


def _refuse(reason: str) -> NoReturn:
    raise DoorwardError(INVALID_SESSION_TOKEN, reason=reason)
