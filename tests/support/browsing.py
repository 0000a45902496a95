"""Our endpoints in a real browser, with the pretend providers of development."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from playwright.async_api import Browser, Page

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


@dataclass
class Visited:
    """Our endpoints under an address that a browser can open, and that browser."""

    it: Entrance
    site: str
    chromium: Browser


@asynccontextmanager
async def visited(database_url: str, *, host: str = "127.0.0.1", **changes: Any) -> AsyncGenerator[Visited]:
    """Serve our endpoints at `host`, with the pretend providers of development at 127.0.0.1.

    `changes` are members of the plan in place of those of development mode.
    """
    port = free_port()
    site = f"http://{host}:{port}"
    async with running_emulator(FrozenClock(NOW), clients=clients_of([site])) as emulator, chromium() as browser:
        plan = replace(emulated_plan(emulator.url, site), **changes)
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
