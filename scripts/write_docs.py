"""Writes the pages of docs/ that are made from the code; run as scripts/docs. tests/test_documents.py compares them.

Owns docs/errors.md, from the error catalogue; docs/settings.md and docs/auth-json.md come from doorward.config, and
docs/commands.md from doorward.cli.docs; docs/providers/*.md from scripts/provider_pages.py.
"""

import importlib
import pkgutil
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from doorward import base
from doorward.base.errors import ErrorRow, catalogue
from doorward.cli import docs as commands
from doorward.config.docs import render_docs
from doorward.config.tree_docs import render_tree_docs
from scripts import provider_pages

ROOT = Path(__file__).resolve().parent.parent
_OPENING = """\
Made from the error catalogue by `scripts/docs`; `doorward explain CODE` prints the same. Messages, codes and statuses
never vary with the request; what was found in one case stands in the log line that has its request id."""


def pages() -> dict[Path, str]:
    """Give every generated page by its path."""
    return {
        ROOT / "docs" / "errors.md": errors_page(all_rows()),
        ROOT / "docs" / "settings.md": render_docs(),
        ROOT / "docs" / "auth-json.md": render_tree_docs(),
        ROOT / "docs" / "commands.md": commands.render_docs(),
        **{ROOT / "docs" / "providers" / f"{name}.md": text for name, text in provider_pages.pages().items()},
    }


def all_rows() -> list[ErrorRow]:
    """Give every row of the catalogue; the modules of doorward.base are the only ones that enter any."""
    for module in pkgutil.iter_modules(base.__path__, "doorward.base."):
        importlib.import_module(module.name)
    return sorted(catalogue().values(), key=lambda row: (not row.status, row.status, row.code))


def errors_page(rows: Iterable[ErrorRow]) -> str:
    """Print the catalogue as a page with one section a code, those of HTTP first, by status."""
    parts = [
        "# Errors",
        _OPENING,
    ]
    for status, group in groupby(rows, key=lambda row: row.status):
        parts.append(f"## HTTP {status}" if status else "## On the command line and in the log")
        parts.extend(_section(row) for row in group)
    return "\n\n".join(parts) + "\n"


def _section(row: ErrorRow) -> str:
    return f"### `{row.code}`\n\n> {row.message}\n\nCause: {row.cause}\n\nFix: {row.fix}\n\nLogged as: {row.level}."


def main() -> None:
    """Write every generated page."""
    for path, text in pages().items():
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
