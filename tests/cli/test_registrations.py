import pytest

from tests.cli.conftest import CommandLine

CLIENT = "aaaaaaaa-0000-4000-8000-000000000001"
ONE = "11111111-0000-4000-8000-000000000001"
TWO = "22222222-0000-4000-8000-000000000002"
ADD = ("registrations", "add", CLIENT, "--name", "Portal", "--tenant", ONE)


def test_a_registration_with_one_tenant(cli: CommandLine) -> None:
    """With a single tenant everything belongs to it; the rest has its defaults."""
    added = cli.json(*ADD, "--org", "1", "--domain", "contoso.com")
    assert added == {
        "id": 1,
        "client_id": CLIENT,
        "name": "Portal",
        "cloud": "global",
        "tenants": [ONE],
        "organizations": [{"id": 1, "tenant": ONE}],
        "default_organization": None,
        "domains": [{"domain": "contoso.com", "tenant": ONE}],
        "auto_create": True,
        "allow_guests": False,
        "refresh": True,
        "enabled": True,
    }
    assert cli.json("registrations", "list") == [added]


def test_every_option_counts(cli: CommandLine) -> None:
    """Repeated options and flags end in the registration."""
    cli.ok("orgs", "add", "Second")
    added = cli.json(
        *ADD, "--tenant", TWO, "--org", f"1={ONE}", "--org", f"2={TWO}", "--default-org", "2",
        "--domain", f"a.example={ONE}", "--domain", f"b.example={TWO}", "--cloud", "usgov",
        "--no-auto-create", "--allow-guests", "--no-refresh",
    )  # fmt: skip
    assert added["organizations"] == [{"id": 1, "tenant": ONE}, {"id": 2, "tenant": TWO}]
    assert added["domains"] == [{"domain": "a.example", "tenant": ONE}, {"domain": "b.example", "tenant": TWO}]
    assert (added["default_organization"], added["cloud"]) == (2, "usgov")
    assert (added["auto_create"], added["allow_guests"], added["refresh"]) == (False, True, False)


@pytest.mark.parametrize(("more", "code"), [
    (("--org", "7"), "not_there"),
    (("--org", "1", "--tenant", "anybody"), "value_refused"),
    (("--org", "1", "--tenant", TWO), "value_refused"),
    (("--org", f"1={TWO}"), "value_refused"),
    (("--org", "1", "--default-org", "2"), "value_refused"),
    (("--org", "1", "--domain", "nodot"), "value_refused"),
    (("--org", "1", "--cloud", "nowhere"), "value_refused"),
])  # fmt: skip
def test_what_cannot_be_is_refused(cli: CommandLine, more: tuple[str, ...], code: str) -> None:
    """A registration that contradicts itself or names nothing is refused whole."""
    cli.refused(code, *ADD, *more)
    assert cli.json("registrations", "list") == []


@pytest.mark.parametrize("nobody", ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"])
def test_a_guid_that_nobody_has_is_refused(cli: CommandLine, nobody: str) -> None:
    """The nil and the max GUID are what programs write where they have none."""
    words = ("registrations", "add", "--name", "n", "--org", "1")
    cli.refused("value_refused", *words, nobody, "--tenant", ONE)
    cli.refused("value_refused", *words, CLIENT, "--tenant", ONE, "--tenant", nobody)
    cli.ok(*ADD, "--org", "1")
    cli.refused("value_refused", "registrations", "set-tenants", CLIENT, "--tenant", ONE, "--tenant", nobody)


def test_a_client_id_is_registered_once(cli: CommandLine) -> None:
    """The second registration of a client ID is refused."""
    cli.ok(*ADD, "--org", "1")
    cli.refused("already_there", *ADD, "--org", "1")


def test_a_registration_is_disabled_enabled_and_removed(cli: CommandLine) -> None:
    """Each change is seen by list."""
    cli.ok(*ADD, "--org", "1")
    cli.ok("registrations", "disable", CLIENT)
    assert cli.json("registrations", "list")[0]["enabled"] is False
    cli.ok("registrations", "enable", CLIENT.upper())
    assert cli.json("registrations", "list")[0]["enabled"] is True
    cli.ok("registrations", "remove", CLIENT)
    assert cli.json("registrations", "list") == []


def test_tenants_are_replaced(cli: CommandLine) -> None:
    """set-tenants replaces the list, unless something is bound to a tenant that would go."""
    cli.ok(*ADD, "--org", "1")
    cli.ok("registrations", "set-tenants", CLIENT, "--tenant", ONE, "--tenant", TWO)
    assert cli.json("registrations", "list")[0]["tenants"] == [ONE, TWO]
    cli.refused("value_refused", "registrations", "set-tenants", CLIENT, "--tenant", TWO)
    assert cli.json("registrations", "list")[0]["tenants"] == [ONE, TWO]


@pytest.mark.parametrize("words", [("enable",), ("disable",), ("remove",), ("set-tenants", "--tenant", ONE)])
def test_naming_none_is_refused(cli: CommandLine, words: tuple[str, ...]) -> None:
    """A client ID that is not registered is nobody's."""
    cli.refused("not_there", "registrations", *words, CLIENT)
