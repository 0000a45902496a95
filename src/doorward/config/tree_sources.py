"""Which auth tree counts: a file, inline, a variable, or none; and what App Service's own pointer to a file leads to.

`auth.file` and an inline tree exclude each other (interface, "Where settings come from"). Without either,
`WEBSITE_AUTH_V2_CONFIG_JSON` is the tree, as App Service shows it to a running app; without that,
`WEBSITE_AUTH_ENABLED=true` asks for a tree that is made of the other variables alone; last comes what a command brings
with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from doorward.base.faults import SETTING_CONFLICT
from doorward.config.documents import Unreadable, read_auth_file, read_auth_variable
from doorward.config.findings import Finding, error
from doorward.config.settings import Origin
from doorward.config.tree_reading import TreeSource
from doorward.config.website_auth import ENABLED, TREE, asks_for_sign_in, lookup


@dataclass(slots=True)
class TreeChoice:
    """The tree that counts, None where there is none, with where it came from and what was wrong on the way."""

    source: TreeSource | None = None
    origin: Origin | None = None
    findings: list[Finding] = field(default_factory=list[Finding])


def choose_tree(
    inline: TreeSource | None,
    file: tuple[str, Origin] | None,
    environment: Mapping[str, str],
    preset: Mapping[str, object] | None,
    command: str,
) -> TreeChoice:
    """Choose among an inline tree, the file of `auth.file` with its origin, variables, and a command's own tree.

    `command` is what findings about that last one name as its place.
    """
    choice = TreeChoice(source=inline)
    if file is not None:
        _take_file(choice, *file)
    elif inline is not None:
        _follow_pointer(choice, inline)
    elif found := lookup(environment, TREE):
        _take_variable(choice, *found)
    elif asks_for_sign_in(environment):
        choice.source = TreeSource(content={}, place=lambda _: ENABLED)
        choice.origin = Origin("environment", ENABLED)
    elif preset is not None:
        choice.source = TreeSource(content=preset, place=lambda _: command)
        choice.origin = Origin("default", command)
    return choice


def _take_file(choice: TreeChoice, name: str, origin: Origin) -> None:
    choice.origin = origin
    if choice.source is not None:
        what = "The auth tree is written inline and auth.file names a file as well."
        fix = "Keep one of the two."
        choice.findings.append(error(SETTING_CONFLICT, where=str(origin), setting="auth.file", what=what, fix=fix))
        return
    try:
        choice.source = read_auth_file(name, str(origin))
    except Unreadable as refusal:
        choice.findings.append(refusal.finding)


def _take_variable(choice: TreeChoice, text: str, variable: str) -> None:
    choice.origin = Origin("environment", variable)
    try:
        choice.source = read_auth_variable(text, variable)
    except Unreadable as refusal:
        choice.findings.append(refusal.finding)


def _follow_pointer(choice: TreeChoice, inline: TreeSource) -> None:
    """Read the file that `platform.configFilePath` names: it takes the place of the tree (easy-auth reference 9)."""
    platform = inline.content.get("platform")
    name = cast("dict[str, object]", platform).get("configFilePath") if isinstance(platform, dict) else None
    if not isinstance(name, str) or not name:
        return
    try:
        choice.source = read_auth_file(name, inline.place(("platform", "configFilePath")))
    except Unreadable as refusal:
        choice.findings.append(refusal.finding)
