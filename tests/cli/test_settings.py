import os
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from doorward.base.secret import MASK
from tests.cli.conftest import CommandLine
from tests.support.canaries import canary
from tests.support.programs import free_port


def test_good_settings_are_said_to_be_good(cli: CommandLine) -> None:
    """`check` is exit status 0 without an error, and makes no database."""
    assert "usable" in cli.ok("check").out
    assert list(cli.directory.iterdir()) == []


def test_every_finding_has_its_place_and_a_fix(cli: CommandLine) -> None:
    """`check` tells all findings at once, with file and line; exit status 1."""
    cli.settings(server={"listen": "nowhere", "wrong": 1}, database={"url": "mysql://x"})
    outcome = cli("check")
    assert outcome.status == 1
    assert [line.split(" ")[0] for line in outcome.out.splitlines()] == [f"doorward.toml:{n}:" for n in (3, 2, 5)]
    found = cli("check", "--json")
    assert found.status == 1
    assert set(found.json[0]) == {"severity", "code", "where", "setting", "what", "fix"}


def test_a_warning_is_no_failure(cli: CommandLine) -> None:
    """A fake issuer on loopback is a warning, and exit status 0."""
    keys = "http://127.0.0.1:9/keys"
    cli.settings(clouds__global={"keys_v1": keys, "keys_v2": keys})
    assert "warning" in cli.ok("check").out


def no_directory(cli: CommandLine) -> None:
    cli.settings(database={"url": "sqlite:///nodir/x.db"})


def no_database(cli: CommandLine) -> None:
    (cli.directory / "doorward.db").write_text("This is no database. " * 100)


def a_directory(cli: CommandLine) -> None:
    (cli.directory / "doorward.db").mkdir()


def of_a_newer_program(cli: CommandLine) -> None:
    with closing(sqlite3.connect(cli.directory / "doorward.db")) as database:
        database.executescript(
            "CREATE TABLE alembic_version (version_num text); INSERT INTO alembic_version VALUES (9999)"
        )


def without_its_key(cli: CommandLine) -> None:
    cli.ok("keys", "list")
    (cli.directory / "doorward.db.key").unlink()


def with_a_damaged_key(cli: CommandLine) -> None:
    (cli.directory / "doorward.db.key").write_text("encryption_key = 'x'\n")
    (cli.directory / "doorward.db.key").chmod(0o600)


def a_closed_directory(cli: CommandLine) -> None:
    (cli.directory / "closed").mkdir(mode=0o500)
    cli.settings(database={"url": "sqlite:///closed/doorward.db"})


def a_closed_file(cli: CommandLine) -> None:
    cli.ok("keys", "list")
    (cli.directory / "doorward.db").chmod(0o400)


# Modes do not bind root, so as root there is nothing to find.
CLOSED = [(spoil, "database_unreachable") for spoil in (a_closed_directory, a_closed_file) if os.geteuid() != 0]


@pytest.mark.parametrize(("spoil", "code"), [
    (no_directory, "database_unreachable"), (no_database, "database_unreachable"),
    (a_directory, "database_unreachable"), (of_a_newer_program, "database_newer"),
    (without_its_key, "key_file_missing"), (with_a_damaged_key, "key_file_unusable"),
    *CLOSED,
])  # fmt: skip
def test_a_database_that_serve_refuses_is_found(
    cli: CommandLine, spoil: Callable[[CommandLine], None], code: str
) -> None:
    """`check` tells what is wrong with a SQLite file, its directory and its key file, and leaves them as they are."""
    spoil(cli)
    before = files_of(cli)
    found = cli("check", "--json")
    errors = [one["code"] for one in found.json if one["severity"] == "error"]
    assert (found.status, errors) == (1, [code])
    assert files_of(cli) == before
    assert cli("keys", "list").err.count(f"[{code}]") == 1


def test_a_good_database_is_left_alone(cli: CommandLine) -> None:
    """`check` beside a database in use, and beside one at rest, finds nothing and leaves nothing behind."""
    cli.ok("keys", "list")
    at_rest = files_of(cli)
    assert cli.ok("check").out == "The settings are usable.\n"
    assert files_of(cli) == at_rest
    with closing(sqlite3.connect(cli.directory / "doorward.db", isolation_level=None)) as other:
        other.execute("UPDATE organizations SET enabled = enabled")
        assert cli.ok("check").out == "The settings are usable.\n"


def test_a_server_is_not_asked(cli: CommandLine) -> None:
    """`check` needs no PostgreSQL to judge the settings."""
    keys = {"encryption_key": "ab" * 32, "signing_key": "cd" * 32}
    cli.settings(database={"url": f"postgresql://me@127.0.0.1:{free_port()}/name"}, secrets=keys)
    cli.ok("check")


def files_of(cli: CommandLine) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in cli.directory.rglob("*") if path.is_file()}


def test_settings_are_shown_with_their_origin(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config show` gives each setting, its value and where it came from; secrets are stars."""
    cli.settings(server={"listen": "127.0.0.1:9000"}, secrets={"encryption_key": "ab" * 32, "signing_key": "cd" * 32})
    monkeypatch.setenv("DOORWARD_TOKEN_SERVICE__SUBSCRIPTION_KEY", canary("subscription"))
    monkeypatch.setenv("DOORWARD_DATABASE__URL", f"postgresql://me:{canary('database')}@db/name")
    shown = cli.json("config", "show")
    assert shown["server.listen"] == {"value": "127.0.0.1:9000", "origin": "doorward.toml:2"}
    assert shown["token_service.subscription_key"] == {
        "value": MASK,
        "origin": "DOORWARD_TOKEN_SERVICE__SUBSCRIPTION_KEY",
    }
    assert shown["secrets.signing_key"]["value"] == MASK
    assert shown["database.url"]["value"] == f"postgresql://me:{MASK}@db/name"
    assert shown["server.workers"]["origin"] == "default"
    assert "127.0.0.1:9000" in cli.ok("config", "show").out


@pytest.mark.parametrize("name", ["doorward.db", "doorward.db.key"])
@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_files_that_everybody_reads_are_warned_of(cli: CommandLine, name: str, mode: int, *, is_open: bool) -> None:
    """`check` names a database or key file that every user of the machine may read or write, and how to close it."""
    cli.ok("keys", "list")
    assert "warnings" not in cli.ok("check").out
    (cli.directory / name).chmod(mode)
    found = cli.json("check")
    assert [one["code"] for one in found] == ["file_open_to_others"] * is_open
    assert all(name in one["what"] and one["fix"] == f"Run: chmod 600 {name}" for one in found)
