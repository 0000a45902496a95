"""The end of a sign-in: what the browser brings back from the provider becomes a session, or a refusal.

Easy-auth reference 2.1; interface, "Nonce and state". The order of the checks reads from top to bottom in `_judge`. A
nonce is used up before a code is redeemed wherever it is known by then, and always before a session begins. Whatever
fails ends in a page with a code, and without a session.
"""

from dataclasses import dataclass, field, replace
from typing import final

from doorward.base.errors import DoorwardError
from doorward.base.refusals import METHOD_NOT_ALLOWED, STORE_UNAVAILABLE
from doorward.base.refusals_sign_in import CALLBACK_MALFORMED, PROVIDER_DECLINED, SIGN_IN_NOT_BEGUN, SIGN_IN_USED
from doorward.base.targets import allowed_target
from doorward.base.text import cleaned
from doorward.config.auth_plan import ProviderPlan
from doorward.config.challenge import challenges_of
from doorward.easyauth.completion import Completion
from doorward.easyauth.ending import ending_of
from doorward.easyauth.envelope import say_refusal
from doorward.easyauth.explaining import Step, steps_of
from doorward.easyauth.flow import SignedIn
from doorward.easyauth.fragments import clear_fragment, with_fragment
from doorward.easyauth.login import TARGET_NAMES, SignIn
from doorward.easyauth.parts import Parts, is_https
from doorward.easyauth.repost import needs_repost, repost_page
from doorward.easyauth.state import is_same_state, nonce_in, target_in, write_state
from doorward.identity.person import Identity
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from doorward.protocol.easyauth import (
    COUNT_COOKIE,
    SESSION_COOKIE,
    Header,
    clear_cookie,
    session_cookie_names,
    session_cookie_value,
    set_cookie,
)
from doorward.protocol.oauth2 import AuthorizationResponse
from doorward.protocol.parameters import BadMessage, Pairs, read_form, read_parameters, with_parameters
from doorward.sessions.nonce import Outcome, PendingSignIn

MAX_BODY = 64 * 1024
FORM = b"application/x-www-form-urlencoded"


class _Expired(Exception):
    """The nonce has expired: no session, but another sign-in with the same target."""


@final
@dataclass(slots=True, kw_only=True)
class _Return:
    """One return from a provider, and what is known of it so far."""

    visit: Visit
    plan: ProviderPlan
    site: str
    response: AuthorizationResponse = field(default_factory=AuthorizationResponse)
    pending: PendingSignIn | None = None
    identity: Identity | None = None

    @property
    def https(self) -> bool:
        """Say whether cookies are those of https:."""
        return is_https(self.site)


class Callback:
    """Answers `/.auth/login/<provider>/callback`."""

    def __init__(self, parts: Parts, sign_in: SignIn) -> None:
        """Work with `parts`; an expired sign-in is begun again by `sign_in`."""
        self._parts = parts
        self._sign_in = sign_in
        self._completion = Completion(parts)
        self._challenge = challenges_of(parts.plan)

    async def get(self, visit: Visit, provider: str) -> Reply:
        """Answer a provider that answers in the address; HEAD would use a nonce up without anybody seeing it."""
        if visit.method == "HEAD":
            raise DoorwardError(METHOD_NOT_ALLOWED)
        coming = self._coming(visit, provider)
        try:
            pairs = read_parameters(visit.query)
        except BadMessage as error:
            return await self._refuse(coming, DoorwardError(CALLBACK_MALFORMED, reason=str(error)))
        return await self._answer(coming, pairs)

    async def post(self, visit: Visit, body: bytes, provider: str) -> Reply:
        """Answer a provider that answers by a form (OAuth 2.0 Form Post Response Mode)."""
        coming = self._coming(visit, provider)
        try:
            pairs = _form(visit, body)
        except BadMessage as error:
            return await self._refuse(coming, DoorwardError(CALLBACK_MALFORMED, reason=str(error)))
        if needs_repost(visit, https=coming.https):
            return repost_page(visit, pairs)
        return await self._answer(coming, pairs)

    def _coming(self, visit: Visit, provider: str) -> _Return:
        return _Return(visit=visit, plan=self._parts.provider(provider), site=self._parts.site(visit))

    async def _answer(self, coming: _Return, pairs: Pairs) -> Reply:
        try:
            coming.response = AuthorizationResponse.from_pairs(pairs)
            return await self._let_in(coming, await self._judge(coming))
        except _Expired:
            return await self._begin_again(coming)
        except DoorwardError as refusal:
            return await self._refuse(coming, refusal)

    # --- the checks, in their order ----------------------------------------------------------------------------

    async def _judge(self, coming: _Return) -> SignedIn:
        """Find out who came back; raises `DoorwardError`, or `_Expired`."""
        flow, plan, response = self._parts.flow(coming.plan), coming.plan, coming.response
        nonce = nonce_in(response.state) if plan.spec.nonce_in_state else flow.nonce_of(plan, response)
        if not self._parts.plan.validate_nonce:
            coming.pending = next(iter(self._begun(coming, nonce)), None)
            _refuse_error(coming)
            pending = coming.pending if plan.spec.kind == "oauth1" else None  # it holds the request token's secret
            return await flow.finish(plan, response, redirect_uri=self._redirect_uri(coming), pending=pending)
        begun = self._begun(coming, nonce)
        if not begun:
            raise DoorwardError(SIGN_IN_NOT_BEGUN)
        coming.pending = begun[0]
        if response.error:
            await self._parts.nonces.redeem(coming.pending)
        _refuse_error(coming)
        if nonce is not None:
            await self._use_up(coming.pending)
            return await flow.finish(plan, response, redirect_uri=self._redirect_uri(coming), pending=coming.pending)
        return await self._judge_late(coming, begun)

    async def _judge_late(self, coming: _Return, begun: list[PendingSignIn]) -> SignedIn:
        """Judge by a nonce that shows only in the id_token for the code, where several tabs may wait for one."""
        now = self._parts.clock.now()
        if all(now >= pending.expires_at for pending in begun):
            raise _Expired
        flow = self._parts.flow(coming.plan)
        redirect_uri = self._redirect_uri(coming)
        signed_in = await flow.finish(coming.plan, coming.response, redirect_uri=redirect_uri, pending=None)
        found = next((pending for pending in begun if pending.nonce == signed_in.nonce), None)
        if found is None:
            raise DoorwardError(SIGN_IN_NOT_BEGUN, reason="the nonce in the id_token is not of this browser")
        coming.pending = found
        await self._use_up(found)
        return signed_in

    def _begun(self, coming: _Return, nonce: str | None) -> list[PendingSignIn]:
        """Give the sign-ins of this browser that the answer can belong to, the newest first.

        The state must be the one that was sent: it says where to go afterwards, and is not signed. And they must have
        been begun at this host: what comes to another one was sent there by somebody else.
        """
        held = self._parts.nonces.held_at(coming.visit.raw_headers, coming.plan.name)
        in_state = coming.plan.spec.nonce_in_state
        return [
            pending
            for pending in held
            if nonce in (None, pending.nonce)
            and pending.redirect_uri.startswith(f"{coming.site}/")
            and is_same_state(write_state(pending.target, pending.nonce if in_state else None), coming.response.state)
        ]

    async def _use_up(self, pending: PendingSignIn) -> None:
        outcome = await self._parts.nonces.redeem(pending)
        if outcome is Outcome.EXPIRED:
            raise _Expired
        if outcome is not Outcome.FRESH:
            raise DoorwardError(SIGN_IN_USED if outcome is Outcome.USED else SIGN_IN_NOT_BEGUN)

    def _redirect_uri(self, coming: _Return) -> str:
        return coming.pending.redirect_uri if coming.pending else self._parts.callback_address(coming.site, coming.plan)

    # --- what comes of it --------------------------------------------------------------------------------------

    async def _let_in(self, coming: _Return, signed_in: SignedIn) -> Reply:
        """Hold the person to the policy, begin the session, and go where they wanted to."""
        parts, visit, plan = self._parts, coming.visit, coming.plan
        identity = coming.identity = signed_in.identity
        if (row := parts.judge(plan, signed_in.raw, identity)) is not None:
            raise DoorwardError(row)
        if (ending := ending_of(coming.pending)).mode == "token":
            reply = await self._completion.hand_over(visit, plan, identity, ending, self._target(coming))
            return replace(reply, headers=(*reply.headers, *self._clearing(coming)))
        now = parts.clock.now()
        records = [parts.records.signed_in(visit, plan, identity, now)]
        before = session_cookie_value(visit.raw_headers)
        cookie, session = await parts.desk.start(identity, now, records=records, replaces=before, site=coming.site)
        headers = [
            (b"location", self._target(coming).encode()),
            (b"cache-control", b"no-store"),
            set_cookie(SESSION_COOKIE, cookie, https=coming.https, expires=session.expires_at),
            *_stale_chunks(coming),
            *self._clearing(coming),
            clear_cookie(COUNT_COOKIE),
        ]
        return Reply(302, b"", tuple(headers))

    def _target(self, coming: _Return) -> str:
        """Give where to go, judged once more: the settings may have changed since the sign-in began."""
        pending = coming.pending
        target = pending.target if pending is not None else target_in(coming.response.state)
        target = allowed_target(target or "", coming.site, self._parts.plan.allowed_targets)
        if target is None:
            return f"{self._parts.plan.api_prefix}/login/{ending_of(pending).landing}"
        return target if pending is None else with_fragment(target, coming.visit.raw_headers, pending.nonce)

    async def _begin_again(self, coming: _Return) -> Reply:
        """Begin a sign-in with the same target in place of one that took too long."""
        visit, plan, target = coming.visit, coming.plan, self._target(coming)
        try:
            reply = await self._sign_in.begin(
                visit, plan, target=target, cause="again", ending=ending_of(coming.pending)
            )
        except DoorwardError as refusal:
            return await self._refuse(coming, refusal)
        return replace(reply, headers=(*self._clearing(coming), *reply.headers))

    async def _refuse(self, coming: _Return, refusal: DoorwardError) -> Reply:
        """Say why not, without a session; whoever was refused for who they are gets to see as whom they came."""
        await self._parts.records.refused(coming.visit, coming.plan, refusal, coming.identity)
        if (ending := ending_of(coming.pending)).mode == "token":
            reply = self._completion.refuse(coming.visit, ending, self._target(coming), refusal)
            beside = self._beside(coming, refusal) if reply.status == refusal.row.status else ()
            return replace(reply, headers=(*reply.headers, *beside, *self._clearing(coming)))
        account = coming.identity.user_id if coming.identity is not None and refusal.row.status == 403 else ""
        again, steps = self._again(coming, account), self._explained(coming, refusal)
        reply = say_refusal(coming.visit, refusal, again=again, account=account, steps=steps)
        # While the database is away the sign-in stays in the browser: nothing was used up, and a reload may do.
        forgotten = () if refusal.row is STORE_UNAVAILABLE else self._clearing(coming)
        return replace(reply, headers=(*reply.headers, *self._beside(coming, refusal), *forgotten))

    def _explained(self, coming: _Return, refusal: DoorwardError) -> list[Step]:
        """Give how a refusal came about, in development."""
        if not self._parts.explains:
            return []
        held = self._parts.nonces.held_at(coming.visit.raw_headers, coming.plan.name)
        return steps_of(coming.plan, coming.response, held, coming.pending, coming.identity, refusal)

    def _beside(self, coming: _Return, refusal: DoorwardError) -> tuple[Header, ...]:
        """Give the headers that belong to a refusal: when to come again, and how to sign in (reference 8.4)."""
        if refusal.retry_after is not None:
            return ((b"retry-after", b"%d" % refusal.retry_after),)
        challenge = self._challenge(coming.visit, coming.site) if refusal.row.status == 401 else None
        return () if challenge is None else ((b"www-authenticate", challenge),)

    def _again(self, coming: _Return, account: str) -> str:
        """Give where to try again: with another account where this one was refused."""
        wishes = [(TARGET_NAMES[0], coming.pending.target)] if coming.pending is not None else []
        if account and "prompt" in coming.plan.spec.forwarded_parameters:
            wishes.append(("prompt", "select_account"))
        return with_parameters(f"{self._parts.plan.api_prefix}/login/{coming.plan.name}", wishes)

    def _clearing(self, coming: _Return) -> tuple[Header, ...]:
        """Take this sign-in out of the browser; those of other tabs stay."""
        if coming.pending is None:
            return ()
        nonce, headers = coming.pending.nonce, coming.visit.raw_headers
        path = coming.visit.path
        return (
            *self._parts.nonces.clearing(nonce, headers),
            *clear_fragment(headers, nonce, path),
        )


def _form(visit: Visit, body: bytes) -> Pairs:
    """Read a form; raises `BadMessage` for anything else."""
    if (visit.header(b"content-type") or b"").partition(b";")[0].strip().lower() != FORM:
        raise BadMessage("the answer is no form")
    return read_form(body)


def _refuse_error(coming: _Return) -> None:
    """Refuse what the provider refused, with its words for the log."""
    response = coming.response
    if response.error:
        said = cleaned(response.error_description, 256)
        raise DoorwardError(PROVIDER_DECLINED, error=cleaned(response.error, 64), description=said)


def _stale_chunks(coming: _Return) -> list[Header]:
    """Have the browser forget further pieces of a session cookie, which would be joined to the new one."""
    names = session_cookie_names(coming.visit.raw_headers)
    return [clear_cookie(name) for name in names if name != SESSION_COOKIE]
