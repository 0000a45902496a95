"""`doorward keys`: the ring of our own keys, and the providers' key sets."""

from typing import TYPE_CHECKING

import click

from doorward.accounts.audit import record
from doorward.base.errors import DoorwardError
from doorward.base.refusals import KEYS_UNAVAILABLE
from doorward.cli.backstage import OPERATOR, in_back_office
from doorward.cli.frame import Words
from doorward.cli.output import cell, json_option, print_rows, table, visible

if TYPE_CHECKING:
    from doorward.house import BackOffice
    from doorward.keys.key_set_news import KeySetStatus

COLUMNS = {
    "id": "ID",
    "use": "USE",
    "algorithm": "ALGORITHM",
    "created_at": "CREATED",
    "active": "ACTIVE",
}


@click.group(cls=Words)
def keys() -> None:
    """The keys that our own tokens are signed with, and the providers' key sets."""


@keys.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the ring: the active key signs, the others verify until the last token under them has expired."""

    async def work(office: "BackOffice") -> list[dict[str, object]]:
        await office.load_ring()
        return office.ring.entries()

    print_rows(in_back_office(work), as_json=as_json, columns=COLUMNS, empty="There is no key.")


@keys.command()
@click.option(
    "--discard-unreadable",
    is_flag=True,
    help="Delete the keys that the encryption key does not open; every token under them is refused from then on.",
)
def rotate(*, discard_unreadable: bool) -> None:
    """Add a key that signs from now on; nobody is signed out."""

    async def work(office: "BackOffice") -> str:
        await office.load_ring(discard_unreadable=discard_unreadable)
        # Where nothing was left to open, loading has just begun a new ring.
        kid = office.ring.newborn or (await office.ring.rotate()).key.kid
        await office.store.append([record("keys.rotated", office.clock.now(), OPERATOR, detail=kid)])
        return kid

    click.echo(f"Tokens are signed with key {in_back_office(work)} from now on.")


@keys.command()
def fetch() -> None:
    """Fetch the key sets of every cloud in use, now, and keep them."""

    async def work(office: "BackOffice") -> "list[KeySetStatus]":
        await office.load_registrations()
        await office.provider_keys.adopt_kept()
        await office.provider_keys.refresh_all()
        return list(office.provider_keys.status().values())

    found = in_back_office(work)
    lines = [[one.url, cell(one.keys), visible(one.last_error or "fetched")] for one in found]
    click.echo(table([["URL", "KEYS", "OUTCOME"], *lines]))
    failed = [one.last_error for one in found if one.last_error]
    if failed:
        raise DoorwardError(KEYS_UNAVAILABLE, reason=f"{len(failed)} of {len(found)} could not be fetched, {failed[0]}")
