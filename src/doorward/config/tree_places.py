"""On which line of a JSON text a name stands.

The JSON reader gives no places, as that of TOML gives none (see `lines`). This scanner runs over text that was already
accepted as JSON, so it only has to tell names from values and to count lines.
"""

import json
import re
from typing import cast

Path = tuple[str, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]')


def name_lines(text: str) -> dict[Path, int]:
    """Map the path of every name in a JSON text to its line; entries of arrays have none of their own."""
    found: dict[Path, int] = {}
    path: list[str | None] = []  # what is open: the name last seen in an object, None in an array
    line, waiting = 1, ""
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "\n":
            line += 1
        elif token[0] == '"':
            waiting = token
        elif token == ":":
            if path and path[-1] is not None:
                path[-1] = cast("str", json.loads(waiting))
                if None not in path:
                    found.setdefault(tuple(cast("list[str]", path)), line)
        elif token in "{[":
            path.append("" if token == "{" else None)
        elif token in "}]" and path:
            path.pop()
    return found
