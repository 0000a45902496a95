"""On which line of a TOML file a key stands.

The standard library's reader gives no places, and a finding without a line is half a finding. This scanner reads only
as much as it takes to know the headers and keys of files as people write them; where it is unsure it names the nearest
table above. Whether the file is TOML at all is for `tomllib` to say.
"""

import re
from collections.abc import Mapping

Path = tuple[str, ...]

_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')"
_NAME = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_NAME})\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(rf"\s*({_NAME})\s*=(.*)")
_PIECE = re.compile(_PART)
_TOKENS = re.compile(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"|'[^']*'|#.*|[\[\]{}]")


def key_lines(text: str) -> dict[Path, int]:
    """Map each table and key of a TOML file, by its whole path, to the line where it is first named."""
    found: dict[Path, int] = {}
    table: Path = ()
    open_quotes, depth = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        rest = line
        if not open_quotes and depth == 0:
            if header := _HEADER.fullmatch(line):
                table = _pieces(header.group(1))
                for length in range(1, len(table) + 1):
                    found.setdefault(table[:length], number)
                continue
            key = _KEY.fullmatch(line)
            if key is None:
                continue
            found.setdefault(table + _pieces(key.group(1)), number)
            rest = key.group(2)
        open_quotes, depth = _after(rest, open_quotes, depth)
    return found


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """Give the line of a key, else that of the nearest table around it, else None."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return None


def _pieces(name: str) -> Path:
    return tuple(piece.strip("\"'") for piece in _PIECE.findall(name))


def _after(text: str, quotes: str, depth: int) -> tuple[str, int]:
    """Say what is still open at the end of a line: the quotes of a long string, and how many brackets."""
    while text:
        if quotes:
            _, closing, text = text.partition(quotes)
            quotes = "" if closing else quotes
            continue
        token = _TOKENS.search(text)
        if token is None:
            break
        text = text[token.end() :]
        found = token.group()
        quotes = found if found in {'"""', "'''"} else ""
        depth += (found in {"[", "{"}) - (found in {"]", "}"})
    return quotes, depth
