"""`doorward orgs`: organizations."""

import click

from doorward.accounts.organizations import add_organization, list_organizations, set_organization_enabled
from doorward.cli.backstage import OPERATOR, in_back_office
from doorward.cli.frame import Words
from doorward.cli.output import json_option, print_object, print_rows

COLUMNS = {"id": "ID", "name": "NAME", "enabled": "ENABLED"}


@click.group(cls=Words)
def orgs() -> None:
    """Organizations, which users belong to."""


@orgs.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List every organization."""
    found = in_back_office(lambda office: list_organizations(office.store))
    print_rows([one.to_json() for one in found], as_json=as_json, columns=COLUMNS, empty="There is no organization.")


@orgs.command()
@click.argument("name")
@click.option("--id", "number", type=int, metavar="N", help="Its number.  [default: the next free one]")
@json_option
def add(*, name: str, number: int | None, as_json: bool) -> None:
    """Add an organization called NAME."""
    added = in_back_office(lambda office: add_organization(office.store, name, number, office.clock.now(), OPERATOR))
    print_object(added.to_json(), as_json=as_json)


@orgs.command()
@click.argument("number", type=int, metavar="ID")
def disable(*, number: int) -> None:
    """Suspend an organization: its users cannot sign in, their tokens are dead."""
    _set_enabled(number, enabled=False)
    click.echo(f"Organization {number} is disabled.")


@orgs.command()
@click.argument("number", type=int, metavar="ID")
def enable(*, number: int) -> None:
    """Let a suspended organization work again."""
    _set_enabled(number, enabled=True)
    click.echo(f"Organization {number} is enabled.")


def _set_enabled(number: int, *, enabled: bool) -> None:
    in_back_office(
        lambda office: set_organization_enabled(office.store, number, office.clock.now(), OPERATOR, enabled=enabled)
    )
