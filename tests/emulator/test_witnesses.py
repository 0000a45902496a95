"""Other people's clients sign in at the emulator: it is right, and not only in agreement with our own client."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken, HybridIDToken
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from doorward.base.clock import FrozenClock
from tests.emulator.relying import CLIENTS, JANE, LOGOUT, SITE, RelyingParty, alias, returned
from tests.support.emulators import RunningEmulator

DISCOVERY = {
    "aad": "/contoso.com/v2.0/.well-known/openid-configuration",
    "aad1": "/contoso.com/.well-known/openid-configuration",
    "google": "/google/.well-known/openid-configuration",
    "contoso": "/oidc/contoso/.well-known/openid-configuration",
}


def _authlib_signs_in(url: str, provider: str, now: float) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Let Authlib discover, authorize with PKCE, redeem, validate and ask for the profile."""
    client = CLIENTS[alias(provider)]
    metadata = requests.get(url + DISCOVERY[provider], timeout=10).json()
    callback = f"{SITE}/.auth/login/{alias(provider)}/callback"
    session: Any = OAuth2Session(
        client.client_id,
        client.client_secret,
        scope="openid profile email",
        redirect_uri=callback,
        code_challenge_method="S256",
    )
    session.trust_env = False
    nonce, verifier = generate_token(20), generate_token(48)
    address, state = session.create_authorization_url(
        metadata["authorization_endpoint"], nonce=nonce, code_verifier=verifier
    )
    back = requests.get(address, headers={"X-Emulator-Person": JANE}, allow_redirects=False, timeout=10)
    token = session.fetch_token(
        metadata["token_endpoint"],
        authorization_response=back.headers["Location"],
        state=state,
        code_verifier=verifier,
        headers={"Accept": "application/json"},
    )
    document = requests.get(metadata["jwks_uri"], timeout=10).json()
    claims = _claims(
        CodeIDToken,
        token["id_token"],
        document,
        {"iss": {"essential": True, "value": metadata["issuer"]}},
        {"nonce": nonce, "client_id": client.client_id, "access_token": token["access_token"]},
    )
    claims.validate(now=int(now), leeway=0)
    profile = session.get(metadata["userinfo_endpoint"], timeout=10).json()
    return dict(token), dict(claims), profile


def _claims(kind: type[Any], token: str, keys: Any, options: dict[str, Any], params: dict[str, Any]) -> Any:
    """Verify the signature, and give the claims to Authlib's own checks."""
    verified = joserfc_jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"])
    return kind(verified.claims, verified.header, options, params)


@pytest.mark.parametrize("provider", list(DISCOVERY))
async def test_authlib_signs_in(stage_set: RunningEmulator, clock: FrozenClock, provider: str) -> None:
    """Discovery, code flow with PKCE, its own check of the id_token, at_hash and nonce included, and UserInfo."""
    token, claims, profile = await asyncio.to_thread(_authlib_signs_in, stage_set.url, provider, clock.now())
    assert claims["email"] == JANE
    assert profile["sub"] == claims["sub"]
    assert token["token_type"] == "Bearer"


@pytest.mark.parametrize("fault", ["wrong_nonce", "bad_at_hash", "wrong_audience", "wrong_issuer", "expired_token"])
async def test_authlib_refuses_what_was_spoilt(app: RelyingParty, clock: FrozenClock, fault: str) -> None:
    """Each fault is one that a careful client finds."""
    tokens = await app.tokens("contoso", faults=fault, nonce="n-1")
    document = (await app.get("/oidc/contoso/keys")).json()
    issuer = (await app.get(DISCOVERY["contoso"])).json()["issuer"]
    claims = _claims(
        CodeIDToken,
        tokens["id_token"],
        document,
        {"iss": {"value": issuer}, "aud": {"value": CLIENTS["contoso"].client_id}},
        {"nonce": "n-1", "access_token": tokens["access_token"]},
    )
    with pytest.raises(Exception, match=r"nonce|at_hash|aud|iss|expired"):
        claims.validate(now=int(clock.now()), leeway=0)


@pytest.mark.parametrize("provider", ["aad", "aad1", "contoso"])
@pytest.mark.parametrize("fault", ["", "bad_c_hash"])
async def test_authlib_checks_the_hybrid_flow(app: RelyingParty, clock: FrozenClock, provider: str, fault: str) -> None:
    """`code id_token` by form_post: the c_hash in the front-channel token is the code's, unless it was spoilt."""
    back = await app.sign_in(provider, faults=fault, response_type="code id_token", response_mode="form_post")
    metadata = (await app.get(DISCOVERY[provider])).json()
    document = (await app.get(metadata["jwks_uri"])).json()
    claims = _claims(HybridIDToken, back["id_token"], document, {}, {"nonce": "n-1", "code": back["code"]})
    if fault:
        with pytest.raises(Exception, match="c_hash"):
            claims.validate(now=int(clock.now()), leeway=0)
    else:
        claims.validate(now=int(clock.now()), leeway=0)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("wrong_signature", jwt.InvalidSignatureError),
        ("unpublished_key", LookupError),
        ("algorithm_none", jwt.PyJWTError),
        ("algorithm_hs256", jwt.PyJWTError),
        ("not_yet_valid", jwt.PyJWTError),
        ("key_rotation", None),
    ],
)
@pytest.mark.parametrize("provider", ["aad", "google", "contoso"])
async def test_pyjwt_refuses_wrong_signatures(
    app: RelyingParty, clock: FrozenClock, provider: str, fault: str, error: type[Exception] | None
) -> None:
    """A spoilt signature, a key that nobody publishes, and other algorithms are refused; a new key is found."""
    tokens = await app.tokens(provider, faults=fault)
    metadata = (await app.get(DISCOVERY[provider])).json()
    document = (await app.get(metadata["jwks_uri"])).json()

    def verify() -> dict[str, Any]:
        key = _key(document, jwt.get_unverified_header(tokens["id_token"])["kid"])
        options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        audience = CLIENTS[provider].client_id
        claims = jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience=audience, options=options)
        if claims["iat"] > clock.now():
            raise jwt.ImmatureSignatureError
        return claims

    if error is None:
        assert verify()["email"] == JANE
    else:
        with pytest.raises(error):
            verify()


def _key(document: dict[str, Any], kid: str) -> jwt.PyJWK:
    found = [key for key in document["keys"] if key["kid"] == kid]
    if not found:
        raise LookupError(kid)
    return jwt.PyJWK(found[0])


# --- sign-out ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", list(LOGOUT))
async def test_sign_out_ends_the_providers_session(app: RelyingParty, provider: str) -> None:
    """The browser comes back to a registered address, and is asked at the next sign-in."""
    await app.sign_in(provider)
    target = f"{SITE}/.auth/logout/complete"
    left = await app.get(f"{LOGOUT[provider]}?post_logout_redirect_uri={target}&state=s%201")
    parts = urlsplit(left.headers["Location"])
    assert (left.status_code, left.headers["Location"].partition("?")[0]) == (302, target)
    assert dict(parse_qsl(parts.query)) == {"state": "s 1"}
    assert (await app.begin(provider)).status_code == 200
    assert returned(await app.begin("contoso", prompt="none"))["error"] == "login_required"


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/",
        "http://127.0.0.1:8080@evil.example/",
        "http://127.0.0.1:80801/",
        "http://127.0.0.1:8080.evil.example/",
        "https://127.0.0.1:8080/",
        "//evil.example",
        "javascript:alert(1)",
        "http://127.0.0.1:8080/\\evil.example",
    ],
)
async def test_sign_out_leads_to_registered_addresses_alone(app: RelyingParty, target: str) -> None:
    """Any other ends on a page; the session is over all the same."""
    await app.sign_in("contoso")
    left = await app.post(LOGOUT["contoso"], {"post_logout_redirect_uri": target})
    assert (left.status_code, "Location" in left.headers) == (400, False)
    assert "signed out" in left.text
    assert (await app.begin("contoso")).status_code == 200


async def test_sign_out_minds_who_asks(app: RelyingParty) -> None:
    """With a client ID or a hint only that application's addresses count."""
    target = f"{SITE}/bye"
    token = (await app.tokens("contoso"))["id_token"]
    for query, status in (
        (f"id_token_hint={token}", 302),
        (f"client_id={CLIENTS['contoso'].client_id}", 302),
        ("client_id=other", 400),
        ("id_token_hint=a.b.c", 400),
        ("id_token_hint=nonsense", 400),
    ):
        assert (await app.get(f"{LOGOUT['contoso']}?{query}&post_logout_redirect_uri={target}")).status_code == status


async def test_sign_out_without_an_address_is_a_page(app: RelyingParty) -> None:
    """Nothing to go back to; a repeated parameter is refused."""
    assert "You are signed out" in (await app.get(LOGOUT["github"])).text
    assert (await app.get(f"{LOGOUT['github']}?state=a&state=b")).status_code == 400
