from tests.support.sign_in import entrance, query_of


async def test_a_sign_in_stays_on_the_host_that_it_began_on(sqlite_url: str) -> None:
    """Redirect URI and targets are those of the host that the client named, where it is one of ours."""
    async with entrance(sqlite_url, "aad", hosts=("other.test:81",)) as it:
        browser = it.browser()
        browser.host = "other.test:81"
        begun = await browser.get("/.auth/login/aad?post_login_redirect_uri=http://other.test:81/a")
        assert query_of(begun.location)["redirect_uri"] == ["http://other.test:81/.auth/login/aad/callback"]
        assert (await browser.bring(it.provider.consent(begun.location))).location == "http://other.test:81/a"
        assert it.provider.requests("/token")[0].form["redirect_uri"].startswith("http://other.test:81/")


async def test_a_host_of_nobody_gets_into_nothing(sqlite_url: str) -> None:
    """A Host that is not ours appears in no redirect URI, is no target, and is not where a sign-out leads to."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        browser.host = "evil.example"
        begun = await browser.get("/protected", "X-Forwarded-Host: evil.example")
        assert "evil" not in begun.location
        assert query_of(begun.location)["redirect_uri"] == ["http://app.test/.auth/login/aad/callback"]
        refused = await browser.get("/.auth/login/aad?post_login_redirect_uri=http://evil.example/")
        assert refused.status == 400
        done = await browser.bring(it.provider.consent(begun.location))
        assert done.location == "/protected"
        left = await browser.get("/.auth/logout?post_logout_redirect_uri=http://evil.example/")
        assert query_of(left.location)["post_logout_redirect_uri"] == ["http://app.test/.auth/logout/complete"]


async def test_a_sign_in_comes_back_to_the_host_that_it_began_on(sqlite_url: str) -> None:
    """What began at one host and comes back to another is 401, redeems no code and begins no session."""
    for began, came in (("other.test:81", "app.test"), ("app.test", "other.test:81")):
        for provider in ("aad", "github"):
            async with entrance(sqlite_url, provider, hosts=("other.test:81",)) as it:
                browser = it.browser()
                browser.host = began
                begun = await browser.get(f"/.auth/login/{provider}")
                browser.host = came
                refused = await browser.bring(it.provider.consent(begun.location))
                assert (refused.status, browser.session) == (401, None)
                assert it.provider.requests("/token") == []


async def test_a_session_remembers_its_host(sqlite_url: str) -> None:
    """The session of a sign-in knows the origin that it was begun at."""
    async with entrance(sqlite_url, "aad", hosts=("other.test:81",)) as it:
        browser = it.browser()
        browser.host = "other.test:81"
        await it.sign_in_as(browser, "aad")
        session = await it.parts.desk.find(browser.session or "")
        assert session is not None
        assert session.site == "http://other.test:81"
