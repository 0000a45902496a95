import json
from typing import Any

import pytest

from doorward.base import refusals
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.exchange.envelope import (
    ValidationFailed,
    answer_json,
    refuse,
    refuse_oauth,
    refuse_token_request,
    succeed,
)
from doorward.inbound.door import Reply
from tests.support.visits import visit

ROWS = [row for row in vars(refusals).values() if isinstance(row, ErrorRow)]
ITEMS: list[dict[str, object]] = [{"loc": ["body", "email"], "msg": "Field required", "type": "missing"}]
PLAIN = visit()


def body_of(reply: Reply) -> Any:
    """Give the body, read."""
    return json.loads(reply.body)


def test_success() -> None:
    """The envelope of a success, in the order of the contract (reference 1.3)."""
    reply = succeed("Login successful", {"access_token": "a"})
    assert reply.status == 200
    assert reply.body == b'{"success":true,"message":"Login successful","data":{"access_token":"a"}}'
    assert dict(reply.headers) == {b"content-type": b"application/json", b"cache-control": b"no-store"}


def test_refusal() -> None:
    """The envelope of a refusal, member by member (reference 1.5)."""
    reply = refuse(PLAIN, DoorwardError(refusals.AUDIENCE_MISMATCH, client_id="secret"))
    assert reply.status == 401
    assert body_of(reply) == {
        "success": False,
        "message": "Audience doesn't match",
        "detail": "Audience doesn't match",
        "data": None,
        "error": {"code": "audience_mismatch", "request_id": PLAIN.request_id},
    }
    challenge = b'Bearer realm="auth-service", error="invalid_token", error_description="Audience doesn\'t match"'
    assert dict(reply.headers)[b"www-authenticate"] == challenge


def test_validation_error() -> None:
    """A 422 has the list as `detail`."""
    reply = refuse(PLAIN, ValidationFailed(ITEMS))
    assert (reply.status, body_of(reply)["message"], body_of(reply)["detail"]) == (422, "Validation Error", ITEMS)
    assert body_of(reply)["error"]["code"] == "validation_error"


def test_unknown_organization() -> None:
    """An unknown organization looks like every other wrong field (reference 1.6)."""
    body = body_of(refuse(PLAIN, DoorwardError(refusals.ORGANIZATION_NOT_FOUND)))
    assert (body["message"], body["error"]["code"]) == ("Validation Error", "organization_not_found")
    (item,) = body["detail"]
    assert (item["loc"], set(item)) == (["body", "organization_id"], {"loc", "msg", "type"})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_every_refusal(row: ErrorRow) -> None:
    """Every row gives an envelope without facts, never cached; every 401 and every misused bearer a challenge."""
    reply = refuse(PLAIN, DoorwardError(row, reason="never-repeat-me"))
    headers = dict(reply.headers)
    assert reply.status == row.status
    assert b"never-repeat-me" not in reply.body
    assert list(body_of(reply)) == ["success", "message", "detail", "data", "error"]
    assert headers[b"cache-control"] == b"no-store"
    assert (b"www-authenticate" in headers) == (row.status == 401 or row.code == "malformed_request")


@pytest.mark.parametrize(
    ("row", "challenge"),
    [
        (refusals.AUTHENTICATION_REQUIRED, b'Bearer realm="auth-service"'),
        (refusals.INVALID_CLIENT, b'Basic realm="auth-service"'),
    ],
)
def test_challenges(row: ErrorRow, challenge: bytes) -> None:
    """Without credentials the challenge has no error code; clients are asked for Basic (reference 3.6)."""
    assert dict(refuse(PLAIN, DoorwardError(row)).headers)[b"www-authenticate"] == challenge
    assert dict(refuse_oauth(PLAIN, DoorwardError(row)).headers)[b"www-authenticate"] == challenge


def test_problem_details() -> None:
    """On request a refusal is a problem of RFC 9457, with the same code and challenge."""
    asking = visit(("Accept", "application/problem+json, application/json;q=0.5"))
    reply = refuse(asking, DoorwardError(refusals.TOKEN_EXPIRED))
    assert body_of(reply) == {
        "type": "urn:doorward:error:token_expired",
        "title": "Azure AD token has expired",
        "status": 401,
        "detail": "Azure AD token has expired",
        "instance": f"urn:doorward:request:{asking.request_id}",
        "code": "token_expired",
        "request_id": asking.request_id,
    }
    assert dict(reply.headers)[b"content-type"] == b"application/problem+json"
    assert b"www-authenticate" in dict(reply.headers)


def test_problem_details_of_a_validation_error() -> None:
    """A 422 as a problem lists the wrong fields beside a detail that is text."""
    body = body_of(refuse(visit(("Accept", "application/problem+json")), ValidationFailed(ITEMS)))
    assert (body["detail"], body["errors"], body["code"]) == ("Validation Error", ITEMS, "validation_error")


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/html", "application/*"])
def test_the_envelope_is_the_default(accept: str) -> None:
    """Only who names problem+json gets it."""
    assert "success" in body_of(refuse(visit(("Accept", accept)), DoorwardError(refusals.TOKEN_EXPIRED)))


@pytest.mark.parametrize(
    ("row", "status", "error"),
    [
        (refusals.INVALID_REQUEST, 400, "invalid_request"),
        (refusals.INVALID_CLIENT, 401, "invalid_client"),
        (refusals.INVALID_TARGET, 400, "invalid_target"),
        (refusals.UNSUPPORTED_GRANT_TYPE, 400, "unsupported_grant_type"),
        (refusals.PAYLOAD_TOO_LARGE, 413, "invalid_request"),
        (refusals.RATE_LIMITED, 429, "temporarily_unavailable"),
        (refusals.STORE_UNAVAILABLE, 503, "temporarily_unavailable"),
        (refusals.KEYS_UNAVAILABLE, 503, "temporarily_unavailable"),
        (refusals.AUTHENTICATION_REQUIRED, 401, "invalid_token"),
        (refusals.INVALID_ACCESS_TOKEN, 401, "invalid_token"),
        (refusals.USER_NOT_FOUND, None, "invalid_request"),
    ],
)
def test_oauth_errors(row: ErrorRow, status: int | None, error: str) -> None:
    """Below /oauth2 a refusal speaks OAuth, with our code beside it (RFC 6749 section 5.2)."""
    reply = refuse_oauth(PLAIN, DoorwardError(row, reason="never-repeat-me"))
    body = body_of(reply)
    assert (body["error"], body["error_code"], body["error_description"]) == (error, row.code, row.message)
    assert b"never-repeat-me" not in reply.body
    if status is not None:
        assert reply.status == status


def test_bare_json() -> None:
    """OAuth's answers are bare and never cached."""
    reply = answer_json({"active": False})
    assert (reply.status, reply.body) == (200, b'{"active":false}')
    assert dict(reply.headers)[b"cache-control"] == b"no-store"


@pytest.mark.parametrize(
    ("row", "status", "error"),
    [
        (refusals.TOKEN_EXPIRED, 400, "invalid_request"),
        (refusals.INVALID_TOKEN, 400, "invalid_request"),
        (refusals.AUDIENCE_MISMATCH, 400, "invalid_request"),
        (refusals.USER_DISABLED, 400, "invalid_request"),
        (refusals.ACCOUNT_EXISTS, 400, "invalid_request"),
        (refusals.INVALID_TARGET, 400, "invalid_target"),
        (refusals.UNSUPPORTED_GRANT_TYPE, 400, "unsupported_grant_type"),
        (refusals.PAYLOAD_TOO_LARGE, 413, "invalid_request"),
        (refusals.RATE_LIMITED, 429, "temporarily_unavailable"),
        (refusals.KEYS_UNAVAILABLE, 503, "temporarily_unavailable"),
    ],
)
def test_refusals_of_a_subject_token(row: ErrorRow, status: int, error: str) -> None:
    """Every refusal of token or account is 400 `invalid_request` with our code; 413, 429 and 503 keep their status."""
    reply = refuse_token_request(PLAIN, DoorwardError(row))
    assert (reply.status, body_of(reply)["error"], body_of(reply)["error_code"]) == (status, error, row.code)
