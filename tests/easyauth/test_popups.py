import re
from asyncio import StreamReader, StreamWriter
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
from playwright.async_api import BrowserContext, Page, expect

from doorward.easyauth.popups import RECEIVER
from tests.support import peers
from tests.support.browsing import Visited, choose, visited, watched

PAGE = b"""<!doctype html><title>client</title><script>
window.heard = [];
addEventListener("message", e => heard.push([e.origin, e.data]));
</script><p>The client</p>"""


# --- a real browser ------------------------------------------------------------------------------------------------


@dataclass
class Client:
    """A page on another site, which opens windows of ours and hears what they say; `listed` is an origin we know."""

    there: Visited
    page: Page
    listed: str
    complaints: list[str] = field(default_factory=list[str])

    async def open(self, way: str) -> Page:
        """Open the sign-in in a popup in the name of the listed origin, as App Service's own client does."""
        asked = {"session_mode": "token", "completion_type": way, "completion_origin": self.listed}
        address = f"{self.there.site}/.auth/login/aad?{urlencode(asked)}"
        async with self.page.expect_popup() as opened:
            await self.page.evaluate("address => { window.open(address) }", address)
        return await opened.value

    async def frame_receiver(self) -> None:
        """Hold the receiver in a hidden frame, as App Service's own client does."""
        address = f"{self.there.site}/.auth/login/iframereceiver?{urlencode({'completion_origin': self.listed})}"
        await self.page.evaluate(
            """([name, address]) => new Promise(loaded => {
                const frame = document.createElement("iframe");
                frame.name = name; frame.src = address; frame.style.display = "none"; frame.onload = loaded;
                document.body.append(frame);
            })""",
            [RECEIVER, address],
        )

    async def heard(self) -> list[Any]:
        """Give every message that came, with the origin it came from."""
        return await self.page.evaluate("heard")

    async def hears(self) -> Any:
        """Wait for one message, and give it; it is from us."""
        await self.page.wait_for_function("heard.length > 0")
        ((origin, message),) = await self.heard()
        assert origin == self.there.site
        return message


async def _show(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(peers.answer(PAGE, content_type="text/html", more="Connection: close\r\n"))
    await writer.drain()


@asynccontextmanager
async def client(database_url: str, *, is_listed: bool = True) -> AsyncGenerator[Client]:
    """Serve our endpoints, and open the page of a client that is listed, or of a stranger."""
    async with peers.listening(_show) as port, peers.listening(_show) as other:
        listed = f"http://localhost:{port}"
        async with visited(database_url, allowed_targets=(listed, "app://easyauth.callback")) as there:
            page = await (await there.chromium.new_context()).new_page()
            complaints = await watched(page)
            await page.goto(listed if is_listed else f"http://localhost:{other}")
            yield Client(there, page, listed, complaints)


async def cookies_of(context: BrowserContext) -> set[str | None]:
    """Give the names of the cookies that we set."""
    return {cookie.get("name") for cookie in await context.cookies()} - {"emulator_session"}


@pytest.mark.parametrize("way", ["postMessage", "iframe"])
async def test_a_popup_tells_who_opened_it(sqlite_url: str, way: str) -> None:
    """The opener hears exactly the envelope, from our origin; its token signs in, and no cookie is left."""
    async with client(sqlite_url) as it:
        if way == "iframe":
            await it.frame_receiver()
        popup = await it.open(way)
        complaints = await watched(popup)
        await choose(popup)
        message = await it.hears()
        assert list(message) == ["type", "oauth"]
        assert message["type"] == "LoginCompleted"
        assert list(message["oauth"]) == ["authenticationToken", "user"]
        token = message["oauth"]["authenticationToken"]
        await expect(popup.get_by_role("heading", name="You are signed in")).to_be_visible()
        assert token not in await popup.content()
        assert token not in popup.url
        assert not await cookies_of(it.page.context)
        me = await it.page.request.get(f"{it.there.site}/", headers={"X-ZUMO-AUTH": token})
        assert "jane" in (await me.text()).lower()
        assert not [text for text in complaints if "favicon" not in text and "404" not in text]


@pytest.mark.parametrize("way", ["postMessage", "iframe"])
async def test_a_popup_tells_of_a_refusal(sqlite_url: str, way: str) -> None:
    """Who says no at the provider: the opener hears why in our words, and the popup shows the code."""
    async with client(sqlite_url) as it:
        if way == "iframe":
            await it.frame_receiver()
        popup = await it.open(way)
        await popup.get_by_role("button", name="Say no").click()
        assert await it.hears() == {
            "type": "LoginCompleted",
            "error": "The identity provider did not sign you in",
        }
        await expect(popup.get_by_text("provider_declined")).to_be_visible()


async def test_another_opener_hears_nothing(sqlite_url: str) -> None:
    """A stranger who opens the window in a listed client's name gets no message: the browser compares origins."""
    async with client(sqlite_url, is_listed=False) as it:
        popup = await it.open("postMessage")
        await choose(popup)
        await expect(popup.get_by_role("heading", name="You are signed in")).to_be_visible()
        await popup.evaluate("new Promise(done => setTimeout(done))")
        assert await it.heard() == []


async def test_a_stranger_cannot_frame_the_receiver(sqlite_url: str) -> None:
    """The receiver that would speak to a listed client does not load in a stranger's page, and so hands nothing on."""
    async with client(sqlite_url, is_listed=False) as it:
        await it.frame_receiver()
        popup = await it.open("iframe")
        await choose(popup)
        await expect(popup.get_by_role("heading", name="You are signed in")).to_be_visible()
        await popup.evaluate("new Promise(done => setTimeout(done))")
        assert await it.heard() == []
        assert [text for text in it.complaints if "frame-ancestors" in text]


async def test_the_receiver_hands_on_what_we_say_alone(sqlite_url: str) -> None:
    """A message to the receiver from any other origin goes nowhere, nor does one of another kind."""
    async with client(sqlite_url) as it:
        await it.frame_receiver()
        await it.page.evaluate(f'frames["{RECEIVER}"].postMessage({{type: "LoginCompleted", error: "forged"}}, "*")')
        popup = await it.open("iframe")
        await choose(popup)
        message = await it.hears()
        assert "oauth" in message


async def test_without_an_opener_the_page_stands_by_itself(sqlite_url: str) -> None:
    """Whoever opened the address by hand is told that they are signed in; no script fails."""
    async with client(sqlite_url) as it:
        page = await it.page.context.new_page()
        complaints = await watched(page)
        query = urlencode({"session_mode": "token", "completion_type": "postMessage", "completion_origin": it.listed})
        await page.goto(f"{it.there.site}/.auth/login/aad?{query}")
        await choose(page)
        await expect(page.get_by_role("heading", name="You are signed in")).to_be_visible()
        assert not [text for text in complaints if "favicon" not in text and "404" not in text]


@pytest.mark.parametrize(
    ("button", "name", "heading"),
    [("Jane Doe", "token", "You are signed in"), ("Say no", "error", "You are not signed in")],
)
async def test_the_landing_page_says_how_it_ended(sqlite_url: str, button: str, name: str, heading: str) -> None:
    """The page that native clients watch shows no part of its fragment, and what it says is true."""
    async with client(sqlite_url) as it:
        page = await it.page.context.new_page()
        complaints = await watched(page)
        await page.goto(f"{it.there.site}/.auth/login/aad?session_mode=token")
        await choose(page, button)
        await page.wait_for_url(f"{it.there.site}/.auth/login/done#{name}=*")
        await expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        carried = unquote(page.url.partition("=")[2])
        assert carried not in await page.content()
        assert not [text for text in complaints if "favicon" not in text and "404" not in text]


async def test_an_application_is_opened_by_its_scheme(sqlite_url: str) -> None:
    """The browser is sent to the app's own address with the code in the fragment; no page of ours stands between."""
    async with client(sqlite_url) as it:
        page = await it.page.context.new_page()
        verifier = b64encode(bytes(32)).decode()
        asked = {
            "session_mode": "token",
            "post_login_redirect_uri": "app://easyauth.callback",
            "code_challenge": b64encode(sha256(verifier.encode()).digest()).decode(),
            "code_challenge_method": "S256",
        }
        await page.goto(f"{it.there.site}/.auth/login/aad?{urlencode(asked)}")
        async with page.expect_event("requestfailed", lambda request: request.url.startswith("app:")) as awaited:
            await page.get_by_role("button", name="Jane Doe").first.click(no_wait_after=True)
        callback = (await awaited.value).redirected_from
        response = None if callback is None else await callback.response()
        location = "" if response is None else response.headers["location"]
        found = re.fullmatch(r"app://easyauth\.callback#authorization_code=([A-Za-z0-9_-]{43})", location)
        assert found
        query = urlencode({"authorization_code": found[1], "code_verifier": verifier})
        got = await page.request.get(f"{it.there.site}/.auth/login/aad/token?{query}")
        assert (await got.json())["authenticationToken"]


async def test_without_a_script_the_pages_say_enough(sqlite_url: str) -> None:
    """With scripts switched off nobody is told that they are signed in when they may not be."""
    async with client(sqlite_url) as it:
        context = await it.there.chromium.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{it.there.site}/.auth/login/done#error=no")
        await expect(page.get_by_role("heading", name="Signing in has ended")).to_be_visible()
