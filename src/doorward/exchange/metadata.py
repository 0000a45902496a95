"""What the token service says of itself: authorization server metadata (RFC 8414).

A client that knows the issuer finds every endpoint here; the addresses derive from the public URL alone.
"""

from doorward.exchange.envelope import PREFIX, answer_json
from doorward.exchange.token_exchange import GRANT
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply

PATH = f"/.well-known/oauth-authorization-server{PREFIX}"


class Metadata:
    """The handler of the metadata document."""

    def __init__(self, issuer: str) -> None:
        """Describe the service at `issuer`."""
        self._document = metadata(issuer)

    async def answer(self, _visit: Visit, _body: bytes) -> Reply:
        """Give the document."""
        return answer_json(self._document)


def metadata(issuer: str) -> dict[str, object]:
    """Give the members of the document for `issuer` (RFC 8414 section 2)."""
    authenticated = ["client_secret_basic"]
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/oauth2/token",
        "introspection_endpoint": f"{issuer}/oauth2/introspect",
        "revocation_endpoint": f"{issuer}/oauth2/revoke",
        "jwks_uri": f"{issuer}/oauth2/jwks",
        "grant_types_supported": [GRANT],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint_auth_methods_supported": authenticated,
        "revocation_endpoint_auth_methods_supported": authenticated,
        "service_documentation": f"{issuer}/docs",
    }
