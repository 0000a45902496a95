"""`doorward explain`: what an error code means, which check would refuse a token, what becomes of a request.

A token is read, judged by the code that serves, and forgotten: nothing of it is stored, and its signature is never
printed.
"""

import difflib
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import click

from doorward.base import (
    faults,
    refusals,
    refusals_completion,
    refusals_easyauth,
    refusals_gateway,
    refusals_providers,
    refusals_sign_in,
)
from doorward.base.errors import DoorwardError, ErrorRow, catalogue
from doorward.cli.backstage import in_back_office
from doorward.cli.explain_request import Asked, explain_request
from doorward.cli.frame import Verb
from doorward.cli.own_tokens import explain_access_token, explain_platform_token, is_ours
from doorward.cli.provider_tokens import explain_id_token

if TYPE_CHECKING:
    from doorward.house import BackOffice

# Importing them is what fills the catalogue.
_ENTERED = (
    refusals,
    refusals_easyauth,
    refusals_gateway,
    refusals_sign_in,
    refusals_completion,
    refusals_providers,
    faults,
)
_CODE = re.compile(r"[A-Za-z0-9_ -]{1,63}")
_OPAQUE = re.compile(r"[0-9a-f]{64}")
_BEARER = re.compile(r"(?:authorization:\s*)?bearer\s+", re.IGNORECASE)
MAX_INPUT = 1 << 20
_URL_MISSING = "--request takes a METHOD and a URL, as in --request GET /; the URL is missing."


class _Explaining(Verb):
    """The command, which says which half of a request is missing; click would count arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line."""
        try:
            return super().parse_args(ctx, args)
        except click.BadOptionUsage as error:
            if error.option_name == "--request":
                raise click.UsageError(_URL_MISSING, ctx) from error
            raise


@click.command(cls=_Explaining)
@click.argument("token_or_code", required=False)
@click.option(
    "--request",
    nargs=2,
    metavar="METHOD URL",
    help="Explain the decision about this request instead, rule by rule; URL may be a path.",
)
@click.option("--cookie", metavar="VALUE", help="The request's session cookie, or its whole Cookie header.")
@click.option("--bearer", metavar="TOKEN", help="The token of the request's Authorization: Bearer.")
@click.option("--user-agent", metavar="TEXT", help="The request's User-Agent; browsers have Mozilla in it.")
def explain(
    *,
    token_or_code: str | None,
    request: tuple[str, str] | None,
    cookie: str | None,
    bearer: str | None,
    user_agent: str | None,
) -> None:
    """Say what an error code means, what a token is and which check would refuse it, or what becomes of a request.

    TOKEN_OR_CODE is an error code, an id_token of Microsoft Entra, or one of our own tokens; - reads it from standard
    input, which keeps a token out of the shell's history, and does so for --cookie and --bearer, too. With --request
    the decision about one request is told by the code that serves it; the request is sent nowhere.

    Nothing of a token is stored, and its signature is never printed. The exit status is 0 when there was something to
    explain, even where the answer is a refusal.
    """
    credentials = {"--cookie": cookie, "--bearer": bearer}
    if request is not None:
        if request[1].startswith("-"):  # the next option, taken for the URL
            raise click.UsageError(_URL_MISSING)
        if token_or_code is not None:
            raise click.UsageError("TOKEN_OR_CODE and --request are two questions; ask one of them.")
        cookie, bearer = _read_given(credentials)
        asked = Asked(method=request[0], url=request[1], cookie=cookie, bearer=bearer, user_agent=user_agent)
        click.echo(in_back_office(lambda office: explain_request(office, asked), keeps_key_sets=False))
        return
    if token_or_code is None:
        raise click.UsageError("Missing argument 'TOKEN_OR_CODE'.")
    if alone := [name for name, value in {**credentials, "--user-agent": user_agent}.items() if value is not None]:
        raise click.UsageError(f"{alone[0]} belongs to --request.")
    _explain_text(token_or_code)


def _read_given(credentials: Mapping[str, str | None]) -> list[str | None]:
    """Give the credentials of a request, one of which may stand on standard input."""
    if list(credentials.values()).count("-") > 1:
        raise click.UsageError("only one of --cookie and --bearer can be read from standard input.")
    return [_read_input().strip() if value == "-" else value for value in credentials.values()]


def _explain_text(token_or_code: str) -> None:
    text = _read_input() if token_or_code == "-" else token_or_code
    given = _BEARER.sub("", text.strip().strip("\"'"), count=1)
    if _OPAQUE.fullmatch(given):
        click.echo(in_back_office(lambda office: explain_platform_token(office, given), keeps_key_sets=False))
    elif "." in given or not _CODE.fullmatch(given):
        click.echo(in_back_office(_explainer(given), keeps_key_sets=False))
    else:
        click.echo(explain_row(find_row(given)))


def _read_input() -> str:
    return sys.stdin.read(MAX_INPUT)


def _explainer(token: str) -> "Callable[[BackOffice], Awaitable[str]]":
    if "." not in token:
        raise DoorwardError(faults.UNKNOWN_CODE)
    if is_ours(token):
        return lambda office: explain_access_token(office, token)
    return lambda office: explain_id_token(office, token)


def find_row(code: str) -> ErrorRow:
    """Find a row of the catalogue; raises `DoorwardError` (`unknown_code`) with the code that is nearest."""
    known = catalogue()
    folded = code.strip().lower().replace("-", "_").replace(" ", "_")
    row = known.get(folded)
    if row is None:
        (nearest,) = difflib.get_close_matches(folded, known, n=1, cutoff=0.0)
        raise DoorwardError(faults.UNKNOWN_CODE, reason=f"{code!r}; did you mean {nearest}?")
    return row


def explain_row(row: ErrorRow) -> str:
    """Put a row of the catalogue into lines."""
    status = f"HTTP {row.status}" if row.status else "never reaches HTTP; on the command line, at the start, in the log"
    return f"{row.code}: {row.message}\nStatus: {status}\nCause:  {row.cause}\nFix:    {row.fix}"
