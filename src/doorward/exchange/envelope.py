"""How the token service answers: the envelope of the contract, OAuth's errors, problem details on request.

Owns the shape of every body and the headers that go with it (token-exchange reference 1.3, 1.5, 3.6, 3.10). A body says
what the catalogue says and nothing of the request: no token, no claim, no exception text.
"""

from collections.abc import Mapping

import msgspec

from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals import (
    AUTHENTICATION_REQUIRED,
    HTTPS_REQUIRED,
    INVALID_CLIENT,
    INVALID_REQUEST,
    INVALID_SUBSCRIPTION_KEY,
    INVALID_TARGET,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    ORGANIZATION_NOT_FOUND,
    PAYLOAD_TOO_LARGE,
    RATE_LIMITED,
    UNSUPPORTED_GRANT_TYPE,
    VALIDATION_ERROR,
)
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply

Headers = tuple[tuple[bytes, bytes], ...]

PREFIX = "/auth-service"
JSON: Headers = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))
_PROBLEM: Headers = ((b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"))
_REALM = b'Bearer realm="auth-service"'
_CHALLENGES = {
    AUTHENTICATION_REQUIRED: _REALM,
    MALFORMED_REQUEST: _REALM + b', error="invalid_request"',
    INVALID_CLIENT: b'Basic realm="auth-service"',
    # The words of Azure's own gateway. A Bearer challenge would send a client off to renew tokens that are good.
    INVALID_SUBSCRIPTION_KEY: b'AzureApiManagementKey realm="auth-service", name="Ocp-Apim-Subscription-Key", '
    b'type="header"',
}
_TRANSPORT_ROWS = (
    HTTPS_REQUIRED, INVALID_SUBSCRIPTION_KEY, METHOD_NOT_ALLOWED, NOT_FOUND, PAYLOAD_TOO_LARGE, RATE_LIMITED,
)  # fmt: skip
_OAUTH_CODES = {row.code for row in (INVALID_CLIENT, INVALID_REQUEST, INVALID_TARGET, UNSUPPORTED_GRANT_TYPE)}
_encode = msgspec.json.Encoder().encode


class ValidationFailed(DoorwardError):
    """The body is not what the endpoint takes; `items` say where and why, without repeating what was sent."""

    def __init__(self, items: list[dict[str, object]]) -> None:
        """Refuse with one item a wrong field, each with `loc`, `msg` and `type`."""
        super().__init__(VALIDATION_ERROR, fields=[item["loc"] for item in items])
        self.items = items


def succeed(message: str, data: Mapping[str, object] | None) -> Reply:
    """Answer 200 in the envelope."""
    return Reply(200, _encode({"success": True, "message": message, "data": data}), JSON)


def answer_json(body: object, status: int = 200) -> Reply:
    """Answer a bare JSON body, as OAuth's endpoints do; never to be cached."""
    return Reply(status, _encode(body), JSON)


def refuse(visit: Visit, error: DoorwardError) -> Reply:
    """Put a refusal into the envelope, or into problem details where the client asks for them (RFC 9457)."""
    challenge = _challenge(error)
    if b"application/problem+json" in (visit.header(b"accept") or b""):
        return Reply(error.row.status, _encode(_problem(visit, error)), _PROBLEM + challenge)
    message, detail = _message(error), _detail(error)
    body = {
        "success": False,
        "message": message,
        "detail": detail,
        "data": None,
        "error": {"code": error.code, "request_id": visit.request_id},
    }
    return Reply(error.row.status, _encode(body), JSON + challenge)


def refuse_oauth(visit: Visit, error: DoorwardError) -> Reply:
    """Put a refusal into OAuth's words (RFC 6749 section 5.2), with our own code beside them."""
    oauth, status = oauth_error(error.row)
    return Reply(status, _encode(_oauth_body(visit, error, oauth)), JSON + _challenge(error))


def refuse_token_request(visit: Visit, error: DoorwardError) -> Reply:
    """Put a refusal of the token endpoint into OAuth's words: whatever is wrong with the subject token is one error.

    RFC 8693 section 2.2.2 asks for `invalid_request` with status 400; only what is wrong with the transport or with us
    keeps its own status.
    """
    oauth, status = token_request_error(error.row)
    challenge = _challenge(error) if status == 401 else ()
    return Reply(status, _encode(_oauth_body(visit, error, oauth)), JSON + challenge)


def oauth_error(row: ErrorRow) -> tuple[str, int]:
    """Give OAuth's word and the status with which a row is answered below `/oauth2`."""
    if row.code in _OAUTH_CODES:
        return row.code, row.status
    if row.status == 401 or _keeps_status(row):
        return _transport_error(row), row.status
    return INVALID_REQUEST.code, 400


def token_request_error(row: ErrorRow) -> tuple[str, int]:
    """Give OAuth's word and the status with which a row is answered at `/oauth2/token`."""
    if row.code in _OAUTH_CODES or _keeps_status(row):
        return oauth_error(row)
    return INVALID_REQUEST.code, INVALID_REQUEST.status


def _keeps_status(row: ErrorRow) -> bool:
    """Say whether a row is about the way a request came, or about us, and not about what it carries."""
    return row in _TRANSPORT_ROWS or row.status >= 500


def _oauth_body(visit: Visit, error: DoorwardError, oauth: str) -> dict[str, str]:
    return {
        "error": oauth,
        "error_description": error.row.message,
        "error_code": error.code,
        "request_id": visit.request_id,
    }


def _transport_error(row: ErrorRow) -> str:
    """Name the OAuth error for what has no word of its own there."""
    if row.status == 401 and row not in _TRANSPORT_ROWS:
        return "invalid_token"
    return "temporarily_unavailable" if row.status in {429, 503} else INVALID_REQUEST.code


def _challenge(error: DoorwardError) -> Headers:
    """Every 401 names the scheme that would help, and what is wrong with a bearer (RFC 9110 15.5.2, RFC 6750 3)."""
    if error.row in _CHALLENGES:
        return ((b"www-authenticate", _CHALLENGES[error.row]),)
    if error.row.status == 401:
        # Messages of the catalogue hold no quotation mark and no backslash; a test holds them to it.
        described = b', error="invalid_token", error_description="%s"' % error.row.message.encode()
        return ((b"www-authenticate", _REALM + described),)
    return ()


def _message(error: DoorwardError) -> str:
    return VALIDATION_ERROR.message if error.row.status == VALIDATION_ERROR.status else error.row.message


def _detail(error: DoorwardError) -> object:
    if isinstance(error, ValidationFailed):
        return error.items
    if error.row is ORGANIZATION_NOT_FOUND:
        return [{"loc": ["body", "organization_id"], "msg": error.row.message, "type": "value_error"}]
    return error.row.message


def _problem(visit: Visit, error: DoorwardError) -> dict[str, object]:
    problem: dict[str, object] = {
        "type": f"urn:doorward:error:{error.code}",
        "title": _message(error),
        "status": error.row.status,
        "detail": error.row.message,
        "instance": f"urn:doorward:request:{visit.request_id}",
        "code": error.code,
        "request_id": visit.request_id,
    }
    return {**problem, "errors": _detail(error)} if error.row.status == VALIDATION_ERROR.status else problem
