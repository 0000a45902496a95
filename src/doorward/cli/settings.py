"""`doorward check` and `doorward config show`: what is wrong with the settings, and what they are."""

from collections.abc import Iterator

import click

from doorward.base.errors import DoorwardError
from doorward.cli.frame import Verb, Words, options_for, settings_for
from doorward.cli.output import json_option, print_json, visible, what_is_wrong
from doorward.config.findings import Finding, error
from doorward.config.loading import check as find_all
from doorward.config.settings import Settings
from doorward.config.showing import render_text, show


@click.command(cls=Verb)
@json_option
def check(*, as_json: bool) -> int:
    """Say everything that is wrong with the settings, with its place and how to mend it.

    Starts nothing and makes nothing. A SQLite file and its key file are looked at; a PostgreSQL server is not asked.
    Exit status 1 when there is an error; warnings do not count.
    """
    findings = find_all(options_for("check"), _of_database)
    errors = sum(finding.severity == "error" for finding in findings)
    if as_json:
        print_json([finding.members() for finding in findings])
    else:
        _tell(findings, errors)
    return 1 if errors else 0


def _of_database(settings: Settings) -> Iterator[Finding]:
    """Find what would keep `serve` from opening the database."""
    from doorward.house import inspect_database  # noqa: PLC0415  knows every room, which --help need not load

    try:
        inspect_database(settings)
    except DoorwardError as refusal:
        where = str(settings.origins.get("database.url", "default"))
        what = f"{what_is_wrong(refusal)}."
        yield error(refusal.row, where=where, setting="database.url", what=what, fix=refusal.row.fix)


def _tell(findings: list[Finding], errors: int) -> None:
    for finding in findings:
        click.echo(visible(finding.line()))
    if errors:
        click.echo(f"{errors} of {len(findings)} findings must be mended before doorward serve starts.", err=True)
    else:
        click.echo("The settings are usable." if not findings else "The settings are usable, with the warnings above.")


@click.group(cls=Words)
def config() -> None:
    """The settings."""


@config.command("show")
@json_option
def show_(*, as_json: bool) -> None:
    """Show every effective setting and where it came from; secrets are masked."""
    shown = show(settings_for("command"))
    if as_json:
        print_json({setting.name: {"value": setting.value, "origin": setting.origin} for setting in shown})
    else:
        click.echo(render_text(shown), nl=False)
