import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any, get_args

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt as rfc_jwt
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.jws import JWSRegistry

from doorward.base.entropy import SeededEntropy
from doorward.protocol.jose import ProviderKey, UnverifiedToken, parse_key_set, verify_rs256
from doorward.protocol.signing import (
    Algorithm,
    NotOurs,
    TokenKey,
    UnknownHeader,
    _Es256,
    _scheme,
    draw_secret,
    open_token,
)

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
SECRET = draw_secret(SeededEntropy())
VECTORS: dict[str, dict[str, Any]] = msgspec.json.decode(
    (Path(__file__).parents[1] / "vectors" / "jose.json").read_bytes()
)
CLAIMS = {
    "iss": "https://app.example.com/auth-service",
    "sub": "1",
    "aud": "auth-service",
    "exp": 4_000_000_000,
    "n": 1.5,
}


def key(algorithm: Algorithm, secret: bytes = SECRET) -> TokenKey:
    """Give the key of one algorithm."""
    return TokenKey.of("key-1", algorithm, secret)


def decode(part: str) -> bytes:
    """Decode unpadded base64url."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def opened(token: str, *keys: TokenKey) -> object:
    """Open a token with some keys."""
    return msgspec.json.decode(open_token(token, {one.header: one for one in keys}))


def witness_key(own: TokenKey) -> Any:
    """Give the key as PyJWT takes it."""
    public = own.jwk()
    return own.secret if public is None else jwt.PyJWK(public).key


def private_key(own: TokenKey) -> Any:
    """Give the private key as PyJWT takes it."""
    return own.secret if own.algorithm == "HS256" else own.scheme.private  # type: ignore[attr-defined]  # tests look inside


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_pyjwt_reads_ours(algorithm: Algorithm) -> None:
    """PyJWT verifies our tokens and finds the same claims."""
    own = key(algorithm)
    token = own.sign(msgspec.json.encode(CLAIMS))
    assert jwt.decode(token, witness_key(own), algorithms=[algorithm], audience="auth-service") == CLAIMS
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "key-1"}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 renames it; tokens of today still say EdDSA
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_joserfc_reads_ours(algorithm: Algorithm) -> None:
    """A second, independent library verifies our tokens and finds the same claims."""
    own = key(algorithm)
    public = own.jwk()
    kinds = {"EC": ECKey, "OKP": OKPKey}
    theirs = OctKey.import_key(own.secret) if public is None else kinds[public["kty"]].import_key({**public})
    token = own.sign(msgspec.json.encode(CLAIMS))
    assert rfc_jwt.decode(token, theirs, registry=JWSRegistry(algorithms=[algorithm])).claims == CLAIMS


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_we_read_pyjwt_under_our_header(algorithm: Algorithm) -> None:
    """A token that PyJWT signs with our key opens if its header is ours byte for byte, and not otherwise."""
    own = key(algorithm)
    body = base64.urlsafe_b64encode(msgspec.json.encode(CLAIMS)).rstrip(b"=")
    theirs = jwt.get_algorithm_by_name(algorithm)
    signing_input = own.header + b"." + body
    signature = base64.urlsafe_b64encode(theirs.sign(signing_input, private_key(own))).rstrip(b"=")
    assert opened((signing_input + b"." + signature).decode(), own) == CLAIMS
    with pytest.raises(UnknownHeader):
        opened(jwt.encode(CLAIMS, private_key(own), algorithm=algorithm, headers={"kid": "key-1", "x": "y"}), own)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(claims=st.binary(min_size=1, max_size=100))
def test_any_claims_come_back(algorithm: Algorithm, claims: bytes) -> None:
    """What was signed is what opens."""
    own = key(algorithm)
    assert open_token(own.sign(claims), {own.header: own}) == claims


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_changes_are_noticed(algorithm: Algorithm) -> None:
    """Every change of one character, of any part, is refused."""
    own = key(algorithm)
    token = own.sign(b'{"sub":"1"}')
    for at, character in enumerate(token):
        for other in {"A", "B", ".", "=", "é"} - {character}:
            with pytest.raises(NotOurs):
                opened(token[:at] + other + token[at + 1 :], own)


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b", "a.b.c", "e30.e30.", "a.b.c.d.e", "\ud800.a.b", "é.é.é", "x" * 100_000, "." * 10_000],
)
def test_what_is_no_token(token: str) -> None:
    """Anything else is not ours, without another exception."""
    for algorithm in ALGORITHMS:
        with pytest.raises(NotOurs):
            opened(token, key(algorithm))
        with pytest.raises(NotOurs):
            opened(f"{key(algorithm).header.decode()}.{token}", key(algorithm))


@pytest.mark.parametrize("first", ALGORITHMS)
@pytest.mark.parametrize("second", ALGORITHMS)
def test_algorithms_are_never_confused(first: Algorithm, second: Algorithm) -> None:
    """A key of one algorithm opens no token of another, not even one made under its header."""
    one, other = key(first), key(second)
    token = one.sign(b'{"sub":"1"}')
    if first != second:
        with pytest.raises(UnknownHeader):
            opened(token, other)
        forged = other.header.decode() + token[len(one.header) :]
        with pytest.raises(NotOurs):
            opened(forged, other)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_another_secret_does_not_open(algorithm: Algorithm) -> None:
    """The same `kid` with another secret opens nothing."""
    with pytest.raises(NotOurs, match="bad signature"):
        opened(key(algorithm).sign(b"{}"), key(algorithm, SECRET[::-1]))


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_public_key_is_no_hmac_secret(algorithm: Algorithm) -> None:
    """Whoever knows the public key cannot sign with HMAC under it (reference 2.13)."""
    own = key(algorithm)
    public = msgspec.json.encode(own.jwk())
    signing_input = own.header + b".e30"
    signature = base64.urlsafe_b64encode(hmac.digest(public, signing_input, hashlib.sha256)).rstrip(b"=")
    with pytest.raises(NotOurs):
        opened((signing_input + b"." + signature).decode(), own)


@pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (1, 1), (2**256 - 1, 1), (1, 2**256 - 1)])
def test_psychic_signatures(r: int, s: int) -> None:
    """ECDSA signatures of zeros, or out of range, are refused (CVE-2022-21449)."""
    own = key("ES256")
    signature = base64.urlsafe_b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).rstrip(b"=").decode()
    with pytest.raises(NotOurs):
        opened(f"{own.header.decode()}.e30.{signature}", own)


def test_a_symmetric_key_is_never_published() -> None:
    """A symmetric key has no public form, and no key shows its secret."""
    assert key("HS256").jwk() is None
    for algorithm in ALGORITHMS:
        own = key(algorithm)
        assert repr(SECRET)[2:10] not in repr(own)
        assert "d" not in (own.jwk() or {})
        assert "k" not in (own.jwk() or {})


@pytest.mark.parametrize("name", ["RFC 7515 A.1", "RFC 8037 A.4"])
def test_vectors_of_deterministic_algorithms(name: str) -> None:
    """We make the very signature that the RFC prints, and verify it."""
    vector = VECTORS[name]
    scheme = _scheme(vector["algorithm"], decode(vector["secret"]))
    signing_input, _, tail = vector["token"].rpartition(".")
    assert scheme.sign(signing_input.encode()) == decode(tail)
    assert scheme.verifies(signing_input.encode(), decode(tail))
    assert vector.get("public", {}).items() <= scheme.public_members().items()


def test_vector_of_es256() -> None:
    """We verify RFC 7515's ECDSA signature and derive its public key."""
    vector = VECTORS["RFC 7515 A.3"]
    scheme = _Es256(derive_private_key(int.from_bytes(decode(vector["secret"]), "big"), SECP256R1()))
    signing_input, _, tail = vector["token"].rpartition(".")
    assert scheme.verifies(signing_input.encode(), decode(tail))
    assert vector["public"].items() <= scheme.public_members().items()


def test_vector_of_rs256() -> None:
    """We verify RFC 7515's RSA signature; a changed one not."""
    vector = VECTORS["RFC 7515 A.2"]
    jwk = {"kty": "RSA", "kid": "a2", "n": vector["n"], "e": vector["e"]}
    (public,) = parse_key_set(msgspec.json.encode({"keys": [jwk]}))
    assert verify_rs256(unverified(vector["token"]), public)
    assert not verify_rs256(unverified(vector["token"].replace("cC4h", "cC4i")), public)


def unverified(token: str) -> UnverifiedToken:
    """Take a token apart without the rules for headers, which the RFC's examples do not keep."""
    signing_input, _, tail = token.rpartition(".")
    return UnverifiedToken(
        kid="a2",
        header={"alg": "RS256"},
        unverified_claims={},
        signing_input=signing_input.encode(),
        signature=decode(tail),
    )


def test_a_key_shows_what_it_is() -> None:
    """A provider's key names its document's issuer."""
    jwk = {"kty": "RSA", "kid": "a2", "n": VECTORS["RFC 7515 A.2"]["n"], "e": "AQAB", "issuer": "i"}
    (public,) = parse_key_set(msgspec.json.encode({"keys": [jwk]}))
    assert isinstance(public, ProviderKey)
    assert (public.kid, public.issuer) == ("a2", "i")
