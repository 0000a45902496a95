"""`doorward clients`: resource servers that may introspect."""

import click

from doorward.accounts.clients import add_client, list_clients, remove_client
from doorward.cli.backstage import OPERATOR, in_back_office
from doorward.cli.frame import Words
from doorward.cli.output import json_option, print_object, print_rows

COLUMNS = {"id": "ID", "name": "NAME", "created_at": "CREATED"}


@click.group(cls=Words)
def clients() -> None:
    """Resource servers that may ask whether a token is good (introspection), and revoke tokens."""


@clients.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List every client; secrets are not kept and cannot be shown."""
    found = in_back_office(lambda office: list_clients(office.store))
    print_rows(found, as_json=as_json, columns=COLUMNS, empty="There is no client.")


@clients.command()
@click.argument("name")
@json_option
def add(*, name: str, as_json: bool) -> None:
    """Add a client and print its id and secret, this once."""
    client_id, secret = in_back_office(
        lambda office: add_client(office.store, name, office.entropy, office.clock.now(), OPERATOR)
    )
    members = {"client_id": client_id, "client_secret": secret}
    print_object({"id": client_id, "name": name.strip(), **members} if as_json else members, as_json=as_json)
    if not as_json:
        click.echo("Only a digest of the secret is kept: it cannot be shown again.", err=True)


@clients.command()
@click.argument("client_id", metavar="ID")
def remove(*, client_id: str) -> None:
    """Remove a client: from then on its secret opens nothing."""
    in_back_office(lambda office: remove_client(office.store, client_id, office.clock.now(), OPERATOR))
    click.echo(f"Client {client_id} is removed.")
