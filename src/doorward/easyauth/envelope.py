"""Refusals below `/.auth`, in words: a page for who reads HTML, JSON for everybody else (interface section 7).

Owns no decision. A page names the code, never what a provider sent; a sign-in that failed can be tried again from it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import quote

import msgspec

from doorward.base.errors import DoorwardError
from doorward.base.refusals import HTTPS_REQUIRED
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from doorward.pages import PAGE_HEADERS, render

_JSON = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_AS_IT_STANDS = "%/:?#[]@!$&'()*+,;="  # RFC 3986 section 2.2; whatever else is no letter of ASCII is encoded


def wants_page(visit: Visit) -> bool:
    """Say whether whoever asks reads HTML."""
    return b"text/html" in (visit.header(b"accept") or b"")


class Words:
    """The words of one prefix, and the way to https: for who asks in plain HTTP."""

    def __init__(self, https_site: str | None, challenge: Callable[[Visit], bytes | None] | None = None) -> None:
        """Send plain requests to the origin `https_site`; with None there is nowhere to send them.

        `challenge` gives what every 401 carries in WWW-Authenticate (easy-auth reference 8.4).
        """
        self._https_site = https_site
        self._challenge = challenge

    def refuse(self, visit: Visit, error: DoorwardError) -> Reply:
        """Put a refusal into words (interface, "Scheme and host")."""
        if error.row is HTTPS_REQUIRED and self._https_site and visit.method in {"GET", "HEAD"}:
            query = f"?{visit.query}" if visit.query else ""
            address = quote(f"{self._https_site}{visit.path}{query}", safe=_AS_IT_STANDS, encoding="latin-1")
            return Reply(301, b"", ((b"location", address.encode()), (b"cache-control", b"no-store")))
        reply = say_refusal(visit, error)
        challenge = self._challenge(visit) if self._challenge is not None and error.row.status == 401 else None
        return (
            reply if challenge is None else replace(reply, headers=(*reply.headers, (b"www-authenticate", challenge)))
        )


def say_refusal(
    visit: Visit,
    error: DoorwardError,
    *,
    again: str = "",
    account: str = "",
    steps: Sequence[tuple[str, str]] = (),
) -> Reply:
    """Put a refusal into a page or into JSON.

    `again` is where to begin anew, and `account` the name of who was refused; only that person gets to see it. `steps`
    are how it came about, which is for development.
    """
    row = error.row
    if not wants_page(visit):
        body = {"error": {"code": row.code, "message": row.message, "request_id": visit.request_id}}
        return Reply(row.status, msgspec.json.encode(body), _JSON)
    page = render(
        "failed.html",
        title=row.message,
        cause=row.cause,
        account=account,
        again=again,
        steps=steps,
        code=row.code,
        request_id=visit.request_id,
    )
    return Reply(row.status, page, PAGE_HEADERS)
