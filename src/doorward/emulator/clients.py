"""The applications that are registered at the pretend providers.

Strict as the real ones: an application is known by its client ID at one provider, returns to registered addresses only,
and has its secret. Applications may be added while the emulator runs.
"""

from collections.abc import Iterable
from hmac import compare_digest
from urllib.parse import unquote

import msgspec

ANY_BELOW = "/*"


class Client(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One application at one provider, named by the provider's alias.

    Without `client_secret` it is public: it redeems by PKCE alone. `redirect_uris` are compared as whole strings;
    `post_logout_redirect_uris` too, but one that ends in `/*` covers everything below. `jwk` is the public key of a
    client that signs assertions in place of a secret; at Apple `team_id` is who signs. `expiring` gives GitHub's tokens
    an end and a refresh token.
    """

    provider: str
    client_id: str
    client_secret: str = ""
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    jwk: dict[str, str] | None = None
    team_id: str = ""
    expiring: bool = False

    def __repr__(self) -> str:
        """Show whose it is, never the secret."""
        return f"Client({self.provider!r}, {self.client_id!r})"

    @property
    def is_public(self) -> bool:
        """Say whether it has nothing to prove itself by."""
        return not self.client_secret and self.jwk is None

    def has_secret(self, given: str) -> bool:
        """Compare a secret."""
        return bool(self.client_secret) and compare_digest(self.client_secret.encode(), given.encode())

    def may_return_to(self, address: str) -> bool:
        """Say whether a sign-in may end at an address."""
        return address in self.redirect_uris

    def may_leave_to(self, address: str) -> bool:
        """Say whether a sign-out may end at an address."""
        return any(_covers(entry, address) for entry in self.post_logout_redirect_uris)


class Clients:
    """All applications, by provider and client ID."""

    def __init__(self, clients: Iterable[Client] = ()) -> None:
        """Begin with `clients`."""
        self._known = {(client.provider, client.client_id): client for client in clients}

    def add(self, client: Client) -> None:
        """Register an application, in place of one of the same ID."""
        self._known[client.provider, client.client_id] = client

    def find(self, provider: str, client_id: str) -> Client | None:
        """Give an application, or None."""
        return self._known.get((provider, client_id))

    def of(self, provider: str) -> list[Client]:
        """Give all applications of a provider."""
        return [client for client in self._known.values() if client.provider == provider]


def _covers(entry: str, address: str) -> bool:
    if not entry.endswith(ANY_BELOW):
        return address == entry
    # A dot segment, plain or escaped, and what browsers take for a slash could lead out again.
    steps = unquote(address.partition("?")[0]).split("/")
    return address.startswith(entry[:-1]) and "\\" not in unquote(address) and not {".", ".."} & set(steps)
