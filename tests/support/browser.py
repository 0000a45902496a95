"""A real browser: Debian's Chromium without a window, driven by playwright."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright, expect

_QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-quic",
)  # fmt: skip

expect.set_options(timeout=20_000)  # milliseconds; a machine that runs everything at once is slow, not wrong


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """Start the browser; without one on the machine the test is skipped, or fails where CI is set."""
    path = shutil.which("chromium") or shutil.which("chromium", path=os.defpath)
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("no Chromium here: use scripts/test as root, or apt-get install chromium")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=path, args=list(_QUIET))
        try:
            yield browser
        finally:
            await browser.close()
