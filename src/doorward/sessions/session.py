"""One session, and one caller: what a credential comes to.

A session is what the token store holds of somebody who signed in (easy-auth reference 7). Both values are made once and
then only handed on: the headers for the application and the body of `/.auth/me` are ready in them.
"""

from dataclasses import dataclass, field
from typing import Protocol

from doorward.identity.admission import Credential
from doorward.identity.person import Identity, ProviderTokens
from doorward.identity.principal import Principal
from doorward.sessions.cookie_value import CookieValues

TICKS = 10_000_000
"""How many parts of `ProviderTokens.expires_on` make a second."""


class Present(Protocol):
    """Turns an identity into what others are shown of it."""

    def __call__(self, identity: Identity, *, refreshed: bool) -> tuple[Principal, bytes]:
        """Give the principal for the application, and the body of `/.auth/me`.

        Raises `LookupError` for an identity of a provider that is not configured (any more).
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """Somebody who signed in; times are seconds since the epoch.

    `expires_at` is the cookie's, `token_expires_at` that of the newest session token made from the session, None where
    none was made. `generation` counts the refreshes, `me` is the element of `/.auth/me` as JSON. `site` is the origin
    that the session was begun at and counts at, empty where it counts at each; `values` are those of its cookie.
    """

    id: str
    provider: str
    user_id: str
    identity: Identity = field(repr=False)
    principal: Principal = field(repr=False)
    me: bytes = field(repr=False)
    refreshed: bool
    generation: int
    created_at: float
    expires_at: float
    token_expires_at: float | None
    site: str = ""
    values: CookieValues = field(default_factory=CookieValues, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Caller:
    """What the credentials of a request come to.

    `session` is None for anonymous callers, refused ones, and those whose bearer is no session of ours. `me` is the
    body of `/.auth/me`, empty for nobody. `until` is when the credential ends.
    """

    credential: Credential
    session: Session | None = None
    me: bytes = field(default=b"", repr=False)
    until: float = 0.0


def token_expiry(tokens: ProviderTokens) -> float | None:
    """Give when the provider's access token expires, in seconds, or None where nobody knows."""
    return None if tokens.expires_on is None else tokens.expires_on / TICKS
