"""The public half of our own signatures: ES256 and EdDSA keys as a JWK set publishes them (RFC 7517, 7518, 8037).

For whoever verifies platform tokens without being able to make them. Symmetric keys and RSA have no place here: a key
verifies under the one algorithm that it was made for, so nothing in a token chooses how it is verified (RFC 8725
section 3.1).
"""

from dataclasses import field
from typing import Literal, Protocol, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey as EcKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as EdKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from doorward.base.frozen import frozen
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.protocol.jose import MAX_KEYS, MAX_KID, base64url_decode

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_BYTES = 32


class _Verifier(Protocol):
    def __call__(self, signing_input: bytes, signature: bytes, /) -> bool: ...


@frozen
class PublicKey:
    """One published key, with the one algorithm that it verifies."""

    kid: str
    algorithm: Literal["ES256", "EdDSA"]
    verifies: _Verifier = field(repr=False)


def read_public_keys(document: bytes) -> dict[str, PublicKey]:
    """Read a JWK set and give the keys that may verify platform tokens, by `kid`.

    A key of another kind, use, algorithm or curve is left out. Raises `ValueError` when the document is not a JWK set
    or holds no usable key, so that it never replaces a good one.
    """
    try:
        members = decode_object(document).get("keys")
    except NotStrictJson as error:
        raise ValueError(f"the key document is {error}") from error
    if not isinstance(members, list):
        raise ValueError("the key document has no array named keys")  # noqa: TRY004 - bad input, not a caller's mistake
    keys = [_usable(member) for member in cast("list[object]", members)[:MAX_KEYS]]
    usable = {key.kid: key for key in keys if key is not None}
    if not usable:
        raise ValueError("no ES256 or EdDSA key is published")
    return usable


def verifies_es256(public: EcKey, signing_input: bytes, signature: bytes) -> bool:
    """Say whether `signature` (r and s, 32 bytes each) is that of `public` (RFC 7518 section 3.4)."""
    if len(signature) != 2 * P256_BYTES:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:P256_BYTES], signature[P256_BYTES:]))
    if not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        return False  # r = s = 0 verified everywhere in some libraries ("psychic signatures")
    try:
        public.verify(encode_dss_signature(r, s), signing_input, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def verifies_eddsa(public: EdKey, signing_input: bytes, signature: bytes) -> bool:
    """Say whether `signature` is that of `public`, an Ed25519 key (RFC 8037 section 3.1)."""
    try:
        public.verify(signature, signing_input)
    except InvalidSignature:
        return False
    return True


def _usable(member: object) -> PublicKey | None:
    if not isinstance(member, dict):
        return None
    jwk = cast("dict[str, object]", member)
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID or jwk.get("use", "sig") != "sig":
        return None
    try:
        return _read_key(kid, jwk)
    except ValueError:  # a point that is not on the curve, a coordinate that is no base64url
        return None


def _read_key(kid: str, jwk: dict[str, object]) -> PublicKey | None:
    match jwk.get("kty"), jwk.get("crv"), jwk.get("alg"):
        case "EC", "P-256", "ES256" | None:
            x, y = (int.from_bytes(_coordinate(jwk, name), "big") for name in ("x", "y"))
            curve_key = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
            return PublicKey(
                kid=kid, algorithm="ES256", verifies=lambda text, mark: verifies_es256(curve_key, text, mark)
            )
        case "OKP", "Ed25519", "EdDSA" | "Ed25519" | None:
            edwards_key = EdKey.from_public_bytes(_coordinate(jwk, "x"))
            return PublicKey(
                kid=kid, algorithm="EdDSA", verifies=lambda text, mark: verifies_eddsa(edwards_key, text, mark)
            )
        case _:
            return None


def _coordinate(jwk: dict[str, object], name: str) -> bytes:
    value = jwk.get(name)
    raw = base64url_decode(value.encode()) if isinstance(value, str) else b""
    if len(raw) != P256_BYTES:
        raise ValueError(f"{name} is not {P256_BYTES} bytes")
    return raw
