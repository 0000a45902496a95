import pytest

from tests.cli.conftest import CommandLine

TENANT = "11111111-0000-4000-8000-000000000001"
OID = "22222222-0000-4000-8000-000000000002"
JANE = ("users", "add", "Jane@Contoso.com", "--org", "1")
LINK = ("--tenant", TENANT, "--oid", OID)


def test_a_user_is_added(cli: CommandLine) -> None:
    """`users add` prints the fields of users/me and the account's standing."""
    added = cli.json(*JANE, "--name", "Jane Doe")
    assert added.pop("created_at").endswith("Z")
    assert added == {
        "id": 1,
        "email": "Jane@Contoso.com",
        "full_name": "Jane Doe",
        "organization_id": 1,
        "role": "user",
        "verified": False,
        "enabled": True,
    }
    assert [user["id"] for user in cli.json("users", "list")] == [1]


def test_a_user_may_be_more(cli: CommandLine) -> None:
    """--verified and --role end in the account."""
    added = cli.json(*JANE, "--verified", "--role", "global_admin")
    assert (added["verified"], added["role"], added["full_name"]) == (True, "global_admin", "Jane")
    cli.misused("users", "add", "x@y.example", "--org", "1", "--role", "king")


def test_what_exists_or_cannot_be_is_not_added(cli: CommandLine) -> None:
    """A known address, a malformed one and an unknown organization are refused."""
    cli.ok(*JANE)
    cli.refused("already_there", "users", "add", "jane@CONTOSO.com", "--org", "1")
    cli.refused("value_refused", "users", "add", "nobody", "--org", "1")
    cli.refused("not_there", "users", "add", "new@contoso.com", "--org", "5")
    assert len(cli.json("users", "list")) == 1


def test_a_user_is_disabled_enabled_and_verified(cli: CommandLine) -> None:
    """Each change is seen by show."""
    cli.ok(*JANE)
    cli.ok("users", "disable", "1")
    assert cli.json("users", "show", "1")["enabled"] is False
    cli.ok("users", "enable", "1")
    cli.ok("users", "verify", "1")
    shown = cli.json("users", "show", "1")
    assert (shown["enabled"], shown["verified"], shown["identities"]) == (True, True, [])


def test_a_person_is_linked_and_unlinked(cli: CommandLine) -> None:
    """Link and unlink are seen by show, for people and for programs."""
    cli.ok(*JANE)
    cli.ok("users", "link", "1", *LINK)
    (link,) = cli.json("users", "show", "1")["identities"]
    assert (link["cloud"], link["tenant"], link["oid"]) == ("global", TENANT, OID)
    assert OID in cli.ok("users", "show", "1").out
    cli.refused("already_there", "users", "link", "1", *LINK)
    cli.ok("users", "unlink", "1")
    assert cli.json("users", "show", "1")["identities"] == []
    cli.refused("not_there", "users", "unlink", "1")


def test_a_link_must_make_sense(cli: CommandLine) -> None:
    """A cloud that does not exist and what is no GUID are refused."""
    cli.ok(*JANE)
    cli.refused("value_refused", "users", "link", "1", *LINK, "--cloud", "nowhere")
    cli.refused("value_refused", "users", "link", "1", "--tenant", "contoso", "--oid", OID)
    for nobody in ("00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"):
        cli.refused("value_refused", "users", "link", "1", "--tenant", nobody, "--oid", OID)
        cli.refused("value_refused", "users", "link", "1", "--tenant", TENANT, "--oid", nobody)


def test_a_user_is_deleted(cli: CommandLine) -> None:
    """A deleted user is gone; the audit trail is not."""
    cli.ok(*JANE)
    cli.ok("users", "delete", "1")
    assert cli.json("users", "list") == []
    assert [one["event"] for one in cli.json("audit", "list")] == ["user.created", "user.deleted"]


@pytest.mark.parametrize("words", [
    ("show",), ("disable",), ("enable",), ("sign-out",), ("delete",), ("verify",), ("link", *LINK), ("unlink",),
])  # fmt: skip
def test_naming_none_is_refused(cli: CommandLine, words: tuple[str, ...]) -> None:
    """A user who does not exist is refused by every command."""
    cli.refused("not_there", "users", words[0], "9", *words[1:])
    assert cli.json("audit", "list") == []
