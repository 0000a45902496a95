"""What answers on the public listener: the rooms' routes, on top of a back office."""

from dataclasses import dataclass

from doorward import __version__
from doorward.accounts.audit import FailureRecords
from doorward.accounts.refresh import RefreshDesk
from doorward.accounts.sign_in import SignInDesk, SignInRules
from doorward.accounts.tokens import TokenOffice
from doorward.base.clock import Clock
from doorward.config.settings import Settings
from doorward.exchange import api
from doorward.exchange.cors import Cors
from doorward.exchange.guard import Guard
from doorward.exchange.limits import ExchangeLimits, LimitRules
from doorward.exchange.login import Login
from doorward.exchange.oauth import OAuth
from doorward.gateway import other
from doorward.gateway.listener import Site
from doorward.house.back_office import BackOffice
from doorward.house.rules import requires_https, token_rules, trust_of
from doorward.inbound.door import Door
from doorward.operations import logs
from doorward.operations.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What answers on the public listener, and the exchange behind it, which is finished before the database closes."""

    site: Site
    login: Login
    failures: FailureRecords


def build_front(back: BackOffice, settings: Settings, metrics: Metrics) -> Front:
    """Put the rooms' routes on a back office whose key ring and registrations have been loaded."""
    rules, find = settings.token_service, back.registrations.find_enabled
    office = TokenOffice(back.store, back.ring, back.clock, back.entropy, token_rules(settings), back.common_time)
    failures = FailureRecords(back.store, back.clock, metrics.audit_dropped)
    login = Login(
        verification=back.verification,
        desk=SignInDesk(back.store, office, _sign_in_rules(settings)),
        limits=ExchangeLimits(back.clock, _limit_rules(settings)),
        failures=failures,
        observer=metrics,
        clock=back.clock,
    )
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
    guard = Guard(requires_https=requires_https(settings), subscription_key=rules.subscription_key)
    cors = Cors(rules.cors_origins)
    door = Door(
        cors.routes(api.routes(parts, oauth, guard, rules.max_body_bytes)) if rules.enabled else [],
        trust=trust_of(settings, back.entropy),
        clock=back.clock,
        observe=logs.observing(metrics.request, write_access_log=settings.server.access_log),
        envelopes={
            "": other.Outside(_https_site(settings)).refuse,
            **(api.envelopes(cors, guard) if rules.enabled else {}),
        },
    )
    return Front(site=Site(door=door), login=login, failures=failures)


def new_metrics(clock: Clock) -> Metrics:
    """Give empty counters."""
    return Metrics(clock=clock, version=__version__)


def _https_site(settings: Settings) -> str | None:
    """Give the origin that plain requests are sent to, "" where they are refused alone, None where they are served."""
    if not requires_https(settings):
        return None
    site = settings.server.public_url.rstrip("/")
    return site if site.startswith("https:") else ""


def _sign_in_rules(settings: Settings) -> SignInRules:
    rules = settings.token_service
    return SignInRules(replay=rules.replay, default_organization=rules.default_organization)


def _limit_rules(settings: Settings) -> LimitRules:
    limits = settings.rate_limits
    return LimitRules(
        enabled=limits.enabled, failures=limits.failures, per_identity=limits.per_identity, window=limits.window
    )
