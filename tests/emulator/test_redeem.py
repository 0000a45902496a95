import asyncio
from pathlib import Path
from typing import Any

import pytest

from doorward.base.clock import FrozenClock
from doorward.emulator.clients import Client
from doorward.emulator.settings import clients_of
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.oauth2 import ASSERTION_TYPE, challenge_of
from tests.emulator.relying import AUTHORIZE, CLIENTS, SITE, TOKEN, RelyingParty, alias, claims_of
from tests.support.emulators import RunningEmulator, running_emulator

PROVIDERS = list(AUTHORIZE)
REFRESHES = ["aad", "aad1", "google", "github", "contoso"]
VERIFIER = "v" * 43
PROFILES = {
    "aad": "/graph/oidc/userinfo",
    "google": "/google/v1/userinfo",
    "github": "/github/api/user",
    "contoso": "/oidc/contoso/userinfo",
}


def error_of(provider: str, answer: Any) -> str:
    """Give the error, which GitHub tells with status 200 and in its own words."""
    body = answer.json()
    assert answer.status_code == (200 if provider == "github" else 401 if body["error"] == "invalid_client" else 400)
    assert "access_token" not in body
    own = {"incorrect_client_credentials": "invalid_client", "bad_verification_code": "invalid_grant"}
    own |= {"redirect_uri_mismatch": "invalid_grant", "bad_refresh_token": "invalid_grant"}
    return str(own.get(body["error"], body["error"]))


def offline(provider: str) -> dict[str, Any]:
    """Give the parameters that bring a refresh token (easy-auth reference 5)."""
    parameters: dict[str, dict[str, Any]] = {
        "aad": {"scope": "openid profile email offline_access"},
        "aad1": {"resource": "https://graph.example"},
        "google": {"access_type": "offline"},
        "github": {},
        "contoso": {"scope": "openid email offline_access"},
    }
    return parameters[provider]


# --- codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_code_is_used_once_and_its_second_use_revokes_everything(app: RelyingParty, provider: str) -> None:
    """RFC 6749 section 4.1.2: the access token and the refresh token of the first use die with it."""
    back = await app.sign_in(provider, **offline(provider))
    first = (await app.redeem(provider, back["code"])).json()
    assert error_of(provider, await app.redeem(provider, back["code"])) == "invalid_grant"
    assert error_of(provider, await app.refresh(provider, first["refresh_token"])) == "invalid_grant"
    asked = await app.get(PROFILES[alias(provider)], {"Authorization": f"Bearer {first['access_token']}"})
    assert asked.status_code == 401


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_code_expires(app: RelyingParty, clock: FrozenClock, provider: str) -> None:
    """A code lives five minutes."""
    code = (await app.sign_in(provider))["code"]
    clock.advance(299)
    assert (await app.redeem(provider, code)).json()["access_token"]
    code = (await app.sign_in(provider))["code"]
    clock.advance(300)
    assert error_of(provider, await app.redeem(provider, code)) == "invalid_grant"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "0.made-up"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"redirect_uri": f"{SITE}/elsewhere"}, "invalid_grant"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"code_verifier": VERIFIER}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"client_assertion": "eyJ.eyJ.x", "client_assertion_type": "x", "client_secret": None}, "invalid_client"),
    ],
)
async def test_a_wrong_redemption_is_refused(
    app: RelyingParty, provider: str, changes: dict[str, Any], error: str
) -> None:
    """Each slip has OAuth's own name."""
    code = (await app.sign_in(provider))["code"]
    assert error_of(provider, await app.redeem(provider, changes.get("code", code), **changes)) == error


@pytest.mark.parametrize("provider", ["aad", "aad1", "google", "contoso"])
async def test_the_address_is_named_again(app: RelyingParty, provider: str) -> None:
    """RFC 6749 section 4.1.3: it was in the request, so it must be with the code; at GitHub it need not."""
    code = (await app.sign_in(provider))["code"]
    assert error_of(provider, await app.redeem(provider, code, redirect_uri=None)) == "invalid_grant"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_challenge_binds_the_code(app: RelyingParty, provider: str) -> None:
    """PKCE: no verifier, another one, and then the right one (RFC 7636)."""
    pkce = {"code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
    for wrong in (None, "w" * 43, pkce["code_challenge"]):
        code = (await app.sign_in(provider, **pkce))["code"]
        assert error_of(provider, await app.redeem(provider, code, code_verifier=wrong)) == "invalid_grant"
    code = (await app.sign_in(provider, **pkce))["code"]
    assert (await app.redeem(provider, code, code_verifier=VERIFIER)).json()["access_token"]


async def test_a_code_of_another_application_stays_good_for_its_owner(clock: FrozenClock, kept_keys: Path) -> None:
    """Whoever steals a code can neither use it nor burn it."""
    thief = Client(provider="contoso", client_id="thief", client_secret="t", redirect_uris=("http://127.0.0.1:1/x",))
    async with running_emulator(clock, kept_keys, clients=[*clients_of([SITE]), thief]) as running:
        with RelyingParty(running.url) as app:
            code = (await app.sign_in("contoso"))["code"]
            stolen = await app.redeem("contoso", code, client_id="thief", client_secret="t")
            assert error_of("contoso", stolen) == "invalid_grant"
            assert (await app.redeem("contoso", code)).status_code == 200


async def test_a_code_of_another_door_is_refused(app: RelyingParty) -> None:
    """Entra: a code of version 1.0 is nothing to version 2.0, nor is that of another tenant; nor another provider's."""
    code = (await app.sign_in("aad1"))["code"]
    assert error_of("aad", await app.redeem("aad", code)) == "invalid_grant"
    code = (await app.sign_in("aad"))["code"]
    assert error_of("contoso", await app.redeem("contoso", code)) == "invalid_grant"


async def test_one_code_asked_for_at_once_gives_one_answer(app: RelyingParty) -> None:
    """Two redemptions side by side: one at most is good."""
    code = (await app.sign_in("contoso"))["code"]
    answers = await asyncio.gather(*(app.redeem("contoso", code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


# --- how the client proves itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["aad", "google", "contoso"])
async def test_the_secret_may_stand_in_a_header(app: RelyingParty, provider: str) -> None:
    """HTTP Basic is taken, but not beside a secret in the body, and a wrong one says so."""
    client = CLIENTS[provider]
    code = (await app.sign_in(provider))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": app.callback(provider)}
    both = form | {"client_secret": client.client_secret}
    basic = (client.client_id, client.client_secret)
    assert error_of(provider, await app.post(TOKEN[provider], both, auth=basic)) == "invalid_request"
    wrong = await app.post(TOKEN[provider], form, auth=(client.client_id, "wrong"))
    assert (error_of(provider, wrong), wrong.headers["WWW-Authenticate"][:5]) == ("invalid_client", "Basic")
    assert (await app.post(TOKEN[provider], form, auth=basic)).status_code == 200


async def test_a_public_client_has_pkce_alone(clock: FrozenClock, kept_keys: Path) -> None:
    """Without a secret a verifier is a must, and a secret is refused."""
    public = Client(provider="contoso", client_id="app", redirect_uris=(f"{SITE}/.auth/login/contoso/callback",))
    async with running_emulator(clock, kept_keys, clients=[public]) as running:
        with RelyingParty(running.url) as app:
            pkce = {"client_id": "app", "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
            code = (await app.sign_in("contoso", **pkce))["code"]
            mine: dict[str, Any] = {"client_id": "app", "client_secret": None, "code_verifier": VERIFIER}
            assert (await app.redeem("contoso", code, **(mine | {"client_secret": "x"}))).status_code == 401
            assert (await app.redeem("contoso", code, **mine)).status_code == 200
            code = (await app.sign_in("contoso", client_id="app"))["code"]
            plain = await app.redeem("contoso", code, client_id="app", client_secret=None)
            assert error_of("contoso", plain) == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({}, True),
        ({"iss": "other"}, False),
        ({"sub": "other"}, False),
        ({"aud": "http://127.0.0.1:1/token"}, False),
        ({"exp": 1_800_000_000 - 301}, False),
        ({"nbf": 1_800_000_000 + 301}, False),
        ({"jti": ""}, False),
        ({"jti": None}, False),
    ],
)
async def test_a_signed_assertion_stands_for_the_secret(
    clock: FrozenClock,
    kept_keys: Path,
    changes: dict[str, Any],
    good: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """RFC 7523: RS256 by the registered key, by and about the client, for this endpoint, once."""
    key = RsaSigner.generate()
    callback = f"{SITE}/.auth/login/aad/callback"
    known = Client(provider="aad", client_id=CLIENTS["aad"].client_id, redirect_uris=(callback,), jwk=key.jwk())
    async with running_emulator(clock, kept_keys, clients=[known]) as running:
        with RelyingParty(running.url) as app:
            now, client_id = int(clock.now()), known.client_id
            claims = {"iss": client_id, "sub": client_id, "aud": f"{running.url}{TOKEN['aad']}", "jti": "j", "nbf": now}
            claims |= {"exp": now + 300} | changes
            mine: dict[str, Any] = {
                "client_secret": None,
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": key.sign({"alg": "RS256", "typ": "JWT", "kid": key.kid}, claims),
            }
            answers = [await app.redeem("aad", (await app.sign_in("aad"))["code"], **mine) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [200 if good else 401, 401]
            other = RsaSigner.generate().sign({"alg": "RS256", "kid": key.kid}, claims | {"jti": "k"})
            forged = mine | {"client_assertion": other}
            assert (await app.redeem("aad", (await app.sign_in("aad"))["code"], **forged)).status_code == 401


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("grant_type=authorization_code&code=a&code=b", {"Content-Type": "application/x-www-form-urlencoded"}),
        ('{"grant_type": "authorization_code"}', {"Content-Type": "application/json"}),
        ("grant_type=%zz", {"Content-Type": "application/x-www-form-urlencoded"}),
    ],
)
async def test_a_malformed_request_is_refused(app: RelyingParty, body: str, headers: dict[str, str]) -> None:
    """Duplicates, JSON and bad escapes are invalid_request."""
    answer = await app.post(TOKEN["contoso"], body, headers=headers)
    assert error_of("contoso", answer) == "invalid_request"


async def test_a_secret_in_the_query_is_refused(app: RelyingParty) -> None:
    """It would end in logs (RFC 6749 section 2.3.1)."""
    answer = await app.post(f"{TOKEN['contoso']}?client_secret=x", {"grant_type": "authorization_code"})
    assert error_of("contoso", answer) == "invalid_request"


async def test_tokens_are_not_given_for_get(app: RelyingParty) -> None:
    """RFC 6749 section 3.2: POST."""
    answer = await app.get(TOKEN["contoso"])
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


# --- refresh -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_refreshing_gives_new_tokens(app: RelyingParty, provider: str) -> None:
    """The way to a refresh token is the provider's own, and it brings new tokens of the same person."""
    tokens = await app.tokens(provider, **offline(provider))
    new = (await app.refresh(provider, tokens["refresh_token"])).json()
    assert new["access_token"] != tokens["access_token"]
    assert ("refresh_token" in new) is (provider != "google")
    if provider != "github":
        assert claims_of(new["id_token"])["sub"] == claims_of(tokens["id_token"])["sub"]


@pytest.mark.parametrize("provider", ["aad", "aad1", "google", "contoso"])
async def test_no_refresh_token_comes_by_itself(app: RelyingParty, provider: str) -> None:
    """Who does not ask as the provider wants gets none."""
    assert "refresh_token" not in await app.tokens(provider)


async def test_google_gives_one_at_the_first_consent_and_on_request(app: RelyingParty) -> None:
    """`access_type=offline` counts once; later `prompt=consent` has to stand beside it."""
    assert "refresh_token" in await app.tokens("google", access_type="offline")
    assert "refresh_token" not in await app.tokens("google", access_type="offline")
    assert "refresh_token" in await app.tokens("google", access_type="offline", prompt="consent")
    assert "refresh_token" in await app.tokens("google", email="omar@contoso.com", access_type="offline")


async def test_googles_refresh_token_stays_the_same(app: RelyingParty) -> None:
    """It is not exchanged, so it may be used again."""
    token = (await app.tokens("google", access_type="offline"))["refresh_token"]
    for _ in range(2):
        assert (await app.refresh("google", token)).status_code == 200


@pytest.mark.parametrize("provider", ["aad", "aad1", "github", "contoso"])
async def test_a_refresh_token_that_comes_again_ends_its_family(app: RelyingParty, provider: str) -> None:
    """RFC 9700 section 4.14.2: the old one is refused, and the newer one with it."""
    first = (await app.tokens(provider, **offline(provider)))["refresh_token"]
    second = (await app.refresh(provider, first)).json()["refresh_token"]
    assert error_of(provider, await app.refresh(provider, first)) == "invalid_grant"
    assert error_of(provider, await app.refresh(provider, second)) == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"refresh_token": None}, "invalid_request"),
        ({"refresh_token": "made-up"}, "invalid_grant"),
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"scope": "openid email profile"}, "invalid_scope"),
    ],
)
async def test_a_wrong_refresh_is_refused(app: RelyingParty, changes: dict[str, Any], error: str) -> None:
    """Each slip has OAuth's own name, and the token stays good."""
    token = (await app.tokens("contoso", **offline("contoso")))["refresh_token"]
    assert error_of("contoso", await app.refresh("contoso", token, **changes)) == error
    assert (await app.refresh("contoso", token)).status_code == 200


async def test_a_refresh_token_expires(app: RelyingParty, clock: FrozenClock) -> None:
    """After ninety days."""
    token = (await app.tokens("contoso", **offline("contoso")))["refresh_token"]
    clock.advance(90 * 86400)
    assert error_of("contoso", await app.refresh("contoso", token)) == "invalid_grant"


async def test_refresh_tokens_outlive_a_restart(clock: FrozenClock, tmp_path: Path) -> None:
    """Beside the keys stands a file for its owner alone; used ones stay used."""
    clients = clients_of([SITE])
    async with running_emulator(clock, tmp_path, clients=clients) as running:
        with RelyingParty(running.url) as app:
            old = (await app.tokens("contoso", **offline("contoso")))["refresh_token"]
            new = (await app.refresh("contoso", old)).json()["refresh_token"]
    assert (tmp_path / "refresh-tokens.json").stat().st_mode & 0o777 == 0o600
    async with running_emulator(clock, tmp_path, clients=clients) as running:
        with RelyingParty(running.url) as app:
            newer = await app.refresh("contoso", new)
            assert newer.status_code == 200
            assert error_of("contoso", await app.refresh("contoso", old)) == "invalid_grant"


async def test_a_torn_file_of_refresh_tokens_signs_people_out_and_no_more(clock: FrozenClock, tmp_path: Path) -> None:
    """Half a file is as none."""
    (tmp_path / "refresh-tokens.json").write_text('{"a": {"gr')
    async with running_emulator(clock, tmp_path, clients=clients_of([SITE])) as running:
        with RelyingParty(running.url) as app:
            assert "refresh_token" in await app.tokens("contoso", **offline("contoso"))


# --- profiles ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", list(PROFILES))
async def test_the_profile_is_the_persons(app: RelyingParty, provider: str) -> None:
    """Whoever holds the access token learns whose it is."""
    token = (await app.tokens(provider))["access_token"]
    profile = (await app.get(PROFILES[provider], {"Authorization": f"Bearer {token}"})).json()
    assert (profile["email"], profile["name"]) == ("jane@contoso.com", "Jane Doe")


@pytest.mark.parametrize("provider", list(PROFILES))
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer made-up", "Basic abc", "Bearer {other}"])
async def test_nobody_else_gets_a_profile(app: RelyingParty, provider: str, authorization: str) -> None:
    """No token, another scheme, and another provider's token are 401 with a challenge (RFC 6750 section 3)."""
    other = (await app.tokens("contoso" if provider != "contoso" else "google"))["access_token"]
    answer = await app.get(PROFILES[provider], {"Authorization": authorization.format(other=other)})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_an_access_token_expires(app: RelyingParty, clock: FrozenClock) -> None:
    """At the moment that `expires_in` told."""
    tokens = await app.tokens("google")
    clock.advance(tokens["expires_in"])
    answer = await app.get(PROFILES["google"], {"Authorization": f"Bearer {tokens['access_token']}"})
    assert answer.status_code == 401


async def test_github_wants_to_know_who_calls(app: RelyingParty) -> None:
    """Its API refuses callers without a User-Agent, and e-mails without their scope."""
    token = (await app.tokens("github"))["access_token"]
    nameless: Any = {"Authorization": f"token {token}", "User-Agent": ""}
    assert (await app.get(PROFILES["github"], nameless)).status_code == 403
    bearer = {"Authorization": f"token {token}"}
    assert (await app.get("/github/api/user/emails", bearer)).status_code == 404
    token = (await app.tokens("github", scope="read:user,user:email"))["access_token"]
    (address,) = (await app.get("/github/api/user/emails", {"Authorization": f"token {token}"})).json()
    assert address == {"email": "jane@contoso.com", "primary": True, "verified": True, "visibility": "public"}


async def test_github_answers_in_the_form_that_is_asked_for(app: RelyingParty) -> None:
    """Form-encoded unless JSON is asked for, refusals too."""
    client = CLIENTS["github"]
    form = {"grant_type": "authorization_code", "client_id": client.client_id, "client_secret": client.client_secret}
    answer = await app.post(TOKEN["github"], form | {"code": (await app.sign_in("github"))["code"]})
    assert answer.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert answer.text.startswith("access_token=gho_")
    assert "error=bad_verification_code" in (await app.post(TOKEN["github"], form | {"code": "x"})).text


# --- Entra's own ---------------------------------------------------------------------------------------------------


async def test_version_1_writes_numbers_as_text(app: RelyingParty) -> None:
    """`expires_in` and its like are strings, and `resource` is named."""
    tokens = await app.tokens("aad1", resource="https://api.example")
    assert (tokens["expires_in"], tokens["resource"]) == ("3599", "https://api.example")
    assert claims_of(tokens["access_token"])["aud"] == "https://api.example"
    assert claims_of(tokens["access_token"])["appid"] == CLIENTS["aad"].client_id


@pytest.mark.parametrize(
    ("scope", "audience", "scp"),
    [
        ("openid", "00000003-0000-0000-c000-000000000000", "openid"),
        ("openid User.Read", "00000003-0000-0000-c000-000000000000", "User.Read openid"),
        ("openid api://{id}/user_impersonation", "{id}", "user_impersonation"),
        ("openid {id}/.default", "{id}", "user_impersonation"),
        ("openid api://my-api/Files.Read", "my-api", "Files.Read"),
    ],
)
async def test_an_access_token_is_for_the_api_that_the_scope_names(
    app: RelyingParty, scope: str, audience: str, scp: str
) -> None:
    """Microsoft Graph unless the scope is another's; azp names who asked."""
    client_id = CLIENTS["aad"].client_id
    tokens = await app.tokens("aad", scope=scope.format(id=client_id))
    claims = claims_of(tokens["access_token"])
    assert (claims["aud"], claims["scp"], claims["azp"]) == (audience.format(id=client_id), scp, client_id)
    assert claims["ver"] == "2.0"


async def test_claims_reach_as_far_as_the_scopes(app: RelyingParty) -> None:
    """Without `email` and `profile` a token says less; the order is Entra's."""
    claims = claims_of((await app.tokens("aad", scope="openid"))["id_token"])
    assert not {"email", "name", "preferred_username", "oid"} & claims.keys()
    claims = claims_of((await app.tokens("aad"))["id_token"])
    assert list(claims)[:5] == ["aud", "iss", "iat", "nbf", "exp"]
    assert list(claims)[5:] == sorted(list(claims)[5:])


async def test_entra_says_more_about_a_refusal(app: RelyingParty) -> None:
    """Numbers and traces stand beside OAuth's error."""
    body = (await app.redeem("aad", "made-up")).json()
    assert body["error_description"].startswith("AADSTS70008:")
    assert body["error_codes"] == [70008]
    assert {"timestamp", "trace_id", "correlation_id"} <= body.keys()


# --- faults --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("fault", "status", "kind"), [("token_500", 500, "application/json"), ("token_garbage", 200, "text/html")]
)
async def test_a_broken_token_endpoint(app: RelyingParty, provider: str, fault: str, status: int, kind: str) -> None:
    """5xx and a page in place of JSON, when that was ordered."""
    back = await app.sign_in(provider, faults=fault)
    answer = await app.redeem(provider, back["code"])
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, kind)
    assert "access_token" not in answer.text


async def test_a_broken_profile(app: RelyingParty) -> None:
    """The profile answers 500 when that was ordered."""
    token = (await app.tokens("github", faults="profile_500"))["access_token"]
    assert (await app.get(PROFILES["github"], {"Authorization": f"Bearer {token}"})).status_code == 500


async def test_a_slow_provider(app: RelyingParty, stage_set: RunningEmulator) -> None:
    """The answer waits as long as was ordered, and is good then."""
    loop = asyncio.get_running_loop()
    stage_set.app._stage.switches.slow_seconds = 0.2
    back = await app.sign_in("contoso", faults="slow")
    begun = loop.time()
    assert (await app.redeem("contoso", back["code"])).status_code == 200
    assert loop.time() - begun >= 0.2


async def test_faults_of_a_refresh(app: RelyingParty) -> None:
    """The token may be revoked meanwhile, or be another person's."""
    scope = {"scope": "openid offline_access"}
    tokens = await app.tokens("contoso", faults="refresh_revoked", **scope)
    assert error_of("contoso", await app.refresh("contoso", tokens["refresh_token"])) == "invalid_grant"
    tokens = await app.tokens("contoso", faults="subject_changed", **scope)
    new = (await app.refresh("contoso", tokens["refresh_token"])).json()
    assert claims_of(new["id_token"])["sub"] != claims_of(tokens["id_token"])["sub"]
