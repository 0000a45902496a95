"""The auth tree as it is in effect: for `doorward config show`, and as JSON that reads back to the same plan.

Every key that was understood is there, in its canonical spelling and with what variables laid over it; so are the
defaults that count. Secrets are never in the tree, only the names of their variables; a name that looks like a secret
somebody pasted is shown as stars.
"""

import re
from collections.abc import Iterator
from typing import cast

from doorward import providers
from doorward.base.frozen import frozen
from doorward.base.secret import MASK
from doorward.config.auth_plan import AuthPlan
from doorward.config.tree_keys import ANY_NAME, CUSTOM, PROVIDERS, Path, TreeKey, keys_of
from doorward.config.tree_kinds import SECRET_NAME, SETTING_NAME
from doorward.config.tree_providers import is_like_a_name
from doorward.config.tree_reading import TreeValues

_OF_CONTAINER_APPS = re.compile(r"(?=.{1,253}\Z)[a-z0-9]{1,24}(?:[.-]{1,8}[a-z0-9]{1,24})*")


@frozen
class Effective:
    """One key of the tree as it is in effect: its path, its value as JSON, and where that came from."""

    path: Path
    value: object
    origin: str


def effective_keys(values: TreeValues, plan: AuthPlan) -> Iterator[Effective]:
    """Give every key that counts, in the order of the documentation, providers in the order of the tree.

    Of a provider, those that were written, and the defaults of one that takes part.
    """
    entries = list(_entries(values, plan))
    rank = {name: number for number, name in enumerate(values.names(PROVIDERS))}
    ranked = sorted((entry for entry in entries if entry.path[0] == PROVIDERS), key=lambda entry: rank[entry.path[1]])
    ordered = iter(ranked)
    for entry in entries:
        yield next(ordered) if entry.path[0] == PROVIDERS else entry


def _entries(values: TreeValues, plan: AuthPlan) -> Iterator[Effective]:
    derived = _derived(plan)
    for key in keys_of(providers.ALL.values()):
        for path in _paths(key, values):
            found = values.found.get(path)
            value = found.value if found else derived.get(path, key.default)
            if value is None or (found is None and not _counts(path, value, plan)):
                continue
            origin = found.place if found else "default"
            yield Effective(path=path, value=_written(key, value), origin=origin)


def effective_tree(values: TreeValues, plan: AuthPlan) -> dict[str, object]:
    """Give the whole tree as JSON: reading it again gives the same plan in the same surroundings."""
    tree: dict[str, object] = {}
    for entry in effective_keys(values, plan):
        here = tree
        for piece in entry.path[:-1]:
            here = cast("dict[str, object]", here.setdefault(piece, {}))
        here[entry.path[-1]] = entry.value
    return tree


def _paths(key: TreeKey, values: TreeValues) -> list[Path]:
    if ANY_NAME not in key.path:
        return [key.path]
    at = key.path.index(ANY_NAME)
    return [(*key.path[:at], name, *key.path[at + 1 :]) for name in values.names(*key.path[:at])]


def _derived(plan: AuthPlan) -> dict[Path, object]:
    """Give what counts where a key is absent and its default follows from others."""
    return {
        ("globalValidation", "unauthenticatedClientAction"): plan.action,
        ("login", "routes", "logoutEndpoint"): plan.logout_path,
        ("httpSettings", "requireHttps"): plan.require_https,
    }


def _counts(path: Path, value: object, plan: AuthPlan) -> bool:
    """Say whether a default is worth telling: it says something, and belongs to what takes part."""
    if path[0] != PROVIDERS:
        return value != ""
    if path[1] == CUSTOM:
        return value not in ("", ()) and path[2] in plan.providers
    return value not in ("", ()) and any(path[1] == entry.spec.tree_key for entry in plan.providers.values())


def _may_be_a_secret(key: TreeKey, name: str) -> bool:
    """Say whether what should be a name looks like a secret; those of Container Apps have names of their own kind."""
    if key.kind is SECRET_NAME:
        return not (is_like_a_name(name) or _OF_CONTAINER_APPS.fullmatch(name))
    return key.kind is SETTING_NAME and not is_like_a_name(name)


def _written(key: TreeKey, value: object) -> object:
    if isinstance(value, str) and value and _may_be_a_secret(key, value):
        return MASK
    return key.kind.write(value)
