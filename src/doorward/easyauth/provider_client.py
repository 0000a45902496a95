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
from doorward.base.entropy import Entropy
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
    NOBODY_KNOWN,
    SIGN_IN_MALFORMED,
)
from doorward.base.text import cleaned
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.authorize import authorization_address
from doorward.easyauth.client_proof import ClientProofs
from doorward.easyauth.flow import Ask, Begun, SignedIn
from doorward.easyauth.id_tokens import IdTokens, Tie, counts_in_front, hold_to_issuer
from doorward.identity.person import Identity, ProviderTokens, ticks
from doorward.keys.discovery import Discovery
from doorward.keys.provider_keys import ProviderKeys
from doorward.outbound import Answer, Outbound, OutboundFailed
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
from doorward.providers.identify import NobodyNamed, make_identity
from doorward.providers.spec import Endpoints
from doorward.sessions.nonce import PendingSignIn

_TOO_MANY = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientParts:
    """What conversations with providers need."""

    outbound: Outbound
    discovery: Discovery
    keys: ProviderKeys
    clock: Clock
    entropy: Entropy
    legacy_claims: bool
    profile: str


@final
class OAuth2Flow:
    """Sign-in by OAuth 2, with or without OpenID Connect on top."""

    def __init__(self, parts: ClientParts) -> None:
        """Speak with `parts`."""
        self._parts = parts
        self._proofs = ClientProofs(parts.clock, parts.entropy)
        self._id_tokens = IdTokens(parts.keys, parts.clock)

    async def begin(self, plan: ProviderPlan, ask: Ask) -> Begun:
        """Say where to send the browser (`flow.Flow.begin`)."""
        endpoints = await self._parts.discovery.endpoints(plan)
        try:
            return Begun(address=authorization_address(plan, endpoints.authorization_endpoint, ask))
        except BadMessage as error:
            raise DoorwardError(SIGN_IN_MALFORMED, reason=str(error)) from error

    def nonce_of(self, plan: ProviderPlan, response: AuthorizationResponse) -> str | None:
        """Give the nonce in the front-channel id_token, unverified (`flow.Flow.nonce_of`)."""
        return self._id_tokens.nonce_in(plan, response.id_token) if counts_in_front(plan, response) else None

    async def finish(
        self, plan: ProviderPlan, response: AuthorizationResponse, *, redirect_uri: str, pending: PendingSignIn | None
    ) -> SignedIn:
        """Find out who came back (`flow.Flow.finish`).

        In the hybrid flow the claims are those of the front-channel id_token (interface section 7), and the token
        endpoint's must speak of the same person (OpenID Connect Core 3.3.3.6).
        """
        endpoints = await self._parts.discovery.endpoints(plan)
        hold_to_issuer(plan, endpoints, response)
        nonce = None if pending is None or plan.spec.nonce_in_state else pending.nonce
        front, granted = None, None
        if counts_in_front(plan, response):
            tie = Tie(nonce=nonce, code=response.code or None)
            front = await self._id_tokens.verify(plan, endpoints, response.id_token, tie)
        elif not response.code:
            raise DoorwardError(CALLBACK_EMPTY, provider=plan.name)
        if response.code:
            granted = await self._redeem(plan, endpoints, response.code, redirect_uri)
        raw = await self._who(plan, endpoints, front, granted, nonce)
        verified = response.id_token if front is not None else _id_token_in(plan, granted)
        tokens = self._tokens(granted, id_token=verified)
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
        request = RefreshRequest(
            refresh_token=held.refresh_token, **self._proofs.parameters(plan, endpoints), **_resource(plan)
        )
        granted = await self._ask_for_tokens(plan, endpoints, request.to_form())
        if isinstance(granted, TokenError):
            raise DoorwardError(REFRESH_REFUSED, provider=plan.name, error=cleaned(granted.error, 64))
        fresh = self._tokens(granted, id_token=await self._id_tokens.refreshed(plan, endpoints, identity, granted))
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
        request = CodeRedemption(
            code=code, redirect_uri=redirect_uri, **self._proofs.parameters(plan, endpoints), **_resource(plan)
        )
        granted = await self._ask_for_tokens(plan, endpoints, request.to_form())
        if isinstance(granted, TokenError):
            said = cleaned(granted.error_description, 256)
            raise DoorwardError(CODE_REFUSED, provider=plan.name, error=cleaned(granted.error, 64), description=said)
        return granted

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
            authentication_token=_text(granted.further.get("authentication_token")),
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
        tie = Tie(nonce=nonce if front is None else None, access_token=granted.access_token, subject=subject)
        back = await self._id_tokens.verify(plan, endpoints, granted.id_token, tie)
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

    def _identity(self, plan: ProviderPlan, raw: Mapping[str, object], tokens: ProviderTokens) -> Identity:
        parts = self._parts
        try:
            return make_identity(plan.name, plan.spec, raw, tokens, legacy=parts.legacy_claims, profile=parts.profile)
        except NobodyNamed as error:
            raise DoorwardError(NOBODY_KNOWN, provider=plan.name, reason=str(error)) from error


def _id_token_in(plan: ProviderPlan, granted: TokenResponse | None) -> str:
    """Give the token endpoint's id_token; where identity comes from a profile nobody looked at it, and none is kept."""
    return granted.id_token if granted is not None and plan.spec.id_token_signed else ""


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
