from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from doorward.base.clock import FrozenClock
from doorward.config.auth_plan import AuthPlan
from doorward.config.auth_tree import plan_tree
from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.tree_reading import TreeSource
from doorward.emulator.settings import clients_of, settings_of
from tests.support.browser import chromium
from tests.support.emulators import running_emulator
from tests.support.programs import free_port
from tests.support.sign_in import NOW, Entrance, entrance

EVERY = ("aad", "google", "github", "contoso")
PHONE = {"width": 360, "height": 740}


@dataclass
class Visited:
    """Our endpoints under an address that a browser can open, and that browser."""

    it: Entrance
    site: str
    chromium: Browser


@asynccontextmanager
async def visited(
    database_url: str, *, host: str = "127.0.0.1", preserve_fragments: bool = False
) -> AsyncGenerator[Visited]:
    """Serve our endpoints at `host`, with the pretend providers of development at 127.0.0.1."""
    port = free_port()
    site = f"http://{host}:{port}"
    async with running_emulator(FrozenClock(NOW), clients=clients_of([site])) as emulator, chromium() as browser:
        plan = replace(emulated_plan(emulator.url, site), preserve_fragments=preserve_fragments)
        async with entrance(database_url, turn=lambda _: plan, site=site, port=port) as it:
            yield Visited(it, site, browser)


def emulated_plan(url: str, site: str) -> AuthPlan:
    """Give the plan of development mode."""
    settings = settings_of(url)
    environment = {name: str(value) for name, value in settings["environment"].items()}
    written = {name: ProviderSettings(**table) for name, table in settings["providers"].items()}  # type: ignore[arg-type]
    source = TreeSource(content=settings["auth"], place=lambda _: "here")
    planned = plan_tree(source, environment=environment, public_url=site, written=written)
    assert not planned.findings
    return planned.plan


async def watched(page: Page) -> list[str]:
    """Give what the browser complains about, such as what a policy of a page forbids."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


async def choose(page: Page, name: str = "Jane Doe") -> None:
    """Pick somebody on the provider's page, and go on to us."""
    await page.get_by_role("button", name=name).first.click()


async def cookies_of_ours(page: Page) -> set[str | None]:
    """Give the names of our cookies; those of the provider on the same host are its own."""
    return {cookie.get("name") for cookie in await page.context.cookies()} - {"emulator_session"}


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
