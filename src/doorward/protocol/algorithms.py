"""JOSE, further: the signature algorithms of sign-in providers that do not sign RS256 (RFC 7518 section 3, 8037, 9864).

A published key verifies under the algorithms that its type admits, and under one alone where it names one, so a token
chooses nothing: its `alg` has to be among those of the provider and among those of the key. Symmetric keys have no
place here either. RS256 stays with `jose`, and the exchange knows nothing else.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.protocol.jose import (
    MAX_KEYS,
    MAX_KID,
    MAX_TOKEN,
    RS256,
    RSA_BITS,
    RSA_EXPONENT,
    KeySet,
    OtherKey,
    base64url_decode,
    parse_key_set,
)

Jwk: TypeAlias = dict[str, object]
Verifies: TypeAlias = Callable[[str, bytes, bytes], bool]

_HASHES: dict[str, HashAlgorithm] = {"256": SHA256(), "384": SHA384(), "512": SHA512()}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: dict[str, tuple[str, EllipticCurve, int]] = {
    "P-256": ("ES256", SECP256R1(), 32),
    "P-384": ("ES384", SECP384R1(), 48),
    "P-521": ("ES512", SECP521R1(), 66),
}
_EDWARDS = ("EdDSA", "Ed25519")  # the old name and the new one of the same (RFC 9864)
ALGORITHMS = frozenset({*_RSA, *(name for name, _, _ in _CURVES.values()), *_EDWARDS})
"""What a provider of the operator's own choice may sign with."""


def read_key_set(document: bytes) -> KeySet:
    """Read a JWK set (RFC 7517 section 5) with the keys of every algorithm that is known.

    Raises `ValueError` when the document is no JWK set or holds no usable key, so that it never replaces a good one.
    """
    others = _group(_other_keys(document))
    try:
        known = parse_key_set(document)
    except ValueError:
        if not others:
            raise
        return KeySet({}, others)
    return KeySet(known.by_kid, others)


def _group(keys: Iterator[OtherKey]) -> dict[str, tuple[OtherKey, ...]]:
    by_kid: dict[str, tuple[OtherKey, ...]] = {}
    for key in keys:
        by_kid[key.kid] = (*by_kid.get(key.kid, ()), key)
    return by_kid


def _other_keys(document: bytes) -> Iterator[OtherKey]:
    try:
        members = decode_object(document).get("keys")
    except NotStrictJson:
        return
    for member in cast("list[object]", members)[:MAX_KEYS] if isinstance(members, list) else ():
        key = _usable(cast("Jwk", member)) if isinstance(member, dict) else None
        if key is not None:
            yield key


def _usable(jwk: Jwk) -> OtherKey | None:
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID or jwk.get("use", "sig") != "sig":
        return None
    try:
        admitted, verifies = _reader(jwk)
    except (ValueError, UnsupportedAlgorithm):  # a point off the curve, a coordinate that is no base64url
        return None
    named = jwk.get("alg")
    algorithms = admitted - {RS256} if named is None else admitted & {named} - {RS256}
    return OtherKey(kid=kid, algorithms=frozenset(algorithms), verifies=verifies) if algorithms else None


def _reader(jwk: Jwk) -> tuple[frozenset[object], Verifies]:
    match jwk.get("kty"), jwk.get("crv"):
        case "RSA", _:
            return frozenset(_RSA), _rsa(jwk)
        case "EC", "P-256" | "P-384" | "P-521" as name:
            algorithm, curve, size = _CURVES[str(name)]
            return frozenset({algorithm}), _ecdsa(jwk, curve, size)
        case "OKP", "Ed25519":
            return frozenset(_EDWARDS), _eddsa(jwk)
        case _:
            raise ValueError("a key of another type")


def _rsa(jwk: Jwk) -> Verifies:
    modulus, exponent = (int.from_bytes(_octets(jwk, name), "big") for name in ("n", "e"))
    if exponent != RSA_EXPONENT or modulus.bit_length() not in RSA_BITS or modulus % 2 == 0:
        raise ValueError("an RSA key of another size or exponent")
    public: RSAPublicKey = RSAPublicNumbers(exponent, modulus).public_key()

    def verifies(algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        digest = _HASHES[algorithm[2:]]
        padding = PSS(MGF1(digest), digest.digest_size) if algorithm.startswith("PS") else PKCS1v15()
        return _holds(lambda: public.verify(signature, signing_input, padding, digest))

    return verifies


def _ecdsa(jwk: Jwk, curve: EllipticCurve, size: int) -> Verifies:
    x, y = (int.from_bytes(_octets(jwk, name, size), "big") for name in ("x", "y"))
    public: EllipticCurvePublicKey = EllipticCurvePublicNumbers(x, y, curve).public_key()

    def verifies(algorithm: str, signing_input: bytes, signature: bytes) -> bool:
        r, s = (int.from_bytes(half, "big") for half in (signature[:size], signature[size:]))
        if len(signature) != 2 * size or not (r and s):
            return False  # r = s = 0 verified everywhere in some libraries ("psychic signatures")
        digest = _HASHES[algorithm[2:]]
        return _holds(lambda: public.verify(encode_dss_signature(r, s), signing_input, ECDSA(digest)))

    return verifies


def _eddsa(jwk: Jwk) -> Verifies:
    public = Ed25519PublicKey.from_public_bytes(_octets(jwk, "x", 32))
    return lambda _algorithm, signing_input, signature: _holds(lambda: public.verify(signature, signing_input))


def _holds(verify: Callable[[], None]) -> bool:
    try:
        verify()
    except InvalidSignature:
        return False
    return True


def _octets(jwk: Jwk, name: str, size: int | None = None) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str) or len(value) > MAX_TOKEN:
        raise ValueError(f"{name} is no text")
    raw = base64url_decode(value.encode())
    if size is not None and len(raw) != size:
        raise ValueError(f"{name} is not {size} bytes")
    return raw
