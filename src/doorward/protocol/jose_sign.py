"""JOSE, the writing half: RS256 tokens and their public keys, for pretend providers and for tests.

Nothing in production signs with RSA: our own tokens have keys of another kind (`protocol.signing`).
"""

from collections.abc import Mapping
from typing import Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from doorward.base.frozen import frozen
from doorward.protocol.jose import RSA_EXPONENT, base64url_encode


@frozen(kw_only=False)
class RsaSigner:
    """An RSA key that signs RS256 tokens under its `kid`."""

    kid: str
    private: RSAPrivateKey

    @classmethod
    def generate(cls, bits: int = 2048) -> Self:
        """Make a new key of `bits` bits; its `kid` is the RFC 7638 thumbprint."""
        return cls._of(generate_private_key(RSA_EXPONENT, bits))

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Read a key that `to_pem` wrote; raises `ValueError` for anything else."""
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, RSAPrivateKey):
            raise ValueError("not an RSA key")  # noqa: TRY004 - bad input, not a caller's mistake
        return cls._of(key)

    @classmethod
    def _of(cls, private: RSAPrivateKey) -> Self:
        return cls(_thumbprint(private), private)

    def to_pem(self) -> bytes:
        """Write the private key as unencrypted PKCS 8 PEM."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def jwk(self, issuer: str | None = None) -> dict[str, str]:
        """Give the public key as a JWK; with `issuer` as Entra's v2.0 documents add it."""
        jwk = {"kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid, **_numbers(self.private)}
        return jwk if issuer is None else {**jwk, "issuer": issuer}

    def sign(self, header: Mapping[str, object], claims: Mapping[str, object]) -> str:
        """Sign `claims` under `header` as given: compact form, RSASSA-PKCS1-v1_5 with SHA-256."""
        parts = (base64url_encode(msgspec.json.encode(part)) for part in (header, claims))
        signing_input = b".".join(parts)
        signature = self.private.sign(signing_input, PKCS1v15(), SHA256())
        return (signing_input + b"." + base64url_encode(signature)).decode()


def _numbers(private: RSAPrivateKey) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    return {"n": _uint(numbers.n), "e": _uint(numbers.e)}


def _uint(number: int) -> str:
    return base64url_encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


def _thumbprint(private: RSAPrivateKey) -> str:
    numbers = _numbers(private)
    digest = Hash(SHA256())
    digest.update(msgspec.json.encode({"e": numbers["e"], "kty": "RSA", "n": numbers["n"]}))
    return base64url_encode(digest.finalize()).decode()
