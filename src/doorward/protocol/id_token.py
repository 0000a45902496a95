"""Is this token of a provider acceptable: id_tokens of a sign-in, and JWTs that came as `Authorization: Bearer`.

OpenID Connect Core sections 3.1.3.7, 3.3.2.11, 3.3.2.12 and 12.2; easy-auth reference 8.2. Owns the checks in their
order. What a provider adds, such as the issuers of many tenants, comes in as a rule. What the exchange demands of its
tokens is stricter, and stands with it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias, cast

from doorward.base.frozen import frozen
from doorward.base.text import cleaned
from doorward.protocol.jose import (
    COMPACT_FORM,
    HEADER,
    PAYLOAD,
    RS256,
    SIGNATURE,
    OtherKey,
    ProviderKey,
    UnverifiedToken,
    base64url_encode,
    verify_signature,
)
from doorward.protocol.oidc import (
    CLAIM_SHAPES,
    EXPIRY,
    NONCE,
    NOT_BEFORE,
    ClaimShape,
    VerifiedClaims,
    audiences_of,
    check_expiry,
    check_nonce,
    check_not_before,
    check_shapes,
    is_subject,
    is_text,
    is_time,
)
from doorward.protocol.refusal import Check, Fault, TokenRefused

Claims: TypeAlias = Mapping[str, object]
KeyRule: TypeAlias = Callable[[ProviderKey, Claims], bool]

ISSUER = Check(
    name="issuer",
    demands="iss is, as a complete string, the issuer of the provider's discovery document",
    source="OpenID Connect Core section 3.1.3.7 number 2; easy-auth reference 8.2",
)
KEY_ISSUER = Check(
    name="key issuer",
    demands="the signing key may speak for the token's issuer",
    source="token-exchange reference 2.3",
)
AUDIENCE = Check(
    name="audience",
    demands="aud names the client ID or an allowed audience",
    source="OpenID Connect Core section 3.1.3.7 number 3; easy-auth reference 8.2",
)
AUTHORIZED_PARTY = Check(
    name="authorized party",
    demands="azp is our client ID where it is present, and is present where aud names several",
    source="OpenID Connect Core section 3.1.3.7 numbers 4 and 5",
)
CODE_HASH = Check(
    name="code hash",
    demands="c_hash belongs to the code that came along in the front channel",
    source="OpenID Connect Core sections 3.3.2.10 and 3.3.2.11",
)
ACCESS_TOKEN_HASH = Check(
    name="access token hash",
    demands="at_hash, where it is present, belongs to the access token that came along",
    source="OpenID Connect Core section 3.1.3.8",
)
SUBJECT = Check(
    name="subject",
    demands="sub is that of the session whose tokens are refreshed",
    source="OpenID Connect Core section 12.2",
)

CHECKS = (
    COMPACT_FORM,
    HEADER,
    PAYLOAD,
    SIGNATURE,
    CLAIM_SHAPES,
    EXPIRY,
    NOT_BEFORE,
    ISSUER,
    KEY_ISSUER,
    AUDIENCE,
    AUTHORIZED_PARTY,
    NONCE,
    CODE_HASH,
    ACCESS_TOKEN_HASH,
    SUBJECT,
)
"""Every check, in the order in which it is made; the first three are those of `jose.read_compact`."""


def _is_audience(value: object) -> bool:
    return audiences_of(value) is not None


_SHAPES = (
    ClaimShape("iss", True, is_text, "a string"),
    ClaimShape("aud", True, _is_audience, "an audience, or an array of them"),
    ClaimShape("exp", True, is_time, "a finite number"),
    ClaimShape("iat", False, is_time, "a finite number"),
    ClaimShape("nbf", False, is_time, "a finite number"),
    ClaimShape("sub", False, is_subject, "a string of 1 to 255 visible characters"),
    ClaimShape("azp", False, is_text, "a string"),
)
_LOGOUT_SHAPES = (ClaimShape("iat", True, is_time, "a finite number"), *_SHAPES)
_BEARER_SHAPES = (
    *_SHAPES,
    # Else a provider's word that somebody has left would let whoever holds it in (RFC 8417 section 4.8).
    ClaimShape("events", False, lambda _: False, "absent, since a statement about somebody is no credential of theirs"),
)
_ID_TOKEN_SHAPES = (
    ClaimShape("sub", True, is_subject, "a string of 1 to 255 visible characters"),
    ClaimShape("iat", True, is_time, "a finite number"),
    *_BEARER_SHAPES,
    ClaimShape("nonce", False, is_text, "a string"),
    ClaimShape("c_hash", False, is_text, "a string"),
    ClaimShape("at_hash", False, is_text, "a string"),
)


@frozen(kw_only=False)
class IssuerRule:
    """Which issuers are acceptable: in words, and as a predicate of claims whose shapes were checked."""

    demands: str
    admits: Callable[[Claims], bool]


def issuer_is(*issuers: str) -> IssuerRule:
    """Give the rule that `iss` is one of these strings, character by character; an empty one admits nobody."""
    return IssuerRule(" or ".join(issuers), lambda claims: bool(claims["iss"]) and claims["iss"] in issuers)


@frozen
class IdTokenRules:
    """What a token is held to.

    `issuer` is one issuer, or a rule for several. `audiences` are those that count beside `client_id`. `leeway` is in
    seconds. `nonce` is that of the sign-in, None where it travelled in `state`. `code` is the one that came with the
    id_token in the front channel, None for an id_token from the token endpoint; `access_token` is the one that came
    along, if any. `subject` is the session's, at a refresh. `any_party` accepts every `azp`, for tokens that another
    application obtained for us. `key_may_sign` says whether a key may speak for the claims' issuer.

    `bearer` stands for a JWT from an `Authorization` header: an access token or an id_token, whoever obtained it, with
    or without `iat` and `sub`, and with nothing to compare a nonce with. `logout` stands for a logout token, of which
    `logout_token.py` checks the rest.
    """

    issuer: str | IssuerRule
    client_id: str
    leeway: float
    audiences: tuple[str, ...] = ()
    nonce: str | None = None
    code: str | None = None
    access_token: str | None = None
    subject: str | None = None
    any_party: bool = False
    key_may_sign: KeyRule | None = None
    bearer: bool = False
    logout: bool = False

    @property
    def shapes(self) -> tuple[ClaimShape, ...]:
        """Give what the claims must look like."""
        if self.logout:
            return _LOGOUT_SHAPES
        return _BEARER_SHAPES if self.bearer else _ID_TOKEN_SHAPES


def verify_id_token(
    token: UnverifiedToken, keys: Iterable[ProviderKey | OtherKey], rules: IdTokenRules, now: float
) -> VerifiedClaims:
    """Make every check of `CHECKS` that remains after reading, and give the claims.

    `keys` are those that the issuer publishes under the token's `kid`, `now` is in seconds since the epoch. Raises
    `TokenRefused`.
    """
    signers = [key for key in keys if verify_signature(token, key)]
    if not signers:
        raise TokenRefused(SIGNATURE, "no key that the issuer publishes made this signature")
    claims = token.unverified_claims
    check_shapes(claims, rules.shapes)
    check_expiry(claims, now, rules.leeway)
    check_not_before(claims, now, rules.leeway)
    _check_issuer(claims, rules.issuer)
    _check_key_issuer(claims, signers, rules.key_may_sign)
    _check_audience(claims, rules)
    if not (rules.bearer or rules.logout):
        _check_binding(claims, rules, token.algorithm)
    return VerifiedClaims(claims)


def half_hash(text: str, algorithm: str = RS256) -> str:
    """Give the `c_hash` of a code or the `at_hash` of an access token (OpenID Connect Core 3.3.2.11).

    The hash is that of the id_token's algorithm: its last three digits, and SHA-512 for EdDSA with Ed25519.
    """
    name = "sha512" if algorithm.startswith("Ed") else f"sha{algorithm[2:]}"
    digest = hashlib.new(name, text.encode(errors="surrogatepass")).digest()
    return base64url_encode(digest[: len(digest) // 2]).decode()


def _check_issuer(claims: Claims, issuer: str | IssuerRule) -> None:
    rule = issuer_is(issuer) if isinstance(issuer, str) else issuer
    if not rule.admits(claims):
        found = cleaned(cast("str", claims["iss"]))
        raise TokenRefused(ISSUER, f"iss is not {rule.demands}", Fault.ISSUER, iss=found)


def _check_key_issuer(claims: Claims, signers: list[ProviderKey | OtherKey], key_may_sign: KeyRule | None) -> None:
    known = (key for key in signers if isinstance(key, ProviderKey))  # no other key says for whom it speaks
    if key_may_sign is not None and not any(key_may_sign(key, claims) for key in known):
        # A stolen consumer key must not sign for an organization's tenant: the lesson of Storm-0558.
        raise TokenRefused(KEY_ISSUER, "the signing key is published for another issuer", Fault.ISSUER)


def _check_audience(claims: Claims, rules: IdTokenRules) -> None:
    named = cast("tuple[str, ...]", audiences_of(claims["aud"]))
    if not {rules.client_id, *rules.audiences}.intersection(named):
        found = cleaned(" ".join(named))
        raise TokenRefused(AUDIENCE, "aud is neither the client ID nor an allowed audience", Fault.AUDIENCE, aud=found)
    if rules.bearer or rules.any_party or rules.logout:
        return
    party = claims.get("azp")
    if party is None and len(named) > 1:
        raise TokenRefused(AUTHORIZED_PARTY, "aud names several, and azp is absent", Fault.AUDIENCE)
    if party is not None and party != rules.client_id:
        raise TokenRefused(AUTHORIZED_PARTY, "azp is another client", Fault.AUDIENCE)


def _check_binding(claims: Claims, rules: IdTokenRules, algorithm: str) -> None:
    """Hold an id_token to the sign-in, code, access token and session that it came for."""
    check_nonce(claims, rules.nonce)
    if rules.code is not None and claims.get("c_hash") != half_hash(rules.code, algorithm):
        raise TokenRefused(CODE_HASH, "c_hash is absent or belongs to another code")
    access_token, hashed = rules.access_token, claims.get("at_hash", ...)
    if access_token is not None and hashed not in (..., half_hash(access_token, algorithm)):
        raise TokenRefused(ACCESS_TOKEN_HASH, "at_hash belongs to another access token")
    if rules.subject is not None and claims["sub"] != rules.subject:
        raise TokenRefused(SUBJECT, "sub differs from that of the session")
