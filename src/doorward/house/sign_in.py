"""Sign-in, put together: sessions, the gate, the providers' conversations, the handlers of Easy Auth, the porter."""

from collections.abc import Callable

from doorward.accounts.registrations import refuse_unadmitted
from doorward.accounts.tokens import TokenOffice
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.config.auth_plan import AuthPlan
from doorward.config.challenge import challenges_of
from doorward.config.judging import guests_of, judge_of
from doorward.config.settings import Settings
from doorward.easyauth import api, version
from doorward.easyauth.backchannel import BackChannel
from doorward.easyauth.client_directed import ClientDirected
from doorward.easyauth.flow import Flow
from doorward.easyauth.login import SignIn
from doorward.easyauth.me import Me
from doorward.easyauth.metadata import Metadata
from doorward.easyauth.oauth1_flow import OAuth1Flow
from doorward.easyauth.parts import Parts
from doorward.easyauth.provider_calls import ClientParts
from doorward.easyauth.provider_client import OAuth2Flow
from doorward.easyauth.records import SignInRecords
from doorward.easyauth.refresh import Refresh, asking_providers
from doorward.gateway.check import Check
from doorward.gateway.porter import Porter
from doorward.house.back_office import BackOffice
from doorward.house.rules import https_site
from doorward.identity.admission import AdmissionRules
from doorward.identity.visit import Trust
from doorward.inbound.door import Refuse, Route
from doorward.providers.spec import Kind
from doorward.sessions.bearers import PlatformBearers, PlatformOwner, ProviderBearers
from doorward.sessions.codes import SignInCodes
from doorward.sessions.desk import SessionDesk
from doorward.sessions.flight import Flights
from doorward.sessions.gate import Bearers, Gate
from doorward.sessions.lasting import Lasting
from doorward.sessions.nonce import Nonces
from doorward.sessions.notices import Notices
from doorward.sessions.presenting import Presenter
from doorward.sessions.provider_ends import ProviderEnds
from doorward.sessions.rules import rules_of
from doorward.sessions.session_token import SessionTokens

LEEWAY = 60.0


@frozen
class SignInDoors:
    """What sign-in gives to the public listener.

    `flights` are finished before the database closes; `notices` are to be taken as long as it serves.
    """

    routes: list[Route]
    envelopes: dict[str, Refuse]
    porter: Porter
    check: Check
    lasting: Lasting
    flights: Flights
    notices: Notices


def build_sign_in(
    back: BackOffice,
    settings: Settings,
    plan: AuthPlan,
    *,
    trust: Trust,
    office: TokenOffice | None,
    count_dropped: Callable[[], None] = lambda: None,
    explains: bool,
) -> SignInDoors:
    """Put sign-in together by the auth tree; `office` reads platform tokens, None where the token service is off.

    `count_dropped` is told of each refusal that could not be recorded. With `explains`, which is for development,
    refusals show how they came about.
    """
    presenter = _presenter(settings, plan)
    desk = _desk(back, settings, plan, presenter)
    tokens = SessionTokens(back.secrets.session_token_key(), trust.sites, hide_deprecated_sid=plan.hide_deprecated_sid)
    bearers = _bearers(back, settings, plan, presenter, desk, office)
    gate = Gate(desk, tokens, presenter, back.clock, bearers, trust.site if len(trust.sites) > 1 else None)
    client = _client_parts(back, settings, plan)
    parts = Parts(
        plan=plan,
        profile=settings.easyauth.profile,
        trust=trust,
        clock=back.clock,
        flows=_flows(client),
        nonces=_nonces(back, plan),
        desk=desk,
        gate=gate,
        tokens=tokens,
        codes=_codes(back, plan),
        judge=judge_of(guests_of(settings.easyauth), checks_application=False),
        records=SignInRecords(back.store, back.clock, count_dropped),
        explains=explains,
    )

    flights = _flights(back, parts)
    sign_in, challenge = SignIn(parts), challenges_of(plan)
    porter = Porter(
        admission_rules(settings, plan),
        trust,
        gate=gate,
        begin=sign_in.begin_automatically,
        challenge=challenge,
        api_prefix=plan.api_prefix,
        explains=explains,
    )
    further = _further(back, settings, parts, client, flights)
    check = Check(porter, trust, api_prefix=plan.api_prefix, keeps_own_cookies=settings.easyauth.forward_session_cookie)
    return SignInDoors(
        routes=[*api.routes(parts, sign_in, further), *check.routes()],
        envelopes=api.envelopes(plan, https_site(settings), lambda visit: challenge(visit, trust.site(visit))),
        porter=porter,
        check=check,
        lasting=Lasting(gate, desk, back.clock),
        flights=flights,
        notices=desk.notices,
    )


def _flights(back: BackOffice, parts: Parts) -> Flights:
    asking = asking_providers(parts)
    return Flights(parts.desk, back.store, back.clock, back.entropy, asking, common_time=back.common_time)


def _further(back: BackOffice, settings: Settings, parts: Parts, client: ClientParts, flights: Flights) -> list[Route]:
    """Give the routes below the prefix that are no part of a browser's own sign-in and sign-out."""
    plan, prefix = parts.plan, parts.plan.api_prefix
    anonymous_is_empty = settings.easyauth.me_when_anonymous == "empty"
    me = Me(parts.gate, has_token_store=plan.token_store, anonymous_is_empty=anonymous_is_empty)
    renewal = Refresh(parts.gate, flights, parts.tokens, parts.trust, back.clock, has_token_store=plan.token_store)
    judge = judge_of(guests_of(settings.easyauth), checks_application=True)
    return [
        *me.routes(prefix),
        *renewal.routes(prefix),
        *version.routes(prefix),
        *Metadata(plan, parts.trust).routes(),
        *ClientDirected(parts, client, judge).routes(),
        *BackChannel(parts, client, ProviderEnds(back.store, parts.desk.notices)).routes(),
    ]


def admission_rules(settings: Settings, plan: AuthPlan) -> AdmissionRules:
    """Give what the auth tree and the settings say about requests."""
    return AdmissionRules(
        enabled=plan.enabled,
        action=plan.action,
        provider=plan.provider,
        providers=len(plan.providers),
        excluded_paths=plan.excluded_paths,
        warmup_path=plan.warmup_path,
        csrf_sites=plan.allowed_targets,
        scripts_get_401=settings.easyauth.scripts_get_401,
    )


def _presenter(settings: Settings, plan: AuthPlan) -> Presenter:
    rules = settings.easyauth
    return Presenter(
        plan,
        profile=rules.profile,
        redact=rules.redact_me_tokens,
        with_refresh_token=rules.inject_refresh_token,
        names_roles=rules.consistent_roles,
    )


def _desk(back: BackOffice, settings: Settings, plan: AuthPlan, presenter: Presenter) -> SessionDesk:
    return SessionDesk(
        back.store,
        back.clock,
        back.entropy,
        sealer=back.secrets.session_sealer(),
        rules=rules_of(plan, settings.easyauth.store_grace),
        present=presenter,
    )


def _nonces(back: BackOffice, plan: AuthPlan) -> Nonces:
    sealer = back.secrets.pending_sealer()
    return Nonces(back.store, back.clock, back.entropy, sealer=sealer, lifetime=plan.nonce_lifetime)


def _flows(client: ClientParts) -> dict[Kind, Flow]:
    flow = OAuth2Flow(client)
    return {"oidc": flow, "oauth2": flow, "oauth1": OAuth1Flow(client)}


def _codes(back: BackOffice, plan: AuthPlan) -> SignInCodes:
    sealer = back.secrets.code_sealer()
    return SignInCodes(back.store, back.clock, back.entropy, sealer=sealer, keeps_tokens=plan.token_store)


def _client_parts(back: BackOffice, settings: Settings, plan: AuthPlan) -> ClientParts:
    return ClientParts(
        outbound=back.outbound,
        discovery=back.discovery,
        keys=back.provider_keys,
        clock=back.clock,
        entropy=back.entropy,
        legacy_claims=plan.legacy_claims,
        profile=settings.easyauth.profile,
    )


def _bearers(
    back: BackOffice,
    settings: Settings,
    plan: AuthPlan,
    presenter: Presenter,
    desk: SessionDesk,
    office: TokenOffice | None,
) -> Bearers:
    of_providers = ProviderBearers(
        plan,
        endpoints=back.discovery.endpoints,
        keys=back.provider_keys,
        judge=judge_of(guests_of(settings.easyauth), checks_application=True),
        presenter=presenter,
        clock=back.clock,
        profile=settings.easyauth.profile,
        leeway=LEEWAY,
    )
    grace = settings.easyauth.store_grace
    owners = None if office is None else _PlatformOwners(back, office)
    platform = (
        None if owners is None else PlatformBearers(owners.find, presenter, back.clock, desk.notices, grace=grace)
    )
    return Bearers(
        provider=of_providers.check if of_providers else None,
        platform=None if platform is None else platform.check,
        passes_foreign=settings.easyauth.foreign_bearers == "pass",
    )


class _PlatformOwners:
    """Says whose a platform token is, by the rules of introspection."""

    def __init__(self, back: BackOffice, office: TokenOffice) -> None:
        self._back = back
        self._office = office

    async def find(self, token: str) -> PlatformOwner | None:
        """Give the owner of a living token of somebody enabled; raises `DoorwardError` (`store_unavailable`)."""
        try:
            presented = await self._office.read_platform_token(token)
            self._office.refuse_dead(presented)
            refuse_unadmitted(self._back.registrations.find_enabled(presented.client_id), presented)
        except DoorwardError as error:
            if error.row is STORE_UNAVAILABLE:
                raise
            return None
        if not (presented.user.enabled and presented.organization_enabled):
            return None
        return PlatformOwner(
            user_id=presented.user.id,
            email=presented.user.email,
            name=presented.user.full_name,
            role=presented.user.role,
            organization_id=presented.user.organization_id,
            expires_at=min(presented.platform_expires_at, presented.family_expires_at),
        )
