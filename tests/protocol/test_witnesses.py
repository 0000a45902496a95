"""PyJWT and joserfc, independent libraries, as witnesses: what we accept, they accept with the same claims."""

import random
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt as rfc_jwt
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from doorward.protocol.jose import read_compact
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.refusal import TokenRefused
from tests.support.entra import Bench, claims, header, mint, mint_raw, signer
from tests.support.spoiling import ALPHABET, spoil

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
LENIENT = JWSRegistry(algorithms=["RS256"], strict_check_header=False)  # like us, it may ignore unknown parameters
LENIENT.max_header_length = 16 * 1024
LOOSE: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False, "verify_sub": False}


def witnesses(token: str) -> list[object]:
    """Give the claims that the witnesses find in a token, which they verify with the shared key."""
    public = signer("shared").private.public_key()
    theirs = RSAKey.import_key({**signer("shared").jwk()})
    return [
        jwt.decode(token, public, algorithms=["RS256"], options=LOOSE),
        rfc_jwt.decode(token, theirs, registry=LENIENT).claims,
    ]


@given(extra=st.dictionaries(st.text(), JSON, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_same_claims(extra: dict[str, object]) -> None:
    """A token that we accept is accepted by both witnesses, which find the claims that we find."""
    token = mint({**extra, **claims(), "x": extra})
    try:
        Bench().check(token)
    except TokenRefused:
        return
    assert witnesses(token) == [read_compact(token).unverified_claims] * 2


def test_an_honest_token_has_witnesses() -> None:
    """Both accept an honest token."""
    token = mint()
    Bench().check(token)
    assert witnesses(token) == [claims(), claims()]


def test_we_accept_theirs() -> None:
    """Tokens of PyJWT, joserfc and our own signer are accepted alike."""
    kid = {"kid": signer("shared").kid}
    pem = signer("shared").to_pem()
    theirs = [
        jwt.encode(claims(), pem.decode(), algorithm="RS256", headers=kid),
        rfc_jwt.encode({"alg": "RS256", **kid}, claims(), RSAKey.import_key(pem)),
        mint(),
    ]
    assert len({Bench().check(token) for token in theirs}) == 1


@given(seed=st.integers(0, 2**32))
@settings(max_examples=2500, deadline=None)
def test_no_input_breaks_the_reader(seed: int) -> None:
    """Whatever is made of a token, it is accepted or refused by a check; nothing else is ever raised."""
    token = spoil(random.Random(seed))  # noqa: S311 - repeatable on purpose
    try:
        Bench().check(token)
    except TokenRefused:
        return
    assert witnesses(token) == [read_compact(token).unverified_claims] * 2


@given(token=st.text(max_size=60) | st.text(ALPHABET, max_size=80))
@settings(max_examples=1000)
def test_no_text_breaks_the_reader(token: str) -> None:
    """Any text is refused as a token, by a check."""
    with pytest.raises(TokenRefused):
        Bench().check(token)


@given(head=st.binary(max_size=40), body=st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_signed_bytes_break_the_reader(head: bytes, body: bytes) -> None:
    """Any bytes as header and payload are refused by a check, under a good signature too."""
    with pytest.raises(TokenRefused):
        Bench().check(mint_raw(head, body))


def test_a_signer_outlives_its_pem() -> None:
    """A key written as PEM and read again signs the same, under its thumbprint as kid (RFC 7638)."""
    made = RsaSigner.from_pem(signer("shared").to_pem())
    assert made.private.private_numbers() == signer("shared").private.private_numbers()
    assert made.kid == RSAKey.import_key(made.to_pem()).thumbprint()
    assert made.sign(header(), claims()) == mint()
    with pytest.raises(ValueError, match="PEM"):
        RsaSigner.from_pem(b"-----BEGIN NOTHING-----")
