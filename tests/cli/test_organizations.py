from tests.cli.conftest import CommandLine


def test_a_fresh_database_holds_the_default(cli: CommandLine) -> None:
    """The first command makes the database, which holds organization 1, named Default."""
    assert cli.json("orgs", "list") == [{"id": 1, "name": "Default", "enabled": True}]


def test_an_organization_is_added_under_the_next_id(cli: CommandLine) -> None:
    """`orgs add` prints what it added."""
    assert cli.json("orgs", "add", "Acme") == {"id": 2, "name": "Acme", "enabled": True}
    assert cli.json("orgs", "add", "Büro", "--id", "40") == {"id": 40, "name": "Büro", "enabled": True}
    assert [one["id"] for one in cli.json("orgs", "list")] == [1, 2, 40]


def test_people_read_columns(cli: CommandLine) -> None:
    """Without --json, columns stand below each other and nothing is cut."""
    cli.ok("orgs", "add", "A name that is rather long " * 5)
    lines = cli.ok("orgs", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["ID", "1", "2"]
    assert lines[2].split("  ")[1].count("rather") == 5
    assert len({line.rindex(word) for line, word in zip(lines, ("ENABLED", "yes", "yes"), strict=True)}) == 1


def test_what_exists_is_not_added(cli: CommandLine) -> None:
    """A taken name or id is refused, and nothing is changed."""
    before = cli.json("orgs", "list")
    cli.refused("already_there", "orgs", "add", "Default")
    cli.refused("already_there", "orgs", "add", "Other", "--id", "1")
    cli.refused("value_refused", "orgs", "add", "Other", "--id", "0")
    cli.refused("value_refused", "orgs", "add", "   ")
    assert cli.json("orgs", "list") == before
    assert cli.json("audit", "list") == []


def test_an_organization_is_suspended_and_let_go_on(cli: CommandLine) -> None:
    """Disable and enable are seen by list, and stand in the audit trail."""
    cli.ok("orgs", "disable", "1")
    assert cli.json("orgs", "list")[0]["enabled"] is False
    cli.ok("orgs", "enable", "1")
    assert cli.json("orgs", "list")[0]["enabled"] is True
    assert [one["event"] for one in cli.json("audit", "list")] == ["organization.disabled", "organization.enabled"]


def test_naming_none_is_refused(cli: CommandLine) -> None:
    """An organization that does not exist is neither disabled nor enabled."""
    cli.refused("not_there", "orgs", "disable", "9")
    cli.refused("not_there", "orgs", "enable", "9")
