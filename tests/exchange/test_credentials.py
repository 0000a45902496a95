import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.errors import DoorwardError
from doorward.exchange.credentials import authorization, basic_text, bearer, bearer_text
from tests.support.visits import visit


def code_of(*values: str) -> str:
    """Name the code under which these Authorization headers are refused as a bearer."""
    with pytest.raises(DoorwardError) as refused:
        bearer(visit(*[("Authorization", value) for value in values]))
    return refused.value.code


@pytest.mark.parametrize("value", ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer   a.b.c", " Bearer a.b.c "])
def test_bearers(value: str) -> None:
    """The scheme is known in any case (RFC 9110 section 11.1)."""
    assert bearer(visit(("Authorization", value))) == "a.b.c"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([], "authentication_required"),
        ([""], "authentication_required"),
        (["Basic eDp5"], "authentication_required"),
        (["a.b.c"], "authentication_required"),
        (["Bearerx a.b.c"], "authentication_required"),
        (["Bearer"], "invalid_access_token"),
        (["Bearer "], "invalid_access_token"),
        (["Bearer é"], "invalid_access_token"),
        (["Bearer a.b.c", "Bearer a.b.c"], "malformed_request"),
        (["Bearer a.b.c", "Basic eDp5"], "malformed_request"),
    ],
)
def test_no_bearers(values: list[str], code: str) -> None:
    """No bearer, an empty or foreign one, and two headers are told apart (interface, own tokens)."""
    assert code_of(*values) == code


def test_nobody_is_none() -> None:
    """Without the header there are no credentials."""
    assert authorization(visit()) is None
    assert authorization(visit(("Authorization", "DPoP x"))) == (b"dpop", b"x")


def basic(text: str) -> bytes:
    """Encode as Basic credentials."""
    return base64.b64encode(text.encode())


@pytest.mark.parametrize(
    ("text", "pair"),
    [("id:secret", ("id", "secret")), ("id:se:cret", ("id", "se:cret")), ("i%3Ad:a+b%25", ("i:d", "a b%")), (":",
    ("", "")),
     ("id:", ("id", "")), ("é:ü", ("é", "ü"))],
)  # fmt: skip
def test_basic(text: str, pair: tuple[str, str]) -> None:
    """Id and secret are each form-encoded before they are joined (RFC 6749 section 2.3.1)."""
    assert basic_text(basic(text)) == pair


@pytest.mark.parametrize(
    "credentials",
    [b"", b"x", b"====", b"a b", basic("id"), base64.b64encode(b"\xff:x"), basic("i\0d:x"), basic("i%00d:x"),
     basic("id:secret") + b"\n", basic("id:secret")[:-1], basic("???>>>:x").replace(b"/", b"_")[:-2]],
)  # fmt: skip
def test_what_is_not_basic(credentials: bytes) -> None:
    """Anything else is `invalid_client`; a NUL, escaped or not, never reaches the database."""
    with pytest.raises(DoorwardError) as refused:
        basic_text(credentials)
    assert refused.value.code == "invalid_client"


@given(credentials=st.binary(max_size=60))
def test_any_credentials(credentials: bytes) -> None:
    """Any bytes are credentials or refused, and nothing else is raised."""
    for read in (basic_text, bearer_text):
        with suppress(DoorwardError):
            assert read(credentials)
