from tests.cli.conftest import CommandLine
from tests.support.emulators import RunningEmulator
from tests.support.programs import free_port


def test_rotation_adds_a_key_and_keeps_the_old_one(cli: CommandLine) -> None:
    """The new key is active; the one before it still verifies."""
    (first,) = cli.json("keys", "list")
    assert set(first) == {"id", "use", "algorithm", "created_at", "active"}
    assert (first["use"], first["algorithm"], first["active"]) == ("sig", "HS256", True)
    cli.ok("keys", "rotate")
    ring = cli.json("keys", "list")
    assert [key["active"] for key in ring] == [True, False]
    assert ring[1]["id"] == first["id"]
    assert [one["event"] for one in cli.json("audit", "list")] == ["keys.rotated"]


def test_a_ring_of_another_encryption_key_is_not_replaced_silently(cli: CommandLine) -> None:
    """Without --discard-unreadable nothing happens to keys that cannot be opened; with it a new ring begins."""
    (lost,) = cli.json("keys", "list")
    cli.settings(secrets={"encryption_key": "ab" * 32})
    cli.refused("keys_not_opened", "keys", "list")
    cli.refused("keys_not_opened", "keys", "rotate")
    cli.ok("keys", "rotate", "--discard-unreadable")
    assert lost["id"] not in {key["id"] for key in cli.json("keys", "list")}


def test_a_lost_key_file_is_named(cli: CommandLine) -> None:
    """A database without its key file is refused, and --discard-unreadable makes a new one."""
    cli.ok("keys", "list")
    (cli.directory / "doorward.db.key").unlink()
    cli.refused("key_file_missing", "keys", "list")
    cli.ok("keys", "rotate", "--discard-unreadable")
    cli.ok("keys", "list")


def test_key_sets_are_fetched_and_kept(cli: CommandLine, entra: RunningEmulator) -> None:
    """`keys fetch` names every address with its keys."""
    lines = cli.ok("keys", "fetch").out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [
        f"{entra.url}/common/discovery/v2.0/keys",
        f"{entra.url}/common/discovery/keys",
    ]
    assert all(line.endswith("fetched") for line in lines)


def test_a_provider_that_is_away_is_a_failure(cli: CommandLine) -> None:
    """`keys fetch` is exit status 1 when any key set could not be had."""
    away = f"http://127.0.0.1:{free_port()}/keys"
    cli.settings(clouds__global={"keys_v1": away, "keys_v2": away})
    outcome = cli("keys", "fetch")
    assert outcome.status == 1
    assert away in outcome.out
    what, fix = outcome.err.splitlines()
    assert what.startswith("error: ")
    assert what.endswith("[keys_unavailable]")
    assert fix.startswith("fix: ")
