import json
from collections.abc import AsyncGenerator
from html import unescape
from pathlib import Path
from re import findall
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from doorward.base.clock import FrozenClock
from doorward.emulator.faults import FAULTS
from doorward.emulator.settings import clients_of
from tests.emulator.relying import AUTHORIZE, JANE, SITE, RelyingParty, claims_of, returned
from tests.support.browser import chromium
from tests.support.emulators import RunningEmulator, running_emulator

PAGES = ["/", "/people", "/log", "/people?email=jane%40contoso.com", "/people?email=%ff", "/oidc/contoso/logout"]


async def choose(app: RelyingParty, provider: str, form: dict[str, str], **changes: Any) -> dict[str, str]:
    """Press a button of the sign-in page as a browser without scripts does."""
    page = await app.begin(provider, **changes)
    (action,) = findall(r'<form method="post" action="([^"]*)">', page.text)
    return returned(await app.post(unescape(action), form))


@pytest.mark.parametrize("provider", list(AUTHORIZE))
async def test_a_person_is_chosen_without_scripts(app: RelyingParty, provider: str) -> None:
    """The page is a form; its answer goes to the application, and the request survives it."""
    back = await choose(app, provider, {"person": "omar@contoso.com", "other": ""}, state="a&b=c d")
    assert (back["state"], bool(back["code"])) == ("a&b=c d", True)


async def test_anybody_can_be_typed_in(app: RelyingParty) -> None:
    """A stranger's address, pressed by Enter or by its button; a chosen person wins over what was typed."""
    form = {"person": "", "other": "ada@example.org"}
    back = await choose(app, "contoso", form, response_type="id_token")
    assert claims_of(back["id_token"])["name"] == "Ada"
    form = {"person": JANE, "other": "ada@example.org"}
    back = await choose(app, "contoso", form, response_type="id_token", prompt="login")
    assert claims_of(back["id_token"])["email"] == JANE


async def test_a_fault_is_switched_on_the_page(app: RelyingParty) -> None:
    """For this sign-in alone."""
    back = await choose(app, "contoso", {"person": JANE, "fault.wrong_nonce": "1"}, response_type="id_token")
    assert claims_of(back["id_token"])["nonce"] != "n-1"
    back = returned(await app.begin("contoso", response_type="id_token"))
    assert claims_of(back["id_token"])["nonce"] == "n-1"


async def test_saying_no_is_told_to_the_application(app: RelyingParty) -> None:
    """Nobody is signed in by it."""
    assert (await choose(app, "aad", {"deny": "1", "other": ""}))["error"] == "access_denied"
    assert (await app.begin("aad")).status_code == 200


@pytest.mark.parametrize(
    "form", [{"person": ""}, {"person": "nobody"}, {"person": JANE, "fault.colour": "1"}, {"other": "<script>"}]
)
async def test_a_wrong_choice_is_told_on_a_page(app: RelyingParty, form: dict[str, str]) -> None:
    """Nobody, no address, no such fault: nothing goes to the application."""
    answer = await app.post(f"{AUTHORIZE['contoso']}?{urlencode(app.request('contoso'))}", form)
    assert answer.status_code == 400
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": SITE},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_sites_page_cannot_choose(app: RelyingParty, headers: dict[str, str]) -> None:
    """Neither sign somebody in nor change people: forms come from the emulator's own pages."""
    address = f"{AUTHORIZE['contoso']}?{urlencode(app.request('contoso'))}"
    assert (await app.post(address, {"person": JANE}, headers=headers)).status_code == 403
    assert (await app.post("/people", {"email": "e@x.example", "name": "E"}, headers=headers)).status_code == 403
    own = {"Origin": app.url, "Sec-Fetch-Site": "same-origin"}
    assert (await app.post(address, {"person": JANE}, headers=own)).status_code == 302


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_marked_and_guarded(app: RelyingParty, path: str) -> None:
    """Pretend is written on each; no framing, no outside asset, no sniffing, no caching."""
    page = await app.get(path)
    assert page.status_code == 200
    assert "retend" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    assert not findall(r'(?:src|href)="(?:https?:)?//', page.text)


async def test_what_people_and_applications_write_is_escaped(app: RelyingParty) -> None:
    """A name, a claim, a state and a hint full of markup stay text on every page."""
    bad = "<script>alert(1)</script>"
    form = {"email": "x@x.example", "name": bad, "claims": json.dumps({"google": {"a": bad}}), "roles": bad}
    assert (await app.post("/people", form)).status_code == 302
    sign_in = await app.begin("google", login_hint=f"\"'{bad}", state=bad, scope=f"openid {bad}", prompt="login")
    posted = await app.begin("contoso", {"X-Emulator-Person": JANE}, state=f"'\"{bad}", response_mode="form_post")
    pages = [sign_in, posted, await app.get("/people?email=x%40x.example"), await app.get("/log")]
    assert all(page.status_code == 200 for page in pages)
    assert not [page.url for page in pages if bad in page.text]


async def test_people_are_edited_on_a_page(app: RelyingParty) -> None:
    """Added, changed, forgotten; what is wrong is told, and what was typed stays."""
    form = {
        "email": "zoe@contoso.com", "name": "Zoe", "groups": "a b", "roles": "admin", "guest": "1", "tenant": "",
        "claims": '{"github": {"company": "Contoso"}}',
    }  # fmt: skip
    assert (await app.post("/people", form)).headers["Location"] == "/people"
    (zoe,) = [p for p in (await app.get("/_emulator/people")).json()["people"] if p["email"] == "zoe@contoso.com"]
    assert (zoe["groups"], zoe["guest"], zoe["verified"]) == (["a", "b"], True, False)
    assert "company" in (await app.get("/people?email=zoe%40contoso.com")).text
    for wrong in ({"claims": "[1]"}, {"claims": '{"a": 1}'}, {"email": "nobody"}, {"name": " "}):
        answer = await app.post("/people", form | wrong)
        assert answer.status_code == 400
        assert "admin" in answer.text
    assert (await app.post("/people", {"remove": "zoe@contoso.com"})).status_code == 302
    assert (await app.post("/people", {"remove": "zoe@contoso.com"})).status_code == 400
    assert (
        await app.post("/people", "a=1&a=2", headers={"Content-Type": "application/x-www-form-urlencoded"})
    ).status_code == 400


@pytest.mark.parametrize("path", ["/", "/log", "/people"])
async def test_pages_are_for_reading(app: RelyingParty, path: str) -> None:
    """Other methods are 405 with Allow."""
    answer = await app.post("/" if path == "/people" else path, {})
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


# --- in a real browser ---------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def page(stage_set: RunningEmulator) -> AsyncGenerator[Page]:
    """Give a page of Chromium; anything that would leave this machine fails."""
    async with chromium() as browser, await browser.new_context() as context:
        yield await _page(context)


async def _page(context: BrowserContext) -> Page:
    page = await context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    return page


def address_of(running: RunningEmulator, provider: str, target: str, **changes: str) -> str:
    """Give the address that an application with the callback `target` sends its browser to."""
    request = RelyingParty(running.url).request(provider, **({"redirect_uri": target} | changes))
    return f"{running.url}{AUTHORIZE[provider]}?{urlencode(request)}"


@pytest.mark.parametrize("mode", ["query", "form_post"])
async def test_chromium_signs_in(clock: FrozenClock, kept_keys: Path, mode: str) -> None:
    """Pressing a person leads to the application, by a redirect or a form that posts itself, on a phone in the dark."""
    landed: list[tuple[str, str]] = []
    async with running_emulator(clock, kept_keys, clients=clients_of([SITE])) as running, chromium() as browser:
        context = await browser.new_context(
            viewport={"width": 360, "height": 640}, color_scheme="dark", is_mobile=True, has_touch=True
        )
        page = await _page(context)

        async def land(route: object) -> None:
            landed.append((route.request.method, route.request.post_data or urlsplit(route.request.url).query))  # type: ignore[attr-defined]
            await route.fulfill(status=200, body="landed")  # type: ignore[attr-defined]

        await page.route(f"{SITE}/**", land)
        target = f"{SITE}/.auth/login/aad/callback"
        await page.goto(address_of(running, "aad", target, response_mode=mode))
        await expect(page.get_by_text("Pretend Microsoft Entra")).to_be_visible()
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
        await page.get_by_role("button", name="Omar Haddad").click()
        await expect(page.get_by_text("landed")).to_be_visible()
        ((method, sent),) = landed
        assert method == ("GET" if mode == "query" else "POST")
        assert {"code", "state"} <= dict(parse_qsl(sent)).keys()
        await page.goto(address_of(running, "aad", target, prompt="select_account"))
        await expect(page.get_by_text("signed in")).to_be_visible()
        await context.close()


async def test_chromium_shows_faults_and_takes_a_typed_address(page: Page, stage_set: RunningEmulator) -> None:
    """The faults open by a click, and Enter in the field signs the typed address in, not the first person."""
    landed: list[str] = []

    async def land(route: object) -> None:
        landed.append(route.request.url)  # type: ignore[attr-defined]
        await route.fulfill(status=200, body="landed")  # type: ignore[attr-defined]

    await page.route(f"{SITE}/**", land)
    await page.goto(address_of(stage_set, "contoso", f"{SITE}/.auth/login/contoso/callback"))
    box = page.get_by_label(FAULTS["token_500"])
    await expect(box).to_be_hidden()
    await page.get_by_text("Make something go wrong").click()
    await box.check()
    await page.get_by_label("Somebody else").fill("ada@example.org")
    await page.get_by_label("Somebody else").press("Enter")
    await expect(page.get_by_text("landed")).to_be_visible()
    await page.goto(f"{stage_set.url}/log")
    await expect(page.get_by_text("ada@example.org signed in; faults: token_500")).to_be_visible()


async def test_chromium_edits_people(page: Page, stage_set: RunningEmulator) -> None:
    """A person is added with the form, and stands on the sign-in page."""
    await page.goto(f"{stage_set.url}/people")
    await page.get_by_label("E-mail").fill("zoe@contoso.com")
    await page.get_by_label("Name", exact=True).fill("Zoe Zed")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("link", name="Zoe Zed")).to_be_visible()
    await page.goto(address_of(stage_set, "github", f"{SITE}/.auth/login/github/callback"))
    await expect(page.get_by_role("button", name="Zoe Zed")).to_be_visible()
