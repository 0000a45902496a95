"""Which paths anybody may open: the entries of globalValidation.excludedPaths, and the warm-up path.

An excluded path is a hole in the wall, so it must mean the same to us and to the application behind us. Refused is
whatever an application could read as another path than we do (interface, section 7): dot segments, empty segments,
`;`, backslashes, encoded slashes, dots and backslashes, escapes that are broken, encoded twice or no UTF-8. Such a path
is not malformed; it only never counts as excluded.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Self
from urllib.parse import unquote_to_bytes

from doorward.base.frozen import frozen

_CONTROL = re.compile(r"[\x00-\x20\x7f]|%(?:[01][0-9a-f]|7f)", re.IGNORECASE)
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What is escaped again becomes one of the others where a path is decoded twice.
_AMBIGUOUS = re.compile(r"//|;|\\|%(?:2f|2e|5c|25|3b)", re.IGNORECASE)
_MEANINGFUL = frozenset("./\\;%")


def has_control(path: str) -> bool:
    """Say whether a path as it was sent holds a control character, as it is or percent-encoded."""
    if "%" not in path and path.isascii() and path.isprintable() and " " not in path:
        return False  # nearly every path there is
    return _CONTROL.search(path) is not None


def plain_path(path: str) -> str | None:
    """Decode a path as it was sent; None where two readers could take it for two different paths.

    `path` holds the bytes of the request line as latin-1.
    """
    if path[:1] != "/" or _AMBIGUOUS.search(path) or _BROKEN.search(path) or _CONTROL.search(path):
        return None
    try:
        decoded = unquote_to_bytes(path.encode("latin-1")).decode()
    except UnicodeError:
        return None
    if any(segment and not segment.strip(". ") for segment in decoded.split("/")):
        return None  # dot segments, and those that some file systems cut down to one
    return None if _becomes_meaningful(decoded) else decoded


def _becomes_meaningful(text: str) -> bool:
    """Say whether a letter beyond ASCII folds to one that separates paths, as the full-width slash does on Windows."""
    if text.isascii():
        return False
    strange = "".join(letter for letter in text if not letter.isascii())
    return not _MEANINGFUL.isdisjoint(unicodedata.normalize("NFKC", strange))


@frozen(kw_only=False)
class OpenPaths:
    """Paths that need no sign-in: `exact` ones, and everything that begins with one of `prefixes`."""

    exact: frozenset[str]
    prefixes: tuple[str, ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Read the entries of excludedPaths: an exact path, or a prefix that ends in `/*` (easy-auth reference 9.2).

        Letter for letter and with regard to case; a `*` anywhere else means itself. An entry may be written
        percent-encoded or not; one that `plain_path` refuses covers nothing.
        """
        exact: set[str] = set()
        prefixes: set[str] = set()
        for entry in entries:
            is_prefix = entry.endswith("/*")
            path = plain_path(_sent(entry[:-1] if is_prefix else entry))
            if path is not None:
                (prefixes if is_prefix else exact).add(path)
        return cls(frozenset(exact), tuple(sorted(prefixes)))

    def covers(self, path: str) -> bool:
        """Say whether a path as it was sent needs no sign-in."""
        if not self.exact and not self.prefixes:
            return False
        plain = plain_path(path)
        return plain is not None and (plain in self.exact or plain.startswith(self.prefixes))


def _sent(entry: str) -> str:
    """Give an entry as a request line would hold it: the bytes of its UTF-8 as latin-1, and a space encoded."""
    return entry.replace(" ", "%20").encode("utf-8", "surrogatepass").decode("latin-1")
