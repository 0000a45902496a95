"""What `/.auth/me` tells: to people with a cookie, to clients with a token, and to nobody."""

import json
from dataclasses import replace

import pytest

from doorward import __version__
from doorward.identity.claims import Claim
from doorward.identity.person import Identity, ProviderTokens
from doorward.identity.principal import PLATFORM
from doorward.sessions.bearers import PlatformBearers, PlatformOwner
from doorward.sessions.gate import Bearers
from doorward.sessions.presenting import Presenter
from tests.support.callers import reception, without_token_store
from tests.support.sessions import NOW, plan_of
from tests.support.sign_in import SITE, Entrance

TOKENS = {"access_token", "expires_on", "id_token", "refresh_token"}


async def test_me_tells_who_somebody_is(database_url: str) -> None:
    """A signed-in browser gets one element with its claims and tokens, in alphabetical order, stored by nobody."""
    async with reception(database_url, "aad") as desk:
        browser = await desk.signed_in()
        got = await browser.get("/.auth/me")
    assert got.status == 200
    assert got.header("content-type") == "application/json; charset=utf-8"
    assert got.header("cache-control") == "no-store"
    (entry,) = json.loads(got.body)
    assert list(entry) == [*sorted(TOKENS | {"provider_name", "user_claims", "user_id"})]
    assert (entry["provider_name"], entry["user_id"]) == ("aad", "jane@contoso.com")
    assert entry["expires_on"] == "2027-01-15T08:59:59.0000000Z"
    assert {"typ": "name", "val": "Jane"} in entry["user_claims"]


async def test_head_tells_the_length(sqlite_url: str) -> None:
    """HEAD is answered as GET is, without the body."""
    async with reception(sqlite_url, "aad") as desk:
        browser = await desk.signed_in()
        got, head = await browser.get("/.auth/me"), await browser.get("/.auth/me", method="HEAD")
        other = await browser.get("/.auth/me", method="POST")
    assert (head.status, head.body) == (200, "")
    assert head.header("content-length") == str(len(got.body))
    assert other.status == 405


@pytest.mark.parametrize(("query", "is_there"), [
    ("", True), ("provider=aad", True), ("provider=AAD", True), ("provider=azureactivedirectory", True),
    ("other=1", True), ("provider=google&provider=aad", True),
    ("provider=google", False), ("provider=", False), ("provider=%00", False), ("provider=nobody", False),
    ("&".join(["a=1"] * 50), False),
])  # fmt: skip
async def test_one_provider_may_be_asked_for(sqlite_url: str, query: str, *, is_there: bool) -> None:
    """With `?provider=` only that provider's element is given; who is signed in elsewhere gets none."""
    async with reception(sqlite_url, "aad") as desk:
        got = await (await desk.signed_in()).get(f"/.auth/me?{query}")
    assert got.status == 200
    assert len(json.loads(got.body)) == is_there


@pytest.mark.parametrize("line", ["X-Nothing: 1", "Cookie: AppServiceAuthSession=x", "Accept: text/html",
                                  "User-Agent: Mozilla/5.0"])  # fmt: skip
async def test_nobody_is_refused(sqlite_url: str, line: str) -> None:
    """Without a session it is 401, whoever asks; where the settings say so, an empty list."""
    async with reception(sqlite_url) as desk:
        got = await desk.nobody(line).get("/.auth/me")
        assert got.status == 401
        assert got.header("www-authenticate").startswith('Bearer realm="app.test" authorization_uri="')
    async with reception(sqlite_url, anonymous_is_empty=True) as desk:
        got = await desk.nobody(line).get("/.auth/me")
        assert (got.status, got.body) == (200, "[]")
        bad = await desk.nobody("X-ZUMO-AUTH: x").get("/.auth/me")
        assert (bad.status, bad.code) == (401, "invalid_session_token")


async def test_without_a_token_store_there_is_nothing(sqlite_url: str) -> None:
    """With the token store off it is 404, signed in or not."""
    async with reception(sqlite_url, turn=without_token_store) as desk:
        for client in (await desk.signed_in(), desk.nobody()):
            got = await client.get("/.auth/me")
            assert (got.status, got.code) == (404, "token_store_off")


async def test_a_session_token_tells_of_its_session(database_url: str) -> None:
    """Under a session token the store's claims and tokens are shown, those of the cookie."""
    async with reception(database_url) as desk:
        browser = await desk.signed_in()
        refreshed = await browser.get("/.auth/refresh")
        token = json.loads(refreshed.body)["authenticationToken"]
        by_cookie = await browser.get("/.auth/me")
        by_token = await desk.nobody(f"X-ZUMO-AUTH: {token}").get("/.auth/me")
    assert by_token.status == 200
    assert by_token.body == by_cookie.body


async def test_a_platform_token_tells_of_its_user(sqlite_url: str) -> None:
    """Under a platform token there is one element, without tokens."""
    living = "0a" * 32

    async def look_up(token: str) -> PlatformOwner | None:
        owner = PlatformOwner(
            user_id=7, email="jane@contoso.com", name="Jane", role="user", organization_id=1, expires_at=NOW + 60
        )
        return owner if token == living else None

    def bearers(one: Entrance) -> Bearers:
        presenter = Presenter(one.parts.plan, profile="current", redact=False, with_refresh_token=True)
        checks = PlatformBearers(look_up, presenter, one.clock, one.parts.desk.notices, grace=0.0)
        return Bearers(platform=checks.check)

    async with reception(sqlite_url, bearers=bearers) as desk:
        got = await desk.nobody(f"Authorization: Bearer {living}").get("/.auth/me")
        filtered = await desk.nobody(f"Authorization: Bearer {living}").get("/.auth/me?provider=doorward")
        bad = await desk.nobody(f"Authorization: Bearer {'0b' * 32}").get("/.auth/me")
        refresh = await desk.nobody(f"Authorization: Bearer {living}").get("/.auth/refresh")
    (entry,) = json.loads(got.body)
    assert (entry["provider_name"], entry["user_id"]) == (PLATFORM, "jane@contoso.com")
    assert not TOKENS & set(entry)
    assert filtered.body == got.body
    assert (bad.status, bad.code) == (401, "invalid_bearer")
    assert (refresh.status, refresh.code) == (400, "refresh_not_supported")


async def test_sign_out_ends_it(sqlite_url: str) -> None:
    """After a sign-out neither the cookie nor a token of the session tells anything."""
    async with reception(sqlite_url) as desk:
        browser = await desk.signed_in()
        token = json.loads((await browser.get("/.auth/refresh")).body)["authenticationToken"]
        jar = dict(browser.cookies)
        await replace(browser, serving=desk.entrance.serving).get("/.auth/logout")
        assert browser.session is None
        old = replace(browser, cookies=jar)
        assert (await old.get("/.auth/me")).status == 401
        assert (await desk.nobody(f"X-ZUMO-AUTH: {token}").get("/.auth/me")).status == 401
        assert (await old.get("/.auth/refresh")).status == 401


@pytest.mark.parametrize("has_refreshed", [True, False])
def test_redacted_bodies_show_no_token(*, has_refreshed: bool) -> None:
    """With the setting no token is shown, whatever else is; headers are another matter."""
    identity = Identity(
        provider="aad", user_id="jane", subject="s", principal_id="p", name_typ="n", claims=(Claim("name", "Jane"),),
        tokens=ProviderTokens(access_token="one-token", id_token="two-token", refresh_token="three-token"),
    )  # fmt: skip
    presenter = Presenter(plan_of(), profile="current", redact=True, with_refresh_token=False)
    principal, body = presenter(identity, refreshed=has_refreshed)
    assert json.loads(body) == [
        {"provider_name": "aad", "user_claims": [{"typ": "name", "val": "Jane"}], "user_id": "jane"}
    ]
    names = [name for name, _ in principal.headers]
    assert b"X-MS-TOKEN-AAD-ACCESS-TOKEN" in names
    assert b"X-MS-TOKEN-AAD-REFRESH-TOKEN" not in names


async def test_anybody_may_ask_for_the_version(sqlite_url: str) -> None:
    """`/.auth/version` names this program's version."""
    async with reception(sqlite_url) as desk:
        got = await desk.nobody().get("/.auth/version")
    assert (got.status, json.loads(got.body)) == (200, {"version": __version__})
    assert SITE not in got.body
