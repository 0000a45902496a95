"""`doorward audit`: the trail of what was done."""

import click

from doorward.accounts.audit import count_by_hour, list_records
from doorward.cli.backstage import in_back_office
from doorward.cli.frame import Words
from doorward.cli.output import json_option, print_rows
from doorward.config.addresses import Unsuitable
from doorward.config.kinds import read_duration

COLUMNS = {
    "time": "TIME",
    "event": "EVENT",
    "code": "CODE",
    "user_id": "USER",
    "organization_id": "ORGANIZATION",
    "client_id": "CLIENT_ID",
    "tid": "TENANT",
    "oid": "OID",
    "address": "ADDRESS",
    "request_id": "REQUEST",
    "detail": "DETAIL",
}
COUNTED = {"time": "HOUR", "event": "EVENT", "code": "CODE", "count": "COUNT"}


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else read_duration(value)
    except Unsuitable as refusal:
        raise click.BadParameter(f"{value!r} {refusal.what}. {refusal.fix}", context, parameter) from refusal


@click.group(cls=Words)
def audit() -> None:
    """The audit trail: who did what, with which outcome."""


@audit.command("list")
@click.option("--since", metavar="DURATION", callback=_seconds, help='No older than this: "90s", "10m", "8h", "7d".')
@click.option("--event", metavar="NAME", help="Only this event, such as exchange.failed.")
@click.option("--by-hour", is_flag=True, help="Count by hour, event and code: failures over time at a glance.")
@json_option
def list_(*, since: int | None, event: str | None, by_hour: bool, as_json: bool) -> None:
    """List the records, oldest first."""
    give, columns = (count_by_hour, COUNTED) if by_hour else (list_records, COLUMNS)
    found = in_back_office(
        lambda office: give(office.store, 0.0 if since is None else office.clock.now() - since, event)
    )
    print_rows(found, as_json=as_json, columns=columns, empty="There is no such record.")
