"""What somebody is told whose request does not pass: a page for who reads HTML, JSON for everybody else.

Interface, "Challenges and bodies of the gateway". Owns no decision and no status. A page says what its reader can do;
cause and fix are the operator's, and stand in the log and in `doorward explain CODE`.
"""

from collections.abc import Sequence

import msgspec

from doorward.base.errors import ErrorRow
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from doorward.pages import PAGE_HEADERS, render

Headers = tuple[tuple[bytes, bytes], ...]
Steps = Sequence[tuple[str, str]]

_JSON: Headers = (
    (b"content-type", b"application/json"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
NO_TRACE: Headers = ((b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)
"""What goes with the refusal of TRACE."""
_ADVICE = {
    400: "The request cannot be understood. Check the address.",
    401: "This page is for people who are signed in.",
    403: "If you think that you should have access, tell whoever looks after this application.",
    404: "There is nothing at this address.",
    502: "The application behind this page does not answer. Try again in a moment.",
    503: "Try again in a moment.",
    504: "The application behind this page takes too long. Try again in a moment.",
}


def wants_page(visit: Visit) -> bool:
    """Say whether whoever asks reads HTML."""
    return b"text/html" in (visit.header(b"accept") or b"")


def say_refusal(visit: Visit, row: ErrorRow, *, headers: Headers = (), sign_in: str = "", steps: Steps = ()) -> Reply:
    """Put a refusal into words, with the status of its row.

    `sign_in` is where to sign in, for a page. `steps` are how it was decided, for development alone.
    """
    if wants_page(visit):
        page = render(
            "refusal.html",
            title=row.message,
            advice=_ADVICE.get(row.status, "Try again later."),
            sign_in=sign_in,
            steps=steps,
            code=row.code,
            request_id=visit.request_id,
        )
        return Reply(row.status, page, PAGE_HEADERS + headers)
    error: dict[str, object] = {"code": row.code, "message": row.message, "request_id": visit.request_id}
    if steps:
        error["trace"] = [{"step": step, "found": found} for step, found in steps]
    return Reply(row.status, msgspec.json.encode({"error": error}), _JSON + headers)
