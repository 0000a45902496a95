"""What a pretend provider is: documents that it publishes, tokens that it mints, and doors at which people sign in.

`Pretend` is all that the emulator asks of one. Those that speak OAuth 2 or OpenID Connect are an `OAuthProvider` of
`doors`: one file each says what is different about it, as data and as a few functions.
"""

from collections.abc import Mapping
from typing import Literal, Protocol

from doorward.base.frozen import frozen
from doorward.emulator.messages import MintRequest
from doorward.emulator.web import Ask, Reply

Door = Literal["authorize", "token", "userinfo", "end_session", "token_info", "request_token"]


class Pretend(Protocol):
    """One pretend identity provider. `name` is its alias, `label` what people call it."""

    name: str
    label: str

    def document(self, path: str) -> Mapping[str, object] | None:
        """Give the JSON document that it publishes at a path of the emulator, or None."""
        ...

    def door(self, path: str) -> "Spot | None":
        """Give what an application meets at a path of the emulator, or None."""
        ...

    def answer(self, ask: Ask, spot: "Spot") -> Reply:
        """Answer what was asked at one of its doors; raises `Refused`."""
        ...

    def mint(self, request: MintRequest) -> str:
        """Mint the token that was asked for; raises `BadMessage` for what cannot be."""
        ...


@frozen
class Spot:
    """A door of a provider. `realm` is the part of the provider that it belongs to (Entra: tenant and version)."""

    door: Door
    realm: str = ""
