"""`doorward tokens`: platform tokens, one row a family."""

from typing import TYPE_CHECKING

import click

from doorward.accounts.registrations import list_registrations
from doorward.accounts.revocation import Which, list_families, revoke
from doorward.accounts.users import show_user
from doorward.base.errors import DoorwardError
from doorward.base.faults import NOT_THERE
from doorward.base.text import guid
from doorward.cli.backstage import OPERATOR, in_back_office
from doorward.cli.frame import Words
from doorward.cli.output import json_option, print_rows

if TYPE_CHECKING:
    from doorward.house import BackOffice

COLUMNS = {
    "id": "ID",
    "user_id": "USER",
    "client_id": "CLIENT_ID",
    "created_at": "CREATED",
    "expires_at": "EXPIRES",
}


@click.group(cls=Words)
def tokens() -> None:
    """Platform tokens. Each exchange begins a family of them, which refreshing goes on with."""


@tokens.command("list")
@click.option("--user", "user_id", type=int, metavar="ID", help="Those of one user only.")
@json_option
def list_(*, user_id: int | None, as_json: bool) -> None:
    """List the families that are neither revoked nor expired."""

    async def work(office: "BackOffice") -> list[dict[str, object]]:
        if user_id is not None:
            await show_user(office.store, user_id)
        return await list_families(office.store, user_id, office.clock.now())

    print_rows(in_back_office(work), as_json=as_json, columns=COLUMNS, empty="There is no living token.")


@tokens.command("revoke")
@click.argument("family_id", required=False, metavar="[ID]")
@click.option("--user", "user_id", type=int, metavar="ID", help="Every family of a user.")
@click.option("--client", "client_id", metavar="CLIENT_ID", help="Every family issued through a registration.")
@click.option("--tenant", metavar="GUID", help="Every family of a tenant's people.")
@click.option("--oid", metavar="GUID", help="With --tenant: only those of one person.")
def revoke_(
    *, family_id: str | None, user_id: int | None, client_id: str | None, tenant: str | None, oid: str | None
) -> None:
    """Revoke one family by its ID, or all of a user, a registration, a tenant or a person."""
    if sum(value is not None for value in (family_id, user_id, client_id, tenant)) != 1:
        raise click.UsageError("Name one of ID, --user, --client and --tenant.")
    if oid is not None and tenant is None:
        raise click.UsageError("--oid needs --tenant.")
    which = Which(family_id=family_id, user_id=user_id, client_id=client_id, tenant=tenant, oid=oid)
    count = in_back_office(lambda office: _revoke(office, which))
    click.echo(f"Token families revoked: {count}.")


async def _revoke(office: "BackOffice", which: Which) -> int:
    """Revoke what `which` names; raises `DoorwardError` (`not_there`) for a user, registration or tenant unheard of."""
    if which.user_id is not None:
        await show_user(office.store, which.user_id)
    count = await revoke(office.store, which, office.clock.now(), OPERATOR)
    if not count:
        await _refuse_unknown(office, which)
    return count


async def _refuse_unknown(office: "BackOffice", which: Which) -> None:
    known = await list_registrations(office.store)
    if which.client_id is not None and guid(which.client_id) not in {one.client_id for one in known}:
        raise DoorwardError(NOT_THERE, client_id=which.client_id)
    if which.tenant is not None and guid(which.tenant) not in {tenant for one in known for tenant in one.tenants}:
        raise DoorwardError(NOT_THERE, tenant=which.tenant)
