"""The routes below `/.auth`, and the words in which they refuse (easy-auth reference 1).

Addresses are exact. A path below the prefix that is nobody's is 404 and never reaches the application.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from doorward.base.errors import DoorwardError
from doorward.base.refusals import HTTPS_REQUIRED
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.easyauth import landing, popups
from doorward.easyauth.callback import MAX_BODY, Callback
from doorward.easyauth.envelope import Words
from doorward.easyauth.login import SignIn
from doorward.easyauth.logout import Logout
from doorward.easyauth.parts import Parts
from doorward.easyauth.redeem import Redemption
from doorward.identity.visit import Visit
from doorward.inbound.door import Handler, Refuse, Reply, Route


def routes(parts: Parts, sign_in: SignIn, further: Iterable[Route] = ()) -> list[Route]:
    """Give every route below the prefix, and the sign-out address wherever it lies.

    `further` are those of `me`, `refresh` and `version`. Where the tree demands HTTPS all of them do.
    """
    plan, callback, logout = parts.plan, Callback(parts, sign_in), Logout(parts)
    redemption = Redemption(parts)
    ours = [
        Route(method="GET", path=f"{plan.api_prefix}/login", handler=sign_in.choose),
        *(route for provider in plan.providers.values() for route in _of_provider(plan, provider, sign_in, callback)),
        *(Route(method=method, path=plan.logout_path, handler=logout.answer) for method in ("GET", "POST")),
        *landing.routes(plan.api_prefix),
        *popups.routes(parts),
        *(
            Route(method="GET", path=f"{path}/token", handler=partial(_redeem, redemption, provider.name))
            for provider in plan.providers.values()
            for path in _addresses(plan, provider)
        ),
        *further,
    ]
    return [replace(route, handler=_over_https(route.handler)) for route in ours] if plan.require_https else ours


def envelopes(
    plan: AuthPlan, https_site: str | None, challenge: Callable[[Visit], bytes | None] | None = None
) -> dict[str, Refuse]:
    """Give the words for refusals below the prefix, and at a sign-out address outside of it.

    `https_site` is the origin that plain requests are sent to, None where there is none. `challenge` gives what a 401
    carries in WWW-Authenticate.
    """
    words = Words(https_site, challenge)
    return {plan.api_prefix: words.refuse, plan.logout_path: words.refuse}


def _of_provider(plan: AuthPlan, provider: ProviderPlan, sign_in: SignIn, callback: Callback) -> list[Route]:
    """Give the routes of one provider, under its name and under every other by which addresses know it."""
    found: list[Route] = []
    for path in _addresses(plan, provider):
        back = f"{path}/callback"
        found += [
            Route(method="GET", path=path, handler=partial(_ask, sign_in, provider.name)),
            Route(method="GET", path=back, handler=partial(_get, callback, provider.name)),
            Route(method="POST", path=back, handler=partial(_post, callback, provider.name), max_body=MAX_BODY),
        ]
    return found


def _addresses(plan: AuthPlan, provider: ProviderPlan) -> list[str]:
    """Give the addresses of a provider, the one by its own name first."""
    return [f"{plan.api_prefix}/login/{name}" for name in (provider.name, *provider.spec.aliases)]


async def _ask(sign_in: SignIn, provider: str, visit: Visit, _body: bytes) -> Reply:
    return await sign_in.ask(visit, provider)


async def _get(callback: Callback, provider: str, visit: Visit, _body: bytes) -> Reply:
    return await callback.get(visit, provider)


async def _post(callback: Callback, provider: str, visit: Visit, body: bytes) -> Reply:
    return await callback.post(visit, body, provider)


async def _redeem(redemption: Redemption, provider: str, visit: Visit, _body: bytes) -> Reply:
    return await redemption.answer(visit, provider)


def _over_https(handler: Handler) -> Handler:
    """Refuse what came in plain HTTP: whatever it carried was readable (interface, "Scheme and host")."""

    async def guarded(visit: Visit, body: bytes) -> Reply:
        if visit.scheme != "https":
            raise DoorwardError(HTTPS_REQUIRED)
        return await handler(visit, body)

    return guarded
