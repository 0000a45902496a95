"""Signing what a pretend provider says of a person, and spoiling it on purpose.

Owns the hashes that tie an id_token to what came with it (OpenID Connect Core 3.1.3.6 and 3.3.2.11), and what each
fault of an id_token does to it.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from doorward.emulator.grants import Grant
from doorward.protocol.jose import base64url_encode
from doorward.protocol.jose_sign import RsaSigner

WRONG_AUDIENCE = "0badc0de-0000-4000-8000-0000000bad00"
_LONG_AGO = 7200
_DAY_AHEAD = 86400
_ELSE = "somebody-else"


def half_hash(value: str) -> str:
    """Give c_hash of a code or at_hash of an access token for RS256: the left half of its SHA-256."""
    return base64url_encode(sha256(value.encode()).digest()[:16]).decode()


def tied(claims: dict[str, object], grant: Grant, code: str, access_token: str) -> dict[str, object]:
    """Add the nonce and the hashes of what goes out beside the token."""
    ties: dict[str, object] = {}
    if grant.nonce:
        ties["nonce"] = grant.nonce
    if code:
        ties["c_hash"] = half_hash(code)
    if access_token:
        ties["at_hash"] = half_hash(access_token)
    return claims | ties


def spoilt(claims: dict[str, object], faults: tuple[str, ...], *, refreshed: bool) -> dict[str, object]:
    """Give the claims with what the faults make of them."""
    claims = dict(claims)
    for fault in faults:
        match fault:
            case "expired_token":
                claims |= _moved(claims, -_LONG_AGO - _lifetime(claims))
            case "not_yet_valid":
                claims |= _moved(claims, _DAY_AHEAD)
            case "wrong_audience":
                claims["aud"] = WRONG_AUDIENCE
            case "wrong_issuer":
                claims["iss"] = f"{claims['iss']}/{_ELSE}"
            case "wrong_nonce":
                claims["nonce"] = _ELSE
            case "no_nonce":
                claims.pop("nonce", None)
            case "bad_c_hash" if "c_hash" in claims:
                claims["c_hash"] = half_hash(_ELSE)
            case "bad_at_hash" if "at_hash" in claims:
                claims["at_hash"] = half_hash(_ELSE)
            case "unverified_email":
                claims |= {name: False for name in ("email_verified", "xms_edov") if name in claims}
            case "subject_changed" if refreshed:
                claims["sub"] = half_hash(str(claims["sub"]))
            case _:
                pass
    return claims


def signed(
    header: Mapping[str, object], claims: Mapping[str, object], key: RsaSigner, faults: tuple[str, ...], secret: str
) -> str:
    """Sign a token with `key`, or as the faults say; `secret` is the application's."""
    if "unpublished_key" in faults:
        key = RsaSigner.generate()
        header = {**header, "kid": key.kid}
    if "algorithm_none" in faults:
        return f"{_part({**header, 'alg': 'none'})}.{_part(claims)}."
    if "algorithm_hs256" in faults:
        signing_input = f"{_part({**header, 'alg': 'HS256'})}.{_part(claims)}"
        mark = hmac.digest(secret.encode(), signing_input.encode(), "sha256")
        return f"{signing_input}.{base64url_encode(mark).decode()}"
    token = key.sign(header, claims)
    return _with_other_signature(token) if "wrong_signature" in faults else token


def _lifetime(claims: Mapping[str, object]) -> int:
    issued, expires = claims.get("iat"), claims.get("exp")
    return expires - issued if isinstance(issued, int) and isinstance(expires, int) else 0


def _moved(claims: Mapping[str, object], seconds: int) -> dict[str, object]:
    moved: dict[str, object] = {}
    for name in ("iat", "nbf", "exp"):
        value = claims.get(name)
        if isinstance(value, int):
            moved[name] = value + seconds
    return moved


def _part(members: Mapping[str, object]) -> str:
    return base64url_encode(msgspec.json.encode(members)).decode()


def _with_other_signature(token: str) -> str:
    head, _, signature = token.rpartition(".")
    middle = len(signature) // 2
    other = "A" if signature[middle] != "A" else "B"
    return f"{head}.{signature[:middle]}{other}{signature[middle + 1 :]}"
