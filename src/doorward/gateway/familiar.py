"""What of a request need not be read again, because it came before, byte for byte.

A browser or a program sends the same header lines with one request after another, on a few connections. What follows
from them alone, from nothing that a clock, a database or chance decides, is remembered with these very bytes: what the
application gets of them, and by what their sender passes (`Standing`), which is held against memory and the clock anew
for each request. Only requests are remembered that were read, judged and let through as a whole: a GET without a body,
in HTTP/1.1, on a connection that is kept, from a peer that is no trusted proxy, and asked for before with these lines.
"""

from collections import OrderedDict
from typing import final

from doorward.gateway.head import Head
from doorward.identity.admission import Allow
from doorward.identity.paths import has_control

MOST_BYTES = 48 << 20
MOST_LINES = 4096
LONGEST_LINE = 1024
LONGEST_BLOCK = 8192
LONGEST_HEAD = LONGEST_LINE + LONGEST_BLOCK + 4
_MOST_MET = 1 << 16
_OVERHEAD = 512
_TURN = 8
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
        self.fields: OrderedDict[bytes, KnownFields] = OrderedDict()
        self._most_bytes = most_bytes
        self._bytes = 0
        self._met: set[int] = set()
        self._turned_away = 0

    def is_worth_keeping(self, head: Head) -> bool:
        """Say whether the header lines of a GET that passes should be remembered now, and remember its first line."""
        if not _is_ordinary(head):
            return False
        if head.line not in self.lines:
            if len(self.lines) >= MOST_LINES:
                self.lines.clear()
            self.lines.add(head.line)
        return head.block not in self.fields and self._was_met(head.block)

    def keep(self, known: KnownFields) -> None:
        """Remember header lines, if there is room.

        Where there is none, each eighth newcomer takes the place of the oldest: those who come by in turn, and are more
        than there is room for, would otherwise drive each other out before any of them came again.
        """
        if self._bytes + known.weight > self._most_bytes:
            self._turned_away += 1
            if self._turned_away % _TURN:
                return
            while self.fields and self._bytes + known.weight > self._most_bytes:
                self._bytes -= self.fields.popitem(last=False)[1].weight
        self.fields[known.block] = known
        self._bytes += known.weight

    def _was_met(self, block: bytes) -> bool:
        """Say whether these lines came before; what comes once is not worth its room. A mistake costs nothing more."""
        mark = hash(block)
        if mark in self._met:
            self._met.discard(mark)
            return True
        if len(self._met) >= _MOST_MET:
            self._met.clear()
        self._met.add(mark)
        return False


def _is_ordinary(head: Head) -> bool:
    """Say whether nothing about a GET but its bytes decides how it is read and where it goes."""
    return (
        head.is_1_1
        and head.keeps_alive
        and head.length == 0
        and head.options <= _KEPT_ALIVE
        and not head.expects_go_ahead
        and len(head.line) <= LONGEST_LINE
        and len(head.block) <= LONGEST_BLOCK
        and head.line == b"GET %b HTTP/1.1" % head.target
        and not has_control(head.path)
        and all(name != b"upgrade" for name, _ in head.fields)
    )
