"""How results are printed: as columns for people, as JSON for programs.

Nothing is cut off and nothing is coloured. Text that came from outside is shown with its control characters escaped, so
that a name cannot rewrite a terminal.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import cast

import click
import msgspec

from doorward.base.errors import DoorwardError
from doorward.base.text import cleaned, has_hidden

_LINE_MAX = 2000
# Facts that are sentences of their own; others are told by name.
_SENTENCES = frozenset({"reason", "option", "which", "link", "rule"})

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: object) -> None:
    """Print a value as JSON, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool, columns: Mapping[str, str], empty: str) -> None:
    """Print rows as a JSON array of all their members, or as those of `columns`, named by their headings.

    `empty` is said, on standard error, where there is no row for people to see.
    """
    if as_json:
        print_json(list(rows))
    elif rows:
        click.echo(table([list(columns.values()), *([cell(row.get(name)) for name in columns] for row in rows)]))
    else:
        click.echo(empty, err=True)


def print_object(members: Mapping[str, object], *, as_json: bool) -> None:
    """Print one object as JSON, or a line for each of its members."""
    if as_json:
        print_json(members)
    else:
        click.echo(table([[name.replace("_", " "), cell(value)] for name, value in members.items()]))


def what_is_wrong(error: DoorwardError) -> str:
    """Put an error's message and facts on one line, whatever the facts hold."""
    facts = ", ".join(
        str(value) if name in _SENTENCES else f"{name} {value}"
        for name, value in error.facts.items()
        if value is not None
    )
    return cleaned(f"{error.row.message}{': ' if facts else ''}{facts}", _LINE_MAX)


def table(lines: Sequence[Sequence[str]]) -> str:
    """Lay cells out in columns with two spaces between them."""
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text + " " * (width - _width(text)) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def cell(value: object) -> str:
    """Write a value for people: nothing for None, yes or no, lists with commas."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(cell(item) for item in cast("list[object]", value)) or "-"
        case dict():
            return "=".join(cell(item) for item in cast("dict[str, object]", value).values())
        case _:
            return visible(str(value))


def visible(text: str) -> str:
    """Show text from outside with every control and invisible character escaped."""
    return "".join(_escaped(c) if has_hidden(c) else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _width(text: str) -> int:
    """Count the columns of a terminal that `text` takes: East Asian wide characters take two, combining ones none."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)
