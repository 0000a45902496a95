from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.asking import LOGIN, ME
from tests.support.browser import chromium
from tests.support.described import PREFIX, description
from tests.support.houses import JANE, House, running_house

DOCS = f"{PREFIX}/docs"
PHONE = {"width": 390, "height": 844}


@dataclass
class Visited:
    """The page in a browser, and what the browser had to say about it."""

    page: Page
    said: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])

    async def endpoint(self, path: str) -> Locator:
        """Open what the page says of one endpoint."""
        details = self.page.locator("details", has=self.page.locator("summary", has_text=path))
        await details.locator("summary").click()
        return details

    async def is_wider_than_the_screen(self) -> bool:
        """Say whether one has to scroll sideways."""
        return await self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@asynccontextmanager
async def visited(browser: Browser, house: House, *, dark: bool = False, **how: Any) -> AsyncGenerator[Visited]:
    """Open the page in a profile of its own and wait until it has read the description."""
    page = await browser.new_page(color_scheme="dark" if dark else "light", **how)
    visit = Visited(page)
    page.on("console", lambda message: visit.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: visit.said.append(str(error)))
    page.on("request", lambda request: visit.asked.append(request.url))
    await page.goto(f"http://127.0.0.1:{house.caller.port}{DOCS}")
    await expect(page.locator("details").first).to_be_visible()
    yield visit
    await page.close()


async def test_it_shows_every_endpoint_and_asks_nobody_else(sqlite_url: str) -> None:
    """The page lists what is described, without an error in the console and without a request to another host."""
    async with running_house(sqlite_url) as house, chromium() as browser, visited(browser, house) as visit:
        document = await description(house.caller)
        shown = await visit.page.locator("summary").all_inner_texts()
        own = f"http://127.0.0.1:{house.caller.port}{PREFIX}/"
    assert [text.split()[1] for text in shown] == [PREFIX + path for path in document["paths"]]
    assert visit.said == []
    assert sorted(set(visit.asked)) == [f"{own}docs", f"{own}openapi.json"]


async def test_a_call_can_be_tried(sqlite_url: str) -> None:
    """Paste an id_token, press Send, read the answer; then use the token from it at the next endpoint."""
    async with running_house(sqlite_url) as house, chromium() as browser, visited(browser, house) as visit:
        login = await visit.endpoint(LOGIN)
        body = login.get_by_label("Body")
        assert '"auto_create": true' in await body.input_value()
        await body.fill(f'{{"email": "{JANE}", "azure_ad_token": "{house.mint()}"}}')
        await login.get_by_role("button", name="Send").click()
        await expect(login.get_by_role("status")).to_contain_text("200 OK")
        await expect(login.get_by_role("status")).to_contain_text('"message": "Login successful"')
        access, _ = await house.pair()
        me = await visit.endpoint(ME)
        await me.get_by_label("access_token (bearer)").fill(access)
        await me.get_by_role("button", name="Send").click()
        await expect(me.get_by_role("status")).to_contain_text(f'"email": "{JANE}"')
    assert visit.said == []


async def test_a_refusal_is_shown_as_text(sqlite_url: str) -> None:
    """What comes back is put on the page as text, whatever it is, and a bad body says what is wrong with it."""
    async with running_house(sqlite_url) as house, chromium() as browser, visited(browser, house) as visit:
        login = await visit.endpoint(LOGIN)
        for body, said in (("<img src=x onerror=alert(1)>", "json_invalid"), ("{}", "Field required")):
            await login.get_by_label("Body").fill(body)
            await login.get_by_role("button", name="Send").click()
            await expect(login.get_by_role("status")).to_contain_text("422")
            await expect(login.get_by_role("status")).to_contain_text(said)
        token = await visit.endpoint(f"{PREFIX}/oauth2/token")
        await token.get_by_label("Body").fill("not JSON")
        await token.get_by_role("button", name="Send").click()
        await expect(token.get_by_role("status")).to_contain_text("SyntaxError")


async def test_the_subscription_key_can_be_typed_in(sqlite_url: str) -> None:
    """Where the service wants a key, the page has a field for it and sends it."""
    async with (
        running_house(sqlite_url, token_service__subscription_key="k" * 40) as house,
        chromium() as browser,
        visited(browser, house) as visit,
    ):
        login = await visit.endpoint(LOGIN)
        await login.get_by_label("Body").fill(f'{{"email": "{JANE}", "azure_ad_token": "{house.mint()}"}}')
        await login.get_by_role("button", name="Send").click()
        await expect(login.get_by_role("status")).to_contain_text("invalid_subscription_key")
        await login.get_by_label("Ocp-Apim-Subscription-Key").fill("k" * 40)
        await login.get_by_role("button", name="Send").click()
        await expect(login.get_by_role("status")).to_contain_text("200 OK")


async def test_a_script_that_was_slipped_in_does_not_run(sqlite_url: str) -> None:
    """The policy names our script alone: another inline one, a handler in markup and a foreign address are blocked."""
    async with running_house(sqlite_url) as house, chromium() as browser, visited(browser, house) as visit:
        blocked = await visit.page.evaluate(
            """async () => {
                const broken = [];
                const all = new Promise((resolve) => addEventListener("securitypolicyviolation", (event) => {
                    if (broken.push(event.effectiveDirective) === 3) resolve();
                }));
                const script = document.createElement("script");
                script.textContent = "window.slipped = true";
                document.body.append(script);
                const button = "<button id=x onclick='window.slipped = true'>x</button>";
                document.body.insertAdjacentHTML("beforeend", button);
                document.getElementById("x").click();
                await fetch("http://127.0.0.1:9/").catch(() => null);
                await all;
                return [broken.sort(), window.slipped === true];
            }"""
        )
    assert blocked == [["connect-src", "script-src-attr", "script-src-elem"], False]


@pytest.mark.parametrize("dark", [False, True])
async def test_it_is_readable_on_a_phone_and_in_the_dark(sqlite_url: str, *, dark: bool) -> None:
    """At 390 pixels nothing has to be scrolled sideways, and text stands out from the ground by 4.5 to 1 (WCAG AA)."""
    async with (
        running_house(sqlite_url) as house,
        chromium() as browser,
        visited(browser, house, dark=dark, viewport=PHONE) as visit,
    ):
        for summary in await visit.page.locator("summary").all():
            await summary.click()
        wide = await visit.is_wider_than_the_screen()
        colours: dict[str, str] = await visit.page.evaluate(COLOURS)
    assert not wide
    ground = colours.pop("ground")
    assert (_luminance(ground) < 0.1) == dark
    assert {name: colour for name, colour in colours.items() if _contrast(colour, ground) < 4.5} == {}


COLOURS = """() => {
    document.body.style.outlineColor = "Canvas";
    const ground = getComputedStyle(document.body).outlineColor;
    const names = ["p", "a", "summary", "summary b", "th", "td", "label", "h2"];
    const texts = names.map((name) => [name, getComputedStyle(document.querySelector(name)).color]);
    return Object.fromEntries([...texts, ["ground", ground]]);
}"""


def _luminance(colour: str) -> float:
    """Give the relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


async def test_its_headers(sqlite_url: str) -> None:
    """The page may be framed by nobody, tells nobody where it was, and loads nothing."""
    async with running_house(sqlite_url, register=False) as house:
        answer = await house.caller.ask("GET", DOCS)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in str(policy)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
