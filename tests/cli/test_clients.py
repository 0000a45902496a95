from tests.cli.conftest import CommandLine
from tests.support.canaries import keep_secret


def test_the_secret_is_printed_once(cli: CommandLine) -> None:
    """`clients add` prints id and secret; afterwards the secret stands nowhere."""
    added = cli.json("clients", "add", "api")
    keep_secret(added["client_secret"])
    assert added["id"] == added["client_id"]
    (listed,) = cli.json("clients", "list")
    assert (listed["id"], listed["client_id"], listed["name"]) == (added["id"], added["id"], "api")
    assert added["client_secret"] not in cli.ok("clients", "list").out


def test_people_are_told_to_keep_it(cli: CommandLine) -> None:
    """Without --json two lines hold the pair, and standard error says that it is the only time."""
    outcome = cli.ok("clients", "add", "api")
    pair = dict(line.rsplit("  ", 1) for line in outcome.out.splitlines())
    assert [name.strip() for name in pair] == ["client id", "client secret"]
    keep_secret(pair["client secret"])
    assert "cannot be shown again" in outcome.err


def test_a_name_is_taken_once(cli: CommandLine) -> None:
    """Two clients cannot have one name."""
    keep_secret(cli.json("clients", "add", "api")["client_secret"])
    cli.refused("already_there", "clients", "add", "api")
    assert len(cli.json("clients", "list")) == 1


def test_a_client_is_removed(cli: CommandLine) -> None:
    """A removed client is gone, and cannot be removed again."""
    added = cli.json("clients", "add", "api")
    keep_secret(added["client_secret"])
    cli.ok("clients", "remove", added["id"])
    assert cli.json("clients", "list") == []
    cli.refused("not_there", "clients", "remove", added["id"])
