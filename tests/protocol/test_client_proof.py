import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from doorward.protocol.client_proof import CertificateProof, SignedSecret
from tests.support.client_keys import certificate, certificate_pem, ec_key, pem, rsa_key

NOW = 1_800_000_000.0


def opened(token: str) -> tuple[dict[str, object], dict[str, object], bytes, bytes]:
    """Take a compact token apart: header, claims, what was signed, signature."""
    head, body, tail = token.split(".")
    decoded = [urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (head, body, tail)]
    return json.loads(decoded[0]), json.loads(decoded[1]), f"{head}.{body}".encode(), decoded[2]


def test_an_assertion_is_what_entra_wants() -> None:
    """RS256 under the certificate's thumbprints, for one audience, five minutes long, with an id of its own."""
    known = certificate(rsa_key())
    proof = CertificateProof.from_pem(certificate_pem(rsa_key()), pem(rsa_key()))
    header, claims, signed, signature = opened(proof.assertion("app", "https://login.example/token", NOW, "one"))
    rsa_key().public_key().verify(signature, signed, PKCS1v15(), SHA256())
    thumbprint = urlsafe_b64decode(f"{header['x5t#S256']}=")
    assert thumbprint == hashlib.sha256(known.public_bytes(Encoding.DER)).digest()
    assert (header["alg"], header["typ"], header["kid"]) == ("RS256", "JWT", header["x5t"])
    assert claims == {
        "iss": "app",
        "sub": "app",
        "aud": "https://login.example/token",
        "nbf": int(NOW) - 30,
        "iat": int(NOW) - 30,
        "exp": int(NOW) + 300,
        "jti": "one",
    }


def test_a_signed_secret_is_what_apple_wants() -> None:
    """ES256 under the key's id, from the team, about the client, for Apple."""
    signer = SignedSecret.from_pem(pem(ec_key()), team_id="TEAM", key_id="KEY")
    header, claims, signed, signature = opened(signer.secret("com.contoso.web", "https://appleid.apple.com", NOW))
    assert len(signature) == 64
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    ec_key().public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    assert header == {"alg": "ES256", "kid": "KEY", "typ": "JWT"}
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("TEAM", "com.contoso.web", "https://appleid.apple.com")


@pytest.mark.parametrize(
    ("cert", "key"),
    [
        (lambda: certificate_pem(rsa_key()), lambda: pem(rsa_key(1))),
        (lambda: certificate_pem(ec_key()), lambda: pem(ec_key())),
        (lambda: certificate_pem(rsa_key()), lambda: pem(rsa_key(), b"password")),
        (lambda: certificate_pem(rsa_key()), lambda: b"nonsense"),
    ],
    ids=["another key", "another kind", "under a password", "nonsense"],
)
def test_what_does_not_belong_together_is_refused(cert: Callable[[], bytes], key: Callable[[], bytes]) -> None:
    """A certificate with another key, another kind of key, or one that cannot be opened."""
    with pytest.raises(ValueError, match=r"key|PEM|deserialize"):
        CertificateProof.from_pem(cert(), key())


def test_keys_are_not_shown() -> None:
    """Neither way of proving prints its key."""
    proof = CertificateProof.from_pem(certificate_pem(rsa_key()), pem(rsa_key()))
    signer = SignedSecret.from_pem(pem(ec_key()), team_id="TEAM", key_id="KEY")
    assert "Private" not in repr(proof) + repr(signer)
    with pytest.raises(ValueError, match="P-256"):
        SignedSecret.from_pem(pem(rsa_key()), team_id="TEAM", key_id="KEY")


def test_the_public_keys_verify_what_the_private_ones_sign() -> None:
    """Each as a JWK by the name that its signatures give it: a witness reads it, and finds nothing private there."""
    proof = CertificateProof.from_pem(certificate_pem(rsa_key()), pem(rsa_key()))
    team = SignedSecret.from_pem(pem(ec_key()), team_id="TEAM", key_id="KEY")
    for jwk, token, algorithm in (
        (proof.jwk(), proof.assertion("app", "https://login.example/token", NOW, "one"), "RS256"),
        (team.jwk(), team.secret("app", "https://login.example/token", NOW), "ES256"),
    ):
        assert jwt.get_unverified_header(token)["kid"] == jwk["kid"]
        assert not {"d", "p", "q", "k"} & jwk.keys()
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        audience = "https://login.example/token"
        assert jwt.decode(token, jwt.PyJWK(jwk).key, algorithms=[algorithm], audience=audience, options=options)
