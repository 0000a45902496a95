import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from doorward.base.clock import FrozenClock
from doorward.emulator.faults import FAULTS, ID_TOKEN_FAULTS
from doorward.emulator.messages import AuthorizeAs, Authorized, Fault, MintRequest, MintResponse, SetFaults
from doorward.emulator.settings import clients_of
from tests.emulator.relying import AUTHORIZE, CLIENTS, JANE, SITE, RelyingParty, claims_of
from tests.support.emulators import running_emulator

PROVIDERS = ["aad", "google", "github", "contoso"]


async def told(app: RelyingParty, path: str, message: Any, status: int = 200) -> Any:
    """Send a message of the interface, and give its answer."""
    raw = message if isinstance(message, bytes) else msgspec.json.encode(message)
    answer = await app.post(path, raw, headers={"Content-Type": "application/json"})  # type: ignore[arg-type] - bytes
    assert answer.status_code == status, answer.text
    return answer.json()


# --- signing in without a browser ----------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_script_signs_in_without_a_browser(app: RelyingParty, provider: str) -> None:
    """`authorize-as` says where the browser would go next, and that code is good."""
    page = await app.begin(provider)
    order = AuthorizeAs(url=page.url, email="omar@contoso.com")
    done = Authorized.from_json(json.dumps(await told(app, "/_emulator/authorize-as", order)).encode())
    assert done.method == "GET"
    code = done.url.partition("code=")[2].partition("&")[0]
    assert (await app.redeem(provider, code)).json()["access_token"]
    assert (await app.begin(provider)).status_code == 200, "no browser was signed in by it"


async def test_a_script_gets_the_fields_of_a_form(app: RelyingParty) -> None:
    """With form_post there is something to post, and faults may be ordered with it."""
    page = await app.begin("aad", response_type="code id_token", response_mode="form_post")
    order = AuthorizeAs(url=page.url, email=JANE, faults=("wrong_nonce",))
    done = await told(app, "/_emulator/authorize-as", order)
    assert (done["method"], done["url"]) == ("POST", f"{SITE}/.auth/login/aad/callback")
    assert claims_of(done["fields"]["id_token"])["nonce"] != "n-1"
    assert done["fields"]["code"] not in repr(Authorized(**done))


@pytest.mark.parametrize(
    ("url", "more", "status"),
    [
        ("http://127.0.0.1:1/nowhere", {}, 404),
        ("http://[", {}, 400),
        ("{authorize}?client_id=nobody", {}, 400),
        ("{good}", {"email": "nobody"}, 400),
        ("{good}", {"email": ""}, 400),
        ("{good}", {"faults": ("colour",)}, 400),
    ],
)
async def test_what_cannot_be_is_refused_in_words(
    app: RelyingParty, url: str, more: dict[str, Any], status: int
) -> None:
    """No provider, no application, nobody, an unknown fault."""
    good = (await app.begin("contoso")).url
    address = url.format(authorize=AUTHORIZE["contoso"], good=good)
    order = {"url": address, "email": JANE} | more
    answer = await app.post("/_emulator/authorize-as", json.dumps(order), headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert "code=" not in answer.text


# --- minting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["aad", "google", "contoso"])
async def test_every_provider_of_id_tokens_mints_them(app: RelyingParty, provider: str) -> None:
    """For the application of development, unless told otherwise, with the knobs of the command."""
    order = MintRequest(provider=provider, email="omar@contoso.com", nonce="x", claims={"extra": [1]}, without=("iat",))
    claims = claims_of((await told(app, "/_emulator/token", order))["token"])
    assert (claims["aud"], claims["email"], claims["nonce"]) == (CLIENTS[provider].client_id, "omar@contoso.com", "x")
    assert claims["extra"] == [1]
    assert "iat" not in claims
    expired = MintRequest(provider=provider, audience="other", name="O.", expired=True, unverified=True)
    claims = claims_of((await told(app, "/_emulator/token", expired))["token"])
    assert (claims["aud"], claims["name"]) == ("other", "O.")
    assert claims["exp"] < 1_800_000_000
    assert claims.get("email_verified", claims.get("xms_edov")) is False


@pytest.mark.parametrize("provider", ["google", "github", "contoso"])
async def test_a_minted_access_token_opens_the_profile(app: RelyingParty, provider: str) -> None:
    """Client-directed sign-in needs one without any redirect."""
    order = MintRequest(provider=provider, kind="access_token", email="lena@fabrikam.com")
    token = (await told(app, "/_emulator/token", order))["token"]
    path = {"google": "/google/v1/userinfo", "github": "/github/api/user", "contoso": "/oidc/contoso/userinfo"}
    profile = (await app.get(path[provider], {"Authorization": f"Bearer {token}"})).json()
    assert profile["email"] == "lena@fabrikam.com"


async def test_github_has_no_id_token(app: RelyingParty) -> None:
    """The refusal says what to ask for."""
    answer = await told(app, "/_emulator/token", MintRequest(provider="github"), 400)
    assert "access_token" in answer["message"]


@pytest.mark.parametrize("fault", ID_TOKEN_FAULTS)
@pytest.mark.parametrize("provider", ["aad", "google", "contoso"])
async def test_every_fault_of_an_id_token_can_be_minted(app: RelyingParty, provider: str, fault: Any) -> None:
    """The page, the interface and the command share their faults."""
    token = (await told(app, "/_emulator/token", MintRequest(provider=provider, fault=fault)))["token"]
    assert token.count(".") == 2


def test_the_faults_are_the_same_everywhere() -> None:
    """A fault has one name; `consumer_key` is Entra's alone."""
    assert set(Fault.__args__) == {*ID_TOKEN_FAULTS, "consumer_key"}  # type: ignore[attr-defined] - a Literal has them
    assert MintResponse.from_json(MintResponse(token="a", secret="b").to_json()).secret == "b"


# --- faults set beforehand -----------------------------------------------------------------------------------------


async def test_faults_are_set_for_the_next_sign_ins(app: RelyingParty) -> None:
    """As many as were ordered, at that provider alone; then all is well again."""
    await told(app, "/_emulator/faults", SetFaults(provider="contoso", faults=("wrong_audience",), count=2))
    assert "wrong_audience" in (await app.get("/_emulator/faults")).text
    assert claims_of((await app.tokens("google"))["id_token"])["aud"] == CLIENTS["google"].client_id
    good = CLIENTS["contoso"].client_id
    audiences = [claims_of((await app.tokens("contoso"))["id_token"])["aud"] == good for _ in range(3)]
    assert audiences == [False, False, True]


async def test_faults_are_switched_off(app: RelyingParty) -> None:
    """Without a count they stay until none are set; the page warns of them."""
    await told(app, "/_emulator/faults", SetFaults(provider="contoso", faults=("consent_denied",), count=None))
    assert FAULTS["consent_denied"] in (await app.begin("contoso")).text
    for _ in range(3):
        assert (await app.sign_in("contoso"))["error"] == "access_denied"
    await told(app, "/_emulator/faults", SetFaults(provider="contoso"))
    assert "code" in await app.sign_in("contoso")


async def test_a_refresh_has_faults_of_its_own(app: RelyingParty) -> None:
    """`at_refresh` leaves sign-ins alone, and a provider that is down keeps the refresh token good."""
    tokens = await app.tokens("contoso", scope="openid offline_access")
    order = SetFaults(provider="contoso", faults=("token_500",), at_refresh=True)
    await told(app, "/_emulator/faults", order)
    assert (await app.refresh("contoso", tokens["refresh_token"])).status_code == 500
    again = await app.refresh("contoso", tokens["refresh_token"])
    assert again.status_code == 200
    await told(app, "/_emulator/faults", msgspec.structs.replace(order, faults=("refresh_revoked",)))
    assert (await app.refresh("contoso", again.json()["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "order",
    [
        {"provider": "myspace"},
        {"provider": "aad", "faults": ["colour"]},
        {"provider": "aad", "count": 0},
        {"provider": "aad", "slow_seconds": -1},
        {"provider": "aad", "colour": "red"},
        {},
    ],
)
async def test_wrong_faults_are_refused(app: RelyingParty, order: dict[str, Any]) -> None:
    """Nothing is switched by a slip of the pen."""
    await told(app, "/_emulator/faults", order, 400)
    assert (await app.get("/_emulator/faults")).json()["set"] == {}


# --- applications and people ---------------------------------------------------------------------------------------


async def test_applications_are_registered_while_it_runs(app: RelyingParty) -> None:
    """Another service may be tried against a running emulator; no secret is ever shown."""
    client = {"provider": "contoso", "client_id": "mine", "client_secret": "hush", "redirect_uris": [f"{SITE}/back"]}
    assert "hush" not in json.dumps(await told(app, "/_emulator/clients", client, 201))
    listed = (await app.get("/_emulator/clients")).text
    assert '"mine"' in listed
    assert "hush" not in listed
    back = await app.sign_in("contoso", client_id="mine", redirect_uri=f"{SITE}/back")
    mine = {"client_id": "mine", "client_secret": "hush", "redirect_uri": f"{SITE}/back"}
    assert (await app.redeem("contoso", back["code"], **mine)).status_code == 200
    await told(app, "/_emulator/clients", {"provider": "myspace", "client_id": "x"}, 400)
    await told(app, "/_emulator/clients", {"provider": "aad", "client_id": ""}, 400)


async def test_people_are_added_by_a_script(app: RelyingParty) -> None:
    """With groups, roles and claims of their own, which stand in tokens."""
    person = {
        "email": "zoe@contoso.com",
        "name": "Zoe Z. Zed",
        "groups": ["g1", "g2"],
        "roles": ["admin"],
        "claims": {"*": {"favourite": "tea"}, "google": {"hd": None, "picture": "p"}},
    }
    await told(app, "/_emulator/people", person, 201)
    claims = claims_of((await app.tokens("aad", email="zoe@contoso.com"))["id_token"])
    assert (claims["groups"], claims["roles"], claims["favourite"]) == (["g1", "g2"], ["admin"], "tea")
    claims = claims_of((await app.tokens("google", email="zoe@contoso.com"))["id_token"])
    assert (claims["picture"], claims["hd"]) == ("p", None)
    assert (claims["given_name"], claims["family_name"]) == ("Zoe Z.", "Zed")
    await told(app, "/_emulator/people", {"email": "nobody", "name": "N"}, 400)
    await told(app, "/_emulator/people", {"email": "a@b.example"}, 400)


async def test_people_are_kept_in_a_file(clock: FrozenClock, kept_keys: Path, tmp_path: Path) -> None:
    """From the first change on; the next start reads them."""
    file = tmp_path / "data" / "people.json"
    for email in ("zoe@contoso.com", "yan@contoso.com"):
        async with running_emulator(clock, kept_keys, clients=clients_of([SITE]), people_file=file) as running:
            with RelyingParty(running.url) as app:
                await told(app, "/_emulator/people", {"email": email, "name": email[:3]}, 201)
    known = [person["email"] for person in json.loads(file.read_text())]
    assert known[0] == JANE
    assert known[-2:] == ["zoe@contoso.com", "yan@contoso.com"]


# --- the log -------------------------------------------------------------------------------------------------------


async def test_the_log_shows_what_was_asked_and_answered(app: RelyingParty) -> None:
    """Each redirect and token request, newest first, decoded, and nothing that could be used again."""
    back = await app.sign_in("google", state="redir=%2Fa&nonce=n-9")
    tokens = (await app.redeem("google", back["code"])).json()
    await app.redeem("google", "made-up")
    raw = (await app.get("/_emulator/log")).text
    refused, redeemed, authorized = json.loads(raw)["entries"][:3]
    assert (refused["endpoint"], refused["status"]) == ("token", 400)
    assert refused["note"].startswith("invalid_grant")
    assert redeemed["note"] == "redeemed for jane@contoso.com"
    (state,) = [one for one in authorized["asked"] if one["name"] == "state"]
    assert state["decoded"] == [["redir", "/a"], ["nonce", "n-9"]]
    (id_token,) = [one for one in redeemed["answered"] if one["name"] == "id_token"]
    assert ["email", "jane@contoso.com"] in id_token["decoded"]
    secrets = [back["code"], tokens["access_token"], tokens["id_token"], CLIENTS["google"].client_secret]
    page = (await app.get("/log")).text
    shown_as_json = (await app.get("/log.json")).text
    assert not [secret for secret in secrets for text in (raw, page, shown_as_json) if secret in text]
    assert "jane@contoso.com signed in" in page


@pytest.mark.parametrize("name", ["token", "authorize-as", "people", "faults", "clients"])
async def test_pages_elsewhere_cannot_give_orders(app: RelyingParty, name: str) -> None:
    """A form or text, which any page may send anywhere, is 415."""
    for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"):
        answer = await app.post(f"/_emulator/{name}", "{}", headers={"Content-Type": kind})
        assert answer.status_code == 415
