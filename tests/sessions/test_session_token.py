"""The session token: what is written, and what is read."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.errors import DoorwardError
from doorward.sessions.session_token import SessionTokens
from tests.support.canaries import keep_secret
from tests.support.sessions import NOW, OTHER_SITE, SECRET, SITE, Replica, person

THIRTY_DAYS = 30 * 86400


def part(value: Any) -> str:
    """Write one part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def signed(claims: Any, header: Any = None, key: bytes = SECRET) -> bytes:
    """Sign claims as somebody does who knows nothing of our code."""
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    text = f"{part(head)}.{part(claims)}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}".encode()


CLAIMS: dict[str, Any] = {
    "stable_sid": "sid:1", "sub": "sid:2", "idp": "aad", "ver": "3", "nbf": int(NOW), "exp": int(NOW) + 60,
    "iat": int(NOW), "iss": f"{SITE}/", "aud": f"{SITE}/", "jti": "session",
}  # fmt: skip
TOKENS = SessionTokens(SECRET, [SITE, OTHER_SITE])


async def test_a_token_is_written_as_app_service_does(one: Replica) -> None:
    """Header, claims and their order are those of the reference, with `jti` behind them."""
    _, session = await one.desk.start(person(expires_on=int(NOW + 3600) * 10**7), NOW, with_token=True)
    token = one.tokens.write(session, SITE, NOW)
    keep_secret(token.rpartition(".")[2])
    head, body, _ = token.split(".")
    assert base64.urlsafe_b64decode(head + "==") == b'{"alg":"HS256","typ":"JWT"}'
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    assert list(claims) == ["stable_sid", "sub", "idp", "ver", "nbf", "exp", "iat", "iss", "aud", "jti"]
    assert claims | {"stable_sid": "", "sub": ""} == {
        "stable_sid": "", "sub": "", "idp": "aad", "ver": "3", "nbf": int(NOW), "exp": int(NOW) + 3600,
        "iat": int(NOW), "iss": f"{SITE}/", "aud": f"{SITE}/", "jti": session.id,
    }  # fmt: skip
    assert token.encode() == signed(claims)


async def test_without_an_expiry_a_token_lasts_thirty_days(one: Replica) -> None:
    """Where nobody knows when the provider's token expires, the session token counts for 30 days."""
    _, session = await one.desk.start(person(), NOW, with_token=True)
    assert session.token_expires_at == NOW + THIRTY_DAYS
    assert one.tokens.read(one.tokens.write(session, SITE, NOW).encode(), NOW).expires_at == NOW + THIRTY_DAYS


async def test_the_user_is_named_by_a_sid(one: Replica) -> None:
    """The answer names the user by the login name; where the deprecated sid is hidden, by what never changes."""
    _, session = await one.desk.start(person("user"), NOW, with_token=True)
    answer = json.loads(one.tokens.answer(session, SITE, NOW))
    assert list(answer) == ["authenticationToken", "user"]
    assert answer["user"] == {"userId": "sid:61f7d36ec1a6feeb55d0dae8a34fce34"}
    assert TOKENS.read(answer["authenticationToken"].encode(), NOW).claims["sub"] == answer["user"]["userId"]
    hiding = SessionTokens(SECRET, [SITE], hide_deprecated_sid=True)
    hidden = TOKENS.read(hiding.write(session, SITE, NOW).encode(), NOW).claims
    assert hidden["sub"] == hidden["stable_sid"] == hiding.user_sid(session)


async def test_a_session_without_a_token_gives_none(one: Replica) -> None:
    """A session that was begun for a cookie alone would be swept under its token."""
    _, session = await one.desk.start(person(), NOW)
    with pytest.raises(ValueError, match="without a token"):
        one.tokens.write(session, SITE, NOW)


@pytest.mark.parametrize("claims", [
    CLAIMS,
    CLAIMS | {"exp": str(int(NOW) + 60), "nbf": str(int(NOW)), "iat": str(int(NOW))},
    CLAIMS | {"iss": f"{OTHER_SITE}/", "aud": f"{OTHER_SITE}/"},
    CLAIMS | {"nbf": int(NOW) + 299, "exp": int(NOW) + 999},
])  # fmt: skip
def test_what_is_read(claims: dict[str, Any]) -> None:
    """Times may be text, and every host of the site counts; clocks may differ."""
    read = TOKENS.read(signed(claims), NOW)
    assert (read.session_id, read.expires_at) == ("session", float(claims["exp"]))
    assert TOKENS.read(signed(claims, {"typ": "JWT", "alg": "HS256"}), NOW) == read


@pytest.mark.parametrize("token", [
    b"", b"a.b", b"a.b.c", b"a.b.c.d", b"....", b"A" * 43, "ž.ž.ž".encode(),
    signed(CLAIMS)[:-1], signed(CLAIMS) + b"=", signed(CLAIMS) + b"\n", b" " + signed(CLAIMS),
    signed(CLAIMS, key=bytes(32)),
    signed(CLAIMS, {"alg": "none"}), signed(CLAIMS, {"alg": "HS512", "typ": "JWT"}), signed(CLAIMS, {"typ": "JWT"}),
    signed(CLAIMS, {"alg": "HS256", "typ": "JWT", "kid": "1"}), signed(CLAIMS, {"alg": "HS256", "crit": ["x"]}),
    signed(CLAIMS, []), signed([]), signed("claims"),
    f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(CLAIMS)}.".encode(),
    signed(CLAIMS | {"padding": "x" * 5000}),
    *(signed({name: value for name, value in CLAIMS.items() if name != gone})
      for gone in ("exp", "nbf", "iss", "aud", "jti")),
    *(signed(CLAIMS | changed) for changed in (
        {"exp": int(NOW)}, {"exp": str(int(NOW))}, {"nbf": int(NOW) + 301, "exp": int(NOW) + 999}, {"exp": True},
        {"exp": None}, {"exp": "soon"}, {"exp": "1e10"}, {"exp": ""}, {"exp": "١٨٠٠٠٠٠٠٦٠"}, {"exp": [1]}, {"nbf": {}},
        {"iss": "https://evil.example/"}, {"aud": "https://evil.example/"}, {"aud": [f"{SITE}/"]}, {"aud": SITE},
        {"iss": "https://evil.example/", "aud": "https://evil.example/"}, {"iss": SITE, "aud": SITE},
        {"iss": None, "aud": None}, {"iss": {}, "aud": {}}, {"iss": [], "aud": []},
        {"aud": f"{OTHER_SITE}/"}, {"jti": 7}, {"jti": None}, {"jti": ["session"]},
    )),
])  # fmt: skip
def test_what_is_refused(token: bytes) -> None:
    """Everything that we would not have written is refused, in one word."""
    with pytest.raises(DoorwardError) as refused:
        TOKENS.read(token, NOW)
    assert refused.value.code == "invalid_session_token"


def test_an_expired_token_counts_for_the_grace() -> None:
    """For a refresh an expired token counts for as long as is allowed, and not a second longer."""
    token = signed(CLAIMS)
    assert TOKENS.read(token, NOW + 60 + 99, late=100.0).session_id == "session"
    with pytest.raises(DoorwardError, match="expired"):
        TOKENS.read(token, NOW + 60 + 100, late=100.0)


@given(st.binary(max_size=300), st.integers(0, 2))
def test_no_bytes_break_it(noise: bytes, place: int) -> None:
    """Whatever stands in a part of a token, it is refused and nothing else happens."""
    parts = signed(CLAIMS).split(b".")
    parts[place] = noise
    token = b".".join(parts)
    if token != signed(CLAIMS):
        with pytest.raises(DoorwardError):
            TOKENS.read(token, NOW)
