"""`doorward healthcheck`: is the server of these settings ready, for containers."""

from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address

import click
import msgspec

from doorward.base.errors import DoorwardError
from doorward.base.faults import NOT_READY, NOT_RUNNING
from doorward.cli.frame import Verb, settings_for
from doorward.config.addresses import Address

TIMEOUT = 5.0


class _Reason(msgspec.Struct, frozen=True):
    code: str
    message: str


class _Readiness(msgspec.Struct, frozen=True):
    ready: bool = False
    reasons: tuple[_Reason, ...] = ()


@click.command(cls=Verb)
def healthcheck() -> None:
    """Ask the server of these settings whether it is ready; exit status 0 or 1."""
    listens = settings_for("command").server.admin_listen
    address = Address(reachable(listens.host), listens.port)
    status, body = _ask(address)
    if status != 200:
        raise DoorwardError(NOT_READY, reason=_reasons(body) or f"/readyz on {address} answered {status}")
    click.echo("ready")


def reachable(host: str) -> str:
    """Give the loopback address where a listener on every address is reached, else the host itself."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"


def _ask(address: Address) -> tuple[int, bytes]:
    connection = HTTPConnection(address.host, address.port, timeout=TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, response.read(1 << 16)
    except (OSError, HTTPException) as error:
        raise DoorwardError(NOT_RUNNING, address=address, reason=type(error).__name__) from error
    finally:
        connection.close()


def _reasons(body: bytes) -> str:
    try:
        readiness = msgspec.json.decode(body, type=_Readiness)
    except msgspec.MsgspecError:
        return ""
    return "; ".join(f"{reason.message} [{reason.code}]" for reason in readiness.reasons)
