import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.protocol.live_token import verify_live_token
from doorward.protocol.refusal import TokenRefused

NOW = 1_800_000_000.0
SECRET = "the secret of the application"
OURS = frozenset({"app.test", "client"})
CLAIMS: dict[str, Any] = {
    "ver": 1, "iss": "urn:windows:liveid", "exp": int(NOW) + 60, "uid": "0123456789abcdef0123456789abcdef",
    "aud": "app.test", "urn:microsoft:appuri": "appid://0000", "urn:microsoft:appid": "0000",
}  # fmt: skip


def key(secret: str = SECRET) -> bytes:
    """Make the key as easy-auth reference 4.8 says."""
    return hashlib.sha256(f"{secret}JWTSig".encode()).digest()


def minted(header: dict[str, Any] | None = None, secret: str = SECRET, **changes: Any) -> str:
    """Have PyJWT sign; a claim that is None is left out."""
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    if header is None:
        return jwt.encode(claims, key(secret), algorithm="HS256", headers={"kid": "0"})
    parts = ({"alg": "HS256", "typ": "JWT", "kid": "0"} | header, claims)
    signing_input = ".".join(_b64(json.dumps(part).encode()) for part in parts)
    return f"{signing_input}.{_b64(hmac.digest(key(secret), signing_input.encode(), 'sha256'))}"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def check(token: str, secret: str = SECRET, audiences: frozenset[str] = OURS) -> dict[str, object]:
    """Verify, with a minute of leeway."""
    return dict(verify_live_token(token, secret, audiences, now=NOW, leeway=60))


def test_what_a_witness_signs_is_accepted() -> None:
    """A token that PyJWT made has the claims that PyJWT reads."""
    assert check(minted()) == jwt.decode(minted(), key(), algorithms=["HS256"], audience="app.test",
                                         options={"verify_exp": False})  # fmt: skip


@pytest.mark.parametrize("aud", ["app.test", "APP.test", "client", "Client", ["other", "app.test"]])
def test_our_names_count(aud: object) -> None:
    """The host of the site, the client id or an allowed audience, in any case, alone or among others."""
    assert check(minted(aud=aud))["uid"] == CLAIMS["uid"]


REFUSED: dict[str, tuple[str, str]] = {
    "another secret": (minted(secret="another"), "signature"),
    "another algorithm": (minted(header={"alg": "HS384"}), "header"),
    "no algorithm": (minted(header={"alg": "none"}), "header"),
    "a hash without the mark": (jwt.encode(CLAIMS, hashlib.sha256(SECRET.encode()).digest()), "signature"),
    "the secret itself": (jwt.encode(CLAIMS, SECRET.ljust(32).encode()), "signature"),
    "another type": (minted(header={"typ": "at+jwt"}), "header"),
    "its own key": (minted(header={"jwk": {"kty": "oct", "k": "x"}}), "header"),
    "an address of keys": (minted(header={"jku": "https://evil.example"}), "header"),
    "critical extensions": (minted(header={"crit": ["x"]}), "header"),
    "another site": (minted(aud="other.test"), "audience"),
    "a site that ends alike": (minted(aud="evil-app.test"), "audience"),
    "no audience": (minted(aud=None), "claims"),
    "an empty audience": (minted(aud=[]), "claims"),
    "another issuer": (minted(iss="https://login.live.com"), "issuer"),
    "no issuer": (minted(iss=None), "claims"),
    "expired": (minted(exp=int(NOW) - 60), "expiry"),
    "no expiry": (minted(exp=None), "claims"),
    "not yet": (minted(nbf=int(NOW) + 61), "not before"),
    "nobody": (minted(uid=None), "claims"),
    "an empty uid": (minted(uid=""), "claims"),
    "a uid that is a number": (minted(uid=5), "claims"),
    "hidden characters": (minted(uid="a\u202eb"), "claims"),
    "two parts": (minted().rpartition(".")[0], "compact form"),
    "four parts": (minted() + ".x", "compact form"),
    "padding": (minted() + "=", "compact form"),
    "nothing": ("", "compact form"),
    "too much": (minted(x="y" * 17000), "compact form"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_everything_else_is_refused(name: str) -> None:
    """Each by the check that is there for it."""
    token, by = REFUSED[name]
    with pytest.raises(TokenRefused) as refused:
        check(token)
    assert refused.value.check.name == by


def test_nobody_signs_under_an_empty_secret() -> None:
    """Without a secret everybody would know the key."""
    with pytest.raises(TokenRefused, match="no client secret"):
        check(minted(secret=""), secret="")


def test_a_repeated_name_is_refused() -> None:
    """Two claims of one name could be read as either; the signature over them is ours."""
    body = json.dumps(CLAIMS)[:-1] + ', "uid": "another"}'
    token = jwt.api_jws.encode(body.encode(), key(), algorithm="HS256")
    with pytest.raises(TokenRefused, match="twice"):
        check(token)


@given(st.integers(0, 10_000), st.binary(max_size=3))
def test_spoiled_tokens_are_refused(at: int, instead: bytes) -> None:
    """Whatever is put in place of a character anywhere, nothing but a refusal comes of it, or the token is the same."""
    token = minted()
    place = at % len(token)
    other = token[:place] + instead.decode("latin-1") + token[place + 1 :]
    if other == token:
        return
    with pytest.raises(TokenRefused):
        check(other)
