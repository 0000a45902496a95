"""The id_tokens of a sign-in: fetched keys, the provider's rules, and the checks of `protocol/id_token.py`.

Owns which id_tokens are looked at, and what each is tied to. What came by the browser counts only where it carries the
nonce of the sign-in: else anybody could bring an id_token that was once somebody else's.
"""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals_sign_in import ID_TOKEN_REFUSED
from doorward.config.auth_plan import ProviderPlan
from doorward.identity.person import Identity
from doorward.keys.provider_keys import ProviderKeys
from doorward.keys.signing_keys import find_signing_keys
from doorward.protocol.id_token import SUBJECT, IdTokenRules, verify_id_token
from doorward.protocol.jose import BEARER_TYPES, ID_TOKEN_TYPES, read_compact
from doorward.protocol.logout_token import LOGOUT_TYPES, LogoutToken, read_logout_token
from doorward.protocol.oauth2 import AuthorizationResponse, TokenResponse
from doorward.protocol.oidc import VerifiedClaims
from doorward.protocol.refusal import TokenRefused
from doorward.providers.spec import Endpoints

LEEWAY = 60.0


@frozen
class Tie:
    """What an id_token must belong to; None where there is nothing to compare.

    `nonce` is the sign-in's, `code` the one that came beside it by the browser, `access_token` the one that came beside
    it from the token endpoint, `subject` the person that is known already. `principal` is what the provider's
    `principal_field` says of that person, such as `oid` at aad, whose `sub` is another for each application.
    """

    nonce: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    subject: str | None = None
    principal: str | None = None


class IdTokens:
    """Verifies id_tokens by the keys that their providers publish."""

    def __init__(self, keys: ProviderKeys, clock: Clock) -> None:
        """Look keys up in `keys`."""
        self._keys = keys
        self._clock = clock

    async def verify(self, plan: ProviderPlan, endpoints: Endpoints, text: str, tie: Tie) -> VerifiedClaims:
        """Give the claims of a good id_token; raises `DoorwardError` (`id_token_refused`, `keys_unavailable`)."""
        return await self._hold(plan, endpoints, text, tie)

    async def verify_posted(
        self, plan: ProviderPlan, endpoints: Endpoints, text: str, tie: Tie, *, is_access_token: bool = False
    ) -> VerifiedClaims:
        """Give the claims of a good token that a client has obtained, whichever application of its own it did that as.

        Allowed audiences count here as they do for bearers (easy-auth reference 3). Raises as `verify` does.
        """
        own: dict[str, Any] = {"audiences": plan.audiences, "any_party": True, "bearer": is_access_token}
        return await self._hold(plan, endpoints, text, tie, BEARER_TYPES if is_access_token else ID_TOKEN_TYPES, own)

    async def verify_logout(self, plan: ProviderPlan, endpoints: Endpoints, text: str) -> LogoutToken:
        """Give what a logout token says; raises as `verify` does."""
        claims = await self._hold(plan, endpoints, text, Tie(), LOGOUT_TYPES, {"logout": True})
        try:
            return read_logout_token(claims, self._clock.now())
        except TokenRefused as refused:
            raise _refusal(plan, refused) from refused

    async def _hold(
        self,
        plan: ProviderPlan,
        endpoints: Endpoints,
        text: str,
        tie: Tie,
        types: frozenset[str] = ID_TOKEN_TYPES,
        own: Mapping[str, Any] = MappingProxyType({}),
    ) -> VerifiedClaims:
        spec, issuer = plan.spec, endpoints.issuer
        try:
            token = read_compact(text, types, spec.algorithms)
            keys = await find_signing_keys(self._keys, endpoints.jwks_uri, token)
            twins_at = spec.twin_keys(issuer, endpoints.jwks_uri)
            twins = await self._keys.find(twins_at, token.kid) if twins_at else ()
            rules = IdTokenRules(
                issuer=spec.issuer_rule(issuer, plan.endpoints.issuer),
                client_id=plan.client_id,
                leeway=LEEWAY,
                nonce=tie.nonce,
                code=tie.code,
                access_token=tie.access_token,
                subject=tie.subject,
                key_may_sign=spec.key_rule(issuer, twins),
                **own,
            )
            claims = verify_id_token(token, keys, rules, self._clock.now())
            _check_principal(spec.principal_field, claims, tie.principal)
            return claims
        except TokenRefused as refused:
            raise _refusal(plan, refused) from refused

    async def refreshed(
        self, plan: ProviderPlan, endpoints: Endpoints, identity: Identity, granted: TokenResponse
    ) -> str:
        """Give the refreshed id_token if it is good and speaks of the same person, else the one that is held."""
        held = identity.tokens.id_token or ""
        if not granted.id_token or not plan.spec.id_token_signed:
            return held
        known = identity.principal_id if identity.principal_id != identity.subject else None
        tie = Tie(access_token=granted.access_token, subject=identity.subject, principal=known)
        try:
            await self.verify(plan, endpoints, granted.id_token, tie)
        except DoorwardError:
            return held
        return granted.id_token

    def nonce_in(self, plan: ProviderPlan, text: str) -> str:
        """Give the nonce of an id_token that nobody has verified, as a lookup only; empty where it has none.

        Raises `DoorwardError` (`id_token_refused`) for what is no token.
        """
        try:
            nonce = read_compact(text, algorithms=plan.spec.algorithms).unverified_claims.get("nonce")
        except TokenRefused as refused:
            raise _refusal(plan, refused) from refused
        return nonce if isinstance(nonce, str) else ""


def counts_in_front(plan: ProviderPlan, response: AuthorizationResponse) -> bool:
    """Say whether the browser brought an id_token that counts: one in which the provider repeats our nonce."""
    return bool(response.id_token) and plan.spec.id_token_signed and not plan.spec.nonce_in_state


def hold_to_issuer(plan: ProviderPlan, endpoints: Endpoints, response: AuthorizationResponse) -> None:
    """Refuse an answer that says it is another issuer's (RFC 9207 section 2.4); many providers say nothing of it."""
    named = response.iss
    if named and plan.spec.id_token_signed and not plan.spec.issuer_from_document and named != endpoints.issuer:
        raise DoorwardError(ID_TOKEN_REFUSED, provider=plan.name, check="issuer", reason="iss is another issuer")


def _check_principal(field_name: str, claims: VerifiedClaims, principal: str | None) -> None:
    if field_name and principal is not None and claims.get(field_name) != principal:
        raise TokenRefused(SUBJECT, f"{field_name} differs from that of the session")


def _refusal(plan: ProviderPlan, refused: TokenRefused) -> DoorwardError:
    """Put a check's refusal into the catalogue's words, with the check and its reason for the log."""
    facts: dict[str, Any] = {"check": refused.check.name, "reason": refused.reason, **refused.facts}
    return DoorwardError(ID_TOKEN_REFUSED, provider=plan.name, **facts)
