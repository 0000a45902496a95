"""Sign-outs that a provider tells of: `POST /.auth/logout/backchannel/<provider>`.

OpenID Connect Back-Channel Logout 1.0 section 2.5 to 2.8, for aad and custom OpenID Connect providers. The request is
between servers: it has no cookie, and nothing but its logout token says whom it is about. Every session that it speaks
of ends for its cookie and for its session tokens, in every process. A token that comes a second time is refused.
"""

from functools import partial

import msgspec

from doorward.accounts.audit import Subject, record
from doorward.base.errors import DoorwardError
from doorward.base.refusals_completion import LOGOUT_TOKEN_REFUSED
from doorward.base.refusals_sign_in import ID_TOKEN_REFUSED
from doorward.base.text import cleaned
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.id_tokens import IdTokens
from doorward.easyauth.parts import Parts
from doorward.easyauth.provider_calls import ClientParts
from doorward.easyauth.records import SIGNED_OUT, origin_of
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply, Route
from doorward.protocol.logout_token import LogoutToken
from doorward.protocol.parameters import BadMessage, read_form
from doorward.sessions.provider_ends import ProviderEnd, ProviderEnds
from doorward.store import Append

MAX_BODY = 64 * 1024
REFUSED = "sign_out.refused"
_FORM = b"application/x-www-form-urlencoded"
_NO_STORE = (b"cache-control", b"no-store")
_JSON = ((b"content-type", b"application/json"), _NO_STORE)


class BackChannel:
    """Hears providers tell of sign-outs."""

    def __init__(self, parts: Parts, client: ClientParts, ends: ProviderEnds) -> None:
        """Verify with the keys of `client`, and end sessions by `ends`."""
        self._parts = parts
        self._discovery = client.discovery
        self._id_tokens = IdTokens(client.keys, client.clock)
        self._ends = ends

    def routes(self) -> list[Route]:
        """Give the routes of the providers that can tell of sign-outs."""
        prefix = f"{self._parts.plan.api_prefix}/logout/backchannel"
        return [
            Route(method="POST", path=f"{prefix}/{name}", handler=partial(self.answer, plan), max_body=MAX_BODY)
            for plan in self._parts.plan.providers.values()
            if plan.spec.tells_of_sign_outs
            for name in (plan.name, *plan.spec.aliases)
        ]

    async def answer(self, plan: ProviderPlan, visit: Visit, body: bytes) -> Reply:
        """Answer one message: 200 where it was believed, whether or not anybody was signed in; 400 where not.

        Raises `DoorwardError` for what is no fault of the provider's, which then tries again: `store_unavailable`,
        `keys_unavailable`, `discovery_failed`.
        """
        try:
            await self._hear(plan, visit, _token_in(visit, body))
        except DoorwardError as refusal:
            if refusal.row.status >= 500:
                raise
            await self._parts.records.refused(visit, plan, refusal, event=REFUSED)
            said = {"error": "invalid_request", "error_description": refusal.row.message, "error_code": refusal.code}
            return Reply(refusal.row.status, msgspec.json.encode(said), _JSON)
        return Reply(200, b"", (_NO_STORE,))

    async def _hear(self, plan: ProviderPlan, visit: Visit, text: str) -> None:
        token = await self._verify(plan, text)
        now = self._parts.clock.now()
        end = ProviderEnd(
            provider=plan.name,
            issuer=token.issuer,
            subject=token.subject,
            sid=token.session,
            message_id=token.token_id,
            issued_at=token.issued_at,
        )
        if await self._ends.take(end, now, partial(_record, visit, plan, token, now)) is None:
            raise DoorwardError(LOGOUT_TOKEN_REFUSED, check="replay", reason="a logout token with this jti came before")

    async def _verify(self, plan: ProviderPlan, text: str) -> LogoutToken:
        endpoints = await self._discovery.endpoints(plan)
        try:
            return await self._id_tokens.verify_logout(plan, endpoints, text)
        except DoorwardError as refusal:
            if refusal.row is not ID_TOKEN_REFUSED:
                raise
            raise DoorwardError(LOGOUT_TOKEN_REFUSED, **refusal.facts) from refusal  # pyright: ignore[reportArgumentType] - facts of another error


def _token_in(visit: Visit, body: bytes) -> str:
    """Give the logout token of a form that has it once (section 2.5)."""
    kind = (visit.header(b"content-type") or b"").partition(b";")[0].strip().lower()
    try:
        token = dict(read_form(body)).get("logout_token", "") if kind == _FORM else ""
    except BadMessage as error:
        raise DoorwardError(LOGOUT_TOKEN_REFUSED, reason=str(error)) from error
    if not token:
        raise DoorwardError(LOGOUT_TOKEN_REFUSED, reason="no form with a logout_token")
    return token


def _record(visit: Visit, plan: ProviderPlan, token: LogoutToken, now: float) -> Append:
    who = f"{plan.name}:{token.subject or ''}"
    origin, subject = origin_of(visit), Subject(client_id=plan.client_id)
    return record(SIGNED_OUT, now, origin, subject, detail=cleaned(f"{who} signed out at the provider", 256))
