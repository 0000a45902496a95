"""Which e-mail addresses a provider vouches for: those that `easyauth.allowed_emails` and `allowed_domains` look at.

An address identifies nobody by itself: with many providers anybody can write any address into a profile. Only what the
provider says it has verified counts; where it says nothing of that, it depends on who chose the provider.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from doorward.base.text import email_key

Raw: TypeAlias = Mapping[str, object]
Vouch: TypeAlias = Callable[[Raw, str], tuple[str, ...]]
"""From raw claims or a profile, and the configured issuer, to the addresses."""


def is_true(flag: object) -> bool:
    """Read a flag of a token, which some providers write as text."""
    return flag is True or flag == "true"


def verified_email(raw: Raw, _issuer: str) -> tuple[str, ...]:
    """Give the address of `email` where `email_verified` is true (OpenID Connect Core section 5.1)."""
    return addresses(raw.get("email")) if is_true(raw.get("email_verified")) else ()


def undenied_email(raw: Raw, _issuer: str) -> tuple[str, ...]:
    """Give the address of `email` unless it is said not to be verified.

    For a provider that the operator chose for its people: many of those never say `email_verified`.
    """
    return addresses(raw.get("email")) if "email_verified" not in raw or is_true(raw["email_verified"]) else ()


def profile_email(raw: Raw, _issuer: str) -> tuple[str, ...]:
    """Give the address of `email`, for a provider that shows no address before it was verified."""
    return addresses(raw.get("email"))


def no_email(_raw: Raw, _issuer: str) -> tuple[str, ...]:
    """Give nothing, for a provider that tells no address."""
    return ()


def addresses(*values: object) -> tuple[str, ...]:
    """Give those values that are e-mail addresses, each once."""
    texts = (value.strip() for value in values if isinstance(value, str) and email_key(value) is not None)
    return tuple(dict.fromkeys(texts))
