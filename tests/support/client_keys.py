"""Keys and certificates of clients that prove themselves without a shared secret."""

import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """Give one of two keys, made once."""
    assert number in range(2)
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """Give a key of P-256, made once."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Key, password: bytes | None = None) -> bytes:
    """Write a key."""
    lock = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


@cache
def certificate(key: Key) -> x509.Certificate:
    """Make a certificate that a key signed for itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, SHA256())
    )


def certificate_pem(key: Key) -> bytes:
    """Write a certificate that a key signed for itself; the same key always gives a fitting one."""
    return certificate(key).public_bytes(Encoding.PEM)
