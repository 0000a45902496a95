"""docs/settings.md, made from the rows.

The page is generated, and a test holds the file to it: `python -m doorward.config.docs > docs/settings.md` writes it
anew after a row has changed.
"""

import sys
from collections.abc import Iterator
from typing import cast

from doorward.config.clouds import BUILT_IN
from doorward.config.rows import Row, rows_of
from doorward.config.settings import SECTIONS, SectionRow
from doorward.config.sources import environment_name

_HEAD = """\
# Settings

<!-- Made from the rows in src/doorward/config by: python -m doorward.config.docs > docs/settings.md -->

Doorward reads one file, `doorward.toml`: the one that `--config` names, else the one in the current directory, else
none at all: every setting has its default. `doorward check` says what is wrong and how to mend it, with file and
line; `doorward config show` prints every effective setting and where it came from, with secrets masked.

What counts more comes first:

1. options of the command line;
2. environment variables `DOORWARD_<SECTION>__<KEY>`, without regard to case: lists are separated by commas, booleans
   are `true` or `false`. For every secret, and for `database.url`, the same name with `_FILE` at its end names a file
   that holds the value;
3. `WEBSITE_AUTH_ENCRYPTION_KEY` and `WEBSITE_AUTH_SIGNING_KEY`, as App Service sets them;
4. the file.

An unknown key, section or variable is an error, never ignored. Durations are `"60s"`, `"10m"`, `"8h"`, `"7d"` or
`"hh:mm:ss"`, sizes `"512B"`, `"32KiB"`, `"1MiB"`. An address with `http:` is accepted on loopback only. Relative paths
start at the current directory, not at the file that names them.

Sections marked *Easy Auth* belong to the gateway and to sign-in, which this release does not have. They are checked
like all others; asking for the gateway (`app.upstream`) or for sign-in (`[auth]`) is an error, the rest a warning.
"""


def render_docs() -> str:
    """Make the whole page."""
    return _HEAD + "".join(_section(entry) for entry in SECTIONS)


def _section(entry: SectionRow) -> str:
    name = f"[{entry.name}.NAME]" if entry.named else f"[{entry.name}]"
    about = (entry.section.__doc__ or "").split(": ", 1)[1].split("\n")[0]
    face = " *Easy Auth.*" if entry.face == "easyauth" else ""
    parts = [f"\n## {name}\n\n{about[0].upper()}{about[1:]}{face}\n"]
    if entry.name == "clouds":
        parts += _built_in_clouds()
    parts += [_row(entry, key, row) for key, row in rows_of(entry.section)]
    return "".join(parts)


def _row(entry: SectionRow, key: str, row: Row) -> str:
    path = f"{entry.name}.NAME.{key}" if entry.named else f"{entry.name}.{key}"
    variable = environment_name(path)
    others = f", `{variable}_FILE`" if row.secrecy != "open" else ""
    secret = ", secret" if row.secrecy == "secret" and not row.kind.name.startswith("secret") else ""
    return (
        f"\n### `{path}`\n\n{row.about}\n\n"
        f"- Type: {row.kind.name}{secret}\n- Default: `{_toml(row.default)}`\n- Environment: `{variable}`{others}\n"
    )


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in cast("list[object]", value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _built_in_clouds() -> Iterator[str]:
    yield (
        "\nBuilt in are the three below. A table that sets some keys keeps the built-in values of the others;\n"
        "another name needs an issuer and its keys together. A cloud is in use when it is `global`, has a table, or\n"
        "is named by a registration.\n"
    )
    for name, cloud in BUILT_IN.items():
        yield f'\n```toml\n[clouds.{name}]\nissuer_v1 = "{cloud.issuer_v1}"\nissuer_v2 = "{cloud.issuer_v2}"\n'
        yield f'keys_v1 = "{cloud.keys_v1}"\nkeys_v2 = "{cloud.keys_v2}"\n```\n'


if __name__ == "__main__":
    sys.stdout.write(render_docs())
