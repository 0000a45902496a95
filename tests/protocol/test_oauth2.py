from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.common import urldecode
from requests.auth import _basic_auth_str

from doorward.protocol import oauth2
from doorward.protocol.oauth2 import (
    AuthorizationRequest,
    AuthorizationResponse,
    CodeRedemption,
    EndSessionRequest,
    RefreshRequest,
    TokenError,
    TokenResponse,
    UserInfo,
    basic_authorization,
    challenge_of,
    read_token_answer,
    read_token_request,
)
from doorward.protocol.parameters import BadMessage, read_form, read_parameters, with_parameters

PARAMETER_MESSAGES: list[Any] = [
    AuthorizationRequest,
    AuthorizationResponse,
    CodeRedemption,
    RefreshRequest,
    EndSessionRequest,
]
TEXT = st.text(max_size=30)
SECRET = "s3cr3t-that-nobody-may-print"


@st.composite
def parameter_messages(draw: st.DrawFn) -> Any:
    """Draw a message that is a row of parameters, with further ones of any name and value."""
    kind = draw(st.sampled_from(PARAMETER_MESSAGES))
    named = [one.name for one in fields(kind) if one.name != "further"]
    known = {name: draw(TEXT) for name in draw(st.sets(st.sampled_from(named)))}
    names = TEXT.filter(lambda name: name and name not in {*named, "grant_type"})
    further = draw(st.dictionaries(names, TEXT, max_size=5))
    return kind(**known, further=tuple(further.items()))


@given(parameter_messages())
def test_parameters_come_back_as_they_were_sent(message: Any) -> None:
    """`from(to(x)) == x` for queries and forms, further parameters and their order included."""
    kind = type(message)
    assert kind.from_query(message.to_query()) == message
    assert kind.from_form(message.to_form()) == message
    assert kind.from_pairs(message.pairs()) == message


MEMBERS = st.dictionaries(
    TEXT.filter(lambda name: name not in {one.name for kind in (TokenResponse, TokenError) for one in fields(kind)}),
    TEXT | st.integers(0, 2**53) | st.booleans() | st.none() | st.lists(TEXT),
    max_size=4,
)
TOKEN_RESPONSES = st.builds(
    TokenResponse,
    access_token=st.text(min_size=1),
    token_type=TEXT,
    expires_in=st.none() | st.integers(0, 10**10),
    refresh_token=TEXT,
    id_token=TEXT,
    scope=TEXT,
    further=MEMBERS,
)
TOKEN_ERRORS = st.builds(TokenError, error=st.text(min_size=1), error_description=TEXT, error_uri=TEXT, further=MEMBERS)


@given(TOKEN_RESPONSES | TOKEN_ERRORS)
def test_answers_come_back_as_they_were_sent(answer: TokenResponse | TokenError) -> None:
    """`from(to(x)) == x` for JSON, and by media type."""
    assert type(answer).from_json(answer.to_json()) == answer
    assert read_token_answer("application/json; charset=utf-8", answer.to_json()) == answer


@given(TOKEN_RESPONSES | TOKEN_ERRORS)
def test_form_answers_come_back_as_they_were_sent(answer: TokenResponse | TokenError) -> None:
    """`from(to(x)) == x` for form-encoded answers, whose members are text."""
    texts = {name: value for name, value in answer.further.items() if isinstance(value, str)}
    plain = type(answer)(
        **{one.name: getattr(answer, one.name) for one in fields(answer) if one.name != "further"}, further=texts
    )
    assert type(answer).from_form(plain.to_form()) == plain
    assert read_token_answer("application/x-www-form-urlencoded", plain.to_form()) == plain


@given(st.dictionaries(TEXT, TEXT | st.integers(0, 2**53) | st.booleans(), max_size=5))
def test_profiles_come_back_as_they_were_sent(members: dict[str, object]) -> None:
    """`from(to(x)) == x` for what a provider says of a person."""
    profile = UserInfo(members=members)
    assert UserInfo.from_json(profile.to_json()) == profile


@pytest.mark.parametrize("kind", PARAMETER_MESSAGES)
@pytest.mark.parametrize("query", ["code=a&code=b", "x=1&x=1", "state=a&s=1&state=", "a=%zz", "a=%", "a=%ff"])
def test_what_two_readers_could_read_differently_is_refused(kind: Any, query: str) -> None:
    """A parameter that is there twice, known or not, a bad escape and bad UTF-8 are errors of the reader."""
    grant = f"grant_type={kind.GRANT}&" if kind.GRANT else ""
    with pytest.raises(BadMessage):
        kind.from_query(grant + query)


def test_too_many_parameters_are_refused() -> None:
    """A form of a thousand fields is nobody's message."""
    with pytest.raises(BadMessage, match="too many"):
        read_parameters("&".join(f"a{number}=1" for number in range(1000)))


def test_a_form_in_another_encoding_is_refused() -> None:
    """Bytes above ASCII have no place in an encoded form."""
    with pytest.raises(BadMessage):
        read_form("a=é".encode())


def test_a_message_cannot_say_one_thing_twice() -> None:
    """Further parameters may not repeat a known one, nor each other."""
    with pytest.raises(BadMessage):
        AuthorizationRequest(client_id="a", further=(("client_id", "b"),))
    with pytest.raises(BadMessage):
        AuthorizationRequest(further=(("a", "1"), ("a", "2")))
    with pytest.raises(BadMessage):
        CodeRedemption(further=(("grant_type", "password"),))


def test_a_parameter_without_a_value_is_absent() -> None:
    """RFC 6749 section 3.1: an empty parameter is as none; a further one is kept as it came."""
    assert AuthorizationRequest.from_query("client_id=&scope=openid&x=") == AuthorizationRequest(
        scope="openid", further=(("x", ""),)
    )


def test_the_order_is_the_one_seen_at_entra() -> None:
    """Further parameters stand between the scope and the response mode, as captured (easy-auth reference 2.2)."""
    request = AuthorizationRequest(
        state="redir=%2F",
        nonce="n",
        response_mode="form_post",
        client_id="c",
        redirect_uri="https://a/.auth/login/aad/callback",
        response_type="code id_token",
        scope="openid profile email",
        login_hint="a@b",
    )
    assert request.to_query() == (
        "response_type=code+id_token&redirect_uri=https%3A%2F%2Fa%2F.auth%2Flogin%2Faad%2Fcallback&client_id=c"
        "&scope=openid+profile+email&login_hint=a%40b&response_mode=form_post&nonce=n&state=redir%3D%252F"
    )
    assert urldecode(request.to_query()) == list(request.pairs())


def test_login_parameters_replace_what_they_name_and_follow_otherwise() -> None:
    """`loginParameters` and the caller's own parameters win over what is built in."""
    request = AuthorizationRequest(response_type="code", scope="openid", state="s")
    changed = request.with_parameters([("scope", "openid offline_access"), ("amr", "mfa"), ("prompt", "login")])
    assert changed == AuthorizationRequest(
        response_type="code", scope="openid offline_access", prompt="login", state="s", further=(("amr", "mfa"),)
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"grant_type=password&username=a", "unsupported_grant_type"),
        (b"code=a", "invalid_request"),
        (b"grant_type=authorization_code&grant_type=refresh_token", "invalid_request"),
        (b"", "invalid_request"),
    ],
)
def test_other_grants_are_refused(body: bytes, error: str) -> None:
    """A token endpoint knows codes and refresh tokens, and names the error as OAuth does."""
    with pytest.raises(BadMessage) as refused:
        read_token_request(body)
    assert refused.value.error == error


def test_token_requests_are_told_apart_by_their_grant() -> None:
    """Each grant has its own message."""
    assert read_token_request(b"grant_type=authorization_code&code=x") == CodeRedemption(code="x")
    assert read_token_request(b"grant_type=refresh_token&refresh_token=x") == RefreshRequest(refresh_token="x")
    with pytest.raises(BadMessage):
        RefreshRequest.from_form(b"grant_type=authorization_code&code=x")


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b"{}"),
        ("application/json", b"[]"),
        ("application/json", b"<html>"),
        ("application/json", b'{"access_token": 1}'),
        ("application/json", b'{"access_token": "a", "access_token": "b"}'),
        ("application/json", b'{"access_token": "a", "expires_in": "soon"}'),
        ("application/json", b'{"access_token": "a", "expires_in": -1}'),
        ("application/json", b'{"access_token": "a", "expires_in": true}'),
        ("application/json", b'{"access_token": "a", "expires_in": 1e300}'),
        ("application/json", b'{"access_token": "a", "id_token": ["b"]}'),
        ("application/json", b'{"error": ""}'),
        ("application/json", b'{"error": {"message": "Graph"}}'),
        ("application/x-www-form-urlencoded", b"token_type=bearer"),
        ("application/x-www-form-urlencoded", b"access_token=a&access_token=b"),
        ("text/html", b"<title>Bad gateway</title>"),
    ],
)
def test_other_answers_are_refused(media_type: str, body: bytes) -> None:
    """Whatever is no answer of a token endpoint is an error of the reader, never a token."""
    with pytest.raises(BadMessage):
        read_token_answer(media_type, body)


def test_an_answer_with_an_error_is_a_refusal_whatever_else_it_holds() -> None:
    """GitHub refuses with status 200; no token beside an error is believed."""
    body = b"error=bad_verification_code&error_description=The+code+passed+is+incorrect&access_token=x"
    answer = read_token_answer("application/x-www-form-urlencoded; charset=utf-8", body)
    assert isinstance(answer, TokenError)
    assert answer.error == "bad_verification_code"


@pytest.mark.parametrize("seconds", ['"3599"', "3599", "3599.0"])
def test_seconds_may_be_a_number_or_text(seconds: str) -> None:
    """Entra's version 1.0 writes `expires_in` as text."""
    answer = TokenResponse.from_json(f'{{"access_token": "a", "expires_in": {seconds}}}'.encode())
    assert answer.expires_in == 3599


def test_nothing_secret_is_printed() -> None:
    """Tokens, codes, secrets, verifiers and states do not stand in a repr."""
    shown = [
        AuthorizationRequest(state=SECRET, nonce=SECRET),
        AuthorizationResponse(
            code=SECRET, id_token=SECRET, access_token=SECRET, state=SECRET, further=(("x", SECRET),)
        ),
        CodeRedemption(code=SECRET, client_secret=SECRET, client_assertion=SECRET, code_verifier=SECRET),
        RefreshRequest(refresh_token=SECRET, client_secret=SECRET, client_assertion=SECRET),
        EndSessionRequest(id_token_hint=SECRET),
        TokenResponse(access_token=SECRET, refresh_token=SECRET, id_token=SECRET, further={"x": SECRET}),
        UserInfo(members={"sub": SECRET}),
    ]
    assert not [message for message in shown if SECRET in repr(message)]


@pytest.mark.parametrize(
    ("address", "mark", "whole"),
    [
        ("https://a/b", "?", "https://a/b?x=1"),
        ("https://a/b?c=d", "?", "https://a/b?c=d&x=1"),
        ("https://a/b?c=d", "#", "https://a/b?c=d#x=1"),
        ("https://a/b#f", "?", "https://a/b?x=1"),
    ],
)
def test_parameters_are_added_to_an_address(address: str, mark: str, whole: str) -> None:
    """A query that is there stays; a fragment never swallows what is added."""
    assert with_parameters(address, [("x", "1")], mark) == whole
    assert with_parameters("https://a/b#f", []) == "https://a/b"


def test_the_challenge_is_that_of_the_specification() -> None:
    """RFC 7636 appendix B."""
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_basic_authorization_is_everybodys() -> None:
    """Plain names look as every client writes them; what could split the header is escaped first."""
    assert basic_authorization("client", "secret") == _basic_auth_str("client", "secret")
    assert basic_authorization("a:b", "c d") == _basic_auth_str("a%3Ab", "c+d")


def test_every_message_has_a_test_here() -> None:
    """A new message must be drawn by the properties above."""
    messages = {
        name for name, value in vars(oauth2).items() if isinstance(value, type) and value.__module__ == oauth2.__name__
    }
    named = {kind.__name__ for kind in PARAMETER_MESSAGES} | {"TokenResponse", "TokenError", "UserInfo"}
    assert {name for name in messages if not name.startswith("_")} == named
