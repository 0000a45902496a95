import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from joserfc import jwt as rfc_jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from doorward.protocol.algorithms import ALGORITHMS, read_key_set
from doorward.protocol.id_token import half_hash
from doorward.protocol.jose import KeySet, parse_key_set, read_compact, verify_signature
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.refusal import TokenRefused
from tests.support.entra import signer
from tests.support.other_keys import OTHERS, OtherSigner, other_signer

CLAIMS = {"sub": "jane", "aud": "us"}
WITNESSES = JWSRegistry(algorithms=[*OTHERS, "Ed25519"])


def key_set(*jwks: object) -> KeySet:
    """Read a document with these keys."""
    return read_key_set(json.dumps({"keys": list(jwks)}).encode())


def minted(key: OtherSigner, **header: object) -> str:
    """Sign honest claims."""
    return key.sign({"kid": key.kid, **header}, CLAIMS)


def holds(token: str, keys: KeySet, algorithms: frozenset[str] = ALGORITHMS) -> bool:
    """Say whether any key of a set made a token's signature."""
    read = read_compact(token, algorithms=algorithms)
    return any(verify_signature(read, key) for key in (*keys.find(read.kid), *keys.find_other(read.kid)))


def with_alg(token: str, alg: str, signature: bytes | None = None) -> str:
    """Give a token under another `alg`, and with another signature where one is given."""
    head, body, tail = token.split(".")
    header = json.loads(_raw(head)) | {"alg": alg}
    return f"{_b64(json.dumps(header).encode())}.{body}.{tail if signature is None else _b64(signature)}"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("algorithm", OTHERS)
def test_what_others_sign_is_accepted(algorithm: str) -> None:
    """A token that PyJWT signed verifies here, under a key that names its algorithm and under one that names none."""
    key = other_signer(algorithm)
    for jwk in (key.jwk(), key.jwk(alg=None), key.jwk(use=None)):
        assert holds(minted(key), key_set(jwk))


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # by its new name, which PyJWT does not know yet
@pytest.mark.parametrize("algorithm", OTHERS)
def test_witnesses_agree(algorithm: str) -> None:
    """PyJWT and joserfc accept with our reading of the key what we accept."""
    key = other_signer(algorithm)
    token, jwk = minted(key), key.jwk()
    read = read_compact(token, algorithms=ALGORITHMS)
    assert jwt.decode(token, key.private.public_key(), algorithms=[algorithm], options={"verify_aud": False}) == CLAIMS
    maker: Any = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}[str(jwk["kty"])]
    assert rfc_jwt.decode(token, maker.import_key(jwk), registry=WITNESSES).claims == read.unverified_claims == CLAIMS


@pytest.mark.parametrize("algorithm", OTHERS)
def test_a_spoiled_signature_is_none(algorithm: str) -> None:
    """Any byte of the signature, and any claim, counts; so do a shorter and a longer one, and one of zeros."""
    key = other_signer(algorithm)
    token, keys = minted(key), key_set(key.jwk())
    signature = _raw(token.split(".")[2])
    places = (0, len(signature) // 2, len(signature) - 1)
    flipped = [bytes([*signature[:at], signature[at] ^ 1, *signature[at + 1 :]]) for at in places]
    for wrong in (*flipped, signature[:-1], signature + b"\x00", bytes(len(signature)), signature[:1]):
        assert not holds(with_alg(token, algorithm, wrong), keys)
    head, _, tail = token.split(".")
    assert not holds(f"{head}.{_b64(json.dumps({**CLAIMS, 'sub': 'john'}).encode())}.{tail}", keys)


@pytest.mark.parametrize("algorithm", OTHERS)
def test_the_token_does_not_choose_the_algorithm(algorithm: str) -> None:
    """The same signature under any other `alg` is refused, by the header or by the key."""
    key = other_signer(algorithm)
    token, keys = minted(key), key_set(key.jwk(alg=None))
    same = {"EdDSA", "Ed25519"} if algorithm == "EdDSA" else {algorithm}  # two names of one (RFC 9864)
    for alg in ALGORITHMS - same:
        assert not holds(with_alg(token, alg), keys), alg
    for alg in ("none", "HS256", "HS384", "HS512", "ES256K", "Ed448", "es256", ""):
        with pytest.raises(TokenRefused, match="alg is not"):
            holds(with_alg(token, alg), keys)


def test_a_key_that_names_its_algorithm_verifies_no_other() -> None:
    """An RSA key that is published for PS256 makes no RS256 signature, and the reverse."""
    token = minted(other_signer("PS256"))
    for named in ("RS256", "RS384", "PS512", "ES256", "RSA-OAEP", 5):
        keys = [other_signer("PS256").jwk(alg=named), other_signer("EdDSA").jwk()]
        assert not holds(token, key_set(*keys))


@pytest.mark.parametrize("algorithm", OTHERS)
def test_a_public_key_is_no_secret(algorithm: str) -> None:
    """HS256 under the published key, in every spelling of it, is refused by its header alone."""
    key = other_signer(algorithm)
    head, body, _ = minted(key).split(".")
    header = json.loads(_raw(head)) | {"alg": "HS256"}
    signing_input = f"{_b64(json.dumps(header).encode())}.{body}"
    for secret in (json.dumps(key.jwk()).encode(), str(key.jwk().get("n", key.jwk().get("x"))).encode()):
        tag = hmac.digest(secret, signing_input.encode(), "sha256")
        with pytest.raises(TokenRefused, match="alg is not"):
            holds(f"{signing_input}.{_b64(tag)}", key_set(key.jwk()))


@pytest.mark.parametrize("algorithm", OTHERS)
def test_the_exchange_takes_none_of_them(algorithm: str) -> None:
    """Whoever asks for RS256 reads no such token and finds no such key."""
    key = other_signer(algorithm)
    with pytest.raises(TokenRefused, match="alg is not RS256"):
        read_compact(minted(key))
    document = json.dumps({"keys": [key.jwk()]}).encode()
    with pytest.raises(ValueError, match="no usable"):
        parse_key_set(document)
    assert not read_key_set(document).find(key.kid)
    assert not list(read_key_set(document))


def test_rs256_is_as_it_was() -> None:
    """An RS256 key verifies RS256 beside the others, and not through them."""
    known: RsaSigner = signer("shared")
    keys = key_set(known.jwk(), other_signer("ES256").jwk())
    token = known.sign({"alg": "RS256", "kid": known.kid}, CLAIMS)
    assert holds(token, keys)
    assert not holds(with_alg(token, "RS384"), keys)
    assert not holds(with_alg(token, "PS256"), keys)


ES, ED, RS = (other_signer(name) for name in ("ES256", "EdDSA", "RS512"))
UNUSABLE: dict[str, dict[str, object]] = {
    "a point off the curve": ES.jwk(x=_b64(bytes(31) + b"\x01")),
    "a short coordinate": ES.jwk(x=_b64(b"\x01")),
    "no y": ES.jwk(y=None),
    "another curve": ES.jwk(crv="P-384"),
    "an unknown curve": ES.jwk(crv="secp256k1"),
    "a coordinate that is no text": ES.jwk(x=5),
    "bad base64url": ES.jwk(x=str(ES.jwk()["x"])[:-1] + "="),
    "a key for encryption": ES.jwk(use="enc"),
    "no kid": ES.jwk(kid=None),
    "a long kid": ES.jwk(kid="k" * 257),
    "ECDH": ES.jwk(alg="ECDH-ES"),
    "X25519": ED.jwk(crv="X25519"),
    "Ed448": ED.jwk(crv="Ed448"),
    "half an Ed25519 key": ED.jwk(x=_b64(bytes(16))),
    "a small RSA key": RS.jwk(n=_b64((2**1023 + 1).to_bytes(128, "big"))),
    "an even RSA modulus": RS.jwk(n=_b64((2**2047).to_bytes(256, "big"))),
    "exponent 3": RS.jwk(e="Aw"),
    "a symmetric key": {"kty": "oct", "kid": "k", "k": "c2VjcmV0"},
    "nothing": {},
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_keys_are_left_out(name: str) -> None:
    """A key that cannot verify anything safely is left out; alone, it makes the document unusable."""
    kept = key_set(UNUSABLE[name], other_signer("ES384").jwk())
    assert list(kept.others) == ["kid-ES384"]
    with pytest.raises(ValueError, match="no usable"):
        key_set(UNUSABLE[name])


@pytest.mark.parametrize("document", [b"", b"[]", b'{"keys": 5}', b'{"keys": [5, null]}', b'{"keys": [], "keys": []}'])
def test_no_key_document(document: bytes) -> None:
    """What is no JWK set never takes the place of one."""
    with pytest.raises(ValueError, match="key document"):
        read_key_set(document)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_hashes_are_those_of_the_algorithm(algorithm: str) -> None:
    """`at_hash` and `c_hash` are the left half of the hash that the algorithm uses; SHA-512 with Ed25519."""
    name = "sha512" if algorithm.startswith("Ed") else f"sha{algorithm[2:]}"
    whole = hashlib.new(name, b"token").digest()
    assert half_hash("token", algorithm) == _b64(whole[: len(whole) // 2])
