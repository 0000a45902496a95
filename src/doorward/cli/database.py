"""`doorward migrate`: the newest schema."""

import asyncio

import click

from doorward.cli.frame import Verb, settings_for
from doorward.store.opening import upgrade


@click.command(cls=Verb)
def migrate() -> None:
    """Bring the database to the newest schema, creating a SQLite file that is not there.

    serve does so by itself, on PostgreSQL unless database.auto_migrate is false. Make a backup first.
    """
    found, newest = asyncio.run(upgrade(settings_for("command").database.url))
    if found == newest:
        click.echo(f"The database has the newest schema, {newest}; nothing was changed.")
    elif found is None:
        click.echo(f"The database was empty and has the newest schema now, {newest}.")
    else:
        click.echo(f"The database was brought from schema {found} to {newest}.")
