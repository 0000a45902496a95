import json

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.keys.kept import ForgottenDocuments
from doorward.keys.provider_keys import COOLDOWN, ProviderKeys
from doorward.keys.signing_keys import find_signing_keys
from doorward.outbound import Outbound
from doorward.protocol.algorithms import ALGORITHMS
from doorward.protocol.jose import UnverifiedToken, read_compact
from doorward.protocol.jose_sign import RsaSigner
from tests.support import peers
from tests.support.entra import signer
from tests.support.other_keys import OtherSigner, other_signer

NOW = 1_800_000_000.0


def token(key: OtherSigner | RsaSigner) -> UnverifiedToken:
    """Read a token of a key."""
    made = key.sign({"kid": key.kid, "alg": "RS256"}, {"sub": "jane"})
    return read_compact(made, algorithms=ALGORITHMS)


def document(*keys: OtherSigner | RsaSigner) -> bytes:
    """Write a key document."""
    return json.dumps({"keys": [key.jwk() for key in keys]}).encode()


async def test_keys_are_found_by_the_algorithm_of_the_token() -> None:
    """One document, RS256 and ES256: each token finds its own kind, under one fetch."""
    known, other = signer("shared"), other_signer("ES256")
    clock = FrozenClock(NOW)
    async with peers.publisher(peers.answer(document(known, other))) as server:
        keys = ProviderKeys(Outbound(None, {}), ForgottenDocuments(), clock, SeededEntropy())
        for key in (known, other):
            assert [one.kid for one in await find_signing_keys(keys, server.url, token(key))] == [key.kid]
        assert not await keys.find(server.url, other.kid)  # who knows RS256 alone never sees the other
        assert len(server.heads) == 2  # the second by that last question: there the kid is unknown


async def test_a_new_key_is_fetched_when_its_first_token_comes() -> None:
    """A provider that rotates to a key of another algorithm is asked again, and once in a cooldown."""
    first, second = other_signer("ES256"), other_signer("EdDSA")
    clock = FrozenClock(NOW)
    async with peers.publisher(peers.answer(document(first))) as server:
        keys = ProviderKeys(Outbound(None, {}), ForgottenDocuments(), clock, SeededEntropy())
        assert await find_signing_keys(keys, server.url, token(first))
        assert not await find_signing_keys(keys, server.url, token(second))
        server.publish(document(first, second))
        asked = len(server.heads)
        assert not await find_signing_keys(keys, server.url, token(second))
        assert len(server.heads) == asked
        clock.advance(COOLDOWN)
        assert await find_signing_keys(keys, server.url, token(second))
        assert await find_signing_keys(keys, server.url, token(first))
        assert len(server.heads) == asked + 1
