"""The end of a sign-in by token: what the target, the popup's opener or the native app is told.

Easy-auth reference 1.2. The token leaves us in the fragment of an address that was judged, in a message to an origin
that was judged, or as an answer to whoever knows the verifier of a one-time code. No session cookie is set, and one
that the browser has stays: the session belongs to whoever holds the token.
"""

from urllib.parse import quote

from doorward.base.errors import DoorwardError
from doorward.config.auth_plan import ProviderPlan
from doorward.easyauth.ending import Ending, refuse_origin
from doorward.easyauth.envelope import say_refusal
from doorward.easyauth.parts import Parts
from doorward.easyauth.popups import refused_page, signed_in_page
from doorward.identity.person import Identity
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply


class Completion:
    """Ends sign-ins by token."""

    def __init__(self, parts: Parts) -> None:
        """Work with `parts`."""
        self._parts = parts

    async def hand_over(
        self, visit: Visit, plan: ProviderPlan, identity: Identity, ending: Ending, target: str
    ) -> Reply:
        """Begin the session of somebody who was admitted and hand its token over, or a code for it.

        Raises `DoorwardError` (`completion_origin_not_allowed`, `store_unavailable`).
        """
        if ending.completion_type:
            self._refuse_origin(visit, ending)
        if ending.code_challenge:
            code = await self._parts.codes.keep(identity, ending.code_challenge)
            return to_target(target, "authorization_code", code)
        answer = await self.begin(visit, plan, identity)
        return signed_in_page(ending, answer) if ending.completion_type else to_target(target, "token", answer.decode())

    async def begin(self, visit: Visit, plan: ProviderPlan, identity: Identity) -> bytes:
        """Begin a session without a cookie, and give the JSON with its token."""
        parts = self._parts
        now = parts.clock.now()
        records = [parts.records.signed_in(visit, plan, identity, now)]
        site = parts.site(visit)
        _, session = await parts.desk.start(identity, now, records=records, with_token=True, site=site)
        return parts.tokens.answer(session, site, now)

    def refuse(self, visit: Visit, ending: Ending, target: str, refusal: DoorwardError) -> Reply:
        """Say why there is no token, where the token would have gone: nothing but the catalogue's own words."""
        if not ending.completion_type:
            return to_target(target, "error", refusal.row.message)
        try:
            self._refuse_origin(visit, ending)
        except DoorwardError as worse:
            return say_refusal(visit, worse)
        return refused_page(ending, visit, refusal)

    def _refuse_origin(self, visit: Visit, ending: Ending) -> None:
        """Judge the origin once more: the settings may have changed since the sign-in began."""
        refuse_origin(ending.completion_origin, self._parts.site(visit), self._parts.plan.allowed_targets)


def to_target(target: str, name: str, value: str) -> Reply:
    """Lead to a target with one value in its fragment, behind the fragment that it has of its own."""
    page, mark, fragment = target.partition("#")
    before = f"{fragment}&" if mark and fragment else ""
    address = f"{page}#{before}{name}={quote(value, safe='')}"
    return Reply(302, b"", ((b"location", address.encode()), (b"cache-control", b"no-store")))
