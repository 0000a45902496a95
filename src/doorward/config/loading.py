"""The way in: options become settings, or findings.

`load` gives settings that everything in the house may rely on, or raises with all that is wrong; `check` tells without
raising. Both read, parse and compare in the same way, so `doorward check` finds what `doorward serve` would refuse.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from doorward.base.faults import SETTING_INVALID
from doorward.config.addresses import Unsuitable
from doorward.config.auth_tree import plan_tree
from doorward.config.clouds import BUILT_IN, Cloud, CloudRows, merge_cloud
from doorward.config.crosscheck import cross_check
from doorward.config.findings import Finding, SettingsRejected, error
from doorward.config.rows import Row
from doorward.config.sections_easyauth import AuthSettings, ProviderSettings
from doorward.config.settings import SECTIONS, Settings, find_row
from doorward.config.sources import Gathered, Given, Options, gather
from doorward.config.website_auth import report_idle

__all__ = ["Options", "check", "load"]


def load(options: Options) -> Settings:
    """Read the settings.

    Raises `SettingsRejected` with every finding when one of them is an error; warnings are kept in the settings.
    """
    settings, findings = _examine(options)
    if any(finding.severity == "error" for finding in findings):
        raise SettingsRejected(findings)
    return replace(settings, warnings=tuple(findings))


def check(options: Options, look: Callable[[Settings], Iterable[Finding]] = lambda _: ()) -> list[Finding]:
    """Say everything that is wrong or questionable about the settings, errors first.

    `look` finds what lies beyond them, such as in the database that they name; it hears of no setting that was refused.
    """
    settings, findings = _examine(options)
    refused = {finding.setting for finding in findings if finding.severity == "error"}
    findings += [finding for finding in look(settings) if finding.setting not in refused]
    return sorted(findings, key=lambda finding: finding.severity)


def _examine(options: Options) -> tuple[Settings, list[Finding]]:
    gathered = gather(options)
    values, findings = _parse(gathered)
    settings = _assemble(gathered, values)
    refused = {finding.setting for finding in (*gathered.findings, *findings)}
    settings, planned = _with_plan(gathered, settings, options)
    crossed = [finding for finding in cross_check(settings, options.purpose) if finding.setting not in refused]
    return settings, [*gathered.findings, *findings, *planned, *crossed]


def _with_plan(gathered: Gathered, settings: Settings, options: Options) -> tuple[Settings, tuple[Finding, ...]]:
    """Add what the auth tree comes to; commands that serve nothing need not have its secrets at hand."""
    if gathered.tree is None:
        return settings, tuple(report_idle(options.environment)) if options.purpose != "command" else ()
    planned = plan_tree(
        gathered.tree,
        environment=options.environment,
        public_url=settings.server.public_url,
        written=settings.providers,
    )
    auth = replace(settings.auth, plan=planned.plan, values=planned.values)
    return replace(settings, auth=auth), planned.findings if options.purpose != "command" else ()


def _parse(gathered: Gathered) -> tuple[dict[str, object], list[Finding]]:
    values: dict[str, object] = {}
    findings: list[Finding] = []
    for path, given in gathered.values.items():
        row = find_row(path)
        if row is None:
            # Only the program's own commands preset and override by name: a wrong one is a fault of ours.
            raise LookupError(f"{path} is not a setting")
        try:
            values[path] = _value(row, given)
        except Unsuitable as refusal:
            what = f"{path} {refusal.what}."
            findings.append(error(SETTING_INVALID, where=str(given.origin), setting=path, what=what, fix=refusal.fix))
    return values, findings


def _value(row: Row, given: Given) -> object:
    written = row.kind.from_text(given.value) if given.text and isinstance(given.value, str) else given.value
    return row.kind.parse(written)


def _assemble(gathered: Gathered, values: Mapping[str, object]) -> Settings:
    sections: dict[str, Any] = {}
    for entry in SECTIONS:
        if not entry.named:
            sections[entry.name] = entry.section(**_members(values, entry.name))
    auth: AuthSettings = sections["auth"]
    tree = None if gathered.tree is None else MappingProxyType(dict(gathered.tree.content))
    sections["auth"] = replace(auth, tree=tree)
    clouds = _tables(gathered, "clouds")
    origins = {path: given.origin for path, given in gathered.values.items() if path in values}
    return Settings(
        **sections,
        clouds=MappingProxyType(dict(BUILT_IN) | {name: _cloud(values, name) for name in clouds}),
        configured_clouds=frozenset({"global", *clouds}),
        providers=MappingProxyType(
            {name: ProviderSettings(**_members(values, f"providers.{name}")) for name in _tables(gathered, "providers")}
        ),
        origins=MappingProxyType(gathered.tables | origins),
    )


def _members(values: Mapping[str, object], table: str) -> dict[str, Any]:
    paths = {path: path.rpartition(".") for path in values}
    return {key: values[path] for path, (above, _, key) in paths.items() if above == table}


def _tables(gathered: Gathered, section: str) -> list[str]:
    return [path.partition(".")[2] for path in gathered.tables if path.startswith(f"{section}.")]


def _cloud(values: Mapping[str, object], name: str) -> Cloud:
    return merge_cloud(name, CloudRows(**_members(values, f"clouds.{name}")))
