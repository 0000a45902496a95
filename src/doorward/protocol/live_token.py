"""The `authentication_token` of a Microsoft account: a JWT under a secret that the application shares with it.

Easy-auth reference 4.8; interface, section 7. HS256 under SHA-256 of the client secret followed by `JWTSig`, and no
other way: this file knows no public key and `jose` no symmetric one, so neither can be taken for the other (RFC 8725
section 3.1). The signature also says for which application the token was made, since only that one shares the secret.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256

from doorward.base.strict_json import FEW_PARTS, NotStrictJson, decode_object
from doorward.base.text import ascii_lower
from doorward.protocol.jose import COMPACT_FORM, HEADER, MAX_KID, MAX_TOKEN, PAYLOAD, base64url_decode
from doorward.protocol.oidc import (
    ClaimShape,
    VerifiedClaims,
    audiences_of,
    check_expiry,
    check_not_before,
    check_shapes,
    is_subject,
    is_text,
    is_time,
)
from doorward.protocol.refusal import Check, Fault, TokenRefused

ISSUER_NAME = "urn:windows:liveid"
SIGNATURE = Check(
    name="signature",
    demands="an HS256 signature under SHA-256 of the client secret followed by JWTSig",
    source="easy-auth reference 4.8; RFC 7518 section 3.2",
)
ISSUER = Check(name="issuer", demands=f"iss is {ISSUER_NAME}", source="easy-auth reference 4.8")
AUDIENCE = Check(
    name="audience",
    demands="aud names the host of this site, the client ID or an allowed audience",
    source="easy-auth reference 3 and 4.8",
)

_HEADER_MEMBERS = frozenset({"alg", "typ", "kid"})
_SHAPES = (
    ClaimShape("iss", True, is_text, "a string"),
    ClaimShape("aud", True, lambda value: audiences_of(value) is not None, "an audience, or an array of them"),
    ClaimShape("exp", True, is_time, "a finite number"),
    ClaimShape("uid", True, is_subject, "a string of 1 to 255 visible characters"),
    ClaimShape("iat", False, is_time, "a finite number"),
    ClaimShape("nbf", False, is_time, "a finite number"),
)


def verify_live_token(
    token: str, client_secret: str, audiences: frozenset[str], *, now: float, leeway: float
) -> VerifiedClaims:
    """Give the claims of a good `authentication_token`; raises `TokenRefused`.

    `audiences` are in lower case; host names are compared without regard to case. Times are in seconds.
    """
    if not client_secret:
        # Everybody knows the key that an empty secret makes.
        raise TokenRefused(SIGNATURE, "there is no client secret")
    head, body, tail = _parts(token)
    _check_header(_read(head, HEADER))
    key = sha256(f"{client_secret}JWTSig".encode()).digest()
    if not hmac.compare_digest(hmac.digest(key, head + b"." + body, "sha256"), _decode(tail, COMPACT_FORM)):
        raise TokenRefused(SIGNATURE, "not signed with our client secret")
    claims = _read(body, PAYLOAD)
    check_shapes(claims, _SHAPES)
    check_expiry(claims, now, leeway)
    check_not_before(claims, now, leeway)
    if claims["iss"] != ISSUER_NAME:
        raise TokenRefused(ISSUER, f"iss is not {ISSUER_NAME}", Fault.ISSUER)
    if audiences.isdisjoint(map(ascii_lower, audiences_of(claims["aud"]) or ())):
        raise TokenRefused(AUDIENCE, "aud is neither this site nor an allowed audience", Fault.AUDIENCE)
    return VerifiedClaims(claims)


def _parts(token: str) -> tuple[bytes, bytes, bytes]:
    parts = token.encode("ascii", "replace").split(b".")
    if len(token) > MAX_TOKEN or len(parts) != 3 or not all(parts):
        raise TokenRefused(COMPACT_FORM, "not a compact token of at most 16 KiB")
    return parts[0], parts[1], parts[2]


def _check_header(header: Mapping[str, object]) -> None:
    if header.get("alg") != "HS256":
        raise TokenRefused(HEADER, "alg is not HS256")
    if not _HEADER_MEMBERS.issuperset(header):
        raise TokenRefused(HEADER, "the header says more than alg, typ and kid")
    typ, kid = header.get("typ", "JWT"), header.get("kid", "0")
    if not isinstance(typ, str) or typ.upper() != "JWT" or not isinstance(kid, str) or len(kid) > MAX_KID:
        raise TokenRefused(HEADER, "typ is not JWT, or kid is no short text")


def _read(part: bytes, check: Check) -> dict[str, object]:
    try:
        return decode_object(_decode(part, check), FEW_PARTS)
    except NotStrictJson as error:
        raise TokenRefused(check, str(error)) from error


def _decode(part: bytes, check: Check) -> bytes:
    try:
        return base64url_decode(part)
    except ValueError as error:
        raise TokenRefused(check, str(error)) from error
