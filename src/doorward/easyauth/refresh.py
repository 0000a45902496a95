"""`/.auth/refresh`: new tokens from the provider, and a new session token (easy-auth reference 5).

| outcome | status |
|---|---|
| refreshed | 200, `authenticationToken` and `user`; callers with a cookie get it again, with a new expiry |
| the provider cannot refresh; a bearer, which is no session | 400 `refresh_not_supported` |
| no refresh token in the store | 403 `no_refresh_token` |
| the provider refused the refresh token | 403 `refresh_refused` |
| no credential, a bad one, or one past its time of grace | 401 |
| the provider did not answer, or with nonsense | 502 `provider_unavailable`; all tokens stay as they were |
| no token store | 404 `token_store_off` |

The credential may have expired, by `tokenRefreshExtensionHours` at most. Calls that come while one is under way share
its outcome.
"""

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.refusals import METHOD_NOT_ALLOWED
from doorward.base.refusals_easyauth import REFRESH_NOT_SUPPORTED, TOKEN_STORE_OFF
from doorward.easyauth.me import JSON_HEADERS, refusal_of
from doorward.easyauth.parts import Parts
from doorward.identity.admission import Recognised, Via
from doorward.identity.person import Identity
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Reply, Route
from doorward.protocol.easyauth import SESSION_COOKIE, session_cookie_value, set_cookie
from doorward.sessions.desk import renewed_cookie
from doorward.sessions.flight import Flights, RefreshCall
from doorward.sessions.gate import Gate
from doorward.sessions.session import Session
from doorward.sessions.session_token import SessionTokens


def asking_providers(parts: Parts) -> RefreshCall:
    """Give what asks the provider of a session for new tokens, by its way of signing in."""

    async def refresh(session: Session) -> Identity:
        plan = parts.provider(session.provider)
        return await parts.flow(plan).refresh(plan, session.identity)

    return refresh


class Refresh:
    """Answers `/.auth/refresh`."""

    def __init__(
        self, gate: Gate, flights: Flights, tokens: SessionTokens, trust: Trust, clock: Clock, *, has_token_store: bool
    ) -> None:
        """Recognise callers by `gate`, refresh by `flights`, and answer with a token of `tokens`."""
        self._gate = gate
        self._flights = flights
        self._tokens = tokens
        self._trust = trust
        self._clock = clock
        self._has_token_store = has_token_store

    def routes(self, prefix: str) -> list[Route]:
        """Give the routes below `httpSettings.routes.apiPrefix`; public clients use either method."""
        return [Route(method=method, path=f"{prefix}/refresh", handler=self.answer) for method in ("GET", "POST")]

    async def answer(self, visit: Visit, _body: bytes) -> Reply:
        """Answer one request; raises `DoorwardError` as the table above says, and `store_unavailable`.

        HEAD is refused: it must not change anything.
        """
        if visit.method == "HEAD":
            raise DoorwardError(METHOD_NOT_ALLOWED)
        if not self._has_token_store:
            raise DoorwardError(TOKEN_STORE_OFF)
        caller = await self._gate.recognise_late(visit)
        credential = caller.credential
        if not isinstance(credential, Recognised):
            raise refusal_of(caller)
        if caller.session is None:
            raise DoorwardError(REFRESH_NOT_SUPPORTED, reason=f"the caller came with a {credential.via.value}")
        renewed = await self._flights.fly(caller.session, by_cookie=credential.via is Via.COOKIE)
        site = self._trust.site(visit)
        cookies = self._cookie(visit, renewed, site) if credential.via is Via.COOKIE else ()
        return Reply(200, self._tokens.answer(renewed, site, self._clock.now()), (*JSON_HEADERS, *cookies))

    def _cookie(self, visit: Visit, renewed: Session, site: str) -> tuple[tuple[bytes, bytes], ...]:
        value = session_cookie_value(visit.raw_headers)
        if value is None:
            return ()
        https = site.startswith("https:")
        renewed_value = renewed_cookie(value, renewed)
        return (set_cookie(SESSION_COOKIE, renewed_value, https=https, expires=renewed.expires_at),)
