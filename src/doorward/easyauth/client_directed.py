"""`POST /.auth/login/<provider>` and `POST /.auth/login`: sign-in by a client that holds a token already.

Easy-auth reference 3. A client that signed somebody in by itself posts the provider's token and gets a session token,
and no cookie; or it posts a session token and gets a new one for the same session. Whoever is refused is recorded,
and nobody is told more than the catalogue's words.
"""

from collections.abc import Iterable
from functools import partial
from typing import final

from doorward.base.errors import DoorwardError
from doorward.base.refusals_easyauth import INVALID_SESSION_TOKEN
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.easyauth.completion import Completion
from doorward.easyauth.credentials import Credentials
from doorward.easyauth.flow import SignedIn
from doorward.easyauth.me import JSON_HEADERS
from doorward.easyauth.parts import Judge, Parts
from doorward.easyauth.posted import MAX_BODY, FieldMissing, fields_of, read_posted, require_fields
from doorward.easyauth.provider_calls import ClientParts
from doorward.identity.person import Identity
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply, Route

SESSION_TOKEN_FIELD = "authenticationToken"
_TEXT = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


@final
class ClientDirected:
    """Answers clients that sign people in by themselves."""

    def __init__(self, parts: Parts, client: ClientParts, judge: Judge) -> None:
        """Work with `parts`, ask providers with `client`; `judge` looks at the calling application, too."""
        self._parts = parts
        self._credentials = Credentials(client)
        self._judge = judge
        self._completion = Completion(parts)

    def routes(self) -> list[Route]:
        """Give the routes below the prefix: one for each name of each provider, and the one for session tokens."""
        login = f"{self._parts.plan.api_prefix}/login"
        return [
            Route(method="POST", path=login, handler=self._exchange, max_body=MAX_BODY),
            *(
                Route(method="POST", path=f"{login}/{name}", handler=partial(self._post, plan), max_body=MAX_BODY)
                for plan, name in _names(self._parts.plan)
            ),
        ]

    # --- a provider's token ----------------------------------------------------------------------------------------

    async def _post(self, plan: ProviderPlan, visit: Visit, body: bytes) -> Reply:
        """Answer `POST /.auth/login/<provider>`; raises `DoorwardError`, refusals of the person being recorded."""
        posted = read_posted(visit, body, fields_of(plan.spec))
        try:
            require_fields(plan.spec, posted)
        except FieldMissing as missing:
            return Reply(400, str(missing).encode(), _TEXT)
        identity: Identity | None = None
        try:
            signed_in = await self._credentials.examine(plan, posted, self._parts.trust.sites)
            identity = signed_in.identity
            self._admit(plan, signed_in)
            return Reply(200, await self._completion.begin(visit, plan, identity), JSON_HEADERS)
        except DoorwardError as refusal:
            await self._parts.records.refused(visit, plan, refusal, identity)
            raise

    def _admit(self, plan: ProviderPlan, signed_in: SignedIn) -> None:
        if (row := self._judge(plan, signed_in.raw, signed_in.identity)) is not None:
            raise DoorwardError(row, provider=plan.name)

    # --- a session token of ours -----------------------------------------------------------------------------------

    async def _exchange(self, visit: Visit, body: bytes) -> Reply:
        """Answer `POST /.auth/login`: a new token for the session of the one that was posted, ending when that does.

        Raises `DoorwardError` (`login_body_malformed`, `invalid_session_token`, `store_unavailable`).
        """
        posted = read_posted(visit, body, (SESSION_TOKEN_FIELD,))
        if SESSION_TOKEN_FIELD not in posted:
            return Reply(400, str(FieldMissing(SESSION_TOKEN_FIELD)).encode(), _TEXT)
        parts, now = self._parts, self._parts.clock.now()
        read = parts.tokens.read(posted[SESSION_TOKEN_FIELD].encode(), now)
        parts.desk.notices.refuse_while_away()
        session = await parts.desk.find_by_id(read.session_id)
        if session is None or session.token_expires_at is None:
            raise DoorwardError(INVALID_SESSION_TOKEN, reason="its session has ended", session=read.session_id)
        site = parts.site(visit)
        if session.site not in ("", site):
            raise DoorwardError(INVALID_SESSION_TOKEN, reason="made for another site", session=read.session_id)
        return Reply(200, parts.tokens.answer(session, site, now), JSON_HEADERS)


def _names(plan: AuthPlan) -> Iterable[tuple[ProviderPlan, str]]:
    for provider in plan.providers.values():
        for name in (provider.name, *provider.spec.aliases):
            yield provider, name
