"""Verification of the JWT by the keys that the service publishes, without asking it about the token.

Works where `token_service.signing_algorithm` is ES256 or EdDSA. What it cannot see is revocation: a token counts until
it expires. Strict otherwise: the key decides the algorithm, and issuer, audience, use and times are checked (RFC 8725;
token-exchange reference 3.1).
"""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from doorward.base.clock import Clock
from doorward.base.strict_json import decode_object
from doorward.client.calls import Calls
from doorward.client.flights import Flights
from doorward.client.refusals import ServiceUnavailable, TokenRefused
from doorward.client.user import PlatformUser
from doorward.protocol.jose import base64url_decode
from doorward.protocol.public_keys import PublicKey, read_public_keys

LIFETIME = 600.0
STALE_LIMIT = 24 * 3600.0
COOLDOWN = 30.0
RETRY_WITH_KEYS = 30.0
RETRY_WITHOUT_KEYS = 1.0
SKEW = 30.0
"""How many seconds this machine's clock may be behind the service's; `exp` gets no such grace."""

_HEADER = {"alg", "typ", "kid"}
_TYPES = {"jwt", "at+jwt"}
_DECIMAL = re.compile(r"[0-9]{1,19}")
_JWKS = b"jwks"
_log = logging.getLogger("doorward.client")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unverified:
    kid: str
    algorithm: object
    claims: bytes
    signing_input: bytes
    signature: bytes


@final
class PublishedKeys:
    """The service's public keys, and the tokens that they verify. Times of keys are of the monotonic clock."""

    def __init__(self, calls: Calls, clock: Clock, *, timeout: float, issuer: str) -> None:
        """Fetch by `calls` when the first token comes; tokens must be those of `issuer`."""
        self._calls = calls
        self._clock = clock
        self._issuer = issuer
        self._flights: Flights[None] = Flights(clock, timeout)
        self._keys: dict[str, PublicKey] = {}
        self._good_at = self._due = self._cooled_until = -math.inf
        self._error = "the keys were not fetched yet"

    def verify(self, token: str) -> PlatformUser:
        """Give the user of a JWT; raises `TokenRefused` or `ServiceUnavailable`."""
        unverified = _read(token)
        if self._is_due(unverified.kid):
            self._flights.wait(_JWKS, lambda: self._fetch(unverified.kid))
        return self._checked(unverified)

    async def verify_async(self, token: str) -> PlatformUser:
        """Do the same without holding up the event loop."""
        unverified = _read(token)
        if self._is_due(unverified.kid):
            await self._flights.wait_async(_JWKS, lambda: self._fetch(unverified.kid))
        return self._checked(unverified)

    # --- keys --------------------------------------------------------------------------------------------------

    def _is_due(self, kid: str) -> bool:
        """Say whether to fetch: keys grow old, and an unknown `kid` may be a new key, though not every few seconds."""
        now = self._clock.monotonic()
        return now >= self._due or (bool(self._keys) and kid not in self._keys and now >= self._cooled_until)

    def _fetch(self, kid: str) -> None:
        """Fetch the keys; without success those that are known stay."""
        if not self._is_due(kid):
            return  # a fetch that landed just before this one began
        now = self._clock.monotonic()
        if now < self._due:
            self._cooled_until = now + COOLDOWN
        try:
            self._keys = read_public_keys(self._calls.get("/oauth2/jwks"))
        except (ServiceUnavailable, ValueError) as error:
            self._error = str(error)
            self._due = now + (RETRY_WITH_KEYS if self._keys else RETRY_WITHOUT_KEYS)
            _log.warning("published_keys.not_fetched: %s", error)
        else:
            self._good_at, self._due = now, now + LIFETIME

    def _key(self, kid: str) -> PublicKey:
        if self._clock.monotonic() - self._good_at > STALE_LIMIT:
            raise ServiceUnavailable(f"there are no keys to verify by: {self._error}")
        key = self._keys.get(kid)
        if key is None:
            raise TokenRefused("signed by no key that the service publishes")
        return key

    # --- tokens ------------------------------------------------------------------------------------------------

    def _checked(self, token: _Unverified) -> PlatformUser:
        key = self._key(token.kid)
        if token.algorithm != key.algorithm or not key.verifies(token.signing_input, token.signature):
            raise TokenRefused("bad signature")
        try:
            claims = decode_object(token.claims)
        except ValueError as error:
            raise TokenRefused("the payload is not a JSON object") from error
        return self._user(claims)

    def _user(self, claims: Mapping[str, object]) -> PlatformUser:
        if claims.get("iss") != self._issuer:
            raise TokenRefused("made by another issuer")
        if claims.get("aud") != "auth-service" or claims.get("token_use") != "access":
            raise TokenRefused("made for another use")
        number, client_id = claims.get("sub"), claims.get("client_id")
        if not isinstance(number, str) or not _DECIMAL.fullmatch(number) or not isinstance(client_id, str):
            raise TokenRefused("a claim is missing or of another type")
        issued, not_before, expires = (_whole_seconds(claims, name) for name in ("iat", "nbf", "exp"))
        now = self._clock.now()
        if now >= expires:
            raise TokenRefused("expired")
        if max(issued, not_before) > now + SKEW:
            raise TokenRefused("not yet valid")
        return PlatformUser(
            id=int(number), email=None, client_id=client_id, kind="access", issued_at=issued, expires_at=expires
        )


def _read(token: str) -> _Unverified:
    """Take a JWT apart; raises `TokenRefused` for everything that can be refused without a key."""
    head, _, rest = token.partition(".")
    body, _, tail = rest.partition(".")
    try:
        header = decode_object(base64url_decode(head.encode()))
        claims, signature = base64url_decode(body.encode()), base64url_decode(tail.encode())
    except ValueError as error:
        raise TokenRefused("not a JWT") from error
    kid, typ = header.get("kid"), header.get("typ", "JWT")
    if header.keys() - _HEADER or not isinstance(kid, str) or not isinstance(typ, str) or typ.lower() not in _TYPES:
        raise TokenRefused("the header is not that of a platform token")
    return _Unverified(
        kid=kid,
        algorithm=header.get("alg"),
        claims=claims,
        signing_input=f"{head}.{body}".encode(),
        signature=signature,
    )


def _whole_seconds(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TokenRefused(f"{name} is missing or not a number")
    return value
