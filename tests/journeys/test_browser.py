"""`doorward dev` in a real browser: choose a provider, pick a person, see the headers, sign out, by both its names."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.browser import chromium
from tests.support.browsing import choose, cookies_of_ours, watched
from tests.support.journeys import running_dev

LABELS = {
    "aad": "Microsoft", "google": "Google", "github": "GitHub", "contoso": "contoso", "apple": "Apple", "twitter": "X",
}  # fmt: skip
CALLED = {"github": "Jane Doe", "contoso": "Jane Doe", "twitter": "jane"}
PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_people_sign_in_and_out(tmp_path: Path, host: str) -> None:
    """From the first page to the sample application and out again; `localhost` gets Apple's form from another site."""
    with running_dev(tmp_path) as dev:
        site = dev.site.replace("127.0.0.1", host)
        async with chromium() as browser:
            for provider, label in LABELS.items():
                page = await (await browser.new_context()).new_page()
                complaints = await watched(page)
                await page.goto(f"{site}/?from={provider}")
                await page.get_by_role("link", name=label, exact=True).click()
                await choose(page)
                await expect(page).to_have_url(f"{site}/?from={provider}")
                signed_in = page.get_by_text("Signed in as")
                await expect(signed_in).to_have_text(
                    f"Signed in as {CALLED.get(provider, 'jane@contoso.com')} by {provider}."
                )
                await expect(page.get_by_text(f"x-ms-token-{provider}-access-token", exact=True)).to_be_visible()
                assert await cookies_of_ours(page) == {"AppServiceAuthSession"}
                await page.get_by_role("link", name="Sign out").click()
                await expect(page.get_by_text("Nobody is signed in")).to_be_visible()
                await expect(page).to_have_url(f"{site}/public")
                assert not await cookies_of_ours(page)
                assert not [text for text in complaints if "favicon" not in text and "404" not in text]
                await page.context.close()


async def test_a_fault_is_chosen_and_seen(tmp_path: Path) -> None:
    """A box of the provider's page spoils the sign-in; the page of the callback names the code and leads back."""
    with running_dev(tmp_path) as dev:
        async with chromium() as browser:
            page = await browser.new_page()
            await page.goto(f"{dev.site}/.auth/login/contoso?post_login_redirect_uri=/")
            await page.get_by_text("Make something go wrong").click()
            await page.get_by_label("the id_token has expired").check()
            await choose(page)
            await expect(page.get_by_text("id_token_refused").first).to_be_visible()
            await page.get_by_role("link", name="Try again").click()
            await expect(page.get_by_text("Signed in as")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_sample_application_on_a_phone(tmp_path: Path, scheme: str) -> None:
    """Nothing is wider than the screen, and text stands out from its ground."""
    with running_dev(tmp_path) as dev:
        async with chromium() as browser:
            context = await browser.new_context(viewport=PHONE, color_scheme=scheme)  # type: ignore[arg-type]
            page = await context.new_page()
            await page.goto(f"{dev.site}/.auth/login/aad?post_login_redirect_uri=/")
            await choose(page)
            await expect(page.get_by_text("Signed in as")).to_be_visible()
            await page.get_by_text("characters)").first.click()
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            ink, ground = [
                [int(part) for part in text[4:-1].split(",")]
                for text in await page.evaluate(
                    "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
                )
            ]
            assert abs(sum(ink) - sum(ground)) > 400
            assert (sum(ground) > 384) is (scheme == "light")
            await context.close()
