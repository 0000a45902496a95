"""What answers on the public listener: the rooms' routes, on top of a back office."""

from typing import TYPE_CHECKING

from doorward import __version__
from doorward.accounts.audit import FailureRecords
from doorward.accounts.refresh import RefreshDesk
from doorward.accounts.sign_in import SignInDesk, SignInRules
from doorward.accounts.tokens import TokenOffice
from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.config.auth_plan import AuthPlan
from doorward.config.challenge import METADATA_PATH
from doorward.config.settings import Settings
from doorward.exchange import api, envelope, metadata
from doorward.exchange.cors import Cors
from doorward.exchange.guard import Guard
from doorward.exchange.limits import ExchangeLimits, LimitRules
from doorward.exchange.login import Login
from doorward.exchange.oauth import OAuth
from doorward.gateway import other
from doorward.gateway.app import AppDoor
from doorward.gateway.forward import Forwarding
from doorward.gateway.listener import Site
from doorward.gateway.pool import Pool
from doorward.gateway.questions import Questions
from doorward.house.back_office import BackOffice
from doorward.house.rules import https_site, requires_https, trust_of
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Door, Observe, Refuse, Reply, Route
from doorward.operations import logs
from doorward.operations.metrics import Metrics
from doorward.outbound import trust_system_and

if TYPE_CHECKING:
    from doorward.house.sign_in import SignInDoors


@frozen
class Front:
    """What answers on the public listener, and what of it is finished before the database closes."""

    site: Site
    login: Login
    failures: FailureRecords
    sign_in: "SignInDoors | None"

    async def finish(self) -> None:
        """Wait until what was begun behind an answer has ended."""
        await self.login.finish()
        if self.sign_in is not None:
            await self.sign_in.flights.finish()
        if self.site.app is not None:
            self.site.app.pool.close()


def build_front(back: BackOffice, settings: Settings, metrics: Metrics, *, explains: bool = False) -> Front:
    """Put the rooms' routes on a back office whose key ring and registrations have been loaded.

    With `explains`, which is for development, refusals of the gateway show how they came about.
    """
    rules, plan, office = settings.token_service, settings.auth.plan, back.office
    trust = trust_of(settings, back.entropy)
    failures = FailureRecords(back.store, back.clock, metrics.audit_dropped)
    login = _login(back, settings, office, failures, metrics)
    guard = Guard(requires_https=requires_https(settings), subscription_key=rules.subscription_key)
    cors = Cors(rules.cors_origins)
    exchange = cors.routes(_exchange_routes(back, settings, office, login, guard)) if rules.enabled else []
    sign_in = None
    if plan is not None:
        from doorward.house.sign_in import build_sign_in  # noqa: PLC0415 - the token service alone starts without it

        sign_in = build_sign_in(
            back,
            settings,
            plan,
            trust=trust,
            office=office if rules.enabled else None,
            count_dropped=metrics.audit_dropped,
            explains=explains,
        )
    outside = other.Outside(https_site(settings))
    envelopes = {"": outside.refuse, **(api.envelopes(cors, guard) if rules.enabled else {})}
    if sign_in is not None and plan is not None and plan.enabled:
        exchange += sign_in.routes
        envelopes |= {**sign_in.envelopes, **_below_sign_out(plan, sign_in.envelopes, outside.refuse)}
    observe = logs.observing(metrics.request, write_access_log=settings.server.access_log)
    door = Door(exchange, trust=trust, clock=back.clock, observe=observe, envelopes=envelopes)
    app = None
    if sign_in is not None and settings.app.upstream:
        app = _app_door(back, settings, sign_in, trust, outside, observe)
    own_paths = frozenset({plan.logout_path} if plan is not None and plan.enabled else ())
    questions = None
    if sign_in is not None and plan is not None and plan.enabled and settings.server.trusted_proxies:
        questions = Questions(sign_in.check, observe, back.clock)
    site = Site(door=door, app=app, questions=questions, own_prefixes=_own_prefixes(settings), own_paths=own_paths)
    return Front(site=site, login=login, failures=failures, sign_in=sign_in)


def _below_sign_out(plan: AuthPlan, envelopes: dict[str, Refuse], otherwise: Refuse) -> dict[str, Refuse]:
    """Give the words at a sign-out address outside of the prefix: its own there, and below it those of anywhere."""
    if plan.logout_path.startswith(f"{plan.api_prefix}/"):
        return {}

    def refuse(visit: Visit, error: DoorwardError) -> Reply:
        return (envelopes[plan.logout_path] if visit.path == plan.logout_path else otherwise)(visit, error)

    return {plan.logout_path: refuse}


def _app_door(
    back: BackOffice,
    settings: Settings,
    sign_in: "SignInDoors",
    trust: Trust,
    outside: other.Outside,
    observe: Observe,
) -> AppDoor:
    """Give the way to the application; made inside the event loop."""
    app = settings.app
    tls = trust_system_and(settings.outbound.ca_file or None) if any(_is_https(one) for one in app.upstream) else None
    return AppDoor(
        porter=sign_in.porter,
        lasting=sign_in.lasting,
        trust=trust,
        pool=Pool(app.upstream, connect_timeout=app.connect_timeout, tls=tls, health_path=app.health_path),
        forwarding=Forwarding(
            keeps_host=app.host_header == "keep", keeps_own_cookies=settings.easyauth.forward_session_cookie
        ),
        clock=back.clock,
        observe=observe,
        response_timeout=app.response_timeout,
        answer_first=outside.insist_on_https,
    )


def _own_prefixes(settings: Settings) -> tuple[str, ...]:
    """Give the paths that never reach the application, each with everything below it."""
    plan, ours = settings.auth.plan, list[str]()
    if settings.token_service.enabled:
        ours += [envelope.PREFIX, metadata.PATH]
    if plan is not None:
        ours.append(plan.api_prefix)
    if plan is not None and plan.enabled and plan.scopes_of_metadata is not None:
        ours.append(METADATA_PATH)
    return tuple(ours)


def _is_https(origin: str) -> bool:
    return origin.startswith("https:")


def _login(
    back: BackOffice, settings: Settings, office: TokenOffice, failures: FailureRecords, metrics: Metrics
) -> Login:
    return Login(
        verification=back.verification,
        desk=SignInDesk(back.store, office, _sign_in_rules(settings)),
        limits=ExchangeLimits(back.clock, _limit_rules(settings)),
        failures=failures,
        observer=metrics,
        clock=back.clock,
    )


def _exchange_routes(
    back: BackOffice, settings: Settings, office: TokenOffice, login: Login, guard: Guard
) -> list[Route]:
    rules, find = settings.token_service, back.registrations.find_enabled
    parts = api.Parts(
        login=login,
        office=office,
        refresh=RefreshDesk(back.store, office, find),
        store=back.store,
        clock=back.clock,
        find_registration=find,
        platform_token_name=rules.platform_token_name,
    )
    oauth = OAuth(back.store, office, back.ring, back.clock, find)
    return api.routes(parts, oauth, guard, rules.max_body_bytes)


def new_metrics(clock: Clock) -> Metrics:
    """Give empty counters."""
    return Metrics(clock=clock, version=__version__)


def _sign_in_rules(settings: Settings) -> SignInRules:
    rules = settings.token_service
    return SignInRules(replay=rules.replay, default_organization=rules.default_organization)


def _limit_rules(settings: Settings) -> LimitRules:
    limits = settings.rate_limits
    return LimitRules(
        enabled=limits.enabled, failures=limits.failures, per_identity=limits.per_identity, window=limits.window
    )
