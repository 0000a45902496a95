"""`PlatformTokens`: whose token a request carries.

Decides by which of the two ways a token is checked, and refuses a kind of token where the other is due: whoever holds
one kind must not gain by presenting it for the other (token-exchange reference 1.10).
"""

import re
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, final

from doorward.base.clock import Clock, SystemClock
from doorward.base.secret import Secret
from doorward.client import frameworks
from doorward.client.calls import Calls, Service
from doorward.client.introspection import Introspection
from doorward.client.refusals import MalformedRequest, NoToken, TokenRefused
from doorward.client.user import Kind, PlatformUser

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

MAX_JWT = 4096
_OPAQUE = re.compile(r"[0-9a-f]{64}")
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_KINDS: frozenset[Kind] = frozenset({"platform", "access"})
View = TypeVar("View", bound=Callable[..., Any])


class _Verifier(Protocol):
    def verify(self, token: str) -> PlatformUser: ...
    async def verify_async(self, token: str) -> PlatformUser: ...


@final
class PlatformTokens:
    """Verifies platform tokens in an app that is called with them; one for the whole app, used from all its threads.

    Make it once, at the start. Every way of asking gives a `PlatformUser` or raises a `PlatformTokenError`: `NoToken`,
    `TokenRefused`, `MalformedRequest`, `ServiceUnavailable`.
    """

    def __init__(
        self,
        url: str,
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        accepts: Kind | Collection[Kind] = "platform",
        jwks: bool = False,
        issuer: str | None = None,
        cache_seconds: float = 5.0,
        cache_size: int = 10_000,
        timeout: float = 5.0,
        ca_file: str | None = None,
        clock: Clock = SystemClock(),
    ) -> None:
        """Verify the tokens of the service at `url`, its `public_url`; nothing is asked before a token comes.

        `client_id` and `client_secret` are what `doorward clients add` printed, and are needed for introspection.
        `accepts` names the kinds of token that this app takes. With `jwks` the JWT is verified by the keys that the
        service publishes, instead of by introspection. `issuer` is for when the service is reached at another address
        than its `public_url`: `https://auth.example.com/auth-service`. Answers are remembered for `cache_seconds` (0:
        never), at most `cache_size` of them. Nobody waits longer than `timeout` seconds for an answer. `ca_file` (PEM)
        is trusted beside the system's authorities.

        Raises `ValueError` for what cannot work, `OSError` when `ca_file` cannot be read.
        """
        self._accepts: frozenset[Kind] = frozenset((accepts,) if isinstance(accepts, str) else accepts)
        service = Service.at(url)
        calls = Calls(service, timeout=timeout, ca_file=ca_file)
        credentials = None if client_id is None or client_secret is None else (client_id, Secret(client_secret))
        _check_choices(self._accepts, jwks=jwks, has_credentials=credentials is not None)
        if cache_seconds < 0 or cache_size < 0 or timeout <= 0:
            raise ValueError("cache_seconds and cache_size must not be negative, and timeout must be more than 0")
        self._opaque: _Verifier | None = None
        if credentials is not None:
            self._opaque = Introspection(
                calls,
                credentials,
                clock,
                timeout=timeout,
                cache_seconds=cache_seconds,
                cache_size=cache_size,
                issuer=issuer,
            )
        self._jwt = self._opaque
        if jwks:
            from doorward.client.published_keys import PublishedKeys  # noqa: PLC0415 - loads cryptography

            self._jwt = PublishedKeys(calls, clock, timeout=timeout, issuer=issuer or str(service))

    def verify(self, token: str) -> PlatformUser:
        """Give the user of a token."""
        return self._hold_to_kind(self._verifier_for(token).verify(token))

    async def verify_async(self, token: str) -> PlatformUser:
        """Give the user of a token without holding up the event loop, which must be one of asyncio."""
        return self._hold_to_kind(await self._verifier_for(token).verify_async(token))

    def verify_authorization(self, *values: str | None) -> PlatformUser:
        """Give the user of a request by its Authorization header, or by all of them where the framework tells."""
        return self.verify(bearer_of(*values))

    async def verify_authorization_async(self, *values: str | None) -> PlatformUser:
        """Do the same without holding up the event loop."""
        return await self.verify_async(bearer_of(*values))

    async def starlette(self, request: "HTTPConnection") -> PlatformUser:
        """Give the user of a Starlette request; raises Starlette's `HTTPException` with the answer to give."""
        return await frameworks.starlette_user(self, request)

    def fastapi(self) -> Callable[..., Awaitable[PlatformUser]]:
        """Give a FastAPI dependency whose value is the `PlatformUser`; without one the request is answered."""
        return frameworks.fastapi_dependency(self)

    def flask(self) -> Callable[[View], View]:
        """Give a decorator for Flask views: the user is `flask.g.platform_user`; without one it answers the request."""
        return frameworks.flask_decorator(self)

    def _verifier_for(self, token: str) -> _Verifier:
        """Choose by the token's form; raises `TokenRefused` for no form of ours, or that of a kind not accepted."""
        if _OPAQUE.fullmatch(token):
            kind, verifier = "platform", self._opaque
        elif len(token) <= MAX_JWT and _JWT.fullmatch(token):
            kind, verifier = "access", self._jwt
        else:
            raise TokenRefused("not a platform token of either kind")
        if kind not in self._accepts or verifier is None:
            raise TokenRefused(f"a token of the kind {kind}, which this app does not accept")
        return verifier

    def _hold_to_kind(self, user: PlatformUser) -> PlatformUser:
        if user.kind not in self._accepts:
            raise TokenRefused(f"a token of the kind {user.kind}, which this app does not accept")
        return user


def bearer_of(*values: str | None) -> str:
    """Give the bearer of the Authorization headers of one request (RFC 6750 section 2.1).

    Raises `NoToken` without one, `MalformedRequest` for two headers.
    """
    given = [value for value in values if value is not None]
    if len(given) > 1:
        raise MalformedRequest("two Authorization headers")
    scheme, _, token = given[0].strip().partition(" ") if given else ("", "", "")
    if scheme.lower() != "bearer":
        raise NoToken("no bearer")
    return token.strip()


def _check_choices(accepts: frozenset[Kind], *, jwks: bool, has_credentials: bool) -> None:
    if not accepts or accepts - _KINDS:
        raise ValueError('accepts must be "platform", "access" or both')
    if jwks and "access" not in accepts:
        raise ValueError('jwks verifies access tokens, which accepts does not name; write accepts="access"')
    if not has_credentials and (not jwks or "platform" in accepts):
        raise ValueError("introspection needs client_id and client_secret: doorward clients add NAME prints them")
