"""What the generation that `easyauth.profile` names does not have, and the auth tree asks for all the same.

Such a tree was written for another generation, or the profile was meant for another tree: in the original the key would
be ignored, or the provider unknown. Here it counts, and is reported (easy-auth reference 11.2 and 12).
"""

from collections.abc import Iterator

from doorward.base.errors import ErrorRow
from doorward.base.faults import SETTING_CONFLICT, SETTING_UNKNOWN
from doorward.config.auth_plan import AuthPlan
from doorward.config.crosscheck_auth import path_of
from doorward.config.findings import Finding, warning
from doorward.config.settings import Settings
from doorward.config.tree_keys import PROVIDERS, Path
from doorward.config.tree_reading import TreeValues, setting_of

_OF_2016 = ("aad", "facebook", "google", "microsoftaccount", "twitter")
_ACTION = ("globalValidation", "unauthenticatedClientAction")
_REQUIRED = ("globalValidation", "requireAuthentication")
_DIRECTORY = ("login", "tokenStore", "fileSystem", "directory")
_MICROSOFT = (PROVIDERS, "legacyMicrosoftAccount")


def check_profile(settings: Settings) -> Iterator[Finding]:
    """Give the findings about what the named generation lacks; the generation of today lacks nothing."""
    plan, values = settings.auth.plan, settings.auth.values
    if plan is None or values is None or not plan.enabled:
        return
    if settings.easyauth.profile == "2016":
        yield from _newer_than_2016(plan, values)
    elif settings.easyauth.profile == "container-apps":
        yield from _not_of_container_apps(values)


def _newer_than_2016(plan: AuthPlan, values: TreeValues) -> Iterator[Finding]:
    for provider in plan.providers.values():
        if provider.name not in _OF_2016:
            what = "is a provider that the generation of 2016 did not have, and counts here all the same"
            yield _found(SETTING_CONFLICT, path_of(provider), values, what, "Remove it, or the profile.")


def _not_of_container_apps(values: TreeValues) -> Iterator[Finding]:
    fix = "Remove it, or the profile."
    for path in (_REQUIRED, _DIRECTORY):
        if path in values.found:
            counts = "" if values.found[path].key.reason else ", and counts here all the same"
            yield _found(SETTING_UNKNOWN, path, values, f"is not a key of Container Apps{counts}", fix)
    if values.text(*_ACTION) == "Return404":
        what = "is Return404, which Container Apps have not, and which counts here all the same"
        yield _found(SETTING_CONFLICT, _ACTION, values, what, "Write another action, or remove the profile.")
    if _MICROSOFT in values.branches:
        what = "is no provider of Container Apps, and counts here all the same"
        yield _found(SETTING_UNKNOWN, _MICROSOFT, values, what, fix)


def _found(row: ErrorRow, path: Path, values: TreeValues, what: str, fix: str) -> Finding:
    what = f"{'.'.join(path)} {what}."
    return warning(row, where=values.place(*path), setting=setting_of(path), what=what, fix=fix)
