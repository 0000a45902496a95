"""Where settings come from: the file, the environment, the command line, and in which order they count.

The command line beats `DOORWARD_<SECTION>__<KEY>`, which beats `WEBSITE_AUTH_*`, which beats the file, which beats what
a command such as `dev` presets. Here values are found and their names checked; what a value may be is for the kinds.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from doorward.base.faults import SETTING_CONFLICT, SETTING_INVALID, SETTING_UNKNOWN, SETTINGS_FILE_UNREADABLE
from doorward.base.frozen import frozen
from doorward.config.documents import Document, Unreadable, read_settings_file
from doorward.config.findings import Finding, error
from doorward.config.kinds import toml_type
from doorward.config.rows import rows_of
from doorward.config.settings import Origin, SectionRow, find_row, section_named
from doorward.config.suggestions import suggest_key, suggest_path, suggest_section
from doorward.config.tree_reading import TreeSource
from doorward.config.tree_sources import choose_tree

Purpose = Literal["serve", "check", "dev", "command"]

DEFAULT_FILE = "doorward.toml"
PREFIX = "DOORWARD_"
_FILE_SUFFIX = "_file"
_WEBSITE = {
    "WEBSITE_AUTH_ENCRYPTION_KEY": "secrets.encryption_key",
    "WEBSITE_AUTH_SIGNING_KEY": "secrets.signing_key",
}
_TABLE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@frozen
class Override:
    """A setting given on the command line: its whole name, its value as text or TOML value, and the option's name."""

    setting: str
    value: object
    option: str


@frozen
class Options:
    """What the settings are read from, and what for.

    `config` is the file of `--config`; without it `./doorward.toml` is read if it is there, but not for `dev`.
    `presets` are a command's own defaults by whole name, below the file; `auth_tree` is its own auth tree, which counts
    where nobody gives another. `purpose` `command` is for commands that serve nothing: what only matters to listeners
    is not checked then.
    """

    config: str | None = None
    overrides: Sequence[Override] = ()
    presets: Mapping[str, object] = field(default_factory=dict[str, object])
    auth_tree: Mapping[str, object] | None = field(default=None, repr=False)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    purpose: Purpose = "serve"


@frozen
class Given:
    """A value that somebody gave for a setting; `text` means that it is not yet a TOML value."""

    value: object = field(repr=False)
    origin: Origin
    text: bool = False


@dataclass(slots=True)
class Gathered:
    """All that was given, by whole name; `tables` are the `[clouds.NAME]` and `[providers.NAME]` that were named."""

    values: dict[str, Given] = field(default_factory=dict[str, Given])
    tables: dict[str, Origin] = field(default_factory=dict[str, Origin])
    tree: TreeSource | None = None
    findings: list[Finding] = field(default_factory=list[Finding])

    def give(self, path: str, given: Given) -> None:
        """Take a value in place of one that counts less."""
        self.values[path] = given
        head, *rest = path.split(".")
        if len(rest) == 2:
            self.tables.setdefault(f"{head}.{rest[0]}", given.origin)


def environment_name(path: str) -> str:
    """Give the variable of a setting: `server.listen` is `DOORWARD_SERVER__LISTEN`."""
    return PREFIX + path.replace(".", "__").upper()


def _command(options: Options) -> str:
    return f"doorward {options.purpose}"


def gather(options: Options) -> Gathered:
    """Find every value that was given, from what counts least to what counts most."""
    gathered = Gathered()
    for path, value in options.presets.items():
        gathered.give(path, Given(value=value, origin=Origin("default", _command(options))))
    _take_file(gathered, options)
    _take_website_keys(gathered, options.environment)
    _take_environment(gathered, options.environment)
    for override in options.overrides:
        origin = Origin("command line", override.option)
        gathered.give(
            override.setting, Given(value=override.value, origin=origin, text=isinstance(override.value, str))
        )
    _take_tree(gathered, options)
    return gathered


# --- the file ----------------------------------------------------------------------------------------------------


def _take_file(gathered: Gathered, options: Options) -> None:
    name = options.config
    if name is None:
        if options.purpose == "dev" or not Path(DEFAULT_FILE).exists():
            return
        name = DEFAULT_FILE
    try:
        document = read_settings_file(name)
    except Unreadable as refusal:
        gathered.findings.append(refusal.finding)
        return
    for head, table in document.content.items():
        entry = section_named(head)
        if entry is None:
            gathered.findings.append(_unknown_section(document, head))
        elif not isinstance(table, dict):
            gathered.findings.append(_not_a_table(document, (head,), table))
        else:
            _take_section(gathered, document, entry, cast("dict[str, object]", table))


def _take_section(gathered: Gathered, document: Document, entry: SectionRow, table: dict[str, object]) -> None:
    if entry.named:
        for name, inner in table.items():
            _take_named(gathered, document, entry, name, inner)
        return
    if entry.name == "auth":
        tree = {key: value for key, value in table.items() if key != "file"}
        gathered.tables["auth"] = document.origin("auth")
        if tree or "file" not in table:
            gathered.tree = TreeSource(content=tree, place=lambda path: document.place("auth", *path))
        table = {key: value for key, value in table.items() if key == "file"}
    _take_keys(gathered, document, entry, (entry.name,), table)


def _take_named(gathered: Gathered, document: Document, entry: SectionRow, name: str, inner: object) -> None:
    # A custom provider may be written with capitals in the auth tree; no two differ in case alone.
    path = (entry.name, name.lower() if entry.name == "providers" else name)
    if ".".join(path) in gathered.tables:
        what = f"[{entry.name}.{name}] is there twice, in two spellings."
        gathered.findings.append(
            error(
                SETTING_CONFLICT,
                where=document.place(entry.name, name),
                setting=".".join(path),
                what=what,
                fix="Keep one of the two.",
            )
        )
    elif not _TABLE_NAME.fullmatch(path[1]):
        what = f"[{entry.name}.{name!r}] has a name that cannot be used."
        fix = "Use lower-case letters, digits, - and _."
        gathered.findings.append(
            error(SETTING_INVALID, where=document.place(entry.name, name), setting=".".join(path), what=what, fix=fix)
        )
    elif not isinstance(inner, dict):
        gathered.findings.append(_not_a_table(document, (entry.name, name), inner))
    else:
        gathered.tables[".".join(path)] = document.origin(entry.name, name)
        _take_keys(gathered, document, entry, path, cast("dict[str, object]", inner), (entry.name, name))


def _take_keys(
    gathered: Gathered,
    document: Document,
    entry: SectionRow,
    above: tuple[str, ...],
    table: dict[str, object],
    written: tuple[str, ...] | None = None,
) -> None:
    """Take the keys of a table; `written` is its name as it stands in the file, where that differs from `above`."""
    known = dict(rows_of(entry.section))
    there = written or above
    for key, value in table.items():
        path = ".".join((*above, key))
        if key in known:
            gathered.give(path, Given(value=value, origin=document.origin(*there, key)))
        else:
            where = document.place(*there, key)
            fix = suggest_key(key, [".".join((*above, other)) for other in known])
            gathered.findings.append(
                error(SETTING_UNKNOWN, where=where, setting=path, what=f"{path} is not a setting.", fix=fix)
            )


def _not_a_table(document: Document, path: tuple[str, ...], value: object) -> Finding:
    name = ".".join(path)
    what = f"{name} must be a table, but is {toml_type(value)}."
    return error(
        SETTING_INVALID, where=document.place(*path), setting=name, what=what, fix=f"Write [{name}] on its own line."
    )


def _unknown_section(document: Document, name: str) -> Finding:
    where, what = document.place(name), f"[{name}] is not a section of the settings."
    if not isinstance(document.content[name], dict):
        what = f"{name} stands outside of any section."
    return error(SETTING_UNKNOWN, where=where, setting=name, what=what, fix=suggest_section(name))


# --- the environment ---------------------------------------------------------------------------------------------


def _take_website_keys(gathered: Gathered, environment: Mapping[str, str]) -> None:
    for variable, path in _WEBSITE.items():
        # An empty variable is one that a platform left unfilled; it must not put a made-up key in a real one's place.
        if value := environment.get(variable, ""):
            gathered.give(path, Given(value=value, origin=Origin("environment", variable), text=True))


def _take_environment(gathered: Gathered, environment: Mapping[str, str]) -> None:
    seen: dict[str, str] = {}
    for variable in sorted(environment):
        name = variable.upper()
        if not name.startswith(PREFIX):
            continue
        if "__" not in name.removeprefix(PREFIX):
            gathered.findings += _nearly_named(variable, name)
            continue
        path, is_file = _variable_path(name)
        if path is None:
            gathered.findings.append(_unknown_variable(variable, name))
        elif path in seen:
            what = f"{seen[path]} and {variable} both set {path}."
            gathered.findings.append(
                error(SETTING_CONFLICT, where=variable, setting=path, what=what, fix="Keep one of the two.")
            )
        else:
            seen[path] = variable
            _take_variable(gathered, path, variable, environment[variable], is_file=is_file)


def _nearly_named(variable: str, name: str) -> list[Finding]:
    """Find the setting that a name without two underscores was meant for; others have names of their own with us.

    Kubernetes, for one, sets DOORWARD_SERVICE_HOST and DOORWARD_PORT for a service that is called doorward.
    """
    rest = name.removeprefix(PREFIX)
    widened = (f"{PREFIX}{rest[:at]}_{rest[at:]}" for at, character in enumerate(rest) if character == "_")
    meant = next((candidate for candidate in widened if _variable_path(candidate)[0]), None)
    if meant is None:
        return []
    what = f"{variable} is not the name of a setting: two underscores stand between section and key."
    return [error(SETTING_UNKNOWN, where=variable, setting=variable, what=what, fix=f"Did you mean {meant}?")]


def _variable_path(name: str) -> tuple[str | None, bool]:
    """Give the setting that a variable names and whether it names a file that holds the value."""
    parts = name.removeprefix(PREFIX).lower().split("__")
    path = ".".join(parts)
    if not all(_TABLE_NAME.fullmatch(part) for part in parts):
        return None, False
    if find_row(path):
        return path, False
    shorter = path.removesuffix(_FILE_SUFFIX)
    row = find_row(shorter) if shorter != path else None
    return (shorter, True) if row and row.secrecy != "open" else (None, False)


def _take_variable(gathered: Gathered, path: str, variable: str, value: str, *, is_file: bool) -> None:
    if is_file:
        try:
            value = Path(value).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as refusal:
            reason = refusal.strerror if isinstance(refusal, OSError) else "not UTF-8 text"
            what = f"The file that {variable} names cannot be read: {reason}."
            fix = "Correct the path or the file's permissions."
            gathered.findings.append(error(SETTINGS_FILE_UNREADABLE, where=variable, setting=path, what=what, fix=fix))
            return
    gathered.give(path, Given(value=value, origin=Origin("environment", variable), text=True))


def _unknown_variable(variable: str, name: str) -> Finding:
    where, what = variable, f"{variable} is not the name of a setting."
    if name.startswith(f"{PREFIX}AUTH__"):
        fix = "The auth tree comes from auth.file or from [auth] in the file, not from the environment."
        return error(SETTING_UNKNOWN, where=where, setting=variable, what=what, fix=fix)
    meant = suggest_path(name.removeprefix(PREFIX).replace("__", "."))
    fix = f"Did you mean {environment_name(meant)}?" if meant else "Unset it; docs/settings.md lists every setting."
    return error(SETTING_UNKNOWN, where=where, setting=variable, what=what, fix=fix)


# --- App Service's own tree --------------------------------------------------------------------------------------


def _take_tree(gathered: Gathered, options: Options) -> None:
    given = gathered.values.get("auth.file")
    named = given is not None and isinstance(given.value, str) and bool(given.value)
    file = (str(given.value), given.origin) if given is not None and named else None
    choice = choose_tree(gathered.tree, file, options.environment, options.auth_tree, _command(options))
    gathered.tree = choice.source
    gathered.findings += choice.findings
    if choice.origin is not None:
        gathered.tables["auth"] = choice.origin
