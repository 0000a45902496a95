"""What a pretend provider is: documents that it publishes, and tokens that it mints."""

from collections.abc import Mapping
from typing import Protocol

from doorward.emulator.messages import MintRequest


class Pretend(Protocol):
    """One pretend identity provider."""

    name: str

    def document(self, path: str) -> Mapping[str, object] | None:
        """Give the JSON document that it publishes at a path of the emulator, or None."""
        ...

    def mint(self, request: MintRequest) -> str:
        """Mint the token that was asked for; raises `BadMessage` for what cannot be."""
        ...
