"""`doorward sessions`: who is signed in with a browser."""

from typing import TYPE_CHECKING

import click

from doorward.accounts.audit import record
from doorward.base.errors import DoorwardError
from doorward.base.faults import NOT_THERE
from doorward.cli.backstage import OPERATOR, in_back_office
from doorward.cli.frame import Words
from doorward.cli.output import json_option, print_rows
from doorward.sessions.ledger import end_session, list_sessions

if TYPE_CHECKING:
    from doorward.house import BackOffice

COLUMNS = {
    "id": "ID",
    "provider": "PROVIDER",
    "user_id": "USER",
    "created_at": "CREATED",
    "expires_at": "EXPIRES",
}


@click.group(cls=Words)
def sessions() -> None:
    """Browser sessions. Each sign-in begins one, under a new cookie."""


@sessions.command("list")
@click.option("--user", "user_id", metavar="ID", help="Those of one user only, by the user_id of /.auth/me.")
@json_option
def list_(*, user_id: str | None, as_json: bool) -> None:
    """List the sessions that have neither ended nor expired."""

    async def work(office: "BackOffice") -> list[dict[str, object]]:
        return await list_sessions(office.store, user_id, office.clock.now())

    print_rows(in_back_office(work), as_json=as_json, columns=COLUMNS, empty="Nobody is signed in.")


@sessions.command("revoke")
@click.argument("session_id", metavar="ID")
def revoke_(*, session_id: str) -> None:
    """End a session, for its cookie and for every session token made from it."""

    async def work(office: "BackOffice") -> None:
        now = office.clock.now()
        note = record("session.revoked", now, OPERATOR, detail=f"session {session_id}")
        if not await end_session(office.store, session_id, now, [note]):
            raise DoorwardError(NOT_THERE, session=session_id)

    in_back_office(work)
    click.echo(f"Session {session_id} has ended.")
