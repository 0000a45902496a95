"""The files that settings are read from: doorward.toml and App Service's auth.json.

Owns reading and syntax. What cannot be read becomes a finding with file, line and column; nothing of a file's
content is quoted.
"""

import codecs
import re
import stat
import tomllib
from pathlib import Path
from typing import cast

from doorward.base.errors import ErrorRow
from doorward.base.faults import SETTINGS_FILE_UNREADABLE, SETTINGS_SYNTAX
from doorward.base.frozen import frozen
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.config.findings import Finding, error
from doorward.config.lines import key_lines, line_of
from doorward.config.settings import Origin
from doorward.config.tree_places import name_lines
from doorward.config.tree_reading import TreeSource

SIZE_LIMIT = 1 << 20
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


class Unreadable(Exception):
    """A file cannot be used; `finding` says why."""

    def __init__(self, finding: Finding) -> None:
        """Refuse a file."""
        super().__init__(finding.what)
        self.finding = finding


@frozen
class Document:
    """A TOML file as read, with the lines of its keys; `name` is its path as the operator wrote it."""

    name: str
    content: dict[str, object]
    lines: dict[tuple[str, ...], int]

    def place(self, *path: str) -> str:
        """Give `doorward.toml:12` for a key, or the file alone where the line is not known."""
        line = line_of(self.lines, path)
        return self.name if line is None else f"{self.name}:{line}"

    def origin(self, *path: str) -> Origin:
        """Give the origin of a value that stands at `path`."""
        return Origin("file", self.place(*path))


def read_settings_file(name: str) -> Document:
    """Read doorward.toml; raises `Unreadable`."""
    text = _text_of(name, where=name, setting="--config")
    return Document(name=name, content=_toml(text, name, setting=""), lines=key_lines(text.replace("\r\n", "\n")))


def read_auth_file(name: str, where: str) -> TreeSource:
    """Read App Service's auth tree, JSON or (by its suffix) TOML; `where` is who named it. Raises `Unreadable`."""
    text = _text_of(name, where=where, setting="auth.file")
    if name.endswith(".toml"):
        content, lines = _toml(text, name, setting="auth.file"), key_lines(text.replace("\r\n", "\n"))
    else:
        content = _json(text, name)
        lines = name_lines(text)
    document = Document(name=name, content=content, lines=lines)
    return TreeSource(content=content, place=lambda path: document.place(*path), is_file=True)


def read_auth_variable(text: str, variable: str) -> TreeSource:
    """Read an auth tree that a variable holds as JSON. Raises `Unreadable`."""
    return TreeSource(content=_json(text, variable), place=lambda _: variable, is_file=True)


def _json(text: str, name: str) -> dict[str, object]:
    try:
        return decode_object(text.encode(errors="surrogateescape"))
    except NotStrictJson as refusal:
        raise _refuse(
            SETTINGS_SYNTAX,
            where=name,
            setting="auth.file",
            what=f"The auth tree is not usable JSON: {refusal}.",
            fix="Write one JSON object in UTF-8 without comments and without repeated names.",
        ) from refusal


def is_readable(name: str) -> bool:
    """Say whether a file can be opened for reading."""
    try:
        with Path(name).open("rb"):
            return True
    except (OSError, ValueError):
        return False


def is_open_to_others(name: str) -> bool:
    """Say whether a file is there and its mode lets users beside its owner and group read or write it."""
    try:
        return bool(Path(name).stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except (OSError, ValueError):
        return False


def _text_of(name: str, *, where: str, setting: str) -> str:
    try:
        raw = Path(name).read_bytes().removeprefix(codecs.BOM_UTF8)  # which editors on Windows put there
    except (OSError, ValueError) as refusal:
        reason = refusal.strerror if isinstance(refusal, OSError) else "the path is not usable"
        what = f"{name} cannot be read: {reason}."
        fix = "Correct the path, which starts at the current directory, or the file's permissions."
        raise _refuse(SETTINGS_FILE_UNREADABLE, where=where, setting=setting, what=what, fix=fix) from refusal
    try:
        if len(raw) <= SIZE_LIMIT:
            return raw.decode()
    except UnicodeDecodeError as refusal:
        line = raw.count(b"\n", 0, refusal.start) + 1
        what, fix = f"{name} is not UTF-8 text.", "Save the file in UTF-8."
        raise _refuse(SETTINGS_SYNTAX, where=f"{name}:{line}", setting=setting, what=what, fix=fix) from refusal
    what, fix = f"{name} is longer than 1 MiB.", "Name a settings file."
    raise _refuse(SETTINGS_FILE_UNREADABLE, where=where, setting=setting, what=what, fix=fix)


def _toml(text: str, name: str, *, setting: str) -> dict[str, object]:
    try:
        return cast("dict[str, object]", tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as refusal:
        where, reason = _syntax_place(name, text, str(refusal))
        what = f"{name} is not TOML: {reason}."
        fix = "Mend the line; strings stand in quotes, and every key stands once."
        raise _refuse(SETTINGS_SYNTAX, where=where, setting=setting, what=what, fix=fix) from refusal


def _syntax_place(name: str, text: str, message: str) -> tuple[str, str]:
    place = _PLACE.search(message)
    if place is None:
        return name, message
    line = place.group("line") or str(text.rstrip("\n").count("\n") + 1)
    column = place.group("column") or str(len(text.rstrip("\n").rsplit("\n", 1)[-1]) + 1)
    return f"{name}:{line}:{column}", message[: place.start()]


def _refuse(row: ErrorRow, *, where: str, setting: str, what: str, fix: str) -> Unreadable:
    return Unreadable(error(row, where=where, setting=setting, what=what, fix=fix))
