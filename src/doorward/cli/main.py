"""The program `doorward`: its words, and what becomes of everything that goes wrong.

An error is one line that says what is wrong and one that says how to mend it, on standard error. A traceback appears
only where DOORWARD_DEBUG is 1: its lines may hold values that nobody should read.
"""

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn, cast

import click

from doorward import __version__
from doorward.base.errors import DoorwardError
from doorward.base.faults import OUTPUT_LOST
from doorward.cli.frame import LazyWords, Shared
from doorward.cli.output import what_is_wrong
from doorward.config.findings import SettingsRejected

INTERRUPTED = 130
BROKEN_PIPE = 141

MODULES = {
    "dev": "doorward.cli.serving",
    "serve": "doorward.cli.serving",
    "check": "doorward.cli.settings",
    "config": "doorward.cli.settings",
    "explain": "doorward.cli.explain",
    "migrate": "doorward.cli.database",
    "orgs": "doorward.cli.organizations",
    "registrations": "doorward.cli.registrations",
    "users": "doorward.cli.users",
    "audit": "doorward.cli.audit",
    "tokens": "doorward.cli.tokens",
    "sessions": "doorward.cli.sessions",
    "clients": "doorward.cli.clients",
    "keys": "doorward.cli.keys",
    "emulator": "doorward.cli.emulator",
    "healthcheck": "doorward.cli.healthcheck",
}


@click.group(
    cls=LazyWords, modules=MODULES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="doorward", message="%(prog)s %(version)s")
def doorward() -> None:
    """Exchanges Microsoft Entra id_tokens for the platform's own tokens.

    Commands that change something work while the server runs; it takes notice within one second.
    """


def main() -> NoReturn:
    """Run the command line that this process was started with."""
    logging.getLogger("doorward").addHandler(logging.NullHandler())  # only what serves writes a log
    _note_closed_output()
    status = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        status = BROKEN_PIPE  # whoever read our output has enough of it
    except OSError as error:
        _drop_output()
        status = status or _tell(DoorwardError(OUTPUT_LOST, reason=error.strerror))
    sys.exit(status)


def _note_closed_output() -> None:
    """Put a stream that refuses writing in place of an output that was closed: what is lost must be noticed.

    It also takes the lowest descriptor, which else the database would get.
    """
    if cast("object", sys.stdout) is None:
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - it lives as long as the process


def _drop_output() -> None:
    """Give up what could not be written: the interpreter must not try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit status; whatever goes wrong is told on standard error."""
    try:
        _refuse_no_text(arguments)
        result: object = doorward.main(list(arguments), prog_name="doorward", standalone_mode=False, obj=Shared())
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SettingsRejected as error:
        click.echo("\n".join(finding.line() for finding in error.findings), err=True)
        return 1
    except DoorwardError as error:
        return _tell(error)
    except SystemExit as end:  # click ends so when the pipe of standard output breaks
        return end.code if isinstance(end.code, int) else 1
    except Exception as error:  # noqa: BLE001 - the last place where a defect can be told in words
        if isinstance(error, OSError) and _is_of_output(error):
            return _tell(DoorwardError(OUTPUT_LOST, reason=error.strerror or "it is closed"))
        _tell_defect(error)
        return 1
    return result if isinstance(result, int) else 0


def _is_of_output(error: OSError) -> bool:
    """Say whether an error came from writing results, and not from anything that the command works on."""
    frames = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1:] == [click.echo.__code__]


def _tell(error: DoorwardError) -> int:
    """Tell an error on standard error, and give the exit status that goes with it."""
    click.echo(told(error), err=True)
    return 1


def _refuse_no_text(arguments: Sequence[str]) -> None:
    """Refuse arguments that no database and no file of ours could hold: they would look like a defect further in.

    Bytes that are not UTF-8 reach Python as halves of surrogate pairs (PEP 383).
    """
    for number, argument in enumerate(arguments, 1):
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in argument):
            raise click.UsageError(f"Argument {number} is not UTF-8 text, or holds a NUL character.")


def told(error: DoorwardError) -> str:
    """Put an error into two lines: what is wrong, and how to mend it."""
    return f"error: {what_is_wrong(error)} [{error.code}]\nfix: {error.row.fix}"


def _tell_defect(error: Exception) -> None:
    if os.environ.get("DOORWARD_DEBUG") == "1":
        traceback.print_exception(error)
    # The text of an unexpected exception may quote anything, a secret among it; its class may not.
    click.echo(f"error: Unexpected {type(error).__name__}: a defect in Doorward [internal_error]", err=True)
    click.echo(
        "fix: Run the command again with DOORWARD_DEBUG=1 in the environment, and report what it prints.", err=True
    )


if __name__ == "__main__":
    main()
