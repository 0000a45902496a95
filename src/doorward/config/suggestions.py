"""What somebody probably meant who wrote a name that is not there."""

import difflib
from collections.abc import Iterable

from doorward.config.rows import rows_of
from doorward.config.settings import SECTIONS, every_row, section_named

_NOTHING_NEAR = "Remove it; docs/settings.md lists every setting."


def suggest_section(name: str) -> str:
    """Propose the section of a like name, else the section that has a setting of this name."""
    close = nearest(name, [entry.name for entry in SECTIONS])
    return f"Did you mean [{close}]?" if close else suggest_key(name, [])


def suggest_key(key: str, nearby: Iterable[str]) -> str:
    """Propose a like-named one of the settings `nearby`, given by whole names, else the same key of another section."""
    by_key = {path.rsplit(".", 1)[-1]: path for path in nearby}
    if close := nearest(key, by_key):
        return f"Did you mean {by_key[close]}?"
    elsewhere = next((entry.name for entry, other, _ in every_row() if other == key), None)
    return f"Did you mean {key} in [{elsewhere}]?" if elsewhere else _NOTHING_NEAR


def suggest_path(path: str) -> str | None:
    """Give the whole name nearest to one that leads nowhere: its section first, then its key; None if none is near."""
    head, *rest = path.split(".")
    close = nearest(head, [entry.name for entry in SECTIONS])
    entry = section_named(close) if close else None
    if entry is None or len(rest) != (2 if entry.named else 1):
        return None
    key = nearest(rest[-1], [key for key, _ in rows_of(entry.section)])
    return ".".join([entry.name, *rest[:-1], key]) if key else None


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """Give the choice that is most like a name, or None where none is near."""
    return next(iter(difflib.get_close_matches(name.lower(), list(choices), n=1)), None)
