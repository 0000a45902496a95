"""Half-done sign-ins: the nonce, and what the browser carries for us until it comes back from the provider.

A nonce is `<32 hex digits>_<yyyyMMddHHmmss>`, random and with its own expiry in UTC behind it (easy-auth reference
2.1). What belongs to the sign-in is sealed into cookies: `Nonce` for the newest, and one more for each sign-in that is
under way, named `Nonce.<8 hex digits>`, so that no tab overwrites another's. A nonce counts in the browser that it was
given to, for the provider that it was made for, and once: that is recorded in the database before anything else is
done, so that of two replicas only one goes on.
"""

import re
from calendar import timegm
from collections.abc import Iterator
from enum import Enum
from time import gmtime, strftime
from typing import Any, Literal, final

import msgspec

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.identity.visit import RawHeaders
from doorward.protocol.easyauth import NONCE_COOKIE, clear_cookie, cookie_values, set_cookie
from doorward.protocol.jose import base64url_decode, base64url_encode
from doorward.protocol.sealing import NotOpened, Sealer
from doorward.store import Store, nonces

MOST_PENDING = 8
MOST_BYTES = 8 * 1024
"""Of all cookies of pending sign-ins together: servers and proxies refuse requests whose head is long."""
LONGEST = 3600
"""Of one cookie: browsers drop what is longer than about 4 KiB. A target that makes it longer is given up."""
_NONCE = re.compile(r"([0-9a-f]{32})_([0-9]{14})")
_NAME = re.compile(rb"(?:^|;)[ \t]*(Nonce\.[0-9a-f]{8})[ \t]*=[ \t]*([A-Za-z0-9_-]*)")
_CONTEXT = "cookie/Nonce"
_KEPT = 3600.0
"""For how many seconds after its end a nonce is remembered, here and by the browser: a sign-in that took too long is
begun again on the way to the same target."""

SessionMode = Literal["cookie", "token"]


@final
class PendingSignIn(msgspec.Struct, frozen=True, kw_only=True, array_like=True, omit_defaults=True):
    """A sign-in that the browser is away for.

    `target` is where it goes afterwards, as it was judged at the beginning. `completion_type` and `completion_origin`
    are those of popup sign-ins, `code_challenge` that of a native app, `oauth_token` the request token of OAuth 1.0a
    with `oauth_token_secret`, which the sealed cookie alone keeps. `redirect_uri` is the address that the provider was
    told to come back to, `asks_code` says that it was asked for a code.
    """

    nonce: str
    provider: str
    target: str = ""
    session_mode: SessionMode = "cookie"
    redirect_uri: str = ""
    completion_type: str = ""
    completion_origin: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""
    oauth_token: str = ""
    oauth_token_secret: str = ""
    asks_code: bool = False

    @property
    def expires_at(self) -> float:
        """Give when the nonce expires, in seconds since the epoch."""
        return expiry_of(self.nonce)

    def __repr__(self) -> str:
        """Show for which provider, and nothing that another could use."""
        return f"PendingSignIn({self.provider!r})"


class Outcome(Enum):
    """What a nonce that came back is worth."""

    FRESH = "fresh"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """Never given out, given to another browser, or for another provider."""
    USED = "used"


def expiry_of(nonce: str) -> float:
    """Give when a nonce expires; raises `ValueError` for what is no nonce."""
    parts = _NONCE.fullmatch(nonce)
    if parts is None:
        raise ValueError("not a nonce")
    digits = parts[2]
    numbers = (int(digits[:4]), *(int(digits[at : at + 2]) for at in range(4, 14, 2)))
    return float(timegm((*numbers, 0, 0, 0)))


class Nonces:
    """Makes nonces, and judges those that come back."""

    def __init__(self, store: Store, clock: Clock, entropy: Entropy, *, sealer: Sealer, lifetime: float) -> None:
        """Give nonces of `lifetime` seconds, and record the used ones in `store`."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._sealer = sealer
        self._lifetime = lifetime

    def draw(self) -> str:
        """Make a new nonce."""
        expires = strftime("%Y%m%d%H%M%S", gmtime(self._clock.now() + self._lifetime))
        return f"{self._entropy.draw(16).hex()}_{expires}"

    def cookies(
        self, pending: PendingSignIn, raw_headers: RawHeaders, *, https: bool, has_tab: bool = True
    ) -> list[tuple[bytes, bytes]]:
        """Give the Set-Cookie headers that hand a sign-in to the browser which sent `raw_headers`.

        Where it would have too many, those of the oldest are cleared. Without `has_tab` nobody is waiting to sign in:
        the sign-in gets no cookie of its own, since a page may ask for hundreds of pictures at once.
        """
        value = self._seal(pending)
        if len(value) > LONGEST:
            value = self._seal(msgspec.structs.replace(pending, target="/"))
        # Of those that end in the same second the newest is the one that the browser names last (RFC 6265 5.4).
        kept = sorted(enumerate(self._held(raw_headers)), key=lambda one: (one[1][2], one[0]), reverse=True)
        room = MOST_BYTES - 2 * len(value)
        names = (NONCE_COOKIE, _name(pending.nonce)) if has_tab else (NONCE_COOKIE,)
        life = self._lifetime + _KEPT
        headers = [set_cookie(name, value, https=https, max_age=life) for name in names]
        for place, (_, (name, size, _)) in enumerate(kept):
            room -= size
            if place >= MOST_PENDING - 1 or room < 0:
                headers.append(clear_cookie(name))
        return headers

    def clearing(self, nonce: str | None, raw_headers: RawHeaders) -> list[tuple[bytes, bytes]]:
        """Give the Set-Cookie headers that take a sign-in from the browser; `Nonce` itself always goes.

        Those of other tabs stay. Without `nonce` it is not known which sign-in it was.
        """
        names = [NONCE_COOKIE]
        if nonce is not None and _NONCE.fullmatch(nonce) and cookie_values(raw_headers, _name(nonce)):
            names.append(_name(nonce))
        return [clear_cookie(name) for name in names]

    def find(self, raw_headers: RawHeaders, provider: str, nonce: str) -> PendingSignIn | None:
        """Give the sign-in that this browser began at `provider` under `nonce`, whether or not it has expired."""
        for name in (_name(nonce), NONCE_COOKIE):
            for pending in self._opened(raw_headers, name):
                if pending.nonce == nonce and pending.provider == provider:
                    return pending
        return None

    def find_newest(self, raw_headers: RawHeaders, provider: str) -> PendingSignIn | None:
        """Give the newest sign-in that this browser began at `provider`, where the nonce did not come back."""
        return next((one for one in self._opened(raw_headers, NONCE_COOKIE) if one.provider == provider), None)

    def held_at(self, raw_headers: RawHeaders, provider: str) -> list[PendingSignIn]:
        """Give every sign-in that this browser began at `provider`, the newest first, whether or not it has expired."""
        names = [NONCE_COOKIE, *reversed(dict(_pending_cookies(raw_headers)))]
        found = {pending.nonce: pending for name in names for pending in self._opened(raw_headers, name)}
        ours = [pending for pending in found.values() if pending.provider == provider]
        return sorted(ours, key=lambda pending: pending.expires_at, reverse=True)

    def find_by_oauth_token(self, raw_headers: RawHeaders, provider: str, oauth_token: str) -> PendingSignIn | None:
        """Give the sign-in that this browser began with a request token of OAuth 1.0a."""
        names = [NONCE_COOKIE, *dict.fromkeys(name for name, _ in _pending_cookies(raw_headers))]
        found = (pending for name in names for pending in self._opened(raw_headers, name))
        return next((one for one in found if one.provider == provider and one.oauth_token == oauth_token != ""), None)

    async def redeem(self, pending: PendingSignIn | None) -> Outcome:
        """Judge a sign-in that came back, and use up its nonce.

        Only `FRESH` may go on, and there is one `FRESH` for a nonce, however many replicas are asked at once. Raises
        `DoorwardError` (`store_unavailable`).
        """
        if pending is None:
            return Outcome.UNKNOWN
        if self._clock.now() >= pending.expires_at:
            return Outcome.EXPIRED
        row = (bytes.fromhex(pending.nonce[:32]), pending.expires_at + _KEPT)
        (is_first,) = await self._store.append([(nonces.USE, row)])
        return Outcome.FRESH if is_first else Outcome.USED

    def _seal(self, pending: PendingSignIn) -> str:
        return base64url_encode(self._sealer.seal(msgspec.json.encode(pending), _CONTEXT, self._entropy)).decode()

    def _opened(self, raw_headers: RawHeaders, name: str) -> Iterator[PendingSignIn]:
        """Give what a cookie holds, for each of its values that we sealed; other hosts may plant more of them."""
        for value in cookie_values(raw_headers, name)[:MOST_PENDING]:
            pending = self._open(value)
            if pending is not None:
                yield pending

    def _open(self, value: str) -> PendingSignIn | None:
        if len(value) > MOST_BYTES:
            return None
        try:
            plain = self._sealer.open(base64url_decode(value.encode("ascii", "replace")), _CONTEXT)
            return msgspec.json.decode(plain, type=PendingSignIn)
        except (NotOpened, ValueError, msgspec.DecodeError):
            return None

    def _held(self, raw_headers: RawHeaders) -> Iterator[tuple[str, int, float]]:
        """Give the sign-ins that the browser holds: cookie, bytes, expiry; what is none any more expires first."""
        for name, value in dict(_pending_cookies(raw_headers)).items():
            pending = self._open(value)
            yield name, len(name) + len(value), 0.0 if pending is None else pending.expires_at


def _pending_cookies(raw_headers: RawHeaders) -> Iterator[tuple[str, str]]:
    for header, line in raw_headers:
        if header == b"cookie":
            found: list[Any] = _NAME.findall(line)
            yield from ((name.decode(), value.decode()) for name, value in found)


def _name(nonce: str) -> str:
    """Name the cookie of one sign-in; what is no nonce names one that nobody has."""
    return f"{NONCE_COOKIE}.{nonce[:8]}"
