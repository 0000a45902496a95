import pytest

from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID
from tests.cli.conftest import CommandLine
from tests.cli.issued import OID, issue


@pytest.fixture
def family(cli: CommandLine) -> str:
    """Give the id of the only family, of user 1."""
    cli.register()
    cli.ok("users", "add", "jane@contoso.com", "--org", "1")
    issue(1)
    return cli.json("tokens", "list")[0]["id"]


def test_families_are_listed(cli: CommandLine, family: str) -> None:
    """One row a family, of all users or of one."""
    (listed,) = cli.json("tokens", "list", "--user", "1")
    assert set(listed) == {"id", "user_id", "client_id", "created_at", "expires_at"}
    assert (listed["id"], listed["user_id"], listed["client_id"]) == (family, 1, DEV_CLIENT_ID)
    cli.refused("not_there", "tokens", "list", "--user", "2")


@pytest.mark.parametrize("words", [
    ("--user", "1"), ("--client", DEV_CLIENT_ID), ("--tenant", CONTOSO), ("--tenant", CONTOSO, "--oid", OID),
])  # fmt: skip
@pytest.mark.usefixtures("family")
def test_families_are_revoked_by_whose_they_are(cli: CommandLine, words: tuple[str, ...]) -> None:
    """A user, a registration, a tenant or a person names all of theirs; a second time there are none."""
    assert cli.ok("tokens", "revoke", *words).out == "Token families revoked: 1.\n"
    assert cli.json("tokens", "list") == []
    assert cli.ok("tokens", "revoke", *words).out == "Token families revoked: 0.\n"


def test_one_family_is_revoked(cli: CommandLine, family: str) -> None:
    """A family is revoked once, by its id."""
    cli.ok("tokens", "revoke", family)
    assert cli.json("tokens", "list") == []
    cli.refused("not_there", "tokens", "revoke", family)


def test_signing_out_revokes(cli: CommandLine, family: str) -> None:
    """`users sign-out` ends every family of the user."""
    assert family
    assert "families revoked: 1" in cli.ok("users", "sign-out", "1").out
    assert cli.json("tokens", "list") == []


def test_naming_none_is_refused(cli: CommandLine) -> None:
    """Whoever does not exist has no tokens to revoke."""
    unknown = "99999999-0000-4000-8000-000000000009"
    cli.refused("not_there", "tokens", "revoke", unknown)
    cli.refused("not_there", "tokens", "revoke", "--user", "9")
    cli.refused("not_there", "tokens", "revoke", "--client", unknown)
    cli.refused("not_there", "tokens", "revoke", "--tenant", unknown)


@pytest.mark.parametrize("words", [(), ("x", "--user", "1"), ("--user", "1", "--oid", OID), ("--oid", OID)])
def test_exactly_one_kind_is_named(cli: CommandLine, words: tuple[str, ...]) -> None:
    """Nothing, or two kinds at once, is wrong usage: nobody revokes everything by a slip."""
    cli.misused("tokens", "revoke", *words)
