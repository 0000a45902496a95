"""Reading the auth tree: from JSON of any shape to values by path, and findings.

Owns the walk. A key that is not known is a warning with a suggestion, since App Service ignores it too; a value that
its key cannot have is an error. Names are compared as App Service's own reader does, without regard to case. Null, and
an object without members, say nothing: App Service prints its trees full of them. What variables set is laid over the
tree (interface, "Where settings come from").
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from doorward.base.errors import ErrorRow
from doorward.base.faults import SETTING_CONFLICT, SETTING_INVALID, SETTING_UNKNOWN, SETTING_WITHOUT_EFFECT
from doorward.base.frozen import frozen
from doorward.config.addresses import Unsuitable
from doorward.config.findings import Finding, error, warning
from doorward.config.tree_keys import ANY_NAME, CUSTOM, CUSTOM_IN_FILES, PROVIDERS, Branch, Path, TreeKey
from doorward.config.tree_kinds import json_type

_BODY = "properties"
_TOP = frozenset({"platform", "globalvalidation", "identityproviders", "login", "httpsettings"})
# What stands around and beside a tree that Azure's resource manager or a schema-aware editor wrote.
_WRAPPING = frozenset({"id", "name", "type", "kind", "location", "tags", "systemdata", "$schema"})
_ALIASES: Mapping[Path, str] = {(PROVIDERS, CUSTOM_IN_FILES): CUSTOM}


def setting_of(path: Path) -> str:
    """Name a key of the tree as findings and `doorward config show` do."""
    return ".".join(("auth", *path))


def shown_path(path: Path) -> str:
    """Print a path whose pieces may be anything that a file can hold, cut to a sane length."""
    return ".".join(piece if piece.isprintable() else ascii(piece) for piece in path)[:200]


@frozen
class TreeSource:
    """An auth tree as it was read; `place` gives the file and line of a path, or who else gave it.

    `is_file` says that the tree is a file of its own, which `platform.configFilePath` of another tree may name.
    """

    content: Mapping[str, object] = field(repr=False)
    place: Callable[[Path], str] = field(repr=False)
    is_file: bool = False


@frozen
class Laid:
    """A value that a variable puts in place of the tree's; `place` is the variable."""

    path: Path
    value: str = field(repr=False)
    place: str


@frozen
class Found:
    """A value of the tree, parsed, and where it stands."""

    key: TreeKey
    value: object = field(repr=False)
    place: str


@dataclass(slots=True)
class TreeValues:
    """What the tree says, by path in canonical spelling; `names` are those of custom providers, with their places.

    `branches` are the objects that are there, with their places; `spoiled` are the paths whose value was refused.
    """

    root: Branch
    found: dict[Path, Found] = field(default_factory=dict[Path, Found])
    branches: dict[Path, str] = field(default_factory=dict[Path, str])
    findings: list[Finding] = field(default_factory=list[Finding])
    spoiled: set[Path] = field(default_factory=set[Path])

    def value(self, *path: str) -> object:
        """Give the value at a path, else the default of its key, else None."""
        found = self.found.get(path)
        if found is not None:
            return found.value
        key = key_at(self.root, path)
        return key.default if key is not None else None

    def text(self, *path: str) -> str:
        """Give a string at a path, empty where there is none."""
        value = self.value(*path)
        return value if isinstance(value, str) else ""

    def flag(self, *path: str) -> bool:
        """Give a boolean at a path."""
        return self.value(*path) is True

    def number(self, *path: str) -> float:
        """Give seconds at a path."""
        value = self.value(*path)
        return float(value) if isinstance(value, int | float) else 0.0

    def texts(self, *path: str) -> tuple[str, ...]:
        """Give a list of strings at a path, empty where there is none."""
        return cast("tuple[str, ...]", self.value(*path) or ())

    def place(self, *path: str) -> str:
        """Say where a path stands, or the nearest object around it that is there."""
        if path in self.found:
            return self.found[path].place
        while path and path not in self.branches:
            path = path[:-1]
        return self.branches.get(path, "default")

    def pairs(self, *path: str) -> tuple[tuple[str, str], ...]:
        """Give a list of names and values at a path, empty where there is none."""
        return cast("tuple[tuple[str, str], ...]", self.value(*path) or ())

    def refuse(self, row: ErrorRow, path: Path, what: str, fix: str) -> None:
        """Find an error at a path; `what` is a predicate of it. What is refused around there already says enough."""
        if any(path[: len(bad)] == bad or bad[: len(path)] == path for bad in self.spoiled):
            return
        what = f"{shown_path(path)} {what}."
        self.findings.append(error(row, where=self.place(*path), setting=setting_of(path), what=what, fix=fix))

    def warn(self, row: ErrorRow, path: Path, what: str, fix: str) -> None:
        """Find something questionable at a path; `what` is a predicate of it."""
        what = f"{shown_path(path)} {what}."
        self.findings.append(warning(row, where=self.place(*path), setting=setting_of(path), what=what, fix=fix))

    def names(self, *path: str) -> list[str]:
        """Give the names of the objects right below a path, in the order of the tree."""
        return [branch[-1] for branch in self.branches if branch[:-1] == path]


def key_at(root: Branch, path: Path) -> TreeKey | None:
    """Find the key at a path; any name fits where a custom provider's stands."""
    here: Branch | TreeKey | None = root
    for piece in path:
        here = (here.get(piece) or here.get(ANY_NAME)) if isinstance(here, dict) else None
    return here if isinstance(here, TreeKey) else None


def read_tree(source: TreeSource, root: Branch, laid: tuple[Laid, ...] = ()) -> TreeValues:
    """Read a tree against the table of keys, with what variables lay over it; never raises."""
    values = TreeValues(root=root)
    values.branches[()] = source.place(())
    covered = {entry.path for entry in laid}
    content, written = unwrapped(source.content)
    _Walk(source=source, values=values, covered=covered).walk(content, root, (), written)
    for entry in laid:
        _lay(values, entry)
    return values


def unwrapped(content: Mapping[str, object]) -> tuple[Mapping[str, object], Path]:
    """Take the tree out of the body that Azure's resource manager puts around it; gives it and where it stood."""
    body = content.get(_BODY)
    if isinstance(body, dict) and not any(name.lower() in _TOP for name in content):
        return cast("dict[str, object]", body), (_BODY,)
    return content, ()


def _lay(values: TreeValues, entry: Laid) -> None:
    key = key_at(values.root, entry.path)
    if key is None:
        what, fix = f"{entry.place} belongs to a provider that is not known here.", "Unset it."
        finding = warning(SETTING_WITHOUT_EFFECT, where=entry.place, setting=entry.place, what=what, fix=fix)
        values.findings.append(finding)
        return
    try:
        parsed = key.kind.parse(key.kind.from_text(entry.value))
    except Unsuitable as refusal:
        what = f"{entry.place} {refusal.what}."
        values.spoiled.add(entry.path)
        values.findings.append(
            error(SETTING_INVALID, where=entry.place, setting=setting_of(entry.path), what=what, fix=refusal.fix)
        )
        return
    for length in range(1, len(entry.path)):
        values.branches.setdefault(entry.path[:length], entry.place)
    values.found[entry.path] = Found(key=key, value=parsed, place=entry.place)


@frozen
class _Walk:
    source: TreeSource
    values: TreeValues
    covered: set[Path]

    def walk(self, table: Mapping[str, object], branch: Branch, path: Path, written: Path) -> None:
        """Read one object: `path` in canonical spelling, `written` as its keys stand in the file."""
        spellings = {name.lower(): name for name in branch}
        for name, value in table.items():
            known = name if name in branch else spellings.get(name.lower())
            known = _ALIASES.get((*path, known or name), known)
            below = branch.get(known or ANY_NAME)
            here, there = (*path, known or name), (*written, name)
            if value is None or (not path and name.lower() in _WRAPPING and below is None):
                continue
            if below is None:
                self._unknown(here, there, branch)
            elif isinstance(below, TreeKey):
                self._take(below, value, here, there)
            elif isinstance(value, dict):
                self._enter(cast("dict[str, object]", value), below, here, there)
            else:
                what = f"{shown_path(here)} must be an object, but is {json_type(value)}."
                self._error(SETTING_INVALID, here, there, what, "Write it in braces, with its keys inside.")

    def _enter(self, table: Mapping[str, object], branch: Branch, path: Path, written: Path) -> None:
        self.values.branches.setdefault(path, self.source.place(written))
        self.walk(table, branch, path, written)

    def _take(self, key: TreeKey, value: object, path: Path, written: Path) -> None:
        place = self.source.place(written)
        if path in self.values.found:
            what = f"{shown_path(path)} is written twice, in two spellings."
            self._error(SETTING_CONFLICT, path, written, what, "Keep one of the two.")
            return
        if path in self.covered:
            return
        try:
            self.values.found[path] = Found(key=key, value=key.kind.parse(value), place=place)
        except Unsuitable as refusal:
            self._error(SETTING_INVALID, path, written, f"{shown_path(path)} {refusal.what}.", refusal.fix)

    def _error(self, row: ErrorRow, path: Path, written: Path, what: str, fix: str) -> None:
        where = self.source.place(written)
        self.values.spoiled.add(path)
        self.values.findings.append(error(row, where=where, setting=setting_of(path), what=what, fix=fix))

    def _unknown(self, path: Path, written: Path, branch: Branch) -> None:
        near = difflib.get_close_matches(path[-1].lower(), [name.lower() for name in branch], n=1)
        meant = next((name for name in branch if near and name.lower() == near[0]), None)
        fix = f"Did you mean {meant}?" if meant else "Remove it; docs/auth-json.md lists every key."
        what = f"{shown_path(path)} is not a key of the auth tree, and is ignored."
        where = self.source.place(written)
        self.values.findings.append(warning(SETTING_UNKNOWN, where=where, setting=setting_of(path), what=what, fix=fix))
