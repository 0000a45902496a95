"""docs/settings.md says what the rows say."""

from doorward import providers
from doorward.config.docs import render_docs
from doorward.config.settings import every_row
from doorward.config.tree_docs import render_tree_docs
from doorward.config.tree_keys import keys_of
from doorward.config.website_auth import BESIDE_THE_TREE, OVER_THE_TREE, PREFIX, REPORTED, SECRETS
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


def test_the_page_of_the_auth_tree_is_made_from_its_table() -> None:
    """The page in the repository is the one that the table of keys makes."""
    written = (ROOT / "docs" / "auth-json.md").read_text(encoding="utf-8")
    assert written == render_tree_docs(), "run scripts/docs"


def test_every_key_of_the_auth_tree_is_documented() -> None:
    """Each key has a row with what it does, and what is reported says so; each variable has one, too."""
    rows = {line.split("`")[1]: line for line in render_tree_docs().splitlines() if line.startswith("| `")}
    for key in keys_of(providers.ALL.values()):
        row = rows[key.name.replace("*", "NAME")]
        assert key.about in row
        assert ("Reported: " in row) == bool(key.reason)
    for name in (*OVER_THE_TREE, *SECRETS, *BESIDE_THE_TREE, *REPORTED):
        assert PREFIX + name in rows
