"""Signing our own tokens: HS256, ES256 and EdDSA (RFC 7518 section 3, RFC 8037).

A `TokenKey` has exactly one algorithm and exactly one header, and a token is taken only under that header, byte for
byte. So nothing in a token ever chooses how it is verified, and these keys never meet a provider's token.
"""

import hmac
from dataclasses import field
from typing import Literal, Protocol, Self, cast

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from doorward.base.entropy import Entropy
from doorward.base.frozen import frozen
from doorward.protocol.jose import base64url_decode, base64url_encode
from doorward.protocol.public_keys import P256_BYTES, P256_ORDER, verifies_eddsa, verifies_es256

Algorithm = Literal["HS256", "ES256", "EdDSA"]
_SECRET_BYTES = 32


class _Scheme(Protocol):
    def sign(self, signing_input: bytes) -> bytes: ...
    def verifies(self, signing_input: bytes, signature: bytes) -> bool: ...
    def public_members(self) -> dict[str, str]: ...


@frozen(kw_only=False)
class _Hs256:
    secret: bytes = field(repr=False)

    def sign(self, signing_input: bytes) -> bytes:
        return hmac.digest(self.secret, signing_input, "sha256")

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.sign(signing_input), signature)

    def public_members(self) -> dict[str, str]:
        return {}


@frozen(kw_only=False)
class _Es256:
    private: EllipticCurvePrivateKey

    @classmethod
    def of(cls, secret: bytes) -> Self:
        scalar = int.from_bytes(secret, "big") % (P256_ORDER - 1) + 1
        return cls(derive_private_key(scalar, SECP256R1()))

    def sign(self, signing_input: bytes) -> bytes:
        r, s = decode_dss_signature(self.private.sign(signing_input, ECDSA(SHA256())))
        return r.to_bytes(P256_BYTES, "big") + s.to_bytes(P256_BYTES, "big")

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        return verifies_es256(self.private.public_key(), signing_input, signature)

    def public_members(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        x, y = (base64url_encode(n.to_bytes(P256_BYTES, "big")).decode() for n in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


@frozen(kw_only=False)
class _EdDsa:
    private: Ed25519PrivateKey

    @classmethod
    def of(cls, secret: bytes) -> Self:
        return cls(Ed25519PrivateKey.from_private_bytes(secret))

    def sign(self, signing_input: bytes) -> bytes:
        return self.private.sign(signing_input)

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        return verifies_eddsa(self.private.public_key(), signing_input, signature)

    def public_members(self) -> dict[str, str]:
        public = self.private.public_key().public_bytes_raw()
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url_encode(public).decode()}


@frozen
class TokenKey:
    """One key of our own; `header` is the encoded header that its tokens carry, `secret` its 32 bytes."""

    kid: str
    algorithm: Algorithm
    header: bytes
    secret: bytes = field(repr=False)
    scheme: _Scheme = field(repr=False)

    @classmethod
    def of(cls, kid: str, algorithm: Algorithm, secret: bytes) -> Self:
        """Make the key that `secret` (32 bytes) stands for under `algorithm`."""
        header = msgspec.json.encode({"alg": algorithm, "typ": "JWT", "kid": kid})
        return cls(
            kid=kid,
            algorithm=algorithm,
            header=base64url_encode(header),
            secret=secret,
            scheme=_scheme(algorithm, secret),
        )

    def sign(self, claims: bytes) -> str:
        """Sign JSON `claims`; gives the compact form."""
        signing_input = self.header + b"." + base64url_encode(claims)
        return (signing_input + b"." + base64url_encode(self.scheme.sign(signing_input))).decode()

    def jwk(self) -> dict[str, str] | None:
        """Give the public key as a JWK (RFC 7517, RFC 8037), or None for a symmetric key."""
        members = self.scheme.public_members()
        return {**members, "use": "sig", "alg": self.algorithm, "kid": self.kid} if members else None


class NotOurs(Exception):
    """A token that none of our keys signed."""


def draw_secret(entropy: Entropy) -> bytes:
    """Draw the secret of a new key."""
    return entropy.draw(_SECRET_BYTES)


def open_token(token: str, keys: dict[bytes, TokenKey]) -> bytes:
    """Give the JSON claims of a token that one of `keys`, by encoded header, signed.

    Raises `NotOurs` for everything else; `UnknownHeader` when no key has the token's header.
    """
    parts = token.encode("ascii", "replace").split(b".")
    if len(parts) != 3:
        raise NotOurs("not a compact token")
    head, body, tail = parts
    key = keys.get(head)
    if key is None:
        raise UnknownHeader("signed by no key of ours")
    try:
        signature, claims = base64url_decode(tail), base64url_decode(body)
    except ValueError as error:
        raise NotOurs(str(error)) from error
    if not key.scheme.verifies(head + b"." + body, signature):
        raise NotOurs("bad signature")
    return claims


class UnknownHeader(NotOurs):
    """A token whose header none of the known keys writes; another process may have made a newer key."""


def _scheme(algorithm: Algorithm, secret: bytes) -> _Scheme:
    match algorithm:
        case "HS256":
            return _Hs256(secret)
        case "ES256":
            return cast("_Scheme", _Es256.of(secret))
        case "EdDSA":
            return _EdDsa.of(secret)
