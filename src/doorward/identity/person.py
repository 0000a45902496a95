"""Who signed in, and what the provider gave for it (easy-auth reference 4).

`Identity` is all that is known of a signed-in person, and is what a session keeps. Owns how it is shown at `/.auth/me`.
Tokens in it are secrets: nothing here prints them but that element, which is the person's own.
"""

import unicodedata
from datetime import UTC, datetime, timedelta

import msgspec

from doorward.identity.claims import Claim

TICKS_A_SECOND = 10_000_000
"""`expires_on` counts 100 nanoseconds, as .NET does, from the Unix epoch on."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_TICK = 253_402_300_800 * TICKS_A_SECOND - 1  # 9999-12-31T23:59:59.9999999Z, the last moment that can be written
_TOKEN_MEMBERS = ("access_token", "access_token_secret", "authentication_token", "id_token", "refresh_token")
_BREAKS = frozenset({"Cc", "Cs", "Zl", "Zp"})


class ProviderTokens(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the provider issued. `expires_on` counts 100 nanoseconds since the Unix epoch."""

    access_token: str | None = None
    access_token_secret: str | None = None
    authentication_token: str | None = None
    expires_on: int | None = None
    id_token: str | None = None
    refresh_token: str | None = None

    def __repr__(self) -> str:
        """Show which tokens there are, never a token."""
        return (
            f"ProviderTokens({', '.join(name for name in self.__struct_fields__ if getattr(self, name) is not None)})"
        )


class Identity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person as a provider speaks of them.

    `user_id` is the name that people read (reference 4.5), one line of text; `name_typ` is the claim type that it came
    from. `subject` is nameidentifier, which is stable; `principal_id` is what `X-MS-CLIENT-PRINCIPAL-ID` says, stable
    as well. The two `sid` of a session token are derived from `principal_id` and `user_id` (`identity/sid.py`).
    """

    provider: str
    user_id: str
    subject: str
    principal_id: str
    name_typ: str
    claims: tuple[Claim, ...]
    tokens: ProviderTokens = ProviderTokens()


def ticks(seconds: float) -> int:
    """Give a moment, in seconds since the Unix epoch, as `expires_on` counts it.

    What lies outside the years 1970 to 9999 becomes the nearest moment within: a provider may say any `expires_in`.
    """
    return round(min(max(seconds, 0.0), 253_402_300_800.0) * TICKS_A_SECOND)


def ticks_text(count: int) -> str:
    """Write `expires_on`: UTC, ISO 8601, exactly seven fractional digits and `Z` (reference 4.1)."""
    seconds, fraction = divmod(min(max(count, 0), _LAST_TICK), TICKS_A_SECOND)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{fraction:07d}Z"


def one_line(text: str) -> str:
    """Drop control characters, line breaks and half surrogate pairs, and white space at both ends.

    For what goes into a header: a display name with a line break would otherwise begin a header of its own.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    return "".join(c for c in text if unicodedata.category(c) not in _BREAKS).strip()


def me_entry(identity: Identity, *, profile: str, refreshed: bool, redact: bool) -> dict[str, object]:
    """Give one element of `/.auth/me`: names in alphabetical order, what is absent left out (reference 4.1).

    `profile` is the setting of that name; in the profile 2016 `refresh_token` shows only after a refresh in this
    session, and aad has neither `access_token` nor `expires_on` (reference 12). With `redact` no token is shown.
    """
    tokens = identity.tokens
    shown: dict[str, object] = {} if redact else {name: getattr(tokens, name) for name in _TOKEN_MEMBERS}
    if tokens.expires_on is not None:
        shown["expires_on"] = ticks_text(tokens.expires_on)
    for name in _absent_in_2016(identity, refreshed=refreshed) if profile == "2016" else ():
        shown.pop(name, None)
    shown["provider_name"] = identity.provider
    shown["user_claims"] = identity.claims
    shown["user_id"] = identity.user_id
    return {name: shown[name] for name in sorted(shown) if shown[name] is not None}


def _absent_in_2016(identity: Identity, *, refreshed: bool) -> tuple[str, ...]:
    absent = () if refreshed else ("refresh_token",)
    return (*absent, "access_token", "expires_on") if identity.provider == "aad" else absent
