"""The checks of an id_token and of a bearer: each refuses at least one token, and honest ones pass with witnesses."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt as rfc_jwt
from joserfc.jwk import RSAKey

from doorward.protocol.id_token import (
    ACCESS_TOKEN_HASH,
    AUDIENCE,
    AUTHORIZED_PARTY,
    CHECKS,
    CODE_HASH,
    ISSUER,
    KEY_ISSUER,
    SUBJECT,
    IdTokenRules,
    half_hash,
    issuer_is,
    verify_id_token,
)
from doorward.protocol.jose import BEARER_TYPES, COMPACT_FORM, HEADER, PAYLOAD, SIGNATURE, ProviderKey, read_compact
from doorward.protocol.oidc import CLAIM_SHAPES, EXPIRY, NONCE, NOT_BEFORE, VerifiedClaims
from doorward.protocol.refusal import Check, Fault, TokenRefused
from tests.support.entra import NOW, header, key_set, mint, mint_raw, signer

ISSUED_BY = "https://id.example.com"
CLIENT = "s6BhdRkqt3"
NONCE_SENT = "3ca45c180c4145a2b9fc4353ca0cb959_20270115080500"
CODE = "SplxlOBeZQQYbYS6WxSbIA"
ACCESS_TOKEN = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
RULES = IdTokenRules(issuer=ISSUED_BY, client_id=CLIENT, leeway=60.0, nonce=NONCE_SENT)
HYBRID = replace(RULES, code=CODE, access_token=ACCESS_TOKEN)
BEARER = IdTokenRules(issuer=ISSUED_BY, client_id=CLIENT, leeway=60.0, audiences=("api://contoso",), bearer=True)
REFRESH = replace(RULES, nonce=None, subject="248289761001")


def claims(**changes: object) -> dict[str, object]:
    """Give the claims of an honest id_token; a change to `...` leaves the claim out."""
    honest: dict[str, object] = {
        "iss": ISSUED_BY,
        "sub": "248289761001",
        "aud": CLIENT,
        "nonce": NONCE_SENT,
        "exp": NOW + 3600,
        "iat": NOW - 5,
        "auth_time": NOW - 60,
    }
    return {name: value for name, value in {**honest, **changes}.items() if value is not ...}


def hybrid(**changes: object) -> dict[str, object]:
    """Give the claims of an honest id_token of the front channel, beside a code and an access token."""
    return claims(**{"c_hash": half_hash(CODE), "at_hash": half_hash(ACCESS_TOKEN), **changes})


def check(token: str, rules: IdTokenRules = RULES, now: float = NOW) -> VerifiedClaims:
    """Read and verify a token as a sign-in does."""
    unverified = read_compact(token)
    keys = key_set(signer("shared").jwk(), signer("consumer").jwk("https://consumers.example.com"))
    return verify_id_token(unverified, keys.find(unverified.kid), rules, now)


def key_has_issuer(key: ProviderKey, _claims: Mapping[str, object]) -> bool:
    """Let only a key sign that names its issuer."""
    return key.issuer is not None


HONEST: dict[str, tuple[Mapping[str, object], IdTokenRules]] = {
    "plain": (claims(), RULES),
    "an array of one audience": (claims(aud=[CLIENT]), RULES),
    "several audiences with azp": (claims(aud=["other", CLIENT], azp=CLIENT), RULES),
    "azp and one audience": (claims(azp=CLIENT), RULES),
    "azp of another client, where any counts": (claims(azp="android"), replace(RULES, any_party=True)),
    "several audiences without azp, where any counts": (claims(aud=[CLIENT, "x"]), replace(RULES, any_party=True)),
    "an allowed audience": (claims(aud="api://contoso"), replace(RULES, audiences=("api://contoso",))),
    "expired within the leeway": (claims(exp=NOW - 59), RULES),
    "issued ahead within the leeway": (claims(iat=NOW + 60, nbf=NOW + 60), RULES),
    "valid for two days": (claims(exp=NOW + 172800), RULES),
    "no nonce sent": (claims(nonce=...), replace(RULES, nonce=None)),
    "hybrid": (hybrid(), HYBRID),
    "hybrid without at_hash": (hybrid(at_hash=...), HYBRID),
    "from the token endpoint, hashes of others": (hybrid(c_hash="x"), replace(HYBRID, code=None)),
    "refresh without nonce": (claims(nonce=...), REFRESH),
    "two issuers": (claims(iss="id.example.com"), replace(RULES, issuer=issuer_is(ISSUED_BY, "id.example.com"))),
    "bearer": (claims(sub=..., iat=..., nonce=..., aud=["x", "api://contoso"], azp="another"), BEARER),
    "bearer that is an id_token": (claims(), BEARER),
}

REFUSED: dict[str, tuple[Check, Mapping[str, object], IdTokenRules]] = {
    "no iss": (CLAIM_SHAPES, claims(iss=...), RULES),
    "iss is an array": (CLAIM_SHAPES, claims(iss=[ISSUED_BY]), RULES),
    "no sub": (CLAIM_SHAPES, claims(sub=...), RULES),
    "empty sub": (CLAIM_SHAPES, claims(sub=""), RULES),
    "sub is a number": (CLAIM_SHAPES, claims(sub=7), RULES),
    "sub with a line break": (CLAIM_SHAPES, claims(sub="a\nb"), RULES),
    "bearer with a hidden sub": (CLAIM_SHAPES, claims(sub="a\u202eb"), BEARER),
    "long sub": (CLAIM_SHAPES, claims(sub="s" * 256), RULES),
    "no aud": (CLAIM_SHAPES, claims(aud=...), RULES),
    "empty aud": (CLAIM_SHAPES, claims(aud=""), RULES),
    "empty aud array": (CLAIM_SHAPES, claims(aud=[]), RULES),
    "empty member of aud": (CLAIM_SHAPES, claims(aud=[CLIENT, ""]), RULES),
    "number in aud": (CLAIM_SHAPES, claims(aud=[CLIENT, 1]), RULES),
    "aud is null": (CLAIM_SHAPES, claims(aud=None), RULES),
    "aud is an object": (CLAIM_SHAPES, claims(aud={CLIENT: 1}), RULES),
    "bearer with empty aud": (CLAIM_SHAPES, claims(aud=""), BEARER),
    "no exp": (CLAIM_SHAPES, claims(exp=...), RULES),
    "bearer without exp": (CLAIM_SHAPES, claims(exp=...), BEARER),
    "exp is text": (CLAIM_SHAPES, claims(exp=str(NOW + 3600)), RULES),
    "exp is true": (CLAIM_SHAPES, claims(exp=True), RULES),
    "exp is null": (CLAIM_SHAPES, claims(exp=None), RULES),
    "bearer, iat is text": (CLAIM_SHAPES, claims(iat="now"), BEARER),
    "bearer, nbf is text": (CLAIM_SHAPES, claims(nbf="0"), BEARER),
    "no iat": (CLAIM_SHAPES, claims(iat=...), RULES),
    "nonce is an array": (CLAIM_SHAPES, claims(nonce=[NONCE_SENT]), RULES),
    "azp is an array": (CLAIM_SHAPES, claims(azp=[CLIENT]), RULES),
    "c_hash is a number": (CLAIM_SHAPES, hybrid(c_hash=1), HYBRID),
    "at_hash is null": (CLAIM_SHAPES, hybrid(at_hash=None), HYBRID),
    "a statement about somebody": (CLAIM_SHAPES, claims(events={"http://schemas.openid.net/event/a": {}}), RULES),
    "bearer, a statement about somebody": (CLAIM_SHAPES, claims(events={}), BEARER),
    "expired": (EXPIRY, claims(exp=NOW - 60), RULES),
    "bearer, expired": (EXPIRY, claims(exp=NOW - 60), BEARER),
    "expired in 1970": (EXPIRY, claims(exp=0), RULES),
    "issued ahead": (NOT_BEFORE, claims(iat=NOW + 61), RULES),
    "not yet valid": (NOT_BEFORE, claims(nbf=NOW + 61), RULES),
    "bearer, not yet valid": (NOT_BEFORE, claims(nbf=NOW + 61), BEARER),
    "another issuer": (ISSUER, claims(iss="https://id.example.org"), RULES),
    "issuer with a slash": (ISSUER, claims(iss=f"{ISSUED_BY}/"), RULES),
    "issuer in capitals": (ISSUER, claims(iss=ISSUED_BY.upper()), RULES),
    "empty issuer, and none is known": (ISSUER, claims(iss=""), replace(RULES, issuer="")),
    "bearer of another issuer": (ISSUER, claims(iss="https://id.example.org"), BEARER),
    "key of another issuer": (KEY_ISSUER, claims(), replace(RULES, key_may_sign=key_has_issuer)),
    "another audience": (AUDIENCE, claims(aud="another"), RULES),
    "part of the audience": (AUDIENCE, claims(aud=CLIENT[:-1]), RULES),
    "allowed audience is a bearer's alone": (AUDIENCE, claims(aud="api://contoso"), RULES),
    "bearer for another audience": (AUDIENCE, claims(aud=["a", "b"]), BEARER),
    "another party": (AUTHORIZED_PARTY, claims(azp="another"), RULES),
    "empty party": (AUTHORIZED_PARTY, claims(azp=""), RULES),
    "several audiences, no party": (AUTHORIZED_PARTY, claims(aud=[CLIENT, "another"]), RULES),
    "no nonce": (NONCE, claims(nonce=...), RULES),
    "another nonce": (NONCE, claims(nonce="another"), RULES),
    "nonce in capitals": (NONCE, claims(nonce=NONCE_SENT.upper()), RULES),
    "no c_hash beside a code": (CODE_HASH, hybrid(c_hash=...), HYBRID),
    "c_hash of another code": (CODE_HASH, hybrid(c_hash=half_hash("another")), HYBRID),
    "c_hash with padding": (CODE_HASH, hybrid(c_hash=half_hash(CODE) + "=="), HYBRID),
    "at_hash of another token": (ACCESS_TOKEN_HASH, hybrid(at_hash=half_hash("another")), HYBRID),
    "empty at_hash": (ACCESS_TOKEN_HASH, hybrid(at_hash=""), HYBRID),
    "another person at refresh": (SUBJECT, claims(sub="248289761002"), REFRESH),
}

FAULTS = {EXPIRY: Fault.EXPIRED, NOT_BEFORE: Fault.NOT_YET_VALID, AUDIENCE: Fault.AUDIENCE, ISSUER: Fault.ISSUER}

SPOILED: dict[str, tuple[Check, str]] = {
    "two parts": (COMPACT_FORM, "e30.e30"),
    "alg none": (COMPACT_FORM, mint(claims()).rpartition(".")[0] + "."),
    "alg HS256": (HEADER, mint(claims(), header(alg="HS256"))),
    "alg of another size": (HEADER, mint(claims(), header(alg="RS512"))),
    "no kid": (HEADER, mint(claims(), header(kid=...))),
    "unknown crit": (HEADER, mint(claims(), header(crit=["b64"]))),
    "empty crit": (HEADER, mint(claims(), header(crit=[]))),
    "a key of its own": (HEADER, mint(claims(), header(jwk=dict(signer("shared").jwk())))),
    "payload is an array": (PAYLOAD, mint_raw(b'{"alg":"RS256","kid":"kid-shared"}', b"[]")),
    "two sub": (PAYLOAD, mint_raw(b'{"alg":"RS256","kid":"kid-shared"}', b'{"sub":"a","sub":"b"}')),
    "unpublished key": (SIGNATURE, mint(claims(), by="usgov")),
    "unknown kid": (SIGNATURE, mint(claims(), header(kid="unknown"))),
    "key under another kid": (SIGNATURE, mint(claims(), header(kid="kid-consumer"))),
}


@pytest.mark.parametrize("name", HONEST)
def test_honest_tokens_pass(name: str) -> None:
    """An honest token gives its claims, in issued order."""
    body, rules = HONEST[name]
    assert list(check(mint(body), rules).items()) == list(body.items())


@pytest.mark.parametrize("name", REFUSED)
def test_each_check_refuses(name: str) -> None:
    """A well-signed token with one thing wrong is refused by the check that is there for it."""
    by, body, rules = REFUSED[name]
    with pytest.raises(TokenRefused) as refused:
        check(mint(body), rules)
    assert refused.value.check is by
    assert refused.value.fault is FAULTS.get(by, refused.value.fault)


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_tokens_are_refused(name: str) -> None:
    """A token that is no compact RS256 token of a published key is refused before its claims are looked at."""
    by, token = SPOILED[name]
    with pytest.raises(TokenRefused) as refused:
        check(token)
    assert refused.value.check is by


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_access_tokens_by_their_type(typ: str) -> None:
    """An access token that says so in its header is read as a bearer, and never as an id_token (RFC 8725, 3.11)."""
    token = mint(claims(), header(typ=typ))
    assert read_compact(token, BEARER_TYPES).unverified_claims == claims()
    for _ in range(2):  # what was read before must not count for the other kind
        with pytest.raises(TokenRefused) as refused:
            read_compact(token)
        assert refused.value.check is HEADER


@pytest.mark.parametrize("typ", ["logout+jwt", "secevent+jwt", "dpop+jwt", "", None, ["JWT"], "at+jwt "])
def test_tokens_of_another_type(typ: object) -> None:
    """A token made for something else is no bearer either."""
    with pytest.raises(TokenRefused) as refused:
        read_compact(mint(claims(), header(typ=typ)), BEARER_TYPES)
    assert refused.value.check is HEADER


def test_every_check_refuses_something() -> None:
    """No check of the list stands there for nothing, and each has its own name."""
    assert {by for by, *_ in REFUSED.values()} | {by for by, _ in SPOILED.values()} == set(CHECKS)
    assert len({each.name for each in CHECKS}) == len(CHECKS)


def test_expiry_to_the_second() -> None:
    """A token is good until its expiry and the leeway, and not at that moment."""
    token = mint(claims(exp=NOW))
    check(token, now=NOW + 59.999)
    with pytest.raises(TokenRefused):
        check(token, now=NOW + 60)


def test_hashes_of_the_specification() -> None:
    """The code hash is that of the example in OpenID Connect Core, appendix A.4."""
    assert half_hash("Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk") == "LDktKdoQak3Pk0cnXxCltA"
    assert half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == "77QmUPtjPfzWtF2AnpK9RQ"


def test_reasons_quote_no_token() -> None:
    """What the log is told holds neither a signature nor a hash of a code."""
    token = mint(hybrid(c_hash=half_hash("another"), iss="https://\u202eevil"))
    with pytest.raises(TokenRefused) as refused:
        check(token, HYBRID)
    told = f"{refused.value.reason} {refused.value.facts}"
    assert token.rpartition(".")[2] not in told
    assert "\u202e" not in told
    assert refused.value.facts == {"iss": "https://evil"}


@pytest.mark.parametrize("name", HONEST)
def test_honest_tokens_have_witnesses(name: str) -> None:
    """PyJWT and joserfc accept what we accept: signature, expiry, issuer, audience, and find the same claims."""
    body, rules = HONEST[name]
    token = mint(body)
    public, theirs = signer("shared").private.public_key(), RSAKey.import_key({**signer("shared").jwk()})
    loose: Any = {"verify_sub": False, "verify_iat": False, "verify_exp": False, "verify_nbf": False}
    named: Any = {"audience": [rules.client_id, *rules.audiences], "issuer": body["iss"]}
    assert jwt.decode(token, public, algorithms=["RS256"], options=loose, **named) == body
    assert rfc_jwt.decode(token, theirs).claims == body


WRONG_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8),
    st.lists(st.text(max_size=4), max_size=3), st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)  # fmt: skip


@given(changes=st.dictionaries(st.sampled_from([*hybrid(), "azp", "nbf", "tid"]), WRONG_VALUES, max_size=3))
@settings(max_examples=150, deadline=None)
def test_any_values_are_judged(changes: dict[str, object]) -> None:
    """Whatever stands in the claims, the answer is yes or `TokenRefused`; and yes means that both witnesses agree."""
    body = hybrid(**changes)
    token = mint(body)
    try:
        accepted = check(token, HYBRID)
    except TokenRefused:
        return
    assert accepted["nonce"] == NONCE_SENT
    assert accepted["iss"] == ISSUED_BY
    public = signer("shared").private.public_key()
    assert jwt.decode(
        token, public, algorithms=["RS256"], audience=CLIENT, issuer=ISSUED_BY,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_sub": False},
    )  # fmt: skip
