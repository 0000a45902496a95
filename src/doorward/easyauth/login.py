"""The beginning of a sign-in: by its own address, by the page to choose a provider, or by the gateway unasked.

Easy-auth reference 1.1, 2.1 and 10; interface, "Several providers; guesses in the sign-in". Every sign-in begins with a
nonce that this browser alone can use. The target is judged before anybody is sent anywhere.
"""

from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from doorward.base.errors import DoorwardError
from doorward.base.refusals_sign_in import (
    NO_PROVIDER,
    TARGET_NOT_ALLOWED,
)
from doorward.base.targets import allowed_target
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.completion import Completion
from doorward.easyauth.ending import BY_COOKIE, Ending, read_ending, read_query
from doorward.easyauth.flow import Ask
from doorward.easyauth.fragments import KEEP_FRAGMENT, leave_page
from doorward.easyauth.loop_guard import count_redirect
from doorward.easyauth.parts import Parts, is_https
from doorward.easyauth.state import MAX_TARGET, write_state
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from doorward.pages import page_headers, render
from doorward.protocol.easyauth import Header
from doorward.protocol.parameters import BadMessage, Pairs, read_parameters, with_parameters
from doorward.sessions.nonce import PendingSignIn

TARGET_NAMES = ("post_login_redirect_uri", "post_login_redirect_url")
AUTOMATIC_WISHES = ("login_hint",)
_SHOWN = frozenset({b"document", b"iframe", b"frame"})
Cause = Literal["asked", "automatic", "again"]
"""Why a sign-in begins: its address was asked for, the gateway needs it, or the one before took too long."""


class SignIn:
    """Begins sign-ins."""

    def __init__(self, parts: Parts) -> None:
        """Begin them with `parts`."""
        self._parts = parts
        self._completion = Completion(parts)
        self._prefix = f"{parts.plan.api_prefix}/login"

    # --- addresses of our own ----------------------------------------------------------------------------------

    async def choose(self, visit: Visit, _body: bytes) -> Reply:
        """Answer `GET /.auth/login`: a page to choose a provider, with whatever was asked for handed on."""
        if not self._parts.plan.providers:
            raise DoorwardError(NO_PROVIDER)
        asked = read_query(visit)
        self._target(visit, asked)
        choices = [
            (plan.spec.label, with_parameters(f"{self._prefix}/{name}", asked))
            for name, plan in self._parts.plan.providers.items()
        ]
        script = KEEP_FRAGMENT if self._parts.plan.preserve_fragments else ""
        return Reply(200, render("choose.html", choices=choices, script=script), page_headers(script=script))

    async def ask(self, visit: Visit, provider: str) -> Reply:
        """Answer `GET /.auth/login/<provider>`."""
        parts = self._parts
        plan, asked = parts.provider(provider), read_query(visit)
        target = self._target(visit, asked)
        ending = read_ending(asked, target, parts.site(visit), parts.plan.allowed_targets)
        target = target or f"{self._prefix}/{ending.landing}"
        try:
            return await self.begin(visit, plan, target=target, cause="asked", wishes=asked, ending=ending)
        except DoorwardError as refusal:
            if ending.mode == "cookie" or refusal.row.status < 500:
                raise
            # An app waits for its own address, which was judged, and cannot read a page of ours.
            await parts.records.refused(visit, plan, refusal)
            return self._completion.refuse(visit, ending, target, refusal)

    def _target(self, visit: Visit, asked: Pairs) -> str | None:
        """Give where to go afterwards, None where that was not said; raises `DoorwardError` for what is not allowed."""
        given = dict(asked)
        target = next((given[name] for name in TARGET_NAMES if given.get(name)), None)
        if target is None:
            return None
        parts = self._parts
        target = allowed_target(target, parts.site(visit), parts.plan.allowed_targets)
        if target is None or len(target) > MAX_TARGET:
            raise DoorwardError(TARGET_NOT_ALLOWED)
        return target

    # --- for the gateway ---------------------------------------------------------------------------------------

    async def begin_automatically(
        self, visit: Visit, site: str, provider: str | None, target: str | None = None
    ) -> Reply:
        """Begin a sign-in that nobody asked for, on the way to `target`, else to what was asked for.

        Without `provider` the browser is led to the page to choose one. Raises `DoorwardError` (`no_provider`,
        `redirect_loop`, `discovery_failed`).
        """
        if not self._parts.plan.providers:
            raise DoorwardError(NO_PROVIDER)
        target = self._automatic_target(visit, site, target)
        if provider is None:
            chooser = with_parameters(f"{site}{self._prefix}", [(TARGET_NAMES[0], target)])
            return Reply(302, b"", ((b"location", chooser.encode()), (b"cache-control", b"no-store")))
        wishes = tuple(pair for pair in _readable(visit.query) if pair[0] in AUTOMATIC_WISHES)
        return await self.begin(visit, self._parts.provider(provider), target=target, cause="automatic", wishes=wishes)

    def _automatic_target(self, visit: Visit, site: str, target: str | None) -> str:
        """Give the first address that a browser may be led back to: with its query, without it, the site itself."""
        asked = f"{visit.path}?{visit.query}" if visit.query else visit.path
        for candidate in (target or asked, visit.path):
            allowed = allowed_target(candidate, site, self._parts.plan.allowed_targets)
            if allowed is not None and len(allowed) <= MAX_TARGET:
                return allowed
        return "/"

    # --- what all of them share --------------------------------------------------------------------------------

    async def begin(
        self,
        visit: Visit,
        plan: ProviderPlan,
        *,
        target: str,
        cause: Cause,
        wishes: Pairs = (),
        ending: Ending = BY_COOKIE,
    ) -> Reply:
        """Send the browser to the provider, on the way to `target`, which was judged."""
        parts, site = self._parts, self._parts.site(visit)
        https = is_https(site)
        counted = () if cause == "asked" else (count_redirect(visit.raw_headers, target, https=https),)
        nonce, redirect_uri = parts.nonces.draw(), parts.callback_address(site, plan)
        state = write_state(target, nonce if plan.spec.nonce_in_state else None)
        ask = Ask(redirect_uri=redirect_uri, nonce=nonce, state=state, wishes=wishes)
        begun = await parts.flow(plan).begin(plan, ask)
        pending = PendingSignIn(
            nonce=nonce,
            provider=plan.name,
            target=target,
            redirect_uri=redirect_uri,
            session_mode=ending.mode,
            completion_type=ending.completion_type,
            completion_origin=ending.completion_origin,
            code_challenge=ending.code_challenge,
            oauth_token=begun.oauth_token,
            oauth_token_secret=begun.oauth_token_secret,
            asks_code=begun.asks_code,
        )
        has_tab = _shows_in_a_tab(visit)
        cookies = (*parts.nonces.cookies(pending, visit.raw_headers, https=https, has_tab=has_tab), *counted)
        if cause == "automatic" and parts.plan.preserve_fragments:
            return self._leave(begun.address, pending, cookies, https=https)
        headers = ((b"location", begun.address.encode()), (b"cache-control", b"no-store"))
        return Reply(302, b"", (*headers, *cookies))

    def _leave(self, address: str, pending: PendingSignIn, cookies: tuple[Header, ...], *, https: bool) -> Reply:
        path = urlsplit(pending.redirect_uri).path
        lifetime = self._parts.plan.nonce_lifetime
        page = leave_page(address, pending.nonce, path, https=https, lifetime=lifetime)
        return replace(page, headers=(*page.headers, *cookies))


def _shows_in_a_tab(visit: Visit) -> bool:
    """Say whether somebody may see the provider's page: a picture or a script that is led there shows none.

    Browsers say what they ask for (Fetch Metadata, Sec-Fetch-Dest); of one that does not, the best is believed.
    """
    wanted = visit.header(b"sec-fetch-dest")
    return wanted is None or wanted in _SHOWN or visit.header(b"sec-fetch-mode") == b"navigate"


def _readable(query: str) -> Pairs:
    """Read an application's own query, of which nothing can be demanded."""
    try:
        return tuple(pair for pair in read_parameters(query) if pair[1].isprintable() and len(pair[1]) <= MAX_TARGET)
    except BadMessage:
        return ()
