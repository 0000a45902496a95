"""Introspection: asking the token service whose token it is (RFC 7662; token-exchange reference 3.4).

Good answers are remembered for some seconds, never beyond the token's expiry, and bad ones for at most one second, in a
room of their own so that a flood of invented tokens does not push out those of users. Trouble is never remembered, and
never taken for a yes.
"""

import logging
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Literal, TypeAlias, final
from urllib.parse import quote_plus, urlencode

import msgspec

from doorward.base.clock import Clock
from doorward.base.secret import Secret
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.client.cache import Cache
from doorward.client.calls import Calls
from doorward.client.flights import Flights
from doorward.client.refusals import ServiceUnavailable, TokenRefused
from doorward.client.user import KIND_OF_AUDIENCE, PlatformUser

MAX_NEGATIVE_SECONDS = 1.0
_log = logging.getLogger("doorward.client")

Answer: TypeAlias = PlatformUser | str
"""A user, or why there is none."""


class _Description(msgspec.Struct, frozen=True, kw_only=True):
    """What the service says of a token that is active (RFC 7662 section 2.2)."""

    active: Literal[True]
    iss: str
    sub: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,19}$")]
    aud: str
    client_id: str
    iat: int
    exp: int
    username: str | None = None


@final
class Introspection:
    """Whose token it is, as the service says or has just said."""

    def __init__(
        self,
        calls: Calls,
        credentials: tuple[str, Secret],
        clock: Clock,
        *,
        timeout: float,
        cache_seconds: float,
        cache_size: int,
        issuer: str | None,
    ) -> None:
        """Ask by `calls` as the client of `credentials`; hold answers to `issuer` unless it is None."""
        self._calls = calls
        self._headers = _headers_of(*credentials)
        self._clock = clock
        self._seconds = cache_seconds
        self._issuer = issuer
        self._users: Cache[Answer] = Cache(cache_size if cache_seconds else 0)
        self._refusals: Cache[Answer] = Cache(cache_size if cache_seconds else 0)
        self._flights: Flights[Answer] = Flights(clock, timeout)

    def verify(self, token: str) -> PlatformUser:
        """Give the user of a token; raises `TokenRefused` or `ServiceUnavailable`."""
        digest = sha256(token.encode()).digest()
        answer = self._known(digest)
        if answer is None:
            answer = self._flights.wait(digest, lambda: self._ask(token, digest))
        return self._user_of(answer)

    async def verify_async(self, token: str) -> PlatformUser:
        """Do the same without holding up the event loop."""
        digest = sha256(token.encode()).digest()
        answer = self._known(digest)
        if answer is None:
            answer = await self._flights.wait_async(digest, lambda: self._ask(token, digest))
        return self._user_of(answer)

    def _known(self, digest: bytes) -> Answer | None:
        now = self._clock.monotonic()
        return self._users.get(digest, now) or self._refusals.get(digest, now)

    def _user_of(self, answer: Answer) -> PlatformUser:
        if isinstance(answer, str):
            raise TokenRefused(answer)
        if self._clock.now() >= answer.expires_at:
            raise TokenRefused("expired")
        return answer

    def _ask(self, token: str, digest: bytes) -> Answer:
        if (known := self._known(digest)) is not None:
            return known  # a call that landed just before this one began
        asked_at = self._clock.monotonic()
        try:
            body = urlencode({"token": token}).encode()
            answer = self._read(*self._calls.send("POST", "/oauth2/introspect", self._headers, body))
        except ServiceUnavailable as error:
            _log.warning("introspection.failed: %s", error.reason)
            raise
        if isinstance(answer, str):
            self._refusals.put(digest, answer, asked_at + min(self._seconds, MAX_NEGATIVE_SECONDS))
        else:
            life = answer.expires_at - self._clock.now()
            self._users.put(digest, answer, asked_at + min(self._seconds, life))
        return answer

    def _read(self, status: int, body: bytes) -> Answer:
        if status == 401:
            raise ServiceUnavailable("the token service refuses this client's id and secret")
        if status != 200:
            raise ServiceUnavailable(f"the token service answers {status}")
        try:
            members = decode_object(body)
        except NotStrictJson as error:
            raise ServiceUnavailable("the token service's answer is not JSON") from error
        if members.get("active") is False:
            return "unknown, expired or revoked"
        return self._user(members)

    def _user(self, members: Mapping[str, object]) -> Answer:
        try:
            said = msgspec.convert(members, _Description)
        except msgspec.ValidationError as error:
            raise ServiceUnavailable(f"the token service's answer is not that of RFC 7662: {error}") from error
        if self._issuer is not None and said.iss != self._issuer:
            return "made by another issuer"
        kind = KIND_OF_AUDIENCE.get(said.aud)
        if kind is None:
            return "made for another audience"
        return PlatformUser(
            id=int(said.sub),
            email=said.username,
            client_id=said.client_id,
            kind=kind,
            issued_at=said.iat,
            expires_at=said.exp,
        )


def _headers_of(client_id: str, secret: Secret) -> dict[str, str]:
    """Give the headers of the form and of its sender (RFC 6749 section 2.3.1: each part form-encoded)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret.reveal())}"
    return {
        "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
