from dataclasses import replace
from urllib.parse import quote

import pytest

from doorward.config.auth_plan import AuthPlan
from doorward.store import Sql
from tests.support import peers
from tests.support.sign_in import CLIENT_ID, Browser, Entrance, entrance, query_of


async def signed_in(it: Entrance, provider: str = "aad") -> Browser:
    """Open a browser and sign Jane in."""
    it.provider.profile.update({"id": 1, "login": "jane"})
    browser = it.browser()
    await it.sign_in_as(browser, provider)
    assert browser.session
    return browser


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_sign_out_ends_the_session_and_goes_on_to_the_provider(database_url: str, method: str) -> None:
    """The cookie is forgotten and worth nothing, and the provider is told where to lead to, without a token."""
    async with entrance(database_url, "aad") as it:
        browser = await signed_in(it)
        cookie = browser.session or ""
        done = await browser.get("/.auth/logout?post_logout_redirect_uri=/bye%3Fx", method=method)
        assert done.status == 302
        assert done.location.startswith(f"{it.provider.url}/logout?")
        asked = query_of(done.location)
        assert asked == {"client_id": [CLIENT_ID], "post_logout_redirect_uri": ["http://app.test/bye?x"]}
        assert not browser.cookies
        assert await it.parts.desk.find(cookie) is None
        (record,) = await it.audited("session.ended")
        assert record["detail"] == "aad:sub-jane"


async def test_a_token_that_does_not_pass_signs_nobody_out(sqlite_url: str) -> None:
    """A bad session token is 401, and nothing falls back to the cookie beside it."""
    async with entrance(sqlite_url, "aad") as it:
        browser = await signed_in(it)
        cookie = browser.session or ""
        assert (await browser.get("/.auth/logout", "X-ZUMO-AUTH: bad")).status == 401
        assert await it.parts.desk.find(cookie) is not None


async def test_a_provider_without_sign_out_is_left_alone(sqlite_url: str) -> None:
    """GitHub has no such address: the browser goes where it was asked to."""
    async with entrance(sqlite_url, "github") as it:
        browser = await signed_in(it, "github")
        assert (await browser.get("/.auth/logout?post_logout_redirect_uri=/bye")).location == "/bye"
        assert not browser.cookies


@pytest.mark.parametrize(("profile", "page"), [("current", "complete"), ("2016", "done"), ("container-apps", "done")])
async def test_who_is_not_signed_in_can_sign_out(sqlite_url: str, profile: str, page: str) -> None:
    """It works all the same, and ends on the page of the profile; both pages exist in every profile."""
    async with entrance(sqlite_url, "aad", profile=profile) as it:
        done = await it.browser().get("/.auth/logout")
        assert (done.status, done.location) == (302, f"/.auth/logout/{page}")
        for name in ("complete", "done"):
            shown = await it.browser().get(f"/.auth/logout/{name}")
            assert shown.status == 200
            assert "You are signed out" in shown.body
        assert not await it.audited("session.ended")


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http://app.test:81/", ""],
)
async def test_a_foreign_target_leads_to_our_own_page(sqlite_url: str, target: str) -> None:
    """Nobody is led away by a sign-out, and the sign-out happens."""
    async with entrance(sqlite_url, "github") as it:
        browser = await signed_in(it, "github")
        done = await browser.get(f"/.auth/logout?post_logout_redirect_uri={quote(target, safe='')}")
        assert done.location == "/.auth/logout/complete"
        assert not browser.cookies


@pytest.mark.parametrize("query", ["post_logout_redirect_uri=/a&post_logout_redirect_uri=/b", "x=%ff", "&" * 100])
async def test_an_odd_address_still_signs_out(sqlite_url: str, query: str) -> None:
    """Whatever stands in the query, the session ends."""
    async with entrance(sqlite_url, "github") as it:
        browser = await signed_in(it, "github")
        assert (await browser.get(f"/.auth/logout?{query}")).location == "/.auth/logout/complete"
        assert not browser.cookies


async def test_the_sign_out_address_can_be_moved(sqlite_url: str) -> None:
    """`login.routes.logoutEndpoint` lies anywhere on the site; the old address is then nobody's."""

    def moved(plan: AuthPlan) -> AuthPlan:
        return replace(plan, logout_path="/sign-out")

    async with entrance(sqlite_url, "github", turn=moved) as it:
        browser = await signed_in(it, "github")
        assert (await browser.get("/.auth/logout")).status == 404
        assert (await browser.get("/sign-out")).status == 302
        assert not browser.cookies


async def test_all_pieces_of_a_cookie_are_cleared(sqlite_url: str) -> None:
    """What another version of us left in the browser goes as well."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        browser.cookies |= {
            "AppServiceAuthSession": "x",
            "AppServiceAuthSession1": "y",
            "RedirectCount": "3",
            "own": "1",
        }
        await browser.get("/.auth/logout")
        assert browser.cookies == {"own": "1"}


async def test_an_expired_cookie_still_ends_its_session(sqlite_url: str) -> None:
    """The session outlives its cookie, for a refresh; a sign-out ends all of it."""
    async with entrance(sqlite_url, "aad") as it:
        browser = await signed_in(it)
        it.clock.advance(9 * 3600)
        assert await it.parts.desk.find(browser.session or "") is None
        await browser.get("/.auth/logout")
        assert len(await it.audited("session.ended")) == 1


async def test_a_provider_that_is_away_keeps_nobody_signed_in(sqlite_url: str) -> None:
    """Where the provider's sign-out address cannot be found, the browser goes straight to the target."""
    async with entrance(sqlite_url, "aad") as it:
        browser = await signed_in(it)
        it.discovery.watch({})
        await it.store.write(lambda cursor: cursor.run(Sql("DELETE FROM key_sets")))
        it.provider.answers["/.well-known/openid-configuration"] = peers.answer(b"", status="500 Oops")
        assert (await browser.get("/.auth/logout?post_logout_redirect_uri=/bye")).location == "/bye"
        assert not browser.cookies


async def test_head_signs_nobody_out(sqlite_url: str) -> None:
    """HEAD must change nothing (RFC 9110 section 9.2.1)."""
    async with entrance(sqlite_url, "aad") as it:
        browser = await signed_in(it)
        assert (await browser.get("/.auth/logout", method="HEAD")).status == 405
        assert await it.parts.desk.find(browser.session or "") is not None


async def test_a_database_away_signs_nobody_out_silently(sqlite_url: str) -> None:
    """Who cannot be signed out everywhere is told so, and keeps the cookie to try again with."""
    async with entrance(sqlite_url, "aad") as it:
        browser = await signed_in(it)
        await it.store.close()
        assert (await browser.get("/.auth/logout")).status >= 500
        assert browser.session
