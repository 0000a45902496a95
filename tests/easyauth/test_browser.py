from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.support.browsing import choose, cookies_of_ours, visited, watched

EVERY = ("aad", "google", "github", "contoso")
PHONE = {"width": 360, "height": 740}


async def test_people_sign_in_and_out(sqlite_url: str) -> None:
    """Choose a provider and a person, come back signed in to the page that was asked for, and sign out again."""
    async with visited(sqlite_url) as there:
        for provider in EVERY:
            page = await there.chromium.new_page()
            complaints = await watched(page)
            await page.goto(f"{there.site}/.auth/login?post_login_redirect_uri=/protected?x=1")
            label = there.it.parts.plan.providers[provider].spec.label
            await page.get_by_role("link", name=label, exact=True).click()
            await choose(page)
            await expect(page).to_have_url(f"{there.site}/protected?x=1")
            assert "jane" in (await page.title()).lower()
            assert await cookies_of_ours(page) == {"AppServiceAuthSession"}
            await page.goto(f"{there.site}/.auth/logout")
            await expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
            assert not await cookies_of_ours(page)
            assert not [text for text in complaints if "favicon" not in text and "404" not in text]


async def test_a_form_from_another_site_signs_in_on_plain_http(sqlite_url: str) -> None:
    """`localhost` and 127.0.0.1 are two sites: the form comes without our cookie, and then from us with it."""
    async with visited(sqlite_url, host="localhost") as there:
        page = await there.chromium.new_page()
        posts: list[str | None] = []
        page.on(
            "request",
            lambda request: (
                posts.append(request.headers.get("origin"))
                if request.method == "POST" and urlsplit(request.url).path.endswith("/callback")
                else None
            ),
        )
        await page.goto(f"{there.site}/protected")
        await choose(page)
        await expect(page).to_have_url(f"{there.site}/protected")
        assert "jane" in (await page.title()).lower()
        assert len(posts) == 2
        assert posts[0] != there.site
        assert posts[1] == there.site


async def test_a_fragment_comes_back(sqlite_url: str) -> None:
    """Where fragments are preserved, the page that was asked for opens at its place, and nothing is left behind."""
    async with visited(sqlite_url, preserve_fragments=True) as there:
        page = await there.chromium.new_page()
        complaints = await watched(page)
        await page.goto(f"{there.site}/protected?a=b#part/2?x=ä")
        await choose(page)
        await expect(page).to_have_url(f"{there.site}/protected?a=b#part/2?x=%C3%A4")
        assert await cookies_of_ours(page) == {"AppServiceAuthSession"}
        assert not [text for text in complaints if "favicon" not in text and "404" not in text]


async def test_a_fragment_survives_the_choice_of_a_provider(sqlite_url: str) -> None:
    """Where people choose a provider, the fragment of the page that was asked for goes with their choice."""
    async with visited(sqlite_url, preserve_fragments=True) as there:
        page = await there.chromium.new_page()
        complaints = await watched(page)
        await page.goto(f"{there.site}/.auth/login?post_login_redirect_uri=/protected?a=b#part/2")
        await page.get_by_role("link", name="Google").click()
        await choose(page)
        await expect(page).to_have_url(f"{there.site}/protected?a=b#part/2")
        assert not [text for text in complaints if "favicon" not in text and "404" not in text]


async def test_without_a_script_the_way_is_open_as_well(sqlite_url: str) -> None:
    """With scripts switched off the pages that would go on by themselves have a button."""
    async with visited(sqlite_url, preserve_fragments=True) as there:
        context = await there.chromium.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{there.site}/protected")
        await page.get_by_role("link", name="Continue").click()
        await choose(page)
        await page.get_by_role("button", name="Continue").click()
        await expect(page).to_have_url(f"{there.site}/protected")


async def test_who_says_no_can_try_again(sqlite_url: str) -> None:
    """Consent denied ends on a page that names the code, and its button begins the same sign-in anew."""
    async with visited(sqlite_url) as there:
        page = await there.chromium.new_page()
        await page.goto(f"{there.site}/protected")
        await page.get_by_role("button", name="Say no").click()
        await expect(page.get_by_text("provider_declined")).to_be_visible()
        await page.get_by_role("link", name="Try again").click()
        await choose(page)
        await expect(page).to_have_url(f"{there.site}/protected")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_are_readable_on_a_phone(sqlite_url: str, scheme: str) -> None:
    """Nothing is wider than the screen, text stands out from its ground, and nothing comes from elsewhere."""
    async with visited(sqlite_url) as there:
        context = await there.chromium.new_context(viewport=PHONE, color_scheme=scheme)  # type: ignore[arg-type]
        page = await context.new_page()
        complaints = await watched(page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in ("/.auth/login", "/.auth/login/complete", "/.auth/logout/done", "/.auth/nothing"):
            await page.goto(there.site + path)
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            ink, ground = [
                [int(part) for part in text[4:-1].split(",")]
                for text in await page.evaluate(
                    "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
                )
            ]
            assert abs(sum(ink) - sum(ground)) > 400
            assert (sum(ground) > 384) is (scheme == "light")
        assert {urlsplit(url).netloc for url in asked} == {urlsplit(there.site).netloc}
        assert not [text for text in complaints if "favicon" not in text and "404" not in text]
