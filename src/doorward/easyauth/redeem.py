"""`/.auth/login/<provider>/token`: a native app fetches its session token (easy-auth reference 1 and 1.2, RFC 7636).

The app's sign-in ended with a one-time code in the address that led back to it. Whoever brings the code and the
verifier that the sign-in began with gets the same JSON as after a client-directed sign-in.
"""

from doorward.base.errors import DoorwardError
from doorward.base.refusals import METHOD_NOT_ALLOWED
from doorward.base.refusals_sign_in import SIGN_IN_MALFORMED
from doorward.easyauth.completion import Completion
from doorward.easyauth.ending import read_query
from doorward.easyauth.me import JSON_HEADERS
from doorward.easyauth.parts import Parts
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply


class Redemption:
    """Answers `GET /.auth/login/<provider>/token`."""

    def __init__(self, parts: Parts) -> None:
        """Work with `parts`."""
        self._parts = parts
        self._completion = Completion(parts)

    async def answer(self, visit: Visit, provider: str) -> Reply:
        """Answer one request; raises `DoorwardError`.

        `sign_in_malformed` (400) where a parameter is missing, and then the code still counts;
        `authorization_code_refused` (401); `store_unavailable`. HEAD is refused: it must not use a code up.
        """
        if visit.method == "HEAD":
            raise DoorwardError(METHOD_NOT_ALLOWED)
        plan, given = self._parts.provider(provider), dict(read_query(visit))
        code, verifier = given.get("authorization_code", ""), given.get("code_verifier", "")
        if not code or not verifier:
            raise DoorwardError(SIGN_IN_MALFORMED, reason="authorization_code and code_verifier are both needed")
        try:
            identity = await self._parts.codes.take(code, verifier, plan.name)
        except DoorwardError as refusal:
            await self._parts.records.refused(visit, plan, refusal)
            raise
        return Reply(200, await self._completion.begin(visit, plan, identity), JSON_HEADERS)
