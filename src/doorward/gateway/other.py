"""What is answered outside the other rooms: without an upstream, every other path is 404 (interface section 7).

The body is for people or programs, by what the client accepts; it is no contract.
"""

import html

import msgspec

from doorward.base.errors import DoorwardError
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply

_SAFE = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<h1>{title}</h1><p>Request {request_id}</p></html>
"""


def refuse(visit: Visit, error: DoorwardError) -> Reply:
    """Put a refusal into a page where the client asks for HTML, else into JSON."""
    if b"text/html" in (visit.header(b"accept") or b""):
        page = _PAGE.format(title=html.escape(error.row.message), request_id=html.escape(visit.request_id))
        return Reply(error.row.status, page.encode(), ((b"content-type", b"text/html; charset=utf-8"), *_SAFE))
    body = {"error": {"code": error.code, "message": error.row.message, "request_id": visit.request_id}}
    return Reply(error.row.status, msgspec.json.encode(body), ((b"content-type", b"application/json"), *_SAFE))
