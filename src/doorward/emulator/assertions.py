"""Client assertions: a client that proves itself by a signed JWT in place of a secret (RFC 7523 section 2.2).

Entra takes RS256 under a registered certificate, Apple has an ES256 JWT in the place of the secret.
"""

from typing import cast

import msgspec

from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.emulator.clients import Client
from doorward.protocol.jose import base64url_decode, parse_key_set, read_compact, verify_rs256
from doorward.protocol.oauth2 import ASSERTION_TYPE, CodeRedemption, RefreshRequest
from doorward.protocol.public_keys import read_public_keys
from doorward.protocol.refusal import TokenRefused

_LEEWAY = 300
_HALF_A_YEAR = 15777000


def assertion_id(request: CodeRedemption | RefreshRequest, client: Client, address: str, now: float) -> str | None:
    """Give the `jti` of an assertion that proves `client` at the endpoint `address` (RS256), None where it does not."""
    if request.client_assertion_type != ASSERTION_TYPE or client.jwk is None:
        return None
    claims = _verified_rs256(request.client_assertion, client.jwk)
    if claims is None or not _speaks_for(claims, client.client_id, client.client_id, address, now):
        return None
    jti = claims.get("jti")
    return jti if isinstance(jti, str) and jti else None


def is_good_es256(token: str, client: Client, issuer: str, audience: str, now: float) -> bool:
    """Say whether a client secret is the JWT that Apple asks for: ES256, of at most six months."""
    parts = token.split(".")
    if client.jwk is None or len(parts) != 3:
        return False
    try:
        header, claims = (decode_object(base64url_decode(part.encode("ascii"))) for part in parts[:2])
        signature = base64url_decode(parts[2].encode("ascii"))
    except (ValueError, NotStrictJson):
        return False
    key = read_public_keys(msgspec.json.encode({"keys": [client.jwk]})).get(str(header.get("kid")))
    if key is None or header.get("alg") != "ES256":
        return False
    if not key.verifies(f"{parts[0]}.{parts[1]}".encode(), signature):
        return False
    expires, issued = claims.get("exp"), claims.get("iat")
    short = isinstance(expires, int) and isinstance(issued, int) and expires - issued <= _HALF_A_YEAR
    return short and _speaks_for(claims, issuer, client.client_id, audience, now)


def _verified_rs256(token: str, jwk: dict[str, str]) -> dict[str, object] | None:
    try:
        unverified = read_compact(token)
        keys = parse_key_set(msgspec.json.encode({"keys": [jwk]}))
    except (TokenRefused, ValueError):
        return None
    good = any(verify_rs256(unverified, key) for key in keys.find(unverified.kid))
    return dict(unverified.unverified_claims) if good else None


def _speaks_for(claims: dict[str, object], issuer: str, subject: str, audience: str, now: float) -> bool:
    expires, not_before = claims.get("exp"), claims.get("nbf", claims.get("iat", 0))
    return (
        (claims.get("iss"), claims.get("sub"), claims.get("aud")) == (issuer, subject, audience)
        and isinstance(expires, int)
        and now - _LEEWAY < expires
        and cast("float", not_before) <= now + _LEEWAY
    )
