"""How a client without a shared secret proves that it is itself, at a token endpoint.

By an assertion signed with the key of a registered certificate (RFC 7523 section 2.2, as Entra takes it), or by a
client secret that is itself a signed JWT, as Apple wants it (easy-auth reference 2.3). Keys are read from PEM and never
shown.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import field
from typing import Self

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from doorward.base.frozen import frozen
from doorward.protocol.jose import base64url_encode

LIFETIME = 300
BACKDATED = 30


@frozen(kw_only=False)
class CertificateProof:
    """The key of a registered certificate; `thumbprints` are its SHA-1 and SHA-256, for `x5t` and `x5t#S256`."""

    thumbprints: tuple[str, str]
    private: RSAPrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> Self:
        """Read certificate and key; raises `ValueError` where they are none, do not belong together, or are not RSA."""
        private = _private(key)
        from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415  a start without one need not wait for it

        known = load_pem_x509_certificate(certificate)
        if not isinstance(private, RSAPrivateKey):
            raise ValueError("the key is no RSA key")  # noqa: TRY004 - bad input, not a caller's mistake
        forms = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if known.public_key().public_bytes(*forms) != private.public_key().public_bytes(*forms):
            raise ValueError("the key is not that of the certificate")
        der = known.public_bytes(Encoding.DER)
        # A thumbprint by SHA-1 names a certificate here; nothing is believed for its sake.
        digests = (hashlib.sha1(der, usedforsecurity=False).digest(), hashlib.sha256(der).digest())
        sha1, sha256 = (base64url_encode(digest).decode() for digest in digests)
        return cls((sha1, sha256), private)

    def jwk(self) -> dict[str, str]:
        """Give the public key as a JWK, by the name that assertions call it (RFC 7517, RFC 7518 section 6.3.1)."""
        numbers, kid = self.private.public_key().public_numbers(), self.thumbprints[0]
        return {"kty": "RSA", "use": "sig", "kid": kid, "n": _number(numbers.n), "e": _number(numbers.e)}

    def assertion(self, client_id: str, audience: str, now: float, jti: str) -> str:
        """Give an assertion for one token request (RFC 7523 section 3); it lives five minutes."""
        sha1, sha256 = self.thumbprints
        header = {"alg": "RS256", "typ": "JWT", "kid": sha1, "x5t": sha1, "x5t#S256": sha256}
        signing_input = _signing_input(header, _claims(client_id, client_id, audience, now) | {"jti": jti})
        return _compact(signing_input, self.private.sign(signing_input, PKCS1v15(), SHA256()))


@frozen
class SignedSecret:
    """The key of a team, whose JWTs stand where a client secret would."""

    team_id: str
    key_id: str
    private: EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def from_pem(cls, key: bytes, *, team_id: str, key_id: str) -> Self:
        """Read the key; raises `ValueError` for one that is not of the curve P-256."""
        private = _private(key)
        if not isinstance(private, EllipticCurvePrivateKey) or not isinstance(private.curve, SECP256R1):
            raise ValueError("the key is not of the curve P-256")  # noqa: TRY004 - see above
        return cls(team_id=team_id, key_id=key_id, private=private)

    def jwk(self) -> dict[str, str]:
        """Give the public key as a JWK, by the key's id (RFC 7518 section 6.2.1)."""
        numbers = self.private.public_key().public_numbers()
        point = {"x": _number(numbers.x, 32), "y": _number(numbers.y, 32)}
        return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.key_id, **point}

    def secret(self, client_id: str, audience: str, now: float) -> str:
        """Give a client secret that lives five minutes: ES256, RFC 7518 section 3.4."""
        header = {"alg": "ES256", "kid": self.key_id, "typ": "JWT"}
        signing_input = _signing_input(header, _claims(self.team_id, client_id, audience, now))
        r, s = decode_dss_signature(self.private.sign(signing_input, ECDSA(SHA256())))
        return _compact(signing_input, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def _private(key: bytes) -> object:
    try:
        return load_pem_private_key(key, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:  # a key under a password is a TypeError
        raise ValueError("the key cannot be read") from error


def _number(value: int, size: int = 0) -> str:
    return base64url_encode(value.to_bytes(size or (value.bit_length() + 7) // 8, "big")).decode()


def _claims(issuer: str, subject: str, audience: str, now: float) -> dict[str, object]:
    issued = int(now) - BACKDATED
    return {"iss": issuer, "sub": subject, "aud": audience, "nbf": issued, "iat": issued, "exp": int(now) + LIFETIME}


def _signing_input(header: Mapping[str, object], claims: Mapping[str, object]) -> bytes:
    return b".".join(base64url_encode(msgspec.json.encode(part)) for part in (header, claims))


def _compact(signing_input: bytes, signature: bytes) -> str:
    return (signing_input + b"." + base64url_encode(signature)).decode()
