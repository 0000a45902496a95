"""Forward-auth: `/.auth/check`, where a reverse proxy asks whether a request of its own may pass.

Interface section 6 and the ruling on `/.auth/check`. It answers 200 with the headers for the application, 401 with the
sign-in address where one would lead on, 403, or 302 where `?redirect=1` asks for it, and nothing else ever: nginx makes
a 500 of every other status. What it judges is the original request, as proxies in `server.trusted_proxies` describe it;
everybody else is refused, since whoever may describe requests may describe any.
"""

import logging
from typing import final
from urllib.parse import parse_qsl

from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals import INTERNAL_ERROR
from doorward.base.refusals_gateway import ACCESS_FORBIDDEN, CHECK_FROM_STRANGER, CHECK_INCOMPLETE
from doorward.gateway.answers import Headers, say_refusal
from doorward.gateway.original import NotTold, read_original
from doorward.gateway.porter import Porter
from doorward.identity.admission import Allow, Challenge, Decision, Deny
from doorward.identity.visit import Trust, Visit
from doorward.inbound.blame import frames
from doorward.inbound.door import Reply, Route
from doorward.protocol.easyauth import without_forged

COOKIES = b"x-doorward-cookie"
_NO_STORE = ((b"cache-control", b"no-store"),)

log = logging.getLogger("doorward.gateway")


@final
class Check:
    """The forward-auth door."""

    def __init__(
        self, porter: Porter, trust: Trust, *, api_prefix: str = "/.auth", keeps_own_cookies: bool = False
    ) -> None:
        """Ask `porter`; `trust` says whose description of a request counts.

        With `keeps_own_cookies` the application gets our cookies, too.
        """
        self.porter = porter
        self.trust = trust
        self.path = f"{api_prefix}/check"
        self._keeps_own_cookies = keeps_own_cookies

    def routes(self) -> list[Route]:
        """Give the routes: every method, also below the path, since Envoy appends the original one."""
        paths = (self.path, f"{self.path}/*")
        return [Route(method="*", path=path, handler=self.answer, at_once=self.answer_at_once) for path in paths]

    def answer_at_once(self, visit: Visit) -> Reply | None:
        """Let pass who may by what memory alone can tell; everybody else, and every defect, is for `answer`."""
        try:
            if not visit.peer_is_trusted:
                return None
            original = read_original(visit, self.trust.host_header)
            decision = self.porter.decide_now(original)
        except Exception:  # noqa: BLE001 - it happens again there, and is told
            return None
        return self._passes(visit, original, decision) if isinstance(decision, Allow) else None

    async def answer(self, visit: Visit, _body: bytes) -> Reply:
        """Answer a proxy; whatever goes wrong is 403."""
        try:
            return await self._judge(visit)
        except DoorwardError as error:
            _log_refusal(error.row, error.facts)
            return say_refusal(visit, _sayable(error.row))
        except Exception as defect:  # noqa: BLE001 - no answer but those that a proxy understands may leave here
            log.error("request.failed", extra={"facts": frames(defect)})  # noqa: TRY400 - values in a traceback may be tokens
            return say_refusal(visit, _sayable(INTERNAL_ERROR))

    async def _judge(self, visit: Visit) -> Reply:
        if not visit.peer_is_trusted:
            raise DoorwardError(CHECK_FROM_STRANGER, peer=visit.peer)
        try:
            original = read_original(visit, self.trust.host_header)
        except NotTold as error:
            raise DoorwardError(CHECK_INCOMPLETE, reason=str(error)) from error
        decision = self.porter.decide_now(original) or await self.porter.decide(original)
        return await self._tell(visit, original, decision)

    async def _tell(self, visit: Visit, original: Visit, decision: Decision) -> Reply:
        match decision:
            case Allow():
                return self._passes(visit, original, decision)
            case Challenge():
                return await self._ask_for_sign_in(visit, original, decision)
            case Deny():
                return await self.porter.refuse(original, decision, said=_sayable(decision.row))

    def _passes(self, visit: Visit, original: Visit, decision: Allow) -> Reply:
        identity = () if decision.principal is None else decision.principal.headers
        return Reply(200, b"", _NO_STORE + identity + self.cookies(visit, original))

    def cookies(self, visit: Visit, original: Visit) -> Headers:
        """Give the cookies that the application is to see, to a proxy that asks for them with `?cookie=1`.

        A proxy would have to take our own out of the header by patterns, which costs it more than everything else.
        """
        if ("cookie", "1") not in parse_qsl(visit.query):
            return ()
        kept = without_forged(original.raw_headers, keep_own_cookies=self._keeps_own_cookies)
        cookies = [value for name, value in kept if name == b"cookie"]
        return ((COOKIES, b"; ".join(cookies)),) if cookies else ()

    async def _ask_for_sign_in(self, visit: Visit, original: Visit, decision: Challenge) -> Reply:
        """Refuse with 401; where the gateway would have redirected, say where to.

        No sign-in begins here: it begins at the address, which counts redirects and sets its own cookies.
        """
        refused = await self.porter.refuse(original, decision)
        if not decision.redirect:
            return refused
        location = ((b"location", self.porter.sign_in_address(original, decision.provider).encode()),)
        if ("redirect", "1") in parse_qsl(visit.query):
            return Reply(302, b"", _NO_STORE + location)
        return Reply(refused.status, refused.body, refused.headers + location)


def _sayable(row: ErrorRow) -> ErrorRow:
    """Give the row itself where proxies understand its status, else the plainest 403."""
    return row if row.status in {401, 403} else ACCESS_FORBIDDEN


def _log_refusal(row: ErrorRow, facts: dict[str, object]) -> None:
    log.warning("gateway.refused", extra={"facts": {**facts, "rule": "forward-auth", "code": row.code}})
