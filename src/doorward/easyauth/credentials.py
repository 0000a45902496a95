"""Whose credentials a client holds: the token that it got from a provider, verified, becomes an identity.

Easy-auth reference 3. A JWT is verified as a bearer or an id_token is; a token that says nothing itself is shown to the
provider, which must know it as ours where it can tell. What comes along and cannot be tied to the person is not kept.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias, cast, final
from urllib.parse import urlsplit

from doorward.base.errors import DoorwardError
from doorward.base.refusals_providers import TOKEN_OF_ANOTHER_APP
from doorward.base.refusals_sign_in import ID_TOKEN_REFUSED, NOBODY_KNOWN
from doorward.base.text import ascii_lower
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.flow import SignedIn
from doorward.easyauth.id_tokens import LEEWAY, IdTokens, Tie
from doorward.easyauth.oauth1_flow import SignedCalls
from doorward.easyauth.provider_calls import ClientParts, ProviderCalls
from doorward.easyauth.token_info import ask_token_info
from doorward.identity.person import ProviderTokens, ticks
from doorward.protocol.live_token import verify_live_token
from doorward.protocol.oauth1 import Token
from doorward.protocol.oidc import VerifiedClaims
from doorward.protocol.refusal import TokenRefused
from doorward.providers.spec import Endpoints

LONGEST = 30 * 86400.0
"""Seconds. A client may say that its token lives long, and the session token lives as long; no longer than this."""

Posted: TypeAlias = Mapping[str, str]


@final
class Credentials:
    """Finds out who somebody is whose credentials were posted."""

    def __init__(self, parts: ClientParts) -> None:
        """Ask providers with `parts`."""
        self._parts = parts
        self._calls = ProviderCalls(parts)
        self._signed = SignedCalls(parts)
        self._id_tokens = IdTokens(parts.keys, parts.clock)

    async def examine(self, plan: ProviderPlan, posted: Posted, sites: tuple[str, ...]) -> SignedIn:
        """Give who it is; `posted` has the fields that the provider needs, `sites` are our origins.

        Raises `DoorwardError` for every token that is not to be believed (401), and for a provider that is away (502).
        """
        match plan.spec.kind:
            case "oidc":
                raw, tokens = await self._by_jwt(plan, posted)
            case "oauth1":
                raw, tokens = await self._by_signature(plan, posted)
            case "oauth2" if plan.spec.posted_instead in posted:
                raw, tokens = self._by_live_token(plan, posted[plan.spec.posted_instead], sites)
            case "oauth2":
                raw, tokens = await self._by_profile(plan, posted)
        return SignedIn(identity=self._calls.identity(plan, raw, tokens), raw=raw)

    # --- JWTs ----------------------------------------------------------------------------------------------------

    async def _by_jwt(self, plan: ProviderPlan, posted: Posted) -> tuple[VerifiedClaims, ProviderTokens]:
        endpoints = await self._parts.discovery.endpoints(plan)
        if "access_token" in plan.spec.posted:
            return await self._by_access_token(plan, endpoints, posted)
        text, access_token = posted["id_token"], posted.get("access_token")
        claims = await self._id_tokens.verify_posted(plan, endpoints, text, Tie(access_token=access_token))
        if "authorization_code" in posted:
            return claims, await self._redeemed(plan, endpoints, posted, claims)
        return claims, ProviderTokens(
            id_token=text,
            access_token=access_token,
            refresh_token=posted.get("refresh_token"),
            expires_on=None if access_token is None else self._ends(posted),
        )

    async def _by_access_token(
        self, plan: ProviderPlan, endpoints: Endpoints, posted: Posted
    ) -> tuple[VerifiedClaims, ProviderTokens]:
        """Verify an access token that is a JWT for us; it is known when that ends, whatever the client says."""
        text = posted["access_token"]
        claims = await self._id_tokens.verify_posted(plan, endpoints, text, Tie(), is_access_token=True)
        return claims, ProviderTokens(
            access_token=text,
            id_token=await self._beside(plan, endpoints, posted.get("id_token"), claims),
            refresh_token=posted.get("refresh_token"),
            expires_on=self._ends(posted, cast("float", claims["exp"])),
        )

    async def _beside(
        self, plan: ProviderPlan, endpoints: Endpoints, text: str | None, claims: VerifiedClaims
    ) -> str | None:
        """Give an id_token that came along, if it is good, for us, and speaks of the same person.

        One for the client's own application is nothing to us, and is left out. Raises `DoorwardError` for a bad one.
        """
        if text is None:
            return None
        try:
            beside = await self._id_tokens.verify_posted(plan, endpoints, text, Tie())
        except DoorwardError as refusal:
            if refusal.facts.get("check") == "audience":
                return None
            raise
        name = plan.spec.principal_field or plan.spec.subject_field
        if beside.get(name) != claims.get(name) or beside.get(name) is None:
            raise DoorwardError(ID_TOKEN_REFUSED, provider=plan.name, check="subject", reason="it is another person's")
        return text

    async def _redeemed(
        self, plan: ProviderPlan, endpoints: Endpoints, posted: Posted, claims: VerifiedClaims
    ) -> ProviderTokens:
        """Redeem the code that came along; its tokens must be those of the same person."""
        code, redirect_uri = posted["authorization_code"], posted.get("redirect_uri", "")
        granted = await self._calls.redeem(plan, endpoints, code, redirect_uri)
        if not granted.id_token:
            raise DoorwardError(NOBODY_KNOWN, provider=plan.name, reason="the token endpoint gave no id_token")
        tie = Tie(access_token=granted.access_token, subject=claims.required_text("sub"))
        await self._id_tokens.verify(plan, endpoints, granted.id_token, tie)
        return self._calls.tokens(granted, id_token=posted["id_token"])

    # --- tokens that say nothing themselves ------------------------------------------------------------------------

    async def _by_profile(self, plan: ProviderPlan, posted: Posted) -> tuple[Mapping[str, object], ProviderTokens]:
        access_token = posted["access_token"]
        info = await ask_token_info(self._parts, plan, access_token)
        raw = await self._calls.profile(plan, plan.endpoints, access_token)
        if info.user_id is not None and str(raw.get(plan.spec.subject_field)) != info.user_id:
            raise DoorwardError(TOKEN_OF_ANOTHER_APP, provider=plan.name, reason="the profile is another person's")
        ends = self._ends(posted) if info.expires_at is None else ticks(info.expires_at)
        return raw, ProviderTokens(access_token=access_token, expires_on=ends)

    async def _by_signature(self, plan: ProviderPlan, posted: Posted) -> tuple[Mapping[str, object], ProviderTokens]:
        """Sign a request with the person's token and our secret, which fits no other application's token."""
        token = Token(token=posted["access_token"], secret=posted["access_token_secret"])
        raw = await self._signed.profile(plan, token)
        return raw, ProviderTokens(access_token=token.token, access_token_secret=token.secret)

    def _by_live_token(
        self, plan: ProviderPlan, text: str, sites: tuple[str, ...]
    ) -> tuple[Mapping[str, object], ProviderTokens]:
        """Verify an `authentication_token`, which names a person by its `uid` and says no more of them."""
        hosts = (urlsplit(site).hostname or "" for site in sites)
        audiences = frozenset(ascii_lower(name) for name in (plan.client_id, *plan.audiences, *hosts) if name)
        secret, now = plan.client_secret.reveal(), self._parts.clock.now()
        try:
            claims = verify_live_token(text, secret, audiences, now=now, leeway=LEEWAY)
        except TokenRefused as refused:
            facts: dict[str, Any] = {"check": refused.check.name, "reason": refused.reason, **refused.facts}
            raise DoorwardError(ID_TOKEN_REFUSED, provider=plan.name, **facts) from refused
        raw = {plan.spec.subject_field: claims.required_text("uid")}
        return raw, ProviderTokens(authentication_token=text, expires_on=ticks(cast("float", claims["exp"])))

    def _ends(self, posted: Posted, at_most: float | None = None) -> int | None:
        """Give when the access token expires, as far as anybody said, and no later than `at_most` seconds."""
        life = posted.get("expires_in")
        if life is None:
            return None if at_most is None else ticks(at_most)
        said = self._parts.clock.now() + min(float(life), LONGEST)
        return ticks(said if at_most is None else min(said, at_most))
