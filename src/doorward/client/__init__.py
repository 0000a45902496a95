"""For apps: `current_principal` says who signed in at the gateway, `PlatformTokens` whose token a request carries.

Owns the reading of the gateway's headers, and the checks of a resource server: introspection (RFC 7662) with a bounded
cache, or the service's published keys. It is part of an app, so importing it costs little and loads nothing of the
service. It refuses to guess: whatever cannot be checked is an error, never a user.
"""

from doorward.client.principal import ClientPrincipal, PrincipalClaim, ProviderTokenSet, current_principal
from doorward.client.refusals import (
    MalformedPrincipal,
    MalformedRequest,
    NoToken,
    PlatformTokenError,
    ServiceUnavailable,
    TokenRefused,
)
from doorward.client.tokens import PlatformTokens
from doorward.client.user import PlatformUser

__all__ = [
    "ClientPrincipal",
    "MalformedPrincipal",
    "MalformedRequest",
    "NoToken",
    "PlatformTokenError",
    "PlatformTokens",
    "PlatformUser",
    "PrincipalClaim",
    "ProviderTokenSet",
    "ServiceUnavailable",
    "TokenRefused",
    "current_principal",
]
