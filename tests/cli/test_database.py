from pathlib import Path

import pytest

from doorward.store.schema import HEAD
from tests.cli.conftest import CommandLine


def test_a_fresh_database_is_made(cli: CommandLine) -> None:
    """The first run says what it made; the second finds nothing to do."""
    assert f"schema now, {HEAD}" in cli.ok("migrate").out
    assert (cli.directory / "doorward.db").exists()
    assert "nothing was changed" in cli.ok("migrate").out


def test_a_file_that_is_no_database_is_refused(cli: CommandLine) -> None:
    """Something else is never overwritten."""
    Path("doorward.db").write_text("not a database, and longer than the header of one" * 5)
    cli.refused("database_unreachable", "migrate")
    assert Path("doorward.db").read_text().startswith("not a database")


def test_a_server_is_migrated(cli: CommandLine, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL migrate works whatever auto_migrate says, and other commands wait for it."""
    cli.settings(database={"auto_migrate": False}, secrets={"encryption_key": "ab" * 32, "signing_key": "cd" * 32})
    monkeypatch.setenv("DOORWARD_DATABASE__URL", postgres_url)
    cli.refused("database_behind", "orgs", "list")
    assert f"schema now, {HEAD}" in cli.ok("migrate").out
    assert len(cli.json("orgs", "list")) == 1
