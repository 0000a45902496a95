"""Every provider through `doorward dev`: in, around and out again, by a browser and by a client with a token."""

import re
from collections.abc import Generator
from typing import Any

import pytest

from doorward.emulator.settings import clients_of
from tests.support.canaries import keep_secret
from tests.support.journeys import JANE, Dev, Tab, running_dev

X, M = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/", "http://schemas.microsoft.com/identity/claims/"
ID, NAME, EMAIL = f"{X}nameidentifier", f"{X}name", f"{X}emailaddress"
GIVEN, FAMILY = f"{X}givenname", f"{X}surname"
AAD = ("aud", "iss", "iat", "nbf", "exp", "aio", "c_hash", EMAIL, "name", "nonce", f"{M}objectidentifier",
       "preferred_username", "rh", "sid", ID, f"{M}tenantid", "uti", "ver", "xms_edov")  # fmt: skip
GOOGLE = ("iss", "at_hash", "aud", ID, "email_verified", "azp", EMAIL, "iat", "exp", "name", "hd", GIVEN, FAMILY,
          "locale")  # fmt: skip
GITHUB = (ID, NAME, EMAIL, *(f"urn:github:{field}" for field in (
    "login", "id", "node_id", "avatar_url", "gravatar_id", "url", "html_url", "type", "site_admin", "name", "blog",
    "email", "public_repos", "public_gists", "followers", "following", "created_at", "updated_at")))  # fmt: skip
FACEBOOK = (ID, EMAIL, NAME, "urn:facebook:link", GIVEN, FAMILY, f"{X}gender", "urn:facebook:locale",
            "urn:facebook:timezone")  # fmt: skip
TWITTER = (ID, f"{X}upn", NAME, *(f"urn:twitter:{field}" for field in (
    "description", "location", "lang", "verified", "profile_image_url_https")))  # fmt: skip
LIVE = (ID, NAME, GIVEN, FAMILY, *(f"urn:microsoftaccount:{field}" for field in ("locale", "id", "name")), EMAIL)
APPLE = ("iss", "aud", "exp", "iat", ID, EMAIL, "email_verified", "is_private_email", "auth_time", "nonce_supported",
         "at_hash")  # fmt: skip
CONTOSO = ("iss", ID, "aud", "exp", "iat", "auth_time", "name", GIVEN, FAMILY, "preferred_username", EMAIL,
           "email_verified", "nonce", "at_hash")  # fmt: skip
ACCESS, EXPIRY, ID_TOKEN, REFRESH = "access-token", "expires-on", "id-token", "refresh-token"
TABLE: dict[str, tuple[str, str, tuple[str, ...], tuple[str, ...], int]] = {
    "aad": (JANE, EMAIL, AAD, (ACCESS, EXPIRY, ID_TOKEN, REFRESH), 200),
    "google": (JANE, EMAIL, GOOGLE, (ACCESS, EXPIRY, ID_TOKEN, REFRESH), 200),
    "github": ("Jane Doe", NAME, GITHUB, (ACCESS, EXPIRY), 200),
    "facebook": (JANE, EMAIL, FACEBOOK, (ACCESS, EXPIRY), 400),
    "twitter": ("jane", f"{X}upn", TWITTER, (ACCESS, "access-token-secret"), 400),
    "microsoftaccount": (JANE, EMAIL, LIVE, (ACCESS, "authentication-token", EXPIRY, REFRESH), 200),
    "apple": (JANE, NAME, APPLE, (ACCESS, EXPIRY, ID_TOKEN), 400),
    "contoso": ("Jane Doe", "name", CONTOSO, (ACCESS, EXPIRY, ID_TOKEN, REFRESH), 200),
}
"""What Jane is called, `name_typ`, claim types in order, kinds of token headers, and the status of a refresh."""

MEMBERS = {
    "github": {"refresh_token"},  # which no header has
    "apple": {"refresh_token"},
}
CLIENT_IDS = {client.provider: client.client_id for client in clients_of(["http://127.0.0.1:1"])}
SEVEN_DIGITS = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z")
every = pytest.mark.parametrize("provider", TABLE)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Generator[Dev]:
    """Give development mode as it is without any settings."""
    with running_dev(tmp_path_factory.mktemp("dev")) as dev:
        dev.sign_in(Tab(), "apple")  # Apple tells Jane's name at the first time alone
        yield dev


def signed_in(dev: Dev, provider: str) -> tuple[Tab, dict[str, Any]]:
    """Sign Jane in; gives the browser, and what the application was told."""
    tab = Tab()
    landed = dev.sign_in(tab, provider, more={"access_type": "offline", "prompt": "consent"})
    assert (landed.url, landed.answer.status_code) == (f"{dev.site}/api/whoami", 200), landed
    tab.session_of()
    return tab, landed.answer.json()


def me_of(dev: Dev, tab: Tab, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Give the one element of `/.auth/me`."""
    got = tab.ask("GET", f"{dev.site}/.auth/me", headers)
    assert got.status_code == 200, got
    (element,) = got.json()
    for name, value in element.items():
        if "token" in name and name != "expires_on":
            keep_secret(value)
    return element


@every
def test_the_application_is_told_who_it_is(dev: Dev, provider: str) -> None:
    """The headers name the person and hold the provider's tokens; a copy that the browser sends is not among them."""
    user_id, name_typ, types, kinds, _ = TABLE[provider]
    tab, told = signed_in(dev, provider)
    assert (told["idp"], told["name"]) == (provider, user_id)
    principal = told["principal"]
    assert list(principal) == ["auth_typ", "claims", "name_typ", "role_typ"]
    assert (principal["auth_typ"], principal["name_typ"]) == (provider, name_typ)
    assert tuple(claim["typ"] for claim in principal["claims"]) == types
    assert told["tokens"] == sorted(f"x-ms-token-{provider}-{kind}" for kind in kinds)
    forged = {"X-MS-CLIENT-PRINCIPAL-NAME": "mallory", "X_MS_CLIENT_PRINCIPAL_ID": "0", "X-MS-TOKEN-AAD-EXTRA": "x"}
    shown = tab.ask("GET", f"{dev.site}/api/headers", forged).json()["headers"]
    named = [value for name, value in shown if name == "x-ms-client-principal-name"]
    assert named == [user_id]
    assert not [pair for pair in shown if pair[0].endswith(("aad-extra", "client_principal_id"))]
    assert "AppServiceAuthSession" not in str(shown)


@every
def test_me_has_the_shape_of_the_provider(dev: Dev, provider: str) -> None:
    """Members in the order of the alphabet and none that is null, claims in the provider's order, seven digits."""
    user_id, _, types, kinds, _ = TABLE[provider]
    tab, _ = signed_in(dev, provider)
    me = me_of(dev, tab)
    members = {kind.replace("-", "_") for kind in kinds} | MEMBERS.get(provider, set())
    assert list(me) == sorted({*members, "provider_name", "user_claims", "user_id"})
    assert (me["provider_name"], me["user_id"]) == (provider, user_id)
    assert tuple(claim["typ"] for claim in me["user_claims"]) == types
    assert all(isinstance(claim["val"], str) for claim in me["user_claims"])
    assert "expires_on" not in me or SEVEN_DIGITS.fullmatch(me["expires_on"])


@every
def test_tokens_are_refreshed_where_the_provider_can(dev: Dev, provider: str) -> None:
    """New tokens at once in `/.auth/me` and in the headers, or the status of reference 5 and nothing changed."""
    tab, _ = signed_in(dev, provider)
    before = me_of(dev, tab)
    got = tab.ask("POST", f"{dev.site}/.auth/refresh", {"Accept": "application/json", "Origin": dev.site})
    assert got.status_code == TABLE[provider][4], got
    after = me_of(dev, tab)
    if got.status_code == 200:
        assert list(got.json()) == ["authenticationToken", "user"]
        assert keep_secret(got.json()["authenticationToken"])
        assert after["access_token"] != before["access_token"]
        shown = dict(tab.ask("GET", f"{dev.site}/api/headers").json()["headers"])
        assert after["access_token"].startswith(shown[f"x-ms-token-{provider}-access-token"].partition("…")[0])
    else:
        assert got.json()["error"]["code"] == "refresh_not_supported"
        assert after == before


@every
def test_sign_out_ends_it_at_the_provider_too(dev: Dev, provider: str) -> None:
    """Signed in, a second sign-in is silent; after sign-out no cookie counts, and the provider asks who it is."""
    tab, _ = signed_in(dev, provider)
    first = tab.session_of()
    silent = dev.sign_in(tab, provider, person="")
    assert silent.url == f"{dev.site}/api/whoami"
    second = tab.session_of()
    out = tab.go(f"{dev.site}/.auth/logout?post_logout_redirect_uri=/public")
    assert (out.url, out.answer.status_code) == (f"{dev.site}/public", 200)
    assert any(step.startswith(f"{dev.emulator}/") for step in out.way)
    assert "AppServiceAuthSession" not in tab.jars["127.0.0.1"]
    for cookie in (first, second):
        old = Tab(jars={"127.0.0.1": {"AppServiceAuthSession": cookie}})
        assert old.ask("GET", f"{dev.site}/.auth/me").status_code == 401
        assert old.ask("GET", f"{dev.site}/api/whoami").status_code == 302
    asked = dev.sign_in(tab, provider, person="")
    assert asked.url.startswith(f"{dev.emulator}/")
    assert "Jane Doe" in asked.answer.text


def test_apple_tells_a_name_once(dev: Dev) -> None:
    """What the form carries beside the code at the first sign-in is kept for that session, and not said again."""
    omar = "omar@contoso.com"
    first, second = (dev.sign_in(Tab(), "apple", person=omar).answer.json() for _ in range(2))
    names = {claim["typ"]: claim["val"] for claim in first["principal"]["claims"]}
    assert (names[GIVEN], names[FAMILY], names["name"]) == ("Omar", "Haddad", "Omar Haddad")
    assert not {GIVEN, FAMILY, "name"} & {claim["typ"] for claim in second["principal"]["claims"]}


def body_of(dev: Dev, provider: str) -> dict[str, str]:
    """Give what a client posts that has a token of the provider already (reference 3)."""
    match provider:
        case "aad" | "facebook" | "github":
            audience = CLIENT_IDS[provider]
            return {"access_token": dev.minted(provider, "access_token", audience=audience)["token"]}
        case "twitter":
            told = dev.minted(provider, "access_token")
            return {"access_token": told["token"], "access_token_secret": told["secret"]}
        case "microsoftaccount":
            return {"authentication_token": dev.minted(provider)["token"]}
        case _:
            return {"id_token": dev.minted(provider)["token"]}


@every
def test_a_client_with_a_token_signs_in_by_itself(dev: Dev, provider: str) -> None:
    """A minted token becomes a session token; under X-ZUMO-AUTH the application and `/.auth/me` know the person."""
    tab, script = Tab(), Tab(headers={})
    posted = dev.post_json(script, f"/.auth/login/{provider}", body_of(dev, provider))
    assert posted.status_code == 200, posted
    assert not posted.set_cookies
    zumo = {"X-ZUMO-AUTH": keep_secret(posted.json()["authenticationToken"])}
    told = script.ask("GET", f"{dev.site}/api/whoami", zumo).json()
    assert told["id"] == posted.json()["user"]["userId"]
    assert told["principal"]["auth_typ"] == "AuthenticationTypes.Federation"
    me = me_of(dev, script, zumo)
    assert (me["provider_name"], me["user_id"]) == (provider, told["name"])
    again = dev.post_json(script, "/.auth/login", {"authenticationToken": zumo["X-ZUMO-AUTH"]})
    assert again.status_code == 200, again
    keep_secret(again.json()["authenticationToken"])
    assert script.ask("GET", f"{dev.site}/.auth/logout", zumo).status_code == 302
    for headers in (zumo, {"X-ZUMO-AUTH": again.json()["authenticationToken"]}):
        dead = tab.ask("GET", f"{dev.site}/api/whoami", headers)
        assert dead.status_code == 401
        assert dead.headers["www-authenticate"].startswith("Bearer ")
