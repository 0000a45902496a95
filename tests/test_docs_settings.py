"""docs/settings.md says what the rows say."""

from doorward.config.docs import render_docs
from doorward.config.settings import every_row
from tests.support.sources import ROOT


def test_the_page_is_made_from_the_rows() -> None:
    """The page in the repository is the one that the rows make."""
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == render_docs(), "run scripts/docs"


def test_every_setting_is_documented() -> None:
    """Each setting has a heading, its help, its default and its variable."""
    page = render_docs()
    for entry, key, row in every_row():
        path = f"{entry.name}.NAME.{key}" if entry.named else f"{entry.name}.{key}"
        assert f"### `{path}`\n\n{row.about}\n" in page
