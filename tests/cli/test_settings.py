import pytest

from doorward.base.secret import MASK
from tests.cli.conftest import CommandLine
from tests.support.canaries import canary


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
