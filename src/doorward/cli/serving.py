"""`doorward serve` and `doorward dev`: the commands that go on running."""

import gc
import signal
import sys

import click

from doorward.cli.frame import Verb, options_for, settings_for, shared


@click.command(cls=Verb)
def serve() -> int:
    """Run the service for production, until it is told to stop."""
    _begin()
    settings = settings_for("serve")
    from doorward.running import run  # noqa: PLC0415  knows every room, which other commands need not load

    return run(options_for("serve"), settings)


@click.command(cls=Verb)
@click.option("--app", metavar="URL", help="The application to put the gateway in front of, in place of the sample.")
@click.option(
    "--port",
    type=click.IntRange(1, 65532),
    metavar="N",
    help="The public listener, 8080 by default; the admin listener, the pretend providers and the sample application "
    "follow on N+1, N+2 and N+3.",
)
@click.option("--fresh", is_flag=True, help="Begin with an empty database.")
def dev(*, app: str | None, port: int | None, fresh: bool) -> int:
    """Run everything on this machine alone, with pretend identity providers and nothing to set up.

    Prints what to open, who can sign in, and curl lines to paste. Keeps its data below .doorward/dev in the current
    directory.
    """
    _begin()
    from doorward.dev import DevOptions, run  # noqa: PLC0415  knows every room and the emulator

    return run(DevOptions(port=port, config=shared().config, app=app, fresh=fresh))


def _begin() -> None:
    """Take signals that come before anything is served: a reload has nothing to reload yet, a stop just ends.

    The event loop's own handlers replace these as soon as it runs. What a start makes, it keeps: looking for garbage
    among it takes a tenth of its time, so the collector rests until `running` sets it to work.
    """
    gc.disable()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: object) -> None:
    sys.exit(0)
