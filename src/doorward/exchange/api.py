"""The routes of the token service and the handlers of the contract (interface section 4).

A handler reads the request, calls a use case, and writes the answer; it decides nothing else.
"""

from collections.abc import Callable

from doorward.accounts.nouns import Presented, Registration, TokenPair
from doorward.accounts.refresh import RefreshDesk, refuse_suspended_owner
from doorward.accounts.registrations import refuse_unadmitted
from doorward.accounts.tokens import TokenOffice, revoke_all_of_user, revoke_family
from doorward.base.clock import Clock
from doorward.base.frozen import frozen
from doorward.exchange import metadata
from doorward.exchange.cors import Cors
from doorward.exchange.credentials import bearer
from doorward.exchange.description import describe
from doorward.exchange.docs_page import DocsPage
from doorward.exchange.envelope import (
    PREFIX,
    answer_json,
    refuse,
    refuse_oauth,
    refuse_token_request,
    succeed,
)
from doorward.exchange.guard import Guard
from doorward.exchange.login import Login, origin_of
from doorward.exchange.messages import read_login, read_logout
from doorward.exchange.oauth import OAuth
from doorward.exchange.token_exchange import TokenEndpoint
from doorward.identity.visit import Visit
from doorward.inbound.door import Refuse, Reply, Route
from doorward.store import Cursor, Store

LOGIN = f"{PREFIX}/api/v2/sso/microsoft/azure-token-login"
REFRESH = f"{PREFIX}/api/v2/users/refresh-access-token"
ME = f"{PREFIX}/api/v2/users/me"
LOGOUT = f"{PREFIX}/api/v2/users/logout"
OAUTH = f"{PREFIX}/oauth2"
TOKEN = f"{OAUTH}/token"


@frozen
class Parts:
    """What the handlers work with."""

    login: Login
    office: TokenOffice
    refresh: RefreshDesk
    store: Store
    clock: Clock
    find_registration: Callable[[str], Registration | None]
    platform_token_name: str


class Contract:
    """The handlers of the vendor's contract."""

    def __init__(self, parts: Parts) -> None:
        """Work with `parts`."""
        self._parts = parts

    async def login(self, visit: Visit, body: bytes) -> Reply:
        """Exchange an id_token (reference 1.2 to 1.8)."""
        _, pair = await self._parts.login.exchange(visit, read_login, body)
        return succeed("Login successful", self._tokens(pair))

    async def refresh(self, visit: Visit, _body: bytes) -> Reply:
        """Give a new pair for the bearer (reference 1.9)."""
        parts = self._parts
        _, pair = await parts.refresh.refresh(bearer(visit), parts.clock.now(), origin_of(visit))
        return succeed("Token refreshed successfully", self._tokens(pair))

    async def me(self, visit: Visit, _body: bytes) -> Reply:
        """Say who the bearer is."""
        presented = await self._caller(visit)
        refuse_suspended_owner(presented)
        refuse_unadmitted(self._parts.find_registration(presented.client_id), presented)
        return succeed("User retrieved successfully", presented.user.to_public())

    async def logout(self, visit: Visit, body: bytes) -> Reply:
        """Revoke the bearer's family, or every family of its user."""
        presented = await self._caller(visit)
        everything = read_logout(visit, body)
        now, origin = self._parts.clock.now(), origin_of(visit)

        async def revoke(cursor: Cursor) -> None:
            await revoke_family(cursor, presented, now, origin)
            if everything:
                await revoke_all_of_user(cursor, presented.user.id, now, origin)

        await self._parts.store.write(revoke)
        self._parts.office.memory.forget_user(presented.user.id)
        return succeed("Logged out successfully", None)

    async def _caller(self, visit: Visit) -> Presented:
        presented = await self._parts.office.read_access_token(bearer(visit))
        self._parts.office.refuse_dead(presented)
        return presented

    def _tokens(self, pair: TokenPair) -> dict[str, object]:
        return {
            "access_token": pair.access_token,
            self._parts.platform_token_name: pair.platform_token,
            "token_type": "bearer",
        }


class Description:
    """The handler of `/auth-service/openapi.json`."""

    def __init__(self, issuer: str, platform_token_name: str, *, wants_key: bool) -> None:
        """Describe the service at `issuer`."""
        self._reply = answer_json(describe(issuer, platform_token_name, wants_key=wants_key))

    async def answer(self, _visit: Visit, _body: bytes) -> Reply:
        """Give the description."""
        return self._reply


def routes(parts: Parts, oauth: OAuth, guard: Guard, max_body: int) -> list[Route]:
    """Give every route of the token service, each behind the guard."""
    contract, issuer = Contract(parts), parts.office.rules.issuer
    token = TokenEndpoint(parts.login, parts.clock, parts.platform_token_name)
    closed = (
        ("POST", LOGIN, contract.login),
        ("POST", REFRESH, contract.refresh),
        ("GET", ME, contract.me),
        ("POST", LOGOUT, contract.logout),
        ("POST", TOKEN, token.token),
        ("POST", f"{OAUTH}/introspect", oauth.introspect),
        ("POST", f"{OAUTH}/revoke", oauth.revoke),
    )
    description = Description(issuer, parts.platform_token_name, wants_key=guard.wants_key)
    public = (
        (f"{OAUTH}/jwks", oauth.jwks),
        (f"{PREFIX}/openapi.json", description.answer),
        (f"{PREFIX}/docs", DocsPage().answer),
        (metadata.PATH, metadata.Metadata(issuer).answer),
    )
    return [
        *(Route(method=m, path=path, handler=guard.closed(h), max_body=max_body) for m, path, h in closed),
        *(Route(method="GET", path=path, handler=guard.open(h)) for path, h in public),
    ]


def envelopes(cors: Cors, guard: Guard) -> dict[str, Refuse]:
    """Give the words for refusals below each prefix; the metadata lie outside, and are refused as other paths are."""
    words = {PREFIX: refuse, OAUTH: refuse_oauth, TOKEN: refuse_token_request}
    return {prefix: cors.envelope(guard.words(words_of)) for prefix, words_of in words.items()}
