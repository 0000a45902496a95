"""Sign-out: the session ends everywhere, the browser forgets it, and the provider is told where it wants to know.

Easy-auth reference 7.1; interface, "Sign-out and the session token". It works for who is not signed in as well. While
the database cannot be asked nobody is told that they were signed out.
"""

from urllib.parse import parse_qsl

from doorward.base.errors import DoorwardError
from doorward.base.refusals import METHOD_NOT_ALLOWED
from doorward.base.targets import allowed_target
from doorward.easyauth.me import refusal_of
from doorward.easyauth.parts import Parts
from doorward.identity.admission import Bad
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from doorward.protocol.easyauth import (
    COUNT_COOKIE,
    SESSION_COOKIE,
    Header,
    clear_cookie,
    cookie_values,
    session_cookie_names,
    session_cookie_value,
)
from doorward.sessions.session import Session

TARGET_NAMES = ("post_logout_redirect_uri", "post_logout_redirect_url")
LANDING = {"2016": "done", "container-apps": "done"}
MOST_PARAMETERS = 64


class Logout:
    """Answers the sign-out address."""

    def __init__(self, parts: Parts) -> None:
        """Work with `parts`."""
        self._parts = parts
        self._landing = f"{parts.plan.api_prefix}/logout/{LANDING.get(parts.profile, 'complete')}"

    async def answer(self, visit: Visit, _body: bytes) -> Reply:
        """Sign out, and go where the address says, else to a page of ours.

        Raises `DoorwardError` (`store_unavailable`), for HEAD, which must not change anything, and for a token that is
        there and does not pass: nothing else is looked at then (interface section 5).
        """
        if visit.method == "HEAD":
            raise DoorwardError(METHOD_NOT_ALLOWED)
        session = await self._end(visit)
        target = self._target(visit)
        address = await self._provider_address(session, visit, target) or target
        headers = ((b"location", address.encode()), (b"cache-control", b"no-store"))
        return Reply(302, b"", (*headers, *_cleared(visit)))

    async def _end(self, visit: Visit) -> Session | None:
        """End whatever session the request shows, by a session token or a cookie; give the last of them."""
        parts, now = self._parts, self._parts.clock.now()
        cookie = session_cookie_value(visit.raw_headers)
        caller = await parts.gate.recognise(visit)
        if isinstance(caller.credential, Bad):
            raise refusal_of(caller)
        shown = caller.session
        held = await parts.desk.find_late(cookie) if cookie is not None else None
        for session in {one.id: one for one in (shown, held) if one is not None}.values():
            plan = parts.plan.providers.get(session.provider)
            await parts.desk.end(session.id, now, [parts.records.signed_out(visit, plan, session, now)])
        return held or shown

    def _target(self, visit: Visit) -> str:
        """Give where to go; whatever may not be gone to leads to the page of ours (interface section 7)."""
        parts = self._parts
        try:
            pairs = parse_qsl(visit.query, errors="strict", max_num_fields=MOST_PARAMETERS)
        except ValueError:
            return self._landing
        named = [value for name, value in pairs if name in TARGET_NAMES]
        if len(set(named)) != 1:
            return self._landing
        return allowed_target(named[0], parts.site(visit), parts.plan.allowed_targets) or self._landing

    async def _provider_address(self, session: Session | None, visit: Visit, target: str) -> str | None:
        """Give where to sign out at the provider of the session, which then leads to `target`."""
        plan = None if session is None else self._parts.plan.providers.get(session.provider)
        if plan is None:
            return None
        after = f"{self._parts.site(visit)}{target}" if target.startswith("/") else target
        return await self._parts.flow(plan).end_session_address(plan, after)


def _cleared(visit: Visit) -> list[Header]:
    names = dict.fromkeys([SESSION_COOKIE, *session_cookie_names(visit.raw_headers)])
    counted = [COUNT_COOKIE] if cookie_values(visit.raw_headers, COUNT_COOKIE) else []
    return [clear_cookie(name) for name in (*names, *counted)]
