"""Bearers that are no sessions of ours: JWTs of providers, and platform tokens of the token service.

A provider's JWT is checked as its id_tokens are, by the keys that the issuer publishes (easy-auth reference 8.2), and
then held to the policy of its provider (8.3). What passed counts for a minute without another look at its signature, so
that a key which the provider has withdrawn soon counts for nothing. A platform token is asked about again after less
than a second, since it may have been revoked anywhere; while the database cannot be asked it outlives that by the grace
of sessions.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any, TypeAlias

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.frozen import frozen
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.base.refusals_easyauth import INVALID_BEARER
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.identity.admission import Recognised, Via
from doorward.identity.person import Identity, ProviderTokens
from doorward.identity.principal import platform_identity
from doorward.keys.signing_keys import KeySource, find_signing_keys
from doorward.protocol.id_token import IdTokenRules, verify_id_token
from doorward.protocol.jose import BEARER_TYPES, HEADER, UnverifiedToken, read_compact
from doorward.protocol.oidc import VerifiedClaims
from doorward.protocol.refusal import TokenRefused
from doorward.providers.identify import NobodyNamed, make_identity
from doorward.providers.spec import Endpoints
from doorward.sessions.memory import Kind, key_of
from doorward.sessions.notices import Notices
from doorward.sessions.presenting import Presenter
from doorward.sessions.session import Caller

RECHECK_BEARER = 60.0
RECHECK_PLATFORM = 0.8
MOST_KNOWN = 20_000

Judge: TypeAlias = Callable[[ProviderPlan, VerifiedClaims, Identity], ErrorRow | None]
"""Holds somebody with a bearer to the policy of the provider; gives the refusal, or None."""
EndpointsOf: TypeAlias = Callable[[ProviderPlan], Awaitable[Endpoints]]


class ProviderBearers:
    """Checks `Authorization: Bearer` with a JWT of a configured provider that takes bearers."""

    def __init__(
        self,
        plan: AuthPlan,
        *,
        endpoints: EndpointsOf,
        keys: KeySource,
        judge: Judge,
        presenter: Presenter,
        clock: Clock,
        profile: str,
        leeway: float,
    ) -> None:
        """Take the providers of `plan` that take bearers; `leeway` is in seconds."""
        self._plans = tuple(provider for provider in plan.providers.values() if provider.spec.takes_bearer)
        self._algorithms = frozenset(name for provider in self._plans for name in provider.spec.algorithms)
        self._legacy = plan.legacy_claims
        self._endpoints = endpoints
        self._keys = keys
        self._judge = judge
        self._presenter = presenter
        self._clock = clock
        self._profile = profile
        self._leeway = leeway

    def __bool__(self) -> bool:
        """Say whether there is any provider that takes bearers."""
        return bool(self._plans)

    async def check(self, bearer: str) -> Caller:
        """Give the caller.

        Raises `DoorwardError`: `invalid_bearer`, a refusal by policy, and what keeps a token from being checked.
        """
        plan, claims = await self._verified(bearer)
        try:
            identity = make_identity(
                plan.name,
                plan.spec,
                claims,
                ProviderTokens(access_token=bearer),
                legacy=self._legacy,
                profile=self._profile,
            )
        except NobodyNamed as error:
            raise DoorwardError(INVALID_BEARER, provider=plan.name, reason=str(error)) from error
        refused = self._judge(plan, claims, identity)
        if refused is not None:
            raise DoorwardError(refused, provider=plan.name, principal=identity.principal_id)
        until = min(_number(claims, "exp") + self._leeway, self._clock.now() + RECHECK_BEARER)
        return _caller(Via.BEARER, identity, self._presenter, until)

    async def _verified(self, bearer: str) -> tuple[ProviderPlan, VerifiedClaims]:
        """Find the provider whose token this is; where several could be meant, the first whose checks all pass."""
        obstacle = DoorwardError(INVALID_BEARER, reason="its issuer is no provider that takes bearers")
        try:
            token = read_compact(bearer, BEARER_TYPES, self._algorithms)
        except TokenRefused as refusal:
            raise _invalid(refusal) from refusal
        for plan in self._plans:
            try:
                return plan, await self._verified_by(plan, token)
            except _OfAnother:
                continue
            except TokenRefused as refusal:
                obstacle = _invalid(refusal, provider=plan.name)
            except DoorwardError as error:
                obstacle = error
        raise obstacle

    async def _verified_by(self, plan: ProviderPlan, token: UnverifiedToken) -> VerifiedClaims:
        """Make every check; raises `_OfAnother`, `TokenRefused`, and `DoorwardError` where the provider is away."""
        endpoints = await self._endpoints(plan)
        issuer = plan.spec.issuer_rule(endpoints.issuer, plan.endpoints.issuer)
        if not isinstance(token.unverified_claims.get("iss"), str) or not issuer.admits(token.unverified_claims):
            raise _OfAnother
        if token.algorithm not in plan.spec.algorithms:
            raise TokenRefused(HEADER, "alg is none of this provider's")
        keys = await find_signing_keys(self._keys, endpoints.jwks_uri, token)
        twins_at = plan.spec.twin_keys(endpoints.issuer, endpoints.jwks_uri)
        twins = await self._keys.find(twins_at, token.kid) if twins_at else ()
        rules = IdTokenRules(
            issuer=issuer,
            client_id=plan.client_id,
            audiences=plan.audiences,
            leeway=self._leeway,
            key_may_sign=plan.spec.key_rule(endpoints.issuer, twins),
            bearer=True,
        )
        return verify_id_token(token, keys, rules, self._clock.now())


class _OfAnother(Exception):
    """The token's issuer is not this provider's; nothing else of it was looked at."""


@frozen
class PlatformOwner:
    """Whose a living platform token is, and when it expires, in seconds since the epoch."""

    user_id: int
    email: str
    name: str | None
    role: str
    organization_id: int
    expires_at: float


Lookup: TypeAlias = Callable[[str], Awaitable[PlatformOwner | None]]
"""Gives the owner of a platform token, or None where it is not a living token of an enabled user.

Raises `DoorwardError` (`store_unavailable`).
"""


@frozen(kw_only=False)
class _Seen:
    caller: Caller = field(repr=False)
    checked_at: float
    expires_at: float


class PlatformBearers:
    """Checks `Authorization: Bearer` with a platform token (interface, "Platform token at the gateway")."""

    def __init__(self, look_up: Lookup, presenter: Presenter, clock: Clock, notices: Notices, *, grace: float) -> None:
        """Ask `look_up`; `grace` is for how many seconds a known token outlives a database that cannot be asked."""
        self._look_up = look_up
        self._presenter = presenter
        self._clock = clock
        self._notices = notices
        self._grace = grace
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()

    async def check(self, bearer: str) -> Caller:
        """Give the caller; raises `DoorwardError` (`invalid_bearer`, `store_unavailable`)."""
        key = key_of(Kind.BEARER, bearer.encode())
        asked_at = self._clock.monotonic()
        try:
            self._notices.refuse_while_away()
            owner = await self._look_up(bearer)
        except DoorwardError as error:
            seen = self._seen.get(key)
            if error.row is not STORE_UNAVAILABLE or seen is None or not self._is_within_grace(seen):
                raise
            return seen.caller
        self._seen.pop(key, None)
        if owner is None:
            raise DoorwardError(INVALID_BEARER, reason="no living platform token")
        identity = platform_identity(owner.user_id, owner.email, owner.name, owner.role, owner.organization_id)
        until = min(owner.expires_at, self._clock.now() + RECHECK_PLATFORM)
        caller = _caller(Via.PLATFORM_TOKEN, identity, self._presenter, until)
        self._seen[key] = _Seen(caller, asked_at, owner.expires_at)
        if len(self._seen) > MOST_KNOWN:
            self._seen.popitem(last=False)
        return caller

    def _is_within_grace(self, seen: _Seen) -> bool:
        return self._clock.monotonic() - seen.checked_at < self._grace and self._clock.now() < seen.expires_at


def _caller(via: Via, identity: Identity, presenter: Presenter, until: float) -> Caller:
    principal, me = presenter(identity, refreshed=False)
    return Caller(credential=Recognised(via=via, principal=principal), me=me, until=until)


def _invalid(refusal: TokenRefused, **facts: str) -> DoorwardError:
    told: dict[str, Any] = {**refusal.facts, **facts}
    return DoorwardError(INVALID_BEARER, check=refusal.check.name, reason=refusal.reason, **told)


def _number(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
