"""One claim as App Service writes it (easy-auth reference 4): a type and a value, both text.

Owns the claim types that the house itself speaks of, and how a JSON value is printed as claims. Which claim of which
provider gets which type is the providers' affair.
"""

import json
import sys
from decimal import Decimal
from typing import cast

import msgspec

_SOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_MICROSOFT = "http://schemas.microsoft.com/identity/claims"

NAMEIDENTIFIER = f"{_SOAP}/nameidentifier"
NAME = f"{_SOAP}/name"
EMAIL = f"{_SOAP}/emailaddress"
UPN = f"{_SOAP}/upn"
GIVEN_NAME = f"{_SOAP}/givenname"
SURNAME = f"{_SOAP}/surname"
GENDER = f"{_SOAP}/gender"
WEB_PAGE = f"{_SOAP}/webpage"
DATE_OF_BIRTH = f"{_SOAP}/dateofbirth"
OBJECT_ID = f"{_MICROSOFT}/objectidentifier"
TENANT_ID = f"{_MICROSOFT}/tenantid"
IDENTITY_PROVIDER = f"{_MICROSOFT}/identityprovider"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"

IN_TOKENS = ("false", "true")
"""How a token's booleans are printed (reference 4.7)."""

IN_PROFILES = ("False", "True")
"""How a profile's booleans are printed: .NET wrote them, with a capital (reference 4.7)."""


class Claim(msgspec.Struct, frozen=True, gc=False):
    """One entry of `user_claims`; types may repeat, so claims are kept in a tuple, never in a dictionary."""

    typ: str
    val: str

    def __post_init__(self) -> None:
        """Share the type with all claims that have it: it is long, and many sessions are kept in memory."""
        msgspec.structs.force_setattr(self, "typ", sys.intern(self.typ))


def first_value(claims: tuple[Claim, ...], typ: str) -> str | None:
    """Give the value of the first claim of this type, or None."""
    return next((claim.val for claim in claims if claim.typ == typ), None)


def printed(value: object, flags: tuple[str, str] = IN_TOKENS) -> list[str]:
    """Print a JSON value as the values of its claims: one for a scalar or an object, one for each element of an array.

    Null is no claim. `flags` are the words for false and true (reference 4.7).
    """
    if isinstance(value, list):
        return [_one(element, flags) for element in cast("list[object]", value) if element is not None]
    return [] if value is None else [_one(value, flags)]


def _one(value: object, flags: tuple[str, str]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return flags[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _decimal(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _decimal(value: float) -> str:
    """Print a number without exponent, and without a fraction where there is none."""
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
