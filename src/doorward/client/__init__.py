"""For apps that are called with platform tokens: `PlatformTokens` says whose token a request carries.

Owns the checks of a resource server: introspection (RFC 7662) with a bounded cache, or the service's published keys.
It is part of an app, so importing it costs little and loads nothing of the service. It refuses to guess: whatever
cannot be checked is an error, never a user.
"""

from doorward.client.refusals import (
    MalformedRequest,
    NoToken,
    PlatformTokenError,
    ServiceUnavailable,
    TokenRefused,
)
from doorward.client.tokens import PlatformTokens
from doorward.client.user import PlatformUser

__all__ = [
    "MalformedRequest",
    "NoToken",
    "PlatformTokenError",
    "PlatformTokens",
    "PlatformUser",
    "ServiceUnavailable",
    "TokenRefused",
]
