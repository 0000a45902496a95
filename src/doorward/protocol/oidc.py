"""OpenID Connect id_tokens: the checks that hold for every provider (OpenID Connect Core section 3.1.3.7).

Owns the shape of claims, the times, and the type `VerifiedClaims`, which only a completed row of checks may make. What
a particular provider adds (issuer forms, kinds of token, e-mail rules) stands in `providers/`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from doorward.base.frozen import frozen
from doorward.base.text import guid, has_hidden
from doorward.protocol.refusal import Check, Fault, TokenRefused

MAX_LIFETIME = 24 * 3600.0
SUB_MAX = 255

CLAIM_SHAPES = Check(
    name="claims",
    demands="every required claim present, every known claim of its JSON type",
    source="OpenID Connect Core section 2; reference 2.7",
)
EXPIRY = Check(name="expiry", demands="now is before exp plus the leeway", source="RFC 7519 section 4.1.4")
NOT_BEFORE = Check(
    name="not before",
    demands="nbf and iat are not later than now plus the leeway",
    source="RFC 7519 sections 4.1.5 and 4.1.6",
)
LIFETIME = Check(
    name="lifetime", demands="exp is after iat, by at most 24 hours and the leeway", source="reference 2.7"
)
NONCE = Check(
    name="nonce",
    demands="the nonce claim equals the nonce that the client sent, when it sent one",
    source="OpenID Connect Core section 3.1.3.7 number 11; reference 2.11",
)


class VerifiedClaims(Mapping[str, object]):
    """The claims of a token that passed every check, in the order in which they were issued.

    Only a function that has made the checks constructs this type; whoever is handed one need not check again.
    """

    __slots__ = ("_claims",)

    def __init__(self, claims: Mapping[str, object]) -> None:
        """Vouch for `claims`."""
        self._claims = claims

    def __getitem__(self, name: str) -> object:
        """Give the claim called `name`."""
        return self._claims[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names in issued order."""
        return iter(self._claims)

    def __len__(self) -> int:
        """Count the claims."""
        return len(self._claims)

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override] - Mapping's has two overloads
        """Give the claim called `name`, or `default`; Mapping's own way to an absent one is an exception."""
        return self._claims.get(name, default)

    def text(self, name: str) -> str | None:
        """Give a claim that is a string, or None when it is absent or null."""
        value = self._claims.get(name)
        return value if isinstance(value, str) else None

    def required_text(self, name: str) -> str:
        """Give a claim whose shape was checked to be a string."""
        return cast("str", self._claims[name])


@frozen(kw_only=False)
class ClaimShape:
    """What one claim must look like: its name, whether it must be there, the predicate, and the predicate in words."""

    name: str
    required: bool
    fits: Callable[[object], bool]
    wants: str


def is_text(value: object) -> bool:
    """Say whether a value is a string."""
    return isinstance(value, str)


def is_guid(value: object) -> bool:
    """Say whether a value is a GUID."""
    return guid(value) is not None


def is_time(value: object) -> bool:
    """Say whether a value is a NumericDate (RFC 7519 section 2): a finite JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_subject(value: object) -> bool:
    """Say whether a value can be a `sub`: 1 to 255 characters, all of them visible."""
    return isinstance(value, str) and 0 < len(value) <= SUB_MAX and not has_hidden(value)


def is_audience(value: object) -> bool:
    """Say whether a value is one audience: a string, or an array of exactly one."""
    return single_audience(value) is not None


def single_audience(value: object) -> str | None:
    """Give the one audience of an `aud` claim, or None when it does not name exactly one."""
    if isinstance(value, list):
        members = cast("list[object]", value)
        value = members[0] if len(members) == 1 else None
    return value if isinstance(value, str) and value else None


def audiences_of(value: object) -> tuple[str, ...] | None:
    """Give the audiences of an `aud` claim, a string or an array of them; None when it is empty or holds another type.

    RFC 7519 section 4.1.3.
    """
    named = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = tuple(member for member in named if isinstance(member, str) and member)
    return texts if texts and len(texts) == len(named) else None


def check_shapes(claims: Mapping[str, object], shapes: tuple[ClaimShape, ...]) -> None:
    """Hold every claim to its shape; raises `TokenRefused` by `CLAIM_SHAPES` for the first that fails."""
    for shape in shapes:
        value = claims.get(shape.name)
        if value is None and shape.name not in claims:
            if shape.required:
                raise TokenRefused(CLAIM_SHAPES, f"{shape.name} is absent")
        elif not shape.fits(value):
            raise TokenRefused(CLAIM_SHAPES, f"{shape.name} is not {shape.wants}")


def check_times(claims: Mapping[str, object], now: float, leeway: float) -> None:
    """Hold exp, nbf and iat, whose shapes were checked, against one reading of the clock.

    Raises `TokenRefused` by `EXPIRY`, `NOT_BEFORE` or `LIFETIME`. Expiry comes first: a token that is expired and wrong
    in other ways is reported as expired.
    """
    check_expiry(claims, now, leeway)
    check_not_before(claims, now, leeway)
    expires, issued = cast("float", claims["exp"]), cast("float", claims["iat"])
    if not 0 < expires - issued <= MAX_LIFETIME + leeway:
        raise TokenRefused(LIFETIME, f"exp is {expires - issued:.0f} seconds after iat")


def check_expiry(claims: Mapping[str, object], now: float, leeway: float) -> None:
    """Refuse an expired token; raises `TokenRefused` by `EXPIRY`."""
    expires = cast("float", claims["exp"])
    if now >= expires + leeway:
        raise TokenRefused(EXPIRY, f"exp lies {now - expires:.0f} seconds in the past", Fault.EXPIRED)


def check_not_before(claims: Mapping[str, object], now: float, leeway: float) -> None:
    """Refuse a token whose nbf or iat, where present, lies ahead; raises `TokenRefused` by `NOT_BEFORE`."""
    for name in ("nbf", "iat"):
        ahead = cast("float", claims.get(name, now)) - now
        if ahead > leeway:
            raise TokenRefused(NOT_BEFORE, f"{name} lies {ahead:.0f} seconds in the future", Fault.NOT_YET_VALID)


def check_nonce(claims: Mapping[str, object], expected: str | None) -> None:
    """Hold the nonce claim to what the client sent; `None` means that it sent none, and the claim is ignored.

    Raises `TokenRefused` by `NONCE`.
    """
    if expected is not None and claims.get("nonce") != expected:
        raise TokenRefused(NONCE, "the nonce claim is absent or differs from the nonce in the request")
