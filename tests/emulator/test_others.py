"""The pretend providers with ways of their own: Facebook, X, the Microsoft account and Apple."""

import asyncio
import hmac
import json
import logging
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from requests_oauthlib import OAuth1Session

from doorward.base.clock import FrozenClock
from doorward.emulator.apple import ISSUER
from doorward.emulator.clients import Client
from doorward.emulator.messages import MintRequest
from doorward.emulator.settings import addresses_at, clients_of
from doorward.protocol.oauth1 import Consumer, Token, sign
from tests.emulator.relying import CLIENTS, JANE, SITE, RelyingParty, claims_of, returned
from tests.support.emulators import RunningEmulator, running_emulator

FACEBOOK, LIVE, APPLE, TWITTER = (CLIENTS[name] for name in ("facebook", "microsoftaccount", "apple", "twitter"))


def proof(token: str) -> str:
    """Give Facebook's proof that whoever calls has the application's secret."""
    return hmac.digest(FACEBOOK.client_secret.encode(), token.encode(), "sha256").hex()


# --- Facebook ------------------------------------------------------------------------------------------------------


async def facebook_token(app: RelyingParty, **changes: Any) -> dict[str, Any]:
    """Sign in at Facebook; gives the tokens."""
    return await app.tokens("facebook", **({"scope": "public_profile,email"} | changes))


async def test_facebook_tells_who_it_is_for_a_proof_of_the_secret(app: RelyingParty) -> None:
    """`/me` gives the fields that were asked for, in any version of Graph; a code brings a token of two hours."""
    tokens = await facebook_token(app)
    assert (tokens["token_type"].lower(), tokens["expires_in"]) == ("bearer", 7200)
    assert "refresh_token" not in tokens
    token = tokens["access_token"]
    query = urlencode({"fields": "id,name,email,first_name,birthday", "appsecret_proof": proof(token)})
    for path in ("/facebook/graph/me", "/facebook/v19.0/graph/me"):
        known = (await app.get(f"{path}?{query}", {"Authorization": f"Bearer {token}"})).json()
        assert list(known) == ["id", "name", "email", "first_name"], "no birthday without its permission"
        assert (known["name"], known["email"]) == ("Jane Doe", JANE)
    by_query = await app.get(f"/facebook/graph/me?access_token={token}&appsecret_proof={proof(token)}")
    assert list(by_query.json()) == ["id", "name"]


@pytest.mark.parametrize("query", ["", "appsecret_proof=", "appsecret_proof=00", "appsecret_proof={other}", "a=1&a=2"])
async def test_facebook_wants_the_proof(app: RelyingParty, query: str) -> None:
    """A token that leaked is worth nothing without the secret."""
    token = (await facebook_token(app))["access_token"]
    address = f"/facebook/graph/me?{query.format(other=proof('other'))}"
    answer = await app.get(address, {"Authorization": f"Bearer {token}"})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "OAuthException"
    assert "Jane" not in answer.text


async def test_facebook_refuses_with_an_object(app: RelyingParty) -> None:
    """Graph's way to say it, with status 400."""
    answer = await app.redeem("facebook", "made-up")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


async def test_facebook_gives_a_long_lived_token_for_another(app: RelyingParty) -> None:
    """Sixty days, for the application's own good token and its secret alone."""
    token = (await facebook_token(app))["access_token"]
    form = {"grant_type": "fb_exchange_token", "fb_exchange_token": token} | {
        "client_id": FACEBOOK.client_id,
        "client_secret": FACEBOOK.client_secret,
    }
    address = "/facebook/graph/oauth/access_token"
    longer = (await app.post(address, form)).json()
    assert (longer["expires_in"], longer["access_token"] != token) == (60 * 86400, True)
    other = (await app.tokens("contoso"))["access_token"]
    for wrong in ({"client_secret": "x"}, {"client_id": "x"}, {"fb_exchange_token": "x"}, {"fb_exchange_token": other}):
        assert (await app.post(address, form | wrong)).status_code == 400


async def test_facebook_says_whose_a_token_is(app: RelyingParty) -> None:
    """`debug_token` answers the application that proves itself, and names the application of any token."""
    token = (await facebook_token(app))["access_token"]
    mine = {"access_token": f"{FACEBOOK.client_id}|{FACEBOOK.client_secret}"}
    told = (await app.get(f"/facebook/graph/debug_token?{urlencode(mine | {'input_token': token})}")).json()["data"]
    assert (told["app_id"], told["is_valid"]) == (FACEBOOK.client_id, True)
    assert "email" in told["scopes"]
    wrong = {"access_token": f"{FACEBOOK.client_id}|wrong", "input_token": token}
    assert (await app.get(f"/facebook/graph/debug_token?{urlencode(wrong)}")).status_code == 400
    other = (await app.tokens("contoso"))["access_token"]
    for bad in ("made-up", other):
        told = (await app.get(f"/facebook/graph/debug_token?{urlencode(mine | {'input_token': bad})}")).json()["data"]
        assert told["is_valid"] is False


async def test_facebook_knows_a_person_by_another_number_elsewhere(app: RelyingParty) -> None:
    """Ids are of one application."""
    one, two = "100000000000001", "200000000000002"
    ids: list[str] = []
    for audience in (one, two):
        client = {"provider": "facebook", "client_id": audience, "client_secret": FACEBOOK.client_secret}
        await app.post("/_emulator/clients", json.dumps(client), headers={"Content-Type": "application/json"})
        order = MintRequest(provider="facebook", kind="access_token", audience=audience).to_json().decode()
        answer = await app.post("/_emulator/token", order, headers={"Content-Type": "application/json"})
        token = answer.json()["token"]
        known = await app.get(f"/facebook/graph/me?access_token={token}&appsecret_proof={proof(token)}")
        ids.append(known.json()["id"])
    assert ids[0] != ids[1]


# --- Microsoft account ---------------------------------------------------------------------------------------------


async def test_live_gives_a_profile_and_an_authentication_token(app: RelyingParty) -> None:
    """By scopes `wl.*`; the authentication token is signed as the interface says."""
    scope = "wl.basic wl.emails wl.offline_access"
    tokens = await app.tokens("microsoftaccount", email="sam@outlook.com", scope=scope)
    assert tokens["scope"] == scope
    profile = (await app.get("/live/v5.0/me", {"Authorization": f"Bearer {tokens['access_token']}"})).json()
    assert (profile["name"], profile["emails"]["preferred"]) == ("Sam Okafor", "sam@outlook.com")
    key = sha256(f"{LIVE.client_secret}JWTSig".encode()).digest()
    options: Any = {"verify_exp": False}
    claims = jwt.decode(
        tokens["authentication_token"], key, algorithms=["HS256"], audience="127.0.0.1", options=options
    )
    assert claims["uid"] == tokens["user_id"]
    assert claims["urn:microsoft:appid"] == LIVE.client_id
    assert jwt.get_unverified_header(tokens["authentication_token"]) == {"typ": "JWT", "alg": "HS256", "kid": "0"}
    new = (await app.refresh("microsoftaccount", tokens["refresh_token"])).json()
    assert new["refresh_token"] != tokens["refresh_token"]


async def test_live_gives_what_was_asked_for(app: RelyingParty) -> None:
    """No addresses without `wl.emails`, no refresh token without `wl.offline_access`, nothing without a scope."""
    tokens = await app.tokens("microsoftaccount", scope="wl.basic")
    assert "refresh_token" not in tokens
    profile = (await app.get(f"/live/v5.0/me?access_token={tokens['access_token']}")).json()
    assert "emails" not in profile
    assert "id_token" not in await app.tokens("microsoftaccount", scope="wl.basic openid")
    assert (await app.sign_in("microsoftaccount", scope="openid"))["error"] == "invalid_scope"


async def test_live_mints_authentication_tokens(app: RelyingParty) -> None:
    """For client-directed sign-in, good and expired."""
    for expired in (False, True):
        order = MintRequest(provider="microsoftaccount", expired=expired, claims={"aud": "x"}, without=("ver",))
        answer = await app.post(
            "/_emulator/token", order.to_json().decode(), headers={"Content-Type": "application/json"}
        )
        claims = claims_of(answer.json()["token"])
        assert (claims["exp"] < 1_800_000_000) is expired
        assert (claims["aud"], "ver" in claims) == ("x", False)


# --- Apple ---------------------------------------------------------------------------------------------------------

NAMED: dict[str, Any] = {"scope": "name email", "response_mode": "form_post", "nonce": None}


async def test_apple_tells_a_name_once(app: RelyingParty) -> None:
    """In the posted form, at the first sign-in of a person at an application."""
    back = await app.sign_in("apple", **NAMED)
    assert json.loads(back["user"]) == {"name": {"firstName": "Jane", "lastName": "Doe"}, "email": JANE}
    assert "user" not in await app.sign_in("apple", **NAMED)
    tokens = (await app.redeem("apple", back["code"])).json()
    claims = claims_of(tokens["id_token"])
    assert (claims["email"], claims["email_verified"], claims["aud"]) == (JANE, "true", APPLE.client_id)
    assert "nonce" not in claims
    assert jwt.get_unverified_header(tokens["id_token"]).keys() == {"kid", "alg"}


async def test_apple_posts_names_and_addresses(app: RelyingParty) -> None:
    """Neither travels in an address; without scopes there is no such rule."""
    assert (await app.sign_in("apple", scope="email"))["error"] == "invalid_request"
    back = await app.sign_in("apple", scope=None)
    assert "email" in claims_of((await app.redeem("apple", back["code"])).json()["id_token"])


def signing_key() -> tuple[ec.EllipticCurvePrivateKey, dict[str, str]]:
    """Give a key of the application, and what it registers of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    x, y = (urlsafe_b64encode(n.to_bytes(32, "big")).rstrip(b"=").decode() for n in (numbers.x, numbers.y))
    return key, {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "K1", "x": x, "y": y}


@pytest.mark.parametrize(
    ("changes", "kid", "good"),
    [
        ({}, "K1", True),
        ({"iss": "OTHERTEAM"}, "K1", False),
        ({"sub": "com.example.other"}, "K1", False),
        ({"aud": "https://evil.example"}, "K1", False),
        ({"exp": 1_800_000_000 + 200 * 86400}, "K1", False),
        ({"exp": 1_800_000_000 - 400}, "K1", False),
        ({}, "K2", False),
    ],
)
async def test_apple_checks_the_signed_secret(
    clock: FrozenClock,
    kept_keys: Path,
    changes: dict[str, Any],
    kid: str,
    good: bool,  # noqa: FBT001 - a column
) -> None:
    """ES256 by the registered key, of the team, for the application, of at most six months."""
    key, jwk = signing_key()
    known = Client(
        provider="apple",
        client_id=APPLE.client_id,
        redirect_uris=APPLE.redirect_uris,
        jwk=jwk,
        team_id="TEAM123456",
    )
    now = int(clock.now())
    claims = {"iss": "TEAM123456", "sub": APPLE.client_id, "aud": ISSUER, "iat": now, "exp": now + 86400} | changes
    secret = jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid})
    async with running_emulator(clock, kept_keys, clients=[known]) as running:
        with RelyingParty(running.url) as app:
            code = (await app.sign_in("apple", **NAMED))["code"]
            answer = await app.redeem("apple", code, client_secret=secret)
            assert answer.status_code == (200 if good else 401)
            other = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": kid})
            code = (await app.sign_in("apple", **NAMED))["code"]
            assert (await app.redeem("apple", code, client_secret=other)).status_code == 401


# --- X -------------------------------------------------------------------------------------------------------------

CALLBACK = f"{SITE}/.auth/login/twitter/callback?state=redir%3D%252F"


# The witness's debug lines hold every token that it gets; what it logs is not ours.
logging.getLogger("requests_oauthlib").setLevel(logging.WARNING)


def _requests_oauthlib_signs_in(url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let requests-oauthlib go the three steps and read the profile."""
    at = addresses_at(url, "twitter", "")
    session: Any = OAuth1Session(TWITTER.client_id, TWITTER.client_secret, callback_uri=CALLBACK)
    session.fetch_request_token(at["request_token_endpoint"])
    address = session.authorization_url(at["authorization_endpoint"])
    back = requests.get(address, headers={"X-Emulator-Person": JANE}, allow_redirects=False, timeout=10)
    session.parse_authorization_response(back.headers["Location"])
    token = session.fetch_access_token(at["access_token_endpoint"])
    return dict(token), session.get(f"{at['userinfo_endpoint']}?include_email=true").json()


async def test_requests_oauthlib_signs_in(clock: FrozenClock, kept_keys: Path) -> None:
    """Another client goes the three steps of OAuth 1.0a; it has the machine's clock, so the emulator has it as well."""
    del clock
    from doorward.base.clock import SystemClock  # noqa: PLC0415 - the one test whose other side cannot stand still

    async with running_emulator(SystemClock(), kept_keys, clients=clients_of([SITE])) as running:
        token, profile = await asyncio.to_thread(_requests_oauthlib_signs_in, running.url)
    assert token["screen_name"] == profile["screen_name"] == "jane"
    assert token["user_id"] == profile["id_str"]
    assert profile["name"] == "Jane Doe"


class Signer:
    """Our own client of OAuth 1.0a, with everything open to be spoilt."""

    def __init__(self, app: RelyingParty, clock: FrozenClock) -> None:
        self.app = app
        self.clock = clock
        self.number = 0

    async def call(self, method: str, path: str, token: Token | None = None, **more: Any) -> requests.Response:
        """Send a signed request."""
        self.number += 1
        url = f"{self.app.url}/twitter{path}"
        given: dict[str, Any] = {
            "consumer": Consumer(key=TWITTER.client_id, secret=TWITTER.client_secret),
            "nonce": f"n{self.number}",
            "timestamp": int(self.clock.now()),
        } | more
        header = sign(method, given.pop("signed_url", url), given.pop("consumer"), token, **given)
        send = self.app.get if method == "GET" else self.app.post
        return await send(url, headers={"Authorization": header})

    async def request_token(self, **more: Any) -> requests.Response:
        """Ask for a request token."""
        given: dict[str, Any] = {"callback": CALLBACK} | more
        return await self.call("POST", "/oauth/request_token", given.pop("token", None), **given)

    async def approved(self, email: str = JANE, faults: str = "") -> tuple[Token, str]:
        """Have a person approve; gives the request token and the verifier."""
        told = dict(parse_qsl((await self.request_token()).text))
        token = Token(token=told["oauth_token"], secret=told["oauth_token_secret"])
        headers = {"X-Emulator-Person": email, "X-Emulator-Faults": faults}
        back = await self.app.get(f"/twitter/oauth/authenticate?oauth_token={token.token}", headers)
        return token, returned(back)["oauth_verifier"]


@pytest.fixture
def signer(app: RelyingParty, clock: FrozenClock) -> Signer:
    """Give a client of X."""
    return Signer(app, clock)


async def test_x_signs_in_step_by_step(signer: Signer) -> None:
    """The callback keeps its own query, and the token opens the profile."""
    token, verifier = await signer.approved()
    told = dict(parse_qsl((await signer.call("POST", "/oauth/access_token", token, verifier=verifier)).text))
    access = Token(token=told["oauth_token"], secret=told["oauth_token_secret"])
    profile = await signer.call("GET", "/1.1/account/verify_credentials.json", access)
    assert profile.json()["screen_name"] == told["screen_name"] == "jane"


async def test_x_goes_back_with_the_callbacks_own_query(signer: Signer) -> None:
    """State and all."""
    told = dict(parse_qsl((await signer.request_token()).text))
    assert told["oauth_callback_confirmed"] == "true"
    address = f"/twitter/oauth/authenticate?oauth_token={told['oauth_token']}"
    page = await signer.app.get(address)
    assert "Who signs in?" in page.text
    back = returned(await signer.app.post(address, {"person": JANE}))
    assert (back["state"], back["oauth_token"]) == ("redir=%2F", told["oauth_token"])
    again = await signer.app.post(address, {"person": JANE})
    assert again.status_code == 400, "a request token is approved once"


async def test_x_says_no(signer: Signer) -> None:
    """`denied` names the request token, which is worth nothing then."""
    told = dict(parse_qsl((await signer.request_token()).text))
    address = f"/twitter/oauth/authenticate?oauth_token={told['oauth_token']}"
    assert returned(await signer.app.post(address, {"deny": "1"}))["denied"] == told["oauth_token"]
    assert (await signer.app.get(address)).status_code == 400


@pytest.mark.parametrize(
    "more",
    [
        {"consumer": Consumer(key=TWITTER.client_id, secret="wrong")},
        {"consumer": Consumer(key="nobody", secret=TWITTER.client_secret)},
        {"callback": "http://evil.example/"},
        {"callback": ""},
        {"callback": "oob"},
        {"timestamp": 1_800_000_000 - 301},
        {"timestamp": 1_800_000_000 + 301},
        {"token": Token(token="made-up", secret="")},
        {"signed_url": "http://127.0.0.1:1/twitter/oauth/request_token"},
    ],
)
async def test_x_refuses_a_wrong_first_step(signer: Signer, more: dict[str, Any]) -> None:
    """Secret, key, callback, time, a token that has no place there, and what was signed for elsewhere."""
    answer = await signer.request_token(**more)
    assert answer.status_code == 401
    assert "oauth_token" not in answer.text


async def test_x_refuses_a_nonce_that_comes_again(signer: Signer) -> None:
    """A recorded request is worth nothing."""
    assert (await signer.request_token(nonce="same")).status_code == 200
    assert (await signer.request_token(nonce="same")).status_code == 401


async def test_x_exchanges_a_request_token_once_with_its_verifier(signer: Signer) -> None:
    """Without approval, without or with a wrong verifier, with another secret, and a second time: refused."""
    told = dict(parse_qsl((await signer.request_token()).text))
    unapproved = Token(token=told["oauth_token"], secret=told["oauth_token_secret"])
    path = "/oauth/access_token"
    assert (await signer.call("POST", path, unapproved, verifier="x")).status_code == 401
    token, verifier = await signer.approved()
    assert (await signer.call("POST", path, token)).status_code == 401
    assert (await signer.call("POST", path, token, verifier="wrong")).status_code == 401
    forged = Token(token=token.token, secret="forged")
    assert (await signer.call("POST", path, forged, verifier=verifier)).status_code == 401
    assert (await signer.call("POST", path, token, verifier=verifier)).status_code == 200
    assert (await signer.call("POST", path, token, verifier=verifier)).status_code == 401


async def test_x_forgets_old_request_tokens(signer: Signer, clock: FrozenClock) -> None:
    """After fifteen minutes."""
    token, verifier = await signer.approved()
    clock.advance(900)
    assert (await signer.call("POST", "/oauth/access_token", token, verifier=verifier)).status_code == 401


async def test_x_signs_in_silently(signer: Signer) -> None:
    """Who is signed in is not asked again, unless the application wants that."""
    await signer.approved()
    told = dict(parse_qsl((await signer.request_token()).text))
    address = f"/twitter/oauth/authenticate?oauth_token={told['oauth_token']}"
    assert (await signer.app.get(f"{address}&force_login=true")).status_code == 200
    back = await signer.app.get(address)
    assert "oauth_verifier" in dict(parse_qsl(urlsplit(back.headers["Location"]).query))


async def test_x_signs_out(signer: Signer) -> None:
    """Its session ends, and the browser goes back to a registered address."""
    await signer.approved()
    left = await signer.app.get(f"/twitter/logout?post_logout_redirect_uri={SITE}/bye")
    assert left.headers["Location"] == f"{SITE}/bye"
    told = dict(parse_qsl((await signer.request_token()).text))
    assert (await signer.app.get(f"/twitter/oauth/authenticate?oauth_token={told['oauth_token']}")).status_code == 200


async def test_x_can_be_broken(signer: Signer) -> None:
    """The faults of answers work there, too."""
    token, verifier = await signer.approved(faults="token_500")
    assert (await signer.call("POST", "/oauth/access_token", token, verifier=verifier)).status_code == 500


async def test_x_mints_a_token_with_its_secret(signer: Signer, stage_set: RunningEmulator) -> None:
    """For client-directed sign-in; there is no id_token."""
    del stage_set
    headers = {"Content-Type": "application/json"}
    order = MintRequest(provider="twitter", kind="access_token", email="omar@contoso.com").to_json().decode()
    told = (await signer.app.post("/_emulator/token", order, headers=headers)).json()
    access = Token(token=told["token"], secret=told["secret"])
    profile = (await signer.call("GET", "/1.1/account/verify_credentials.json", access)).json()
    assert profile["name"] == "Omar Haddad"
    order = MintRequest(provider="twitter").to_json().decode()
    assert (await signer.app.post("/_emulator/token", order, headers=headers)).status_code == 400


async def test_x_takes_the_right_methods(signer: Signer) -> None:
    """Steps are posted, the profile is read."""
    for path, allow in (("/oauth/request_token", "POST"), ("/oauth/access_token", "POST")):
        answer = await signer.app.get(f"/twitter{path}")
        assert (answer.status_code, answer.headers["Allow"]) == (405, allow)
    assert (await signer.app.post("/twitter/1.1/account/verify_credentials.json")).status_code == 405
