"""What is answered outside the other rooms: without an upstream, every other path is 404 (interface section 7).

Where the public address is https:, a plain request is sent there first. The body is for people or programs, by what
the client accepts; it is no contract.
"""

import html
from urllib.parse import quote

import msgspec

from doorward.base.errors import DoorwardError
from doorward.base.refusals import HTTPS_REQUIRED, NOT_FOUND
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply

_SAFE = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_SERVICE = "/auth-service"
_AS_IT_STANDS = "%/:?#[]@!$&'()*+,;="  # RFC 3986 section 2.2; whatever else is no letter of ASCII is encoded
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<h1>{title}</h1><p>Request {request_id}</p></html>
"""


class Outside:
    """What is answered on paths of no other room."""

    def __init__(self, https_site: str | None) -> None:
        """Send plain requests to the origin `https_site`; refuse them where it is "", serve them where it is None."""
        self._https_site = https_site

    def refuse(self, visit: Visit, error: DoorwardError) -> Reply:
        """Say where to ask again to whoever asked in plain HTTP (interface, "Scheme and host"), else say why not.

        Nothing is sent on from the token service's own addresses: what was sent there has been readable on the way.
        """
        if self._https_site is None or visit.scheme == "https" or error.row not in (NOT_FOUND, HTTPS_REQUIRED):
            return _page(visit, error)
        of_service = visit.path == _SERVICE or visit.path.startswith(f"{_SERVICE}/")
        if not self._https_site or of_service or visit.method not in {"GET", "HEAD"} or visit.path[:1] != "/":
            return _page(visit, DoorwardError(HTTPS_REQUIRED))
        query = f"?{visit.query}" if visit.query else ""
        location = quote(f"{self._https_site}{visit.path}{query}", safe=_AS_IT_STANDS, encoding="latin-1")
        return Reply(301, b"", ((b"location", location.encode()), *_SAFE))


def _page(visit: Visit, error: DoorwardError) -> Reply:
    """Put a refusal into a page where the client asks for HTML, else into JSON."""
    if b"text/html" in (visit.header(b"accept") or b""):
        page = _PAGE.format(title=html.escape(error.row.message), request_id=html.escape(visit.request_id))
        return Reply(error.row.status, page.encode(), ((b"content-type", b"text/html; charset=utf-8"), *_SAFE))
    body = {"error": {"code": error.code, "message": error.row.message, "request_id": visit.request_id}}
    return Reply(error.row.status, msgspec.json.encode(body), ((b"content-type", b"application/json"), *_SAFE))
