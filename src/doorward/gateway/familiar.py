"""What of a request need not be read again, because it came before, byte for byte.

A browser or a program sends the same header lines with one request after another, on a few connections. What follows
from them alone, from nothing that a clock, a database or chance decides, is remembered with these very bytes: what the
application gets of them, and by what their sender passes (`Standing`), which is held against memory and the clock anew
for each request. Only requests are remembered that were read, judged and let through as a whole: a GET without a body,
in HTTP/1.1, on a connection that is kept, from a peer that is no trusted proxy, and asked for before with these lines.
"""

from typing import final

from doorward.gateway.head import Head
from doorward.gateway.keeping import Keeping
from doorward.identity.admission import Allow
from doorward.identity.paths import has_control

MOST_BYTES = 48 << 20
MOST_LINES = 4096
LONGEST_LINE = 1024
LONGEST_BLOCK = 8192
LONGEST_HEAD = LONGEST_LINE + LONGEST_BLOCK + 4
_OVERHEAD = 512
_KEPT_ALIVE = frozenset({b"keep-alive"})


@final
class Standing:
    """By what the sender of certain header lines passes with a GET, whatever its address is.

    That is the credential that the session memory has under `key`, at the origin `site`; or with `allow` nothing but
    the settings. `site` is None where there is only one.
    """

    __slots__ = ("allow", "key", "site")

    def __init__(self, *, key: bytes = b"", site: str | None = None, allow: Allow | None = None) -> None:
        """Note it."""
        self.key = key
        self.site = site
        self.allow = allow


@final
class KnownFields:
    """Header lines as they came (`block`), and what follows from them.

    `kept` are the lines that the application gets of them, `host` is the one they name, `standing` what their sender
    passes by.
    """

    __slots__ = ("block", "host", "kept", "standing")

    def __init__(self, head: Head, kept: list[bytes], standing: Standing) -> None:
        """Take what was worked out for `head`."""
        self.block = head.block
        self.host = head.host
        self.kept = tuple(kept)
        self.standing = standing

    @property
    def weight(self) -> int:
        """Estimate the bytes that this takes."""
        return _OVERHEAD + 2 * len(self.block)


@final
class Familiar:
    """Request lines that lead to the application (`lines`), and header lines by their bytes (`fields`)."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Know nothing yet, and never more than so many bytes."""
        self.lines: set[bytes] = set()
        self._fields: Keeping[bytes, KnownFields] = Keeping(most_bytes)
        self.fields = self._fields.kept

    def is_worth_keeping(self, head: Head) -> bool:
        """Say whether the header lines of a GET that passes should be remembered now, and remember its first line."""
        if not is_ordinary(head) or has_control(head.path):
            return False
        if head.line not in self.lines:
            if len(self.lines) >= MOST_LINES:
                self.lines.clear()
            self.lines.add(head.line)
        return self._fields.is_due(head.block)

    def keep(self, known: KnownFields) -> None:
        """Remember header lines, if there is room."""
        self._fields.keep(known.block, known)


def is_ordinary(head: Head) -> bool:
    """Say whether a request is a GET of which nothing but its bytes decides how it is read."""
    return (
        head.is_1_1
        and head.keeps_alive
        and head.length == 0
        and head.options <= _KEPT_ALIVE
        and not head.expects_go_ahead
        and len(head.line) <= LONGEST_LINE
        and len(head.block) <= LONGEST_BLOCK
        and head.line == b"GET %b HTTP/1.1" % head.target
        and all(name != b"upgrade" for name, _ in head.fields)
    )
