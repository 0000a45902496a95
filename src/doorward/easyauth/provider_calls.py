"""What is asked of a provider in a sign-in: tokens for a code, tokens anew, a profile, whose token this is.

Owns these conversations, and how an answer becomes tokens and an identity. Knows no provider by name; what differs
stands in its `ProviderSpec`. Whatever a provider answers is somebody else's text: it is read strictly, and never shown
or logged but for the code of an error.
"""

import hmac
from collections.abc import Mapping
from typing import Any, final
from urllib.parse import urlsplit

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals_easyauth import PROVIDER_UNAVAILABLE, REFRESH_REFUSED
from doorward.base.refusals_sign_in import CODE_REFUSED, NOBODY_KNOWN
from doorward.base.text import ascii_lower, cleaned
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.client_proof import ClientProofs
from doorward.identity.person import Identity, ProviderTokens, ticks
from doorward.keys.discovery import Discovery
from doorward.keys.provider_keys import ProviderKeys
from doorward.outbound import Answer, Outbound, OutboundFailed
from doorward.protocol.oauth2 import (
    CodeRedemption,
    RefreshRequest,
    TokenError,
    TokenResponse,
    UserInfo,
    read_token_answer,
)
from doorward.protocol.parameters import BadMessage, Pairs, with_parameters, write_parameters
from doorward.providers.identify import NobodyNamed, make_identity
from doorward.providers.spec import Endpoints

SHORT_LIFE = 86400
"""Seconds. A token that lives no longer is exchanged for a longer one where the provider does that."""
_TOO_MANY = 429


@frozen
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
class ProviderCalls:
    """Asks providers, and says what their answers come to."""

    def __init__(self, parts: ClientParts) -> None:
        """Ask with `parts`."""
        self._parts = parts
        self._proofs = ClientProofs(parts.clock, parts.entropy)

    # --- the token endpoint ------------------------------------------------------------------------------------

    async def redeem(self, plan: ProviderPlan, endpoints: Endpoints, code: str, redirect_uri: str) -> TokenResponse:
        """Give the tokens for a code (RFC 6749 section 4.1.3).

        Raises `DoorwardError` (`code_refused`, `provider_unavailable`, `client_key_unusable`).
        """
        request = CodeRedemption(
            code=code, redirect_uri=redirect_uri, **self._proofs.parameters(plan, endpoints), **_resource(plan)
        )
        granted = await self._ask_for_tokens(plan, endpoints, request.to_form())
        if isinstance(granted, TokenError):
            said = cleaned(granted.error_description, 256)
            raise DoorwardError(CODE_REFUSED, provider=plan.name, error=cleaned(granted.error, 64), description=said)
        return await self._lengthened(plan, endpoints, granted)

    async def renew(self, plan: ProviderPlan, endpoints: Endpoints, refresh_token: str) -> TokenResponse:
        """Give new tokens for a refresh token (RFC 6749 section 6).

        Raises `DoorwardError` (`refresh_refused`, `provider_unavailable`, `client_key_unusable`).
        """
        request = RefreshRequest(
            refresh_token=refresh_token, **self._proofs.parameters(plan, endpoints), **_resource(plan)
        )
        granted = await self._ask_for_tokens(plan, endpoints, request.to_form())
        if isinstance(granted, TokenError):
            raise DoorwardError(REFRESH_REFUSED, provider=plan.name, error=cleaned(granted.error, 64))
        return granted

    async def _lengthened(self, plan: ProviderPlan, endpoints: Endpoints, granted: TokenResponse) -> TokenResponse:
        """Exchange a token of hours for one of weeks, as Facebook does (reference 2.3); keep it where that fails."""
        grant, life = plan.spec.long_lived_grant, granted.expires_in
        if not grant or life is None or life > SHORT_LIFE:
            return granted
        proof = self._proofs.parameters(plan, endpoints)
        form = write_parameters([("grant_type", grant), *proof.items(), (grant, granted.access_token)])
        try:
            longer = await self._ask_for_tokens(plan, endpoints, form.encode())
        except DoorwardError:
            return granted
        return granted if isinstance(longer, TokenError) else longer

    async def _ask_for_tokens(
        self, plan: ProviderPlan, endpoints: Endpoints, form: bytes
    ) -> TokenResponse | TokenError:
        try:
            answer = await self._parts.outbound.post_form(endpoints.token_endpoint, form)
        except OutboundFailed as failed:
            raise unavailable(plan, failed.reason, failed.host) from failed
        host = urlsplit(endpoints.token_endpoint).netloc
        if answer.status == _TOO_MANY:
            raise unavailable(plan, "status 429: asked too often", host)
        try:
            granted = read_token_answer(answer.media_type, answer.body)
        except BadMessage as error:
            raise unavailable(plan, f"status {answer.status}: {error}", host) from error
        if answer.status // 100 != 2 and isinstance(granted, TokenResponse):
            raise unavailable(plan, f"status {answer.status} with tokens", host)
        if isinstance(granted, TokenResponse) and ascii_lower(granted.token_type) not in {"", "bearer"}:
            # Other types are used in other ways (RFC 6749 section 7.1), which nobody here knows.
            raise unavailable(plan, f"token_type {cleaned(granted.token_type, 64)}", host)
        return granted

    def tokens(self, granted: TokenResponse | None, *, id_token: str) -> ProviderTokens:
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

    async def profile(self, plan: ProviderPlan, endpoints: Endpoints, access_token: str) -> Mapping[str, object]:
        """Give the profile of whoever an access token belongs to.

        Raises `DoorwardError`: `nobody_known` where the provider gives none for it, `provider_unavailable`.
        """
        spec = plan.spec
        wanted = [*spec.profile_parameters.items(), *secret_proof(plan, access_token)]
        try:
            answer = await self._parts.outbound.get_profile(
                with_parameters(endpoints.userinfo_endpoint, wanted), access_token
            )
        except OutboundFailed as failed:
            raise unavailable(plan, failed.reason, failed.host) from failed
        return read_profile(plan, answer, endpoints.userinfo_endpoint)

    def identity(self, plan: ProviderPlan, raw: Mapping[str, object], tokens: ProviderTokens) -> Identity:
        """Give the identity that claims or a profile speak of; raises `DoorwardError` (`nobody_known`)."""
        parts = self._parts
        try:
            return make_identity(plan.name, plan.spec, raw, tokens, legacy=parts.legacy_claims, profile=parts.profile)
        except NobodyNamed as error:
            raise DoorwardError(NOBODY_KNOWN, provider=plan.name, reason=str(error)) from error


def secret_proof(plan: ProviderPlan, access_token: str) -> Pairs:
    """Give what shows, beside an access token, that our secret is known, too: a stolen token alone is worth nothing.

    HMAC-SHA256 of the token under the secret, in hexadecimal digits (Facebook's `appsecret_proof`; interface, section
    7). Nothing for a provider that does not ask for it.
    """
    if not plan.spec.secret_proof:
        return ()
    secret = plan.client_secret.reveal().encode()
    return ((plan.spec.secret_proof, hmac.digest(secret, access_token.encode(), "sha256").hex()),)


def read_profile(plan: ProviderPlan, answer: Answer, address: str) -> Mapping[str, object]:
    """Read a profile; raises `DoorwardError` (`nobody_known`, `provider_unavailable`)."""
    host = urlsplit(address).netloc
    if answer.status == _TOO_MANY:
        raise unavailable(plan, "status 429: asked too often", host)
    if answer.status // 100 != 2:
        raise DoorwardError(NOBODY_KNOWN, provider=plan.name, reason=f"status {answer.status} for the profile")
    try:
        return UserInfo.from_json(answer.body).members
    except BadMessage as error:
        raise unavailable(plan, f"the profile: {error}", host) from error


def unavailable(plan: ProviderPlan, reason: str, host: str) -> DoorwardError:
    """Say that a provider did not answer, or with nothing that could be an answer."""
    return DoorwardError(PROVIDER_UNAVAILABLE, provider=plan.name, reason=reason, host=host)


def _resource(plan: ProviderPlan) -> dict[str, Any]:
    """Give `resource` where the settings ask for one: Entra's version 1.0 wants it at the token endpoint as well."""
    named: Pairs = tuple(pair for pair in plan.login_parameters if pair[0] == "resource")
    return dict(named)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
