"""Keys of every algorithm but one, with which PyJWT signs: a witness that has nothing of our code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
OTHERS = ("RS384", "RS512", "PS256", "PS384", "PS512", *CURVES, "EdDSA")


@dataclass(frozen=True)
class OtherSigner:
    """A key that signs by one algorithm."""

    algorithm: str
    private: Any

    @property
    def kid(self) -> str:
        """Give its name."""
        return f"kid-{self.algorithm}"

    def jwk(self, **changes: object) -> dict[str, object]:
        """Give the public key as providers publish it; a change to None leaves a member out."""
        family = {"E": ECAlgorithm, "R": RSAAlgorithm, "P": RSAAlgorithm}[self.algorithm[0]]
        maker: Any = OKPAlgorithm if self.algorithm == "EdDSA" else family
        jwk: dict[str, object] = json.loads(maker.to_jwk(self.private.public_key()))
        known = {"kty": jwk["kty"], "kid": self.kid, "use": "sig", "alg": self.algorithm}
        numbers = {name: jwk[name] for name in ("crv", "x", "y", "n", "e") if name in jwk}
        return {name: value for name, value in {**known, **numbers, **changes}.items() if value is not None}

    def sign(self, header: Mapping[str, object], claims: Mapping[str, object]) -> str:
        """Sign claims; the header's `alg` is its own, whatever is asked for."""
        more = {name: value for name, value in header.items() if name != "alg"}
        return jwt.encode(dict(claims), self.private, algorithm=self.algorithm, headers=more)


@cache
def other_signer(algorithm: str, number: int = 0) -> OtherSigner:
    """Give a key, made once."""
    del number
    if algorithm in CURVES:
        return OtherSigner(algorithm, ec.generate_private_key(CURVES[algorithm]))
    if algorithm == "EdDSA":
        return OtherSigner(algorithm, ed25519.Ed25519PrivateKey.generate())
    return OtherSigner(algorithm, _rsa())


@cache
def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)
