"""`doorward emulator token`: a token of the pretend providers, for tests and for trying things out."""

from pathlib import Path
from typing import cast

import click
import msgspec

from doorward.cli.frame import Words
from doorward.emulator.client import mint
from doorward.emulator.messages import MintRequest

DEFAULT_URL = "http://127.0.0.1:8082"
STATE = Path(".doorward/dev/emulator.json")
"""Where `doorward dev` writes down which emulator it started, below its working directory."""


def _claims(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, object]:
    claims: dict[str, object] = {}
    for value in values:
        name, mark, text = value.partition("=")
        if not name or not mark:
            raise click.BadParameter(f"{value!r} is not NAME=VALUE.", context, parameter)
        claims[name] = _json_or_text(text)
    return claims


def _json_or_text(text: str) -> object:
    try:
        return cast("object", msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        return text


@click.group(cls=Words)
def emulator() -> None:
    """The pretend providers that `doorward dev` runs."""


@emulator.command()
@click.option("--provider", default="aad", show_default=True, metavar="NAME", help="Whose token.")
@click.option("--email", metavar="E", help="Who it is for; the same address is always the same person.")
@click.option("--name", metavar="N", help="The person's name.")
@click.option("--tenant", metavar="GUID", help="The tenant.  [default: that of the address]")
@click.option("--audience", metavar="ID", help="The application.  [default: the one that dev registers]")
@click.option("--nonce", metavar="TEXT", help="The nonce claim.")
@click.option(
    "--claim",
    "claims",
    multiple=True,
    callback=_claims,
    metavar="K=V",
    help="Add or replace a claim; V is JSON where it parses, else text; repeatable.",
)
@click.option("--without", multiple=True, metavar="CLAIM", help="Leave a claim out; repeatable.")
@click.option("--expired", is_flag=True, help="A token that has expired.")
@click.option(
    "--version", type=click.Choice(["1.0", "2.0"]), default="2.0", show_default=True, help="The token's version."
)
@click.option("--guest", is_flag=True, help="The person is a guest in the tenant.")
@click.option("--unverified", is_flag=True, help="Nobody verified the e-mail address.")
@click.option("--rotate-key", is_flag=True, help="Sign with a new key from now on.")
@click.option(
    "--url", metavar="URL", help=f"The emulator.  [default: the one dev last started here, else {DEFAULT_URL}]"
)
def token(*, url: str | None, **wishes: object) -> None:
    """Print an id_token of the running emulator, and nothing else.

    Without options it passes the exchange of `doorward dev`.
    """
    request = msgspec.convert(wishes, MintRequest)
    click.echo(mint(url or last_started(), request))


def last_started() -> str:
    """Give the address of the emulator that `doorward dev` last started from this directory, else the default."""
    try:
        state = msgspec.json.decode(STATE.read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return DEFAULT_URL
    return state.get("url", DEFAULT_URL)
