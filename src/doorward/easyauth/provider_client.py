"""Signing in at providers that speak OAuth 2 or OpenID Connect (RFC 6749, OpenID Connect Core 1.0).

Owns the course of such a sign-in: the way there, what comes back, refresh, sign-out. What is asked of the provider on
the way stands in `provider_calls.py`, what its id_tokens are held to in `id_tokens.py`. Knows no provider by name.
"""

from collections.abc import Mapping
from typing import final

import msgspec

from doorward.base.errors import DoorwardError
from doorward.base.refusals_easyauth import NO_REFRESH_TOKEN, REFRESH_NOT_SUPPORTED
from doorward.base.refusals_sign_in import CALLBACK_EMPTY, ID_TOKEN_REFUSED, NOBODY_KNOWN, SIGN_IN_MALFORMED
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.authorize import authorization_address, authorization_request
from doorward.easyauth.flow import Ask, Begun, SignedIn
from doorward.easyauth.id_tokens import IdTokens, Tie, counts_in_front, hold_to_issuer
from doorward.easyauth.provider_calls import ClientParts, ProviderCalls
from doorward.identity.person import Identity, ProviderTokens
from doorward.protocol.oauth2 import AuthorizationResponse, EndSessionRequest, TokenResponse
from doorward.protocol.oidc import VerifiedClaims
from doorward.protocol.parameters import BadMessage, with_parameters
from doorward.providers.spec import Endpoints
from doorward.sessions.nonce import PendingSignIn


@final
class OAuth2Flow:
    """Sign-in by OAuth 2, with or without OpenID Connect on top."""

    def __init__(self, parts: ClientParts) -> None:
        """Speak with `parts`."""
        self._parts = parts
        self._calls = ProviderCalls(parts)
        self._id_tokens = IdTokens(parts.keys, parts.clock)

    async def begin(self, plan: ProviderPlan, ask: Ask) -> Begun:
        """Say where to send the browser (`flow.Flow.begin`)."""
        endpoints = await self._parts.discovery.endpoints(plan)
        try:
            asks_code = "code" in authorization_request(plan, ask).response_type.split(" ")
            address = authorization_address(plan, endpoints.authorization_endpoint, ask)
            return Begun(address=address, asks_code=asks_code)
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
        if pending is not None and pending.asks_code and not response.code:
            raise DoorwardError(CALLBACK_EMPTY, provider=plan.name, reason="a code was asked for, and none came")
        if counts_in_front(plan, response):
            tie = Tie(nonce=nonce, code=response.code or None)
            front = await self._id_tokens.verify(plan, endpoints, response.id_token, tie)
        elif not response.code:
            raise DoorwardError(CALLBACK_EMPTY, provider=plan.name)
        if response.code:
            granted = await self._calls.redeem(plan, endpoints, response.code, redirect_uri)
        raw = plan.spec.told(await self._who(plan, endpoints, front, granted, nonce), dict(response.further))
        verified = response.id_token if front is not None else _id_token_in(plan, granted)
        tokens = self._calls.tokens(granted, id_token=verified)
        return SignedIn(identity=self._calls.identity(plan, raw, tokens), raw=raw, nonce=_text(raw.get("nonce")))

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
        granted = await self._calls.renew(plan, endpoints, held.refresh_token)
        fresh = self._calls.tokens(
            granted, id_token=await self._id_tokens.refreshed(plan, endpoints, identity, granted)
        )
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
            if granted is None:
                raise DoorwardError(CALLBACK_EMPTY, provider=plan.name)
            return await self._calls.profile(plan, endpoints, granted.access_token)
        if granted is None or not granted.id_token:
            if front is None:
                raise DoorwardError(NOBODY_KNOWN, provider=plan.name, reason="the token endpoint gave no id_token")
            return front
        subject = None if front is None else front.required_text("sub")
        principal = None if front is None else _text(front.get(plan.spec.principal_field))
        tie = Tie(
            nonce=nonce if front is None else None,
            access_token=granted.access_token,
            subject=subject,
            principal=principal,
        )
        back = await self._id_tokens.verify(plan, endpoints, granted.id_token, tie)
        if front is None:
            return back
        if nonce is not None and back.get("nonce", nonce) != nonce:
            reason = "the token endpoint's id_token is of another sign-in"
            raise DoorwardError(ID_TOKEN_REFUSED, provider=plan.name, check="nonce", reason=reason)
        return front


def _id_token_in(plan: ProviderPlan, granted: TokenResponse | None) -> str:
    """Give the token endpoint's id_token; where identity comes from a profile nobody looked at it, and none is kept."""
    return granted.id_token if granted is not None and plan.spec.id_token_signed else ""


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
