"""The table of rows."""

import pytest

from doorward.base.secret import Secret
from doorward.config.clouds import CloudRows
from doorward.config.dev_keys import DEV_ENCRYPTION_KEY, DEV_SIGNING_KEY, is_dev_key
from doorward.config.kinds import HEX_KEY
from doorward.config.rows import Row
from doorward.config.settings import SectionRow, Settings, every_row, find_row
from doorward.config.sources import environment_name

ROWS = [pytest.param(entry, key, row, id=f"{entry.name}.{key}") for entry, key, row in every_row()]


@pytest.mark.parametrize(("entry", "key", "row"), ROWS)
def test_a_row_says_what_it_is_for(entry: SectionRow, key: str, row: Row) -> None:
    """Every setting has a help text that is a sentence, and a default of its own kind."""
    assert row.about[0].isupper() or row.about[0] == "`"
    assert row.about.endswith(".")
    assert len(row.about) > 30
    assert getattr(entry.section(), key) == row.kind.parse(row.default) or key == "public_url"


@pytest.mark.parametrize(("entry", "key", "row"), ROWS)
def test_a_row_is_found_by_its_name(entry: SectionRow, key: str, row: Row) -> None:
    """A whole name leads to its row, and the names of variables are no longer ambiguous than those."""
    path = f"{entry.name}.x.{key}" if entry.named else f"{entry.name}.{key}"
    assert find_row(path) is row
    assert environment_name(path).lower().removeprefix("doorward_").replace("__", ".") == path


@pytest.mark.parametrize(
    "path", ["", "server", "server.x", "server.listen.x", "clouds.keys_v2", "clouds.a.b.keys_v2", "x.y"]
)
def test_other_names_lead_nowhere(path: str) -> None:
    """What is no whole name of a setting finds no row."""
    assert find_row(path) is None


def test_every_section_is_an_attribute() -> None:
    """The table and `Settings` have the same sections."""
    settings = Settings()
    for entry, key, _ in every_row():
        holder = getattr(settings, entry.name)
        assert entry.named or hasattr(holder, key)
    assert {"issuer_v1", "keys_v1", "issuer_v2", "keys_v2"} == {
        key for entry, key, _ in every_row() if entry.section is CloudRows
    }


def test_the_fixed_keys_are_keys_and_are_recognised() -> None:
    """The keys of `dev` would pass for keys, read as words, and are known in any case of letters."""
    for key in (DEV_ENCRYPTION_KEY, DEV_SIGNING_KEY):
        assert b"doorward dev" in bytes.fromhex(HEX_KEY.parse(key).reveal())
        assert is_dev_key(Secret(key.upper()))
    assert not is_dev_key(Secret("ab" * 32))
