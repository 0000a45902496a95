import re

import pytest

from doorward.base import faults, refusals, refusals_easyauth, refusals_gateway, refusals_sign_in
from doorward.base.errors import DoorwardError, ErrorRow, catalogue, enter

REFUSALS = (refusals, refusals_easyauth, refusals_gateway, refusals_sign_in)
ROWS = list(catalogue().values())
CONTRACT = {
    "token_expired": (401, "Azure AD token has expired"),
    "audience_mismatch": (401, "Audience doesn't match"),
    "email_mismatch": (403, "Token email does not match provided email"),
    "user_not_found": (404, "User not found"),
    "validation_error": (422, "Validation Error"),
    "invalid_token": (401, "Azure AD token is invalid"),
    "token_not_yet_valid": (401, "Azure AD token is not yet valid"),
    "issuer_mismatch": (401, "Issuer doesn't match"),
    "tenant_not_allowed": (403, "Tenant is not allowed"),
    "guest_not_allowed": (403, "Guest users are not allowed"),
    "token_replayed": (401, "Azure AD token has already been used"),
    "account_exists": (409, "An account with this email already exists and is not linked to this identity"),
    "identity_conflict": (409, "This account is linked to a different identity"),
    "user_disabled": (403, "User is disabled"),
    "organization_not_allowed": (403, "Organization is not allowed"),
    "payload_too_large": (413, "Request body is too large"),
    "rate_limited": (429, "Too many requests"),
    "keys_unavailable": (503, "Signing keys are temporarily unavailable"),
    "authentication_required": (401, "Authentication required"),
    "invalid_access_token": (401, "Access token is invalid or expired"),
    "refresh_not_allowed": (403, "Refresh is not allowed"),
}


@pytest.mark.parametrize("code", CONTRACT)
def test_contract(code: str) -> None:
    """Codes, statuses and messages are those of the reference (1.4 and 1.6) and of the interface."""
    row = catalogue()[code]
    assert (row.status, row.message) == CONTRACT[code]


def test_organization_not_found_is_a_validation_error() -> None:
    """An unknown organization is a 422 like every other wrong field."""
    assert refusals.ORGANIZATION_NOT_FOUND.status == 422


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_rows_can_be_sent(row: ErrorRow) -> None:
    """A message fits into a quoted header value, and every row has a cause and a fix."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", row.code)
    assert re.fullmatch(r"[ !#-\[\]-~]+", row.message)
    assert not row.message.endswith(".")
    assert row.cause.strip()
    assert row.fix.strip()
    assert row.status == 0 or 400 <= row.status <= 599


def test_floors_of_the_catalogue() -> None:
    """Refusals have a status; an operator's faults never reach HTTP."""
    rows = {
        module: [row for row in vars(module).values() if isinstance(row, ErrorRow)] for module in (*REFUSALS, faults)
    }
    assert all(row.status for module in REFUSALS for row in rows[module])
    assert not any(row.status for row in rows[faults])


def test_a_code_is_entered_once() -> None:
    """Two meanings under one code are refused."""
    with pytest.raises(ValueError, match="taken"):
        enter(refusals.INVALID_TOKEN)


def test_an_error_shows_code_and_facts() -> None:
    """The log sees what was found; the message stays that of the row."""
    error = DoorwardError(refusals.TENANT_NOT_ALLOWED, tid="x", retry_after=None)
    assert str(error) == "tenant_not_allowed: Tenant is not allowed (tid=x)"
    assert error.args == ("Tenant is not allowed",)
    assert str(DoorwardError(refusals.USER_DISABLED)) == "user_disabled: User is disabled"
