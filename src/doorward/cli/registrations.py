"""`doorward registrations`: which Entra application may exchange, for whom."""

from typing import Any

import click

from doorward.accounts.registrations import (
    NewRegistration,
    add_registration,
    list_registrations,
    remove_registration,
    set_registration_enabled,
    set_tenants,
)
from doorward.cli.backstage import OPERATOR, in_back_office
from doorward.cli.frame import Words
from doorward.cli.output import json_option, print_object, print_rows

COLUMNS = {
    "client_id": "CLIENT_ID",
    "name": "NAME",
    "cloud": "CLOUD",
    "tenants": "TENANTS",
    "organizations": "ORGANIZATIONS",
    "default_organization": "DEFAULT",
    "domains": "DOMAINS",
    "auto_create": "AUTO_CREATE",
    "allow_guests": "GUESTS",
    "refresh": "REFRESH",
    "enabled": "ENABLED",
}


def _numbers(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[int, str | None], ...]:
    """Read each `ID` or `ID=TENANT`."""
    owned = _domains(context, parameter, values)
    if odd := next((number for number, _ in owned if not (number.isascii() and number.isdigit())), None):
        raise click.BadParameter(f"{odd!r} is not the number of an organization.", context, parameter)
    return tuple((int(number), tenant) for number, tenant in owned)


def _domains(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str | None], ...]:
    """Read each `DOMAIN` or `DOMAIN=TENANT`."""
    del context, parameter
    parts = (value.partition("=") for value in values)
    return tuple((name, tenant if mark else None) for name, mark, tenant in parts)


@click.group(cls=Words)
def registrations() -> None:
    """Applications of Entra whose id_tokens may be exchanged.

    CLIENT_ID is the application's client ID, the audience of its tokens. Without a registration no token is accepted.
    """


@registrations.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List every registration."""
    found = in_back_office(lambda office: list_registrations(office.store))
    print_rows([one.to_json() for one in found], as_json=as_json, columns=COLUMNS, empty="There is no registration.")


@registrations.command()
@click.argument("client_id")
@click.option("--name", required=True, help="What to call it.")
@click.option(
    "--tenant", "tenants", multiple=True, required=True, metavar="GUID", help="A tenant that is admitted; repeatable."
)
@click.option(
    "--org",
    "organizations",
    multiple=True,
    required=True,
    callback=_numbers,
    metavar="ID[=TENANT]",
    help="An organization for new users; repeatable. TENANT may be left out only with a single tenant.",
)
@click.option(
    "--default-org",
    "default_organization",
    type=int,
    metavar="ID",
    help="Where new users go when the request names no organization.",
)
@click.option(
    "--domain",
    "domains",
    multiple=True,
    callback=_domains,
    metavar="DOMAIN[=TENANT]",
    help="A domain whose e-mail addresses the tenant may vouch for; repeatable.",
)
@click.option("--cloud", default="global", show_default=True, metavar="NAME", help="The cloud that it belongs to.")
@click.option("--no-auto-create", is_flag=True, help="Never create an account for somebody new.")
@click.option("--allow-guests", is_flag=True, help="Admit guests of the tenant, too.")
@click.option("--no-refresh", is_flag=True, help="Give no new pair for an old one.")
@json_option
def add(*, as_json: bool, no_auto_create: bool, no_refresh: bool, **given: Any) -> None:
    """Let the application CLIENT_ID exchange tokens of its tenants."""
    new = NewRegistration(auto_create=not no_auto_create, refresh=not no_refresh, **given)
    added = in_back_office(
        lambda office: add_registration(office.store, new, office.settings.clouds, office.clock.now(), OPERATOR)
    )
    print_object(added.to_json(), as_json=as_json)


@registrations.command()
@click.argument("client_id")
def enable(*, client_id: str) -> None:
    """Let a registration exchange again."""
    _set_enabled(client_id, enabled=True)
    click.echo(f"The registration of {client_id} is enabled.")


@registrations.command()
@click.argument("client_id")
def disable(*, client_id: str) -> None:
    """Stop a registration: no exchange, no refresh, and its tokens are dead until it is enabled again."""
    _set_enabled(client_id, enabled=False)
    click.echo(f"The registration of {client_id} is disabled.")


@registrations.command()
@click.argument("client_id")
def remove(*, client_id: str) -> None:
    """Remove a registration; the tokens issued through it are revoked."""
    in_back_office(lambda office: remove_registration(office.store, client_id, office.clock.now(), OPERATOR))
    click.echo(f"The registration of {client_id} is removed.")


@registrations.command("set-tenants")
@click.argument("client_id")
@click.option(
    "--tenant", "tenants", multiple=True, required=True, metavar="GUID", help="A tenant that is admitted; repeatable."
)
@json_option
def set_tenants_(*, client_id: str, tenants: tuple[str, ...], as_json: bool) -> None:
    """Replace the tenants of a registration by those named here.

    Refused while an organization or a domain is bound to a tenant that would go.
    """
    changed = in_back_office(lambda office: set_tenants(office.store, client_id, tenants, office.clock.now(), OPERATOR))
    print_object(changed.to_json(), as_json=as_json)


def _set_enabled(client_id: str, *, enabled: bool) -> None:
    in_back_office(
        lambda office: set_registration_enabled(office.store, client_id, office.clock.now(), OPERATOR, enabled=enabled)
    )
