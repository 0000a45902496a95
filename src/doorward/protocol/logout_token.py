"""Logout tokens: a provider says that somebody's session with it is over (OpenID Connect Back-Channel Logout 1.0).

Owns what makes a token a logout token, beyond what every token of a provider is held to (`id_token.py`): section 2.4
says what is in it, section 2.6 how it is checked. An id_token must never pass for one, nor the reverse.
"""

from collections.abc import Mapping
from typing import Any, cast

from doorward.base.frozen import frozen
from doorward.protocol.oidc import VerifiedClaims
from doorward.protocol.refusal import Check, TokenRefused

LOGOUT_TYPES = frozenset({"JWT", "LOGOUT+JWT"})
"""What the header's `typ` may be, in capitals: by section 2.4 it should be the second, and most keep to the first."""
EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_AGE = 24 * 3600.0
"""Seconds. For so long it is remembered which tokens came, so an older one cannot be told from a copy."""
MAX_TEXT = 255

LOGOUT_EVENT = Check(
    name="logout event",
    demands="events has the member of back-channel logout, whose value is an object",
    source="OpenID Connect Back-Channel Logout section 2.6 number 5",
)
NO_NONCE = Check(
    name="no nonce",
    demands="there is no nonce, so that no id_token passes for a logout token",
    source="OpenID Connect Back-Channel Logout section 2.6 number 6",
)
NAMES_SOMEBODY = Check(
    name="names somebody",
    demands="there is sub or sid, each a text of 1 to 255 characters, and jti is one",
    source="OpenID Connect Back-Channel Logout section 2.6 numbers 4 and 7",
)
FRESHLY_ISSUED = Check(
    name="freshly issued",
    demands="iat is not longer ago than 24 hours",
    source="OpenID Connect Back-Channel Logout section 2.4",
)
CHECKS = (LOGOUT_EVENT, NO_NONCE, NAMES_SOMEBODY, FRESHLY_ISSUED)


@frozen
class LogoutToken:
    """Whose session has ended at `issuer`: that of `session`, the provider's `sid`, or every one of `subject`.

    `token_id` is its `jti`, `issued_at` in seconds since the epoch.
    """

    issuer: str
    subject: str | None
    session: str | None
    token_id: str
    issued_at: float


def read_logout_token(claims: VerifiedClaims, now: float) -> LogoutToken:
    """Make every check of `CHECKS` of claims that passed those of `id_token.py`; raises `TokenRefused`."""
    events = claims.get("events")
    if not isinstance(events, Mapping) or not isinstance(cast("Mapping[str, Any]", events).get(EVENT), Mapping):
        raise TokenRefused(LOGOUT_EVENT, "the back-channel logout event is absent")
    if "nonce" in claims:
        raise TokenRefused(NO_NONCE, "it has a nonce, as an id_token has")
    subject, session, token_id = (_text(claims, name) for name in ("sub", "sid", "jti"))
    if subject is None and session is None:
        raise TokenRefused(NAMES_SOMEBODY, "it has neither sub nor sid")
    if token_id is None:
        raise TokenRefused(NAMES_SOMEBODY, "it has no jti")
    issued_at = cast("float", claims["iat"])
    if issued_at < now - MAX_AGE:
        raise TokenRefused(FRESHLY_ISSUED, "it was issued more than 24 hours ago")
    issuer = claims.required_text("iss")
    return LogoutToken(issuer=issuer, subject=subject, session=session, token_id=token_id, issued_at=issued_at)


def _text(claims: VerifiedClaims, name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise TokenRefused(NAMES_SOMEBODY, f"{name} is no text of 1 to {MAX_TEXT} characters")
    return value
