"""Signing in at providers that speak OAuth 2 or OpenID Connect (RFC 6749, OpenID Connect Core 1.0).

Owns the conversation with the provider from the authorization request to the identity: code redemption, the profile,
verification of id_tokens, refresh, sign-out. Knows no provider by name; what differs stands in its `ProviderSpec`.
Whatever a provider answers is somebody else's text: it is read strictly, and never shown or logged but for the code of
an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final
from urllib.parse import urlsplit

import msgspec

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.refusals_easyauth import (
    NO_REFRESH_TOKEN,
    PROVIDER_UNAVAILABLE,
    REFRESH_NOT_SUPPORTED,
    REFRESH_REFUSED,
)
from doorward.base.refusals_sign_in import (
    CALLBACK_EMPTY,
    CODE_REFUSED,
    ID_TOKEN_REFUSED,
    NOBODY_KNOWN,
    SIGN_IN_MALFORMED,
)
from doorward.base.text import cleaned
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.authorize import authorization_address
from doorward.easyauth.flow import Ask, Begun, SignedIn
from doorward.identity.person import Identity, ProviderTokens, ticks
from doorward.keys.discovery import Discovery
from doorward.keys.provider_keys import ProviderKeys
from doorward.outbound import Answer, Outbound, OutboundFailed
from doorward.protocol.id_token import IdTokenRules, verify_id_token
from doorward.protocol.jose import read_compact
from doorward.protocol.oauth2 import (
    AuthorizationResponse,
    CodeRedemption,
    EndSessionRequest,
    RefreshRequest,
    TokenError,
    TokenResponse,
    UserInfo,
    read_token_answer,
)
from doorward.protocol.oidc import VerifiedClaims
from doorward.protocol.parameters import BadMessage, Pairs, with_parameters
from doorward.protocol.refusal import TokenRefused
from doorward.providers.identify import NobodyNamed, make_identity
from doorward.providers.spec import Endpoints
from doorward.sessions.nonce import PendingSignIn

LEEWAY = 60.0
_TOO_MANY = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientParts:
    """What conversations with providers need."""

    outbound: Outbound
    discovery: Discovery
    keys: ProviderKeys
    clock: Clock
    legacy_claims: bool
    profile: str


@final
class OAuth2Flow:
    """Sign-in by OAuth 2, with or without OpenID Connect on top."""

    def __init__(self, parts: ClientParts) -> None:
        """Speak with `parts`."""
        self._parts = parts

    async def begin(self, plan: ProviderPlan, ask: Ask) -> Begun:
        """Say where to send the browser (`flow.Flow.begin`)."""
        endpoints = await self._parts.discovery.endpoints(plan)
        try:
            return Begun(address=authorization_address(plan, endpoints.authorization_endpoint, ask))
        except BadMessage as error:
            raise DoorwardError(SIGN_IN_MALFORMED, reason=str(error)) from error

    def nonce_of(self, plan: ProviderPlan, response: AuthorizationResponse) -> str | None:
        """Give the nonce in the front-channel id_token, unverified (`flow.Flow.nonce_of`)."""
        if plan.spec.nonce_in_state or not response.id_token:
            return None
        try:
            nonce = read_compact(response.id_token).unverified_claims.get("nonce")
        except TokenRefused as refused:
            raise _token_refusal(plan, refused) from refused
        return nonce if isinstance(nonce, str) else ""

    async def finish(
        self, plan: ProviderPlan, response: AuthorizationResponse, *, redirect_uri: str, pending: PendingSignIn | None
    ) -> SignedIn:
        """Find out who came back (`flow.Flow.finish`).

        In the hybrid flow the claims are those of the front-channel id_token (interface section 7), and the token
        endpoint's must speak of the same person (OpenID Connect Core 3.3.3.6).
        """
        endpoints = await self._parts.discovery.endpoints(plan)
        nonce = None if pending is None or plan.spec.nonce_in_state else pending.nonce
        front, granted = None, None
        if plan.spec.id_token_signed and response.id_token:
            code = response.code or None
            front = await self._verify(plan, endpoints, response.id_token, nonce=nonce, code=code)
        elif not response.code:
            raise DoorwardError(CALLBACK_EMPTY, provider=plan.name)
        if response.code:
            granted = await self._redeem(plan, endpoints, response.code, redirect_uri)
        raw = await self._who(plan, endpoints, front, granted, nonce)
        tokens = self._tokens(granted, id_token=_verified_id_token(plan, response, granted))
        return SignedIn(identity=self._identity(plan, raw, tokens), raw=raw, nonce=_text(raw.get("nonce")))

    async def refresh(self, plan: ProviderPlan, identity: Identity) -> Identity:
        """Give the identity with new tokens (`flow.Flow.refresh`).

        The claims stay those of the sign-in. An id_token that speaks of somebody else is ignored, and so is one that
        fails a check (interface section 7).
        """
        if not plan.spec.can_refresh:
            raise DoorwardError(REFRESH_NOT_SUPPORTED, provider=plan.name)
        held = identity.tokens
        if not held.refresh_token:
            raise DoorwardError(NO_REFRESH_TOKEN, provider=plan.name)
        endpoints = await self._parts.discovery.endpoints(plan)
        request = RefreshRequest(refresh_token=held.refresh_token, **self._proof(plan), **_resource(plan))
        granted = await self._ask_for_tokens(plan, endpoints, request.to_form())
        if isinstance(granted, TokenError):
            raise DoorwardError(REFRESH_REFUSED, provider=plan.name, error=cleaned(granted.error, 64))
        fresh = self._tokens(granted, id_token=await self._id_token_of(plan, endpoints, identity, granted))
        kept = msgspec.structs.asdict(held) | {k: v for k, v in msgspec.structs.asdict(fresh).items() if v is not None}
        # An access token without an expiry has not that of the one before.
        kept["expires_on"] = fresh.expires_on
        return msgspec.structs.replace(identity, tokens=ProviderTokens(**kept))

    async def end_session_address(self, plan: ProviderPlan, after: str) -> str | None:
        """Give where to sign out at the provider; no token goes there (`flow.Flow.end_session_address`)."""
        if not plan.spec.signs_out and not plan.endpoints.end_session_endpoint:
            return None
        try:
            endpoints = await self._parts.discovery.endpoints(plan)
        except DoorwardError:
            return None  # the session here has ended; the provider's outage must not keep anybody from knowing it
        if not endpoints.end_session_endpoint:
            return None
        request = EndSessionRequest(client_id=plan.client_id, post_logout_redirect_uri=after)
        return with_parameters(endpoints.end_session_endpoint, request.pairs())

    # --- the token endpoint ------------------------------------------------------------------------------------

    async def _redeem(self, plan: ProviderPlan, endpoints: Endpoints, code: str, redirect_uri: str) -> TokenResponse:
        request = CodeRedemption(code=code, redirect_uri=redirect_uri, **self._proof(plan), **_resource(plan))
        granted = await self._ask_for_tokens(plan, endpoints, request.to_form())
        if isinstance(granted, TokenError):
            said = cleaned(granted.error_description, 256)
            raise DoorwardError(CODE_REFUSED, provider=plan.name, error=cleaned(granted.error, 64), description=said)
        return granted

    def _proof(self, plan: ProviderPlan) -> dict[str, Any]:
        """Give what proves that it is us who ask (RFC 6749 section 2.3.1, "ClientSecretPost")."""
        return {"client_id": plan.client_id, "client_secret": plan.client_secret.reveal()}

    async def _ask_for_tokens(
        self, plan: ProviderPlan, endpoints: Endpoints, form: bytes
    ) -> TokenResponse | TokenError:
        try:
            answer = await self._parts.outbound.post_form(endpoints.token_endpoint, form)
        except OutboundFailed as failed:
            raise _unavailable(plan, failed.reason, failed.host) from failed
        host = urlsplit(endpoints.token_endpoint).netloc
        if answer.status == _TOO_MANY:
            raise _unavailable(plan, "status 429: asked too often", host)
        try:
            granted = read_token_answer(answer.media_type, answer.body)
        except BadMessage as error:
            raise _unavailable(plan, f"status {answer.status}: {error}", host) from error
        if answer.status // 100 != 2 and isinstance(granted, TokenResponse):
            raise _unavailable(plan, f"status {answer.status} with tokens", host)
        return granted

    def _tokens(self, granted: TokenResponse | None, *, id_token: str) -> ProviderTokens:
        """Give what the session keeps, with an id_token that was verified.

        The life of the access token counts from now (reference 4.1).
        """
        if granted is None:
            return ProviderTokens(id_token=id_token or None)
        life = granted.expires_in
        return ProviderTokens(
            access_token=granted.access_token,
            expires_on=None if life is None else ticks(self._parts.clock.now() + life),
            id_token=id_token or None,
            refresh_token=granted.refresh_token or None,
        )

    # --- who it is ---------------------------------------------------------------------------------------------

    async def _who(
        self,
        plan: ProviderPlan,
        endpoints: Endpoints,
        front: VerifiedClaims | None,
        granted: TokenResponse | None,
        nonce: str | None,
    ) -> Mapping[str, object]:
        if not plan.spec.id_token_signed:
            return await self._profile(plan, endpoints, granted)
        if granted is None or not granted.id_token:
            if front is None:
                raise DoorwardError(NOBODY_KNOWN, provider=plan.name, reason="the token endpoint gave no id_token")
            return front
        subject = None if front is None else front.required_text("sub")
        back = await self._verify(
            plan,
            endpoints,
            granted.id_token,
            nonce=nonce if front is None else None,
            access_token=granted.access_token,
            subject=subject,
        )
        return back if front is None else front

    async def _profile(
        self, plan: ProviderPlan, endpoints: Endpoints, granted: TokenResponse | None
    ) -> Mapping[str, object]:
        if granted is None:
            raise DoorwardError(CALLBACK_EMPTY, provider=plan.name)
        address = with_parameters(endpoints.userinfo_endpoint, plan.spec.profile_parameters.items())
        try:
            answer = await self._parts.outbound.get_profile(address, granted.access_token)
        except OutboundFailed as failed:
            raise _unavailable(plan, failed.reason, failed.host) from failed
        return _profile_in(plan, answer)

    async def _id_token_of(
        self, plan: ProviderPlan, endpoints: Endpoints, identity: Identity, granted: TokenResponse
    ) -> str:
        """Give the refreshed id_token if it is good and speaks of the same person, else the one that is held."""
        held = identity.tokens.id_token or ""
        if not granted.id_token or not plan.spec.id_token_signed:
            return held
        try:
            await self._verify(
                plan, endpoints, granted.id_token, access_token=granted.access_token, subject=identity.subject
            )
        except DoorwardError:
            return held
        return granted.id_token

    async def _verify(
        self,
        plan: ProviderPlan,
        endpoints: Endpoints,
        text: str,
        *,
        nonce: str | None = None,
        code: str | None = None,
        access_token: str | None = None,
        subject: str | None = None,
    ) -> VerifiedClaims:
        find = self._parts.keys.find
        try:
            token = read_compact(text)
            keys = await find(endpoints.jwks_uri, token.kid)
            twins_at = plan.spec.twin_keys(endpoints.issuer, endpoints.jwks_uri)
            rules = IdTokenRules(
                issuer=plan.spec.issuer_rule(endpoints.issuer, plan.endpoints.issuer),
                client_id=plan.client_id,
                leeway=LEEWAY,
                nonce=nonce,
                code=code,
                access_token=access_token,
                subject=subject,
                key_may_sign=plan.spec.key_rule(endpoints.issuer, await find(twins_at, token.kid) if twins_at else ()),
            )
            return verify_id_token(token, keys, rules, self._parts.clock.now())
        except TokenRefused as refused:
            raise _token_refusal(plan, refused) from refused

    def _identity(self, plan: ProviderPlan, raw: Mapping[str, object], tokens: ProviderTokens) -> Identity:
        parts = self._parts
        try:
            return make_identity(plan.name, plan.spec, raw, tokens, legacy=parts.legacy_claims, profile=parts.profile)
        except NobodyNamed as error:
            raise DoorwardError(NOBODY_KNOWN, provider=plan.name, reason=str(error)) from error


def _verified_id_token(plan: ProviderPlan, response: AuthorizationResponse, granted: TokenResponse | None) -> str:
    """Give the id_token that a sign-in was verified by; what nobody looked at is not kept."""
    if not plan.spec.id_token_signed:
        return ""
    return response.id_token or ("" if granted is None else granted.id_token)


def _profile_in(plan: ProviderPlan, answer: Answer) -> Mapping[str, object]:
    if answer.status // 100 != 2:
        raise DoorwardError(NOBODY_KNOWN, provider=plan.name, reason=f"status {answer.status} for the profile")
    try:
        return UserInfo.from_json(answer.body).members
    except BadMessage as error:
        raise _unavailable(plan, f"the profile: {error}", "") from error


def _resource(plan: ProviderPlan) -> dict[str, Any]:
    """Give `resource` where the settings ask for one: Entra's version 1.0 wants it at the token endpoint as well."""
    named: Pairs = tuple(pair for pair in plan.login_parameters if pair[0] == "resource")
    return dict(named)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _unavailable(plan: ProviderPlan, reason: str, host: str) -> DoorwardError:
    return DoorwardError(PROVIDER_UNAVAILABLE, provider=plan.name, reason=reason, host=host)


def _token_refusal(plan: ProviderPlan, refused: TokenRefused) -> DoorwardError:
    """Put a check's refusal into the catalogue's words, with the check and its reason for the log."""
    facts: dict[str, Any] = {"check": refused.check.name, "reason": refused.reason, **refused.facts}
    return DoorwardError(ID_TOKEN_REFUSED, provider=plan.name, **facts)
