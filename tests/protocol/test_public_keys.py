import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.entropy import SeededEntropy
from doorward.protocol.public_keys import read_public_keys
from doorward.protocol.signing import Algorithm, TokenKey, draw_secret

ENTROPY = SeededEntropy(b"public keys")
ES256 = TokenKey.of("a", "ES256", draw_secret(ENTROPY))
EDDSA = TokenKey.of("b", "EdDSA", draw_secret(ENTROPY))


def document(*members: Any) -> bytes:
    """Write a key document."""
    return json.dumps({"keys": members}).encode()


@given(st.binary(max_size=64), st.sampled_from([ES256, EDDSA]), st.integers(0, 63), st.integers(1, 255))
def test_what_a_key_signs_its_public_half_verifies(text: bytes, key: TokenKey, place: int, change: int) -> None:
    """A published key verifies exactly what its private half signed: no other text, no other signature."""
    public = read_public_keys(document(key.jwk()))[key.kid]
    signature = bytearray(key.scheme.sign(text))
    assert public.verifies(text, bytes(signature))
    assert not public.verifies(text + b"x", bytes(signature))
    signature[place] ^= change
    assert not public.verifies(text, bytes(signature))


def test_keys_are_found_by_name() -> None:
    """Both algorithms may stand in one document, and each key keeps its own."""
    keys = read_public_keys(document(ES256.jwk(), EDDSA.jwk()))
    assert {kid: key.algorithm for kid, key in keys.items()} == {"a": "ES256", "b": "EdDSA"}


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "RSA"},
        {"kty": "oct", "k": "AAAA"},
        {"crv": "P-384"},
        {"alg": "HS256"},
        {"alg": "EdDSA"},
        {"use": "enc"},
        {"kid": ""},
        {"kid": 1},
        {"x": "AAAA"},
        {"x": "A" * 43},
        {"x": None},
        {"y": "!"},
    ],
)
def test_keys_of_another_kind_are_left_out(changes: dict[str, object]) -> None:
    """A key that is not what it says, or not of ours, verifies nothing; the good one beside it is kept."""
    spoilt = {**(ES256.jwk() or {}), **changes}
    assert set(read_public_keys(document(spoilt, EDDSA.jwk()))) == {"b"}


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [], "keys": []}', document(), document(1)]
)
def test_documents_without_a_usable_key_are_refused(raw: bytes) -> None:
    """Nothing that holds no key replaces keys that are known."""
    with pytest.raises(ValueError, match="key"):
        read_public_keys(raw)


def test_a_symmetric_key_is_never_published() -> None:
    """There is no public half of HS256, so nothing to read either."""
    algorithm: Algorithm = "HS256"
    assert TokenKey.of("c", algorithm, draw_secret(ENTROPY)).jwk() is None
