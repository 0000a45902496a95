"""What `doorward config show` tells: every effective setting and where it came from, secrets masked."""

import json
from collections.abc import Iterator, Sequence

from doorward.base.frozen import frozen
from doorward.base.secret import MASK
from doorward.config.clouds import CloudRows
from doorward.config.rows import Row, rows_of
from doorward.config.sections_easyauth import ProviderSettings
from doorward.config.settings import SECTIONS, Settings
from doorward.config.tree_reading import setting_of
from doorward.config.tree_showing import effective_keys


@frozen
class ShownSetting:
    """One effective setting as text; a secret is stars, or nothing where none is set."""

    name: str
    value: str
    origin: str

    def members(self) -> dict[str, str]:
        """Give the setting as members of a JSON object."""
        return {"name": self.name, "value": self.value, "origin": self.origin}


def show(settings: Settings) -> list[ShownSetting]:
    """Give every effective setting, section by section in the order of the documentation."""
    shown: list[ShownSetting] = []
    for entry in SECTIONS:
        if entry.name == "clouds":
            for name in settings.clouds:
                shown += _members(settings, f"clouds.{name}", settings.clouds[name], CloudRows)
        elif entry.name == "providers":
            for name in settings.providers:
                shown += _members(settings, f"providers.{name}", settings.providers[name], ProviderSettings)
        else:
            shown += _members(settings, entry.name, getattr(settings, entry.name), entry.section)
        if entry.name == "auth":
            shown += _tree(settings)
    return shown


def _tree(settings: Settings) -> Iterator[ShownSetting]:
    """Give the auth tree, key by key."""
    plan, values = settings.auth.plan, settings.auth.values
    if plan is None or values is None:
        return
    for entry in effective_keys(values, plan):
        text = entry.value if isinstance(entry.value, str) else json.dumps(entry.value, ensure_ascii=False)
        yield ShownSetting(name=setting_of(entry.path), value=text, origin=entry.origin)


def render_text(shown: Sequence[ShownSetting]) -> str:
    """Lay settings out in columns, one a line: name, value, and where it came from."""
    name_width = min(max((len(entry.name) for entry in shown), default=0), 64)
    value_width = min(max((len(_quoted(entry)) for entry in shown), default=0), 60)
    lines = [f"{entry.name:<{name_width}}  {_quoted(entry):<{value_width}}  {entry.origin}" for entry in shown]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _quoted(entry: ShownSetting) -> str:
    return entry.value or '""'


def _members(settings: Settings, table: str, holder: object, section: type) -> Iterator[ShownSetting]:
    for key, row in rows_of(section):
        name = f"{table}.{key}"
        yield ShownSetting(name=name, value=_text(row, getattr(holder, key)), origin=str(settings.origin(name)))


def _text(row: Row, value: object) -> str:
    if row.secrecy == "secret":
        return MASK if value else ""
    if value == ():
        return "[]"
    return "" if value is None else row.kind.show(value)
