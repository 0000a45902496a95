"""One header line, of a request or an answer: what it says, and what becomes of it on the way to the application.

Lines are read strictly, by the grammar of RFC 9112 section 5: a token, a colon, a value without control characters.
Most lines of most requests have been seen before, so those that hold nothing private are remembered with all that
follows from them.
"""

import re
from enum import Enum, auto
from typing import Final, final

from doorward.gateway.fields import Field, Unreadable
from doorward.protocol.easyauth import is_forgeable

KNOWN_LINES = 4096
KNOWN_LINE_BYTES = 512
KNOWN_NAMES = 2048
KNOWN_NAME_BYTES = 64
_COMMON = frozenset({
    b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"accept-ranges", b"cache-control",
    b"connection", b"content-encoding", b"content-language", b"content-length", b"content-type", b"date", b"dnt",
    b"expect", b"expires", b"host", b"keep-alive", b"pragma", b"priority", b"sec-ch-ua", b"sec-ch-ua-mobile",
    b"sec-ch-ua-platform", b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user", b"server", b"te",
    b"transfer-encoding", b"upgrade", b"upgrade-insecure-requests", b"user-agent", b"vary", b"x-content-type-options",
    b"x-forwarded-host", b"x-forwarded-proto", b"x-frame-options", b"x-original-method", b"x-requested-with",
})  # fmt: skip
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROLS: Final = bytes(set(range(32)) - {9}) + b"\x7f"

# Between the client and us alone (RFC 9110 section 7.6.1), or written anew.
_OURS = frozenset({b"connection", b"http2-settings", b"keep-alive", b"proxy-authorization", b"proxy-connection", b"te",
                   b"transfer-encoding", b"upgrade", b"x-request-id"})  # fmt: skip
_WAY = frozenset({b"forwarded", b"true-client-ip", b"x-client-ip", b"x-cluster-client-ip", b"x-original-for",
                  b"x-original-host", b"x-original-method", b"x-original-uri", b"x-original-url", b"x-real-ip",
                  b"x-rewrite-url"})  # fmt: skip
_TELLING = frozenset({b"connection", b"content-length", b"date", b"expect", b"host", b"transfer-encoding", b"upgrade"})


class Fate(Enum):
    """What becomes of a line on the way to the application."""

    PASSES = auto()
    IS_OURS = auto()
    IS_WAY = auto()
    IS_HOST = auto()
    IS_ASKED_ABOUT = auto()  # what becomes of it depends on its value


@final
class Name:
    """A header's name, in lower case as `text`, and what follows from it alone.

    `is_telling` says that the connection's own business depends on such a line, `is_common` that its value is nothing
    private, `is_told` that the judge has to look at it.
    """

    __slots__ = ("fate", "has_underscore", "is_common", "is_telling", "is_told", "passes", "text")

    def __init__(self, spelled: bytes) -> None:
        """Look at a name as it was sent."""
        self.text = spelled.lower()
        self.fate = fate_of(self.text)
        self.passes = self.fate is Fate.PASSES
        self.is_telling = self.text in _TELLING
        self.is_common = self.text in _COMMON
        self.has_underscore = b"_" in spelled
        self.is_told = self.is_telling or self.has_underscore


@final
class Line:
    """A well-formed header line: `field` is its lower-case name with the value, `raw` the line as it is sent on."""

    __slots__ = ("field", "name", "passes", "raw", "value")

    def __init__(self, name: Name, value: bytes, raw: bytes) -> None:
        """Take what `read_line` has read."""
        self.name = name
        self.passes = name.passes
        self.value = value
        self.field: Field = (name.text, value)
        self.raw = raw


_lines: dict[bytes, Line] = {}
_names: dict[bytes, Name] = {}


def read_lines(data: list[bytes]) -> list[Line]:
    """Read header lines, each without its end; raises `Unreadable` for one that is none."""
    known = _lines
    return [known.get(line) or read_line(line) for line in data]


def read_line(data: bytes) -> Line:
    """Read a header line; raises `Unreadable` for what is none, the continuation of another among them."""
    spelled, colon, value = data.partition(b":")
    name = _names.get(spelled) or _read_name(spelled)
    if not colon or len(value.translate(None, _CONTROLS)) != len(value):
        raise Unreadable
    stripped = value.strip(b" \t")
    raw = data + b"\r\n"
    if name.is_telling:  # however it was set, we set it in one way; and nothing may stand behind a length
        if value[-1:] in {b" ", b"\t"}:
            raise Unreadable
        raw = b"%b: %b\r\n" % (spelled, stripped)
    line = Line(name, stripped, raw)
    if name.is_common and len(data) <= KNOWN_LINE_BYTES:
        if len(_lines) >= KNOWN_LINES:
            _lines.clear()
        _lines[data] = line
    return line


def _read_name(spelled: bytes) -> Name:
    """Read a name; names are few, so what they are is remembered, but for long ones from strangers."""
    if not _TOKEN.fullmatch(spelled):
        raise Unreadable
    name = Name(spelled)
    if len(spelled) <= KNOWN_NAME_BYTES:
        if len(_names) >= KNOWN_NAMES:
            _names.clear()
        _names[spelled] = name
    return name


def fate_of(name: bytes) -> Fate:
    """Say what becomes of a field with this lower-case name."""
    if name in _OURS:
        return Fate.IS_OURS
    if name == b"host":
        return Fate.IS_HOST
    hyphenated = name.replace(b"_", b"-")
    if hyphenated in _WAY or hyphenated.startswith(b"x-forwarded-"):
        return Fate.IS_WAY
    if is_forgeable(name) or hyphenated in {b"cookie", b"trailer"}:
        return Fate.IS_ASKED_ABOUT
    return Fate.PASSES
