"""`doorward users`: accounts, and the operator's ways out of a refused link."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar, cast

import click

from doorward.accounts.nouns import ROLES, Origin
from doorward.accounts.users import (
    NewUser,
    add_user,
    delete_user,
    link_user,
    list_users,
    set_user_enabled,
    show_user,
    sign_out_user,
    unlink_user,
    verify_user,
)
from doorward.base.errors import DoorwardError
from doorward.base.faults import VALUE_REFUSED
from doorward.cli.backstage import OPERATOR, in_back_office
from doorward.cli.frame import Words
from doorward.cli.output import json_option, print_object, print_rows
from doorward.store import Store

if TYPE_CHECKING:
    from doorward.house import BackOffice

T = TypeVar("T")

COLUMNS = {
    "id": "ID",
    "email": "EMAIL",
    "full_name": "NAME",
    "organization_id": "ORGANIZATION",
    "role": "ROLE",
    "verified": "VERIFIED",
    "enabled": "ENABLED",
}
LINK_COLUMNS = {
    "cloud": "CLOUD",
    "tenant": "TENANT",
    "oid": "OID",
    "preferred_username": "USERNAME",
    "linked_at": "LINKED",
    "seen_at": "SEEN",
}
_number = click.argument("number", type=int, metavar="ID")


@click.group(cls=Words)
def users() -> None:
    """Accounts of people."""


@users.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List every user."""
    found = in_back_office(lambda office: list_users(office.store))
    print_rows([user.to_json() for user in found], as_json=as_json, columns=COLUMNS, empty="There is no user.")


@users.command()
@_number
@json_option
def show(*, number: int, as_json: bool) -> None:
    """Show a user and the identities that are linked to it."""
    members = in_back_office(lambda office: show_user(office.store, number))
    if as_json:
        print_object(members, as_json=True)
        return
    links = cast("list[dict[str, object]]", members.pop("identities"))
    print_object(members, as_json=False)
    if links:
        click.echo("\nLinked identities:")
        print_rows(links, as_json=False, columns=LINK_COLUMNS, empty="")


@users.command()
@click.argument("email")
@click.option("--org", "organization_id", type=int, required=True, metavar="ID", help="The organization.")
@click.option("--name", "full_name", help="The full name.  [default: what stands before the @]")
@click.option("--verified", is_flag=True, help="The address is known to be theirs, so the account may be linked by it.")
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True, help="What the user may do.")
@json_option
def add(*, email: str, organization_id: int, full_name: str | None, verified: bool, role: str, as_json: bool) -> None:
    """Add an account for EMAIL that nobody is linked to yet.

    Without --verified it counts as unverified and is never linked by e-mail.
    """
    new = NewUser(email=email, full_name=full_name, organization_id=organization_id, role=role, verified=verified)
    added = in_back_office(lambda office: add_user(office.store, new, office.clock.now(), OPERATOR))
    print_object(added.to_json(), as_json=as_json)


@users.command()
@_number
def disable(*, number: int) -> None:
    """Suspend a user: no sign-in, and the tokens are dead until the user is enabled again."""
    _set_enabled(number, enabled=False)
    click.echo(f"User {number} is disabled.")


@users.command()
@_number
def enable(*, number: int) -> None:
    """Let a suspended user in again."""
    _set_enabled(number, enabled=True)
    click.echo(f"User {number} is enabled.")


@users.command("sign-out")
@_number
def sign_out(*, number: int) -> None:
    """Revoke every token of a user."""
    count = _do(number, sign_out_user)
    click.echo(f"User {number} is signed out; token families revoked: {count}.")


@users.command()
@_number
def delete(*, number: int) -> None:
    """Delete a user with links and tokens; the audit trail keeps what was done."""
    _do(number, delete_user)
    click.echo(f"User {number} is deleted.")


@users.command()
@_number
def verify(*, number: int) -> None:
    """Note that a user's address is known to be theirs, so that the account may be linked by it."""
    _do(number, verify_user)
    click.echo(f"The address of user {number} counts as verified.")


@users.command()
@_number
@click.option("--tenant", required=True, metavar="GUID", help="The person's tenant (tid).")
@click.option("--oid", required=True, metavar="GUID", help="The person's object ID there.")
@click.option("--cloud", default="global", show_default=True, metavar="NAME", help="The tenant's cloud.")
def link(*, number: int, tenant: str, oid: str, cloud: str) -> None:
    """Link a person of a tenant to a user: from then on that person signs in as this user."""

    async def work(office: "BackOffice") -> None:
        if cloud not in office.settings.clouds:
            raise DoorwardError(VALUE_REFUSED, cloud=f"must be one of {', '.join(sorted(office.settings.clouds))}")
        await link_user(office.store, number, cloud, tenant, oid, office.clock.now(), OPERATOR)

    in_back_office(work)
    click.echo(f"The person is linked to user {number}.")


@users.command()
@_number
def unlink(*, number: int) -> None:
    """Take every link of a user away, and end the tokens that were issued through them."""
    count = _do(number, unlink_user)
    click.echo(f"User {number} is linked to nobody; links removed: {count}.")


def _do(number: int, use_case: Callable[[Store, int, float, Origin], Awaitable[T]]) -> T:
    return in_back_office(lambda office: use_case(office.store, number, office.clock.now(), OPERATOR))


def _set_enabled(number: int, *, enabled: bool) -> None:
    in_back_office(lambda office: set_user_enabled(office.store, number, office.clock.now(), OPERATOR, enabled=enabled))
