"""What signed-in people may ask about themselves, over real HTTP: `/.auth/me`, `/.auth/refresh`, `/.auth/version`."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from doorward.base.entropy import SeededEntropy
from doorward.config.auth_plan import AuthPlan
from doorward.config.challenge import challenges_of
from doorward.easyauth import api, version
from doorward.easyauth.me import Me
from doorward.easyauth.refresh import Refresh, asking_providers
from doorward.sessions.flight import Flights
from doorward.sessions.gate import Bearers, Gate
from doorward.sessions.presenting import Presenter
from doorward.sessions.session_token import SessionTokens
from tests.support.serving import Serving, serving
from tests.support.sign_in import SITE, Browser, Entrance, entrance

KEY = bytes(64)


@dataclass
class Reception:
    """The entrance with its provider, and behind it what people may ask about themselves."""

    entrance: Entrance
    serving: Serving
    tokens: SessionTokens

    async def signed_in(self, provider: str = "aad", person: str = "jane") -> Browser:
        """Sign somebody in, and give the browser, which now asks about itself."""
        browser = self.entrance.browser()
        got = await self.entrance.sign_in_as(browser, provider, person)
        assert got.status == 302, got
        return replace(browser, serving=self.serving)

    def nobody(self, *lines: str) -> Browser:
        """Give a client without cookies, which sends these header lines."""
        return Browser(self.serving, lines=lines)


@asynccontextmanager
async def reception(
    database_url: str,
    *names: str,
    anonymous_is_empty: bool = False,
    bearers: Callable[[Entrance], Bearers] | None = None,
    **how: Any,
) -> AsyncGenerator[Reception]:
    """Serve what people may ask; `how` is what `entrance` takes."""
    async with entrance(database_url, *names, **how) as one:
        parts, desk = one.parts, one.parts.desk
        presenter = Presenter(parts.plan, profile=parts.profile, redact=False, with_refresh_token=True)
        tokens = SessionTokens(KEY, [SITE])
        gate = parts.gate if bearers is None else Gate(desk, tokens, presenter, one.clock, bearers(one))
        flights = Flights(desk, one.store, one.clock, SeededEntropy(b"flights"), asking_providers(parts))
        has_store = parts.plan.token_store
        routes = [
            *Me(gate, has_token_store=has_store, anonymous_is_empty=anonymous_is_empty).routes("/.auth"),
            *Refresh(gate, flights, tokens, parts.trust, one.clock, has_token_store=has_store).routes("/.auth"),
            *version.routes("/.auth"),
        ]
        challenge = challenges_of(parts.plan)
        envelopes = api.envelopes(parts.plan, None, lambda visit: challenge(visit, SITE))
        async with serving(routes, envelopes=envelopes) as listener:
            yield Reception(one, listener, tokens)
        await flights.finish()


def without_token_store(plan: AuthPlan) -> AuthPlan:
    """Turn the token store off."""
    return replace(plan, token_store=False)
