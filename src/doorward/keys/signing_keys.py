"""The keys that may have made one token's signature: RS256 ones as ever, those of other algorithms beside them.

Only sign-in at custom providers asks here. The exchange, and whoever else takes RS256 alone, asks `ProviderKeys` and
never sees a key of another algorithm.
"""

from typing import Protocol

from doorward.protocol.jose import RS256, KeySet, OtherKey, ProviderKey, UnverifiedToken


class KeySource(Protocol):
    """Where the keys of an issuer come from; `ProviderKeys` is one."""

    async def find(self, url: str, kid: str) -> tuple[ProviderKey, ...]:
        """Give the RS256 keys under `kid` at an address; raises `DoorwardError` (`keys_unavailable`)."""
        ...

    def key_set(self, url: str) -> KeySet | None:
        """Give the key set of an address as it is known now, or None."""
        ...


async def find_signing_keys(
    keys: KeySource, url: str, token: UnverifiedToken
) -> tuple[ProviderKey, ...] | tuple[OtherKey, ...]:
    """Give the keys that are published at an address under the token's `kid` and may verify its algorithm.

    Raises `DoorwardError` (`keys_unavailable`).
    """
    if token.algorithm == RS256:
        return await keys.find(url, token.kid)
    if not (found := _known(keys, url, token)):
        await keys.find(url, token.kid)  # it is unknown there too, and so fetched if a fetch is due
        found = _known(keys, url, token)
    return found


def _known(keys: KeySource, url: str, token: UnverifiedToken) -> tuple[OtherKey, ...]:
    known = keys.key_set(url)
    return () if known is None else known.find_other(token.kid)
