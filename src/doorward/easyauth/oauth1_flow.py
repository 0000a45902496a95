"""Signing in at a provider that speaks OAuth 1.0a (RFC 5849; easy-auth reference 2.3, interface "Nonce and state").

Three signed steps: a request token whose callback address carries `state`, an access token for it and the verifier that
the browser brought, and the profile. The request token is bound to the browser that the sign-in began in: its secret
lies in that browser's sealed cookie and nowhere else.
"""

import hmac
from collections.abc import Mapping
from typing import final

from doorward.base.entropy import opaque_token
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals_easyauth import REFRESH_NOT_SUPPORTED
from doorward.base.refusals_providers import REQUEST_TOKEN_REFUSED
from doorward.base.refusals_sign_in import CALLBACK_EMPTY, CODE_REFUSED, PROVIDER_DECLINED, SIGN_IN_NOT_BEGUN
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.flow import Ask, Begun, SignedIn
from doorward.easyauth.provider_calls import ClientParts, ProviderCalls, read_profile, unavailable
from doorward.easyauth.state import nonce_in
from doorward.identity.person import Identity, ProviderTokens
from doorward.outbound import OutboundFailed
from doorward.protocol.oauth1 import AccessTokenAnswer, CallbackAnswer, Consumer, RequestTokenAnswer, Token, sign
from doorward.protocol.oauth2 import AuthorizationResponse
from doorward.protocol.parameters import BadMessage, with_parameters
from doorward.sessions.nonce import PendingSignIn


@final
class SignedCalls:
    """Asks a provider with signed requests."""

    def __init__(self, parts: ClientParts) -> None:
        """Ask with `parts`."""
        self._parts = parts

    async def request_token(self, plan: ProviderPlan, callback: str) -> RequestTokenAnswer:
        """Give a request token for a sign-in that comes back to `callback` (RFC 5849 section 2.1).

        Raises `DoorwardError` (`request_token_refused`, `provider_unavailable`).
        """
        body = await self._post(plan, plan.endpoints.request_token_endpoint, REQUEST_TOKEN_REFUSED, callback=callback)
        try:
            answer = RequestTokenAnswer.from_form(body)
        except BadMessage as error:
            raise unavailable(plan, f"the request token: {error}", "") from error
        if not answer.oauth_token or not answer.oauth_token_secret:
            raise unavailable(plan, "the request token is absent", "")
        if answer.oauth_callback_confirmed != "true":
            # Version 1.0 without the letter: there anybody could slip a request token of theirs to somebody else.
            raise DoorwardError(REQUEST_TOKEN_REFUSED, provider=plan.name, reason="the callback is not confirmed")
        return answer

    async def access_token(self, plan: ProviderPlan, token: Token, verifier: str) -> Token:
        """Give the access token for an approved request token (section 2.3).

        Raises `DoorwardError` (`code_refused`, `provider_unavailable`).
        """
        body = await self._post(
            plan, plan.endpoints.access_token_endpoint, CODE_REFUSED, token=token, verifier=verifier
        )
        try:
            answer = AccessTokenAnswer.from_form(body)
        except BadMessage as error:
            raise unavailable(plan, f"the access token: {error}", "") from error
        if not answer.oauth_token or not answer.oauth_token_secret:
            raise unavailable(plan, "the access token is absent", "")
        return Token(token=answer.oauth_token, secret=answer.oauth_token_secret)

    async def profile(self, plan: ProviderPlan, token: Token) -> Mapping[str, object]:
        """Give the profile of whoever an access token belongs to.

        Raises `DoorwardError` (`nobody_known`, `provider_unavailable`).
        """
        address = with_parameters(plan.endpoints.userinfo_endpoint, plan.spec.profile_parameters.items())
        try:
            answer = await self._parts.outbound.get_signed(address, self._signed("GET", plan, address, token))
        except OutboundFailed as failed:
            raise unavailable(plan, failed.reason, failed.host) from failed
        return read_profile(plan, answer, address)

    async def _post(
        self,
        plan: ProviderPlan,
        address: str,
        refusal: ErrorRow,
        *,
        token: Token | None = None,
        callback: str = "",
        verifier: str = "",
    ) -> bytes:
        authorization = self._signed("POST", plan, address, token, callback=callback, verifier=verifier)
        try:
            answer = await self._parts.outbound.post_form(address, b"", authorization=authorization)
        except OutboundFailed as failed:
            raise unavailable(plan, failed.reason, failed.host) from failed
        if answer.status == 429:
            raise unavailable(plan, "status 429: asked too often", "")
        if answer.status // 100 != 2:
            raise DoorwardError(refusal, provider=plan.name, error=f"status {answer.status}")
        return answer.body

    def _signed(
        self,
        method: str,
        plan: ProviderPlan,
        address: str,
        token: Token | None,
        *,
        callback: str = "",
        verifier: str = "",
    ) -> str:
        return sign(
            method,
            address,
            Consumer(key=plan.client_id, secret=plan.client_secret.reveal()),
            token,
            nonce=opaque_token(self._parts.entropy),
            timestamp=int(self._parts.clock.now()),
            callback=callback,
            verifier=verifier,
        )


@final
class OAuth1Flow:
    """Sign-in by OAuth 1.0a."""

    def __init__(self, parts: ClientParts) -> None:
        """Speak with `parts`."""
        self._signed = SignedCalls(parts)
        self._calls = ProviderCalls(parts)

    async def begin(self, plan: ProviderPlan, ask: Ask) -> Begun:
        """Ask for a request token, and say where to send the browser with it (`flow.Flow.begin`)."""
        answer = await self._signed.request_token(plan, with_parameters(ask.redirect_uri, [("state", ask.state)]))
        address = with_parameters(plan.endpoints.authorization_endpoint, [("oauth_token", answer.oauth_token)])
        return Begun(address=address, oauth_token=answer.oauth_token, oauth_token_secret=answer.oauth_token_secret)

    def nonce_of(self, plan: ProviderPlan, response: AuthorizationResponse) -> str | None:
        """Give the nonce in the state (`flow.Flow.nonce_of`)."""
        del plan
        return nonce_in(response.state)

    async def finish(
        self, plan: ProviderPlan, response: AuthorizationResponse, *, redirect_uri: str, pending: PendingSignIn | None
    ) -> SignedIn:
        """Find out who came back (`flow.Flow.finish`).

        Without `pending` nobody can: the secret of the request token is in it.
        """
        del redirect_uri  # the provider has known it since the request token
        answer = CallbackAnswer.from_pairs(response.further)
        if answer.denied:
            raise DoorwardError(PROVIDER_DECLINED, error="denied")
        if not answer.oauth_token or not answer.oauth_verifier:
            raise DoorwardError(CALLBACK_EMPTY, provider=plan.name)
        if pending is None or not _is_same(answer.oauth_token, pending.oauth_token):
            # Somebody else's approved request token, slipped into this browser, would sign it in as that person.
            raise DoorwardError(SIGN_IN_NOT_BEGUN, reason="the request token is not of this browser")
        held = Token(token=pending.oauth_token, secret=pending.oauth_token_secret)
        token = await self._signed.access_token(plan, held, answer.oauth_verifier)
        raw = await self._signed.profile(plan, token)
        tokens = ProviderTokens(access_token=token.token, access_token_secret=token.secret)
        return SignedIn(identity=self._calls.identity(plan, raw, tokens), raw=raw)

    async def refresh(self, plan: ProviderPlan, identity: Identity) -> Identity:
        """Refuse: these tokens do not expire, and cannot be refreshed (easy-auth reference 5)."""
        del identity
        raise DoorwardError(REFRESH_NOT_SUPPORTED, provider=plan.name)

    async def end_session_address(self, plan: ProviderPlan, after: str) -> str | None:
        """Give where to sign out, if the settings name it (`flow.Flow.end_session_address`)."""
        address = plan.endpoints.end_session_endpoint
        return with_parameters(address, [("post_logout_redirect_uri", after)]) if address else None


def _is_same(came_back: str, sent: str) -> bool:
    return bool(sent) and hmac.compare_digest(came_back.encode(), sent.encode())
