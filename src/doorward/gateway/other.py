"""What is answered outside the other rooms: without an upstream, every other path is 404 (interface section 7).

Where the public address is https:, a plain request is sent there first.
"""

from urllib.parse import quote

from doorward.base.errors import DoorwardError
from doorward.base.refusals import HTTPS_REQUIRED, NOT_FOUND
from doorward.gateway.answers import say_refusal
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply

_SERVICE = "/auth-service"
_AS_IT_STANDS = "%/:?#[]@!$&'()*+,;="  # RFC 3986 section 2.2; whatever else is no letter of ASCII is encoded


class Outside:
    """What is answered on paths of no other room."""

    def __init__(self, https_site: str | None) -> None:
        """Send plain requests to the origin `https_site`; refuse them where it is "", serve them where it is None."""
        self._https_site = https_site

    def insist_on_https(self, visit: Visit) -> Reply | None:
        """Answer a request that came in plain HTTP and may not (interface, "Scheme and host"); None for all others.

        Asked before anything else is. GET and HEAD are sent on, other methods refused: what they carried has been
        readable on the way, and nothing is sent on from the token service's own addresses for the same reason.
        """
        if self._https_site is None or visit.scheme == "https":
            return None
        of_service = visit.path == _SERVICE or visit.path.startswith(f"{_SERVICE}/")
        if not self._https_site or of_service or visit.method not in {"GET", "HEAD"} or visit.path[:1] != "/":
            return say_refusal(visit, HTTPS_REQUIRED)
        query = f"?{visit.query}" if visit.query else ""
        location = quote(f"{self._https_site}{visit.path}{query}", safe=_AS_IT_STANDS, encoding="latin-1")
        return Reply(301, b"", ((b"location", location.encode()), (b"cache-control", b"no-store")))

    def refuse(self, visit: Visit, error: DoorwardError) -> Reply:
        """Say where to ask again to whoever asked in plain HTTP, else say why not."""
        asked_plainly = self.insist_on_https(visit) if error.row in (NOT_FOUND, HTTPS_REQUIRED) else None
        return asked_plainly or say_refusal(visit, error.row)
