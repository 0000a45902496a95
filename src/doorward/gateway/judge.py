"""Whether a request's head means one thing alone: pure, without I/O.

Between two programs that read one request differently there is room for an attack, so whatever could be read in two
ways is refused, even where the specification says how to read it (RFC 9112; its section 11.2 names the attack).
`httptools` reads the bytes; what it lets pass and ought not to is found here. What `judge` gives is what is decided on
and, byte for byte, what is passed on.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import final

import httptools

from doorward.gateway.head import Fields, Head, Unreadable

MAX_FIELDS = 200
MAX_LENGTH_DIGITS = 15
_KNOWN_OPTIONS = 256
_KNOWN_BYTES = 128

_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)([/?]?.*)", re.IGNORECASE | re.DOTALL)
_LINE = re.compile(rb"[A-Z-]{1,24} (?:/|[Hh][Tt][Tt][Pp][Ss]?://)[!-~]* HTTP/1\.[01]")
_BEGIN = re.compile(rb"[A-Z-]{1,24}(?: (?:[/Hh][!-~]*(?: [HTP/1.0]*\r?)?)?)?")
_SHOWN = 64

_ONCE = (b"host", b"content-length", b"transfer-encoding", b"upgrade", b"expect")
# What we decide by, and what says who asks and for what: no other spelling of it, and no dropping it by Connection.
_DECIDED_BY = frozenset({
    b"accept", b"authorization", b"content-length", b"content-type", b"cookie", b"expect", b"forwarded", b"host",
    b"origin", b"referer", b"transfer-encoding", b"user-agent", b"x-forwarded-for", b"x-forwarded-host",
    b"x-forwarded-method", b"x-forwarded-port", b"x-forwarded-proto", b"x-forwarded-uri", b"x-original-method",
    b"x-original-url", b"x-request-id", b"x-requested-with", b"x-zumo-auth",
})  # fmt: skip
_FRAMING = frozenset({b"connection", b"keep-alive", b"te", b"trailer", b"upgrade"})
# Behind these stand protocols in which a client could say anything to the application, past us.
_NOT_TO_GO_OVER_TO = re.compile(rb"(?:h2c?|http|tls)(?:/.*)?", re.IGNORECASE)


@final
class _Reading:
    """What httptools found."""

    __slots__ = ("fields", "is_whole", "spelled", "target")

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.spelled: list[tuple[bytes, bytes]] = []
        self.is_whole = False

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))
        self.spelled.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_whole = True


def judge(raw: bytes) -> Head:
    """Give what a head says: `raw` is everything from the method to the first empty line, both included.

    Raises `Unreadable` for whatever is no HTTP/1.1 or HTTP/1.0 request, or could be taken for two.
    """
    reading = _Reading()
    parser = httptools.HttpRequestParser(reading)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass  # the rest belongs to another protocol once it was agreed on; that is not the parser's to say
    except httptools.HttpParserError:
        raise Unreadable from None
    method, version = parser.get_method(), parser.get_http_version()
    is_1_1 = version == "1.1"
    if not reading.is_whole or not raw.startswith(b"%b %b HTTP/1.%d\r\n" % (method, reading.target, is_1_1)):
        raise Unreadable
    if len(reading.fields) > MAX_FIELDS:
        raise Unreadable(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    if b" \r\n" in raw or b"\t\r\n" in raw:
        _strip(reading)
    fields = tuple(reading.fields)
    by_name = dict(fields)
    if len(by_name) != len(fields):
        _refuse_repeated(fields)
    host = by_name.get(b"host", b"")
    target = _origin_form(reading.target, host)
    head = Head(method, target, fields, tuple(reading.spelled), is_1_1=is_1_1)
    head.host = host
    _read_framing(head, by_name)
    return head


def refuse_early(begun: bytes) -> None:
    """Refuse what can no more become a request though its head is not whole; raises `Unreadable`.

    Somebody who speaks another protocol should not wait for our patience to end.
    """
    line, end, _ = begun.partition(b"\r\n")
    if not (_LINE.fullmatch(line) if end else _BEGIN.fullmatch(line[:_SHOWN])):
        raise Unreadable


def _read_framing(head: Head, by_name: Mapping[bytes, bytes]) -> None:
    """Read host, length, connection and their like; refuse what contradicts itself."""
    if (head.host or head.is_1_1 or b"host" in by_name) and not _HOST.fullmatch(head.host):
        raise Unreadable
    names = b"\n".join(by_name)
    if b"_" in names:
        _refuse_double_spelling(by_name)
    if b"transfer-encoding" in by_name:
        # In HTTP/1.0 it means nothing, and a proxy before us may have thought so (RFC 9112 section 6.1).
        if not head.is_1_1 or b"content-length" in by_name or by_name[b"transfer-encoding"].lower() != b"chunked":
            raise Unreadable
        head.length = None
    elif b"content-length" in by_name:
        head.length = length_of(by_name[b"content-length"])
    if b"connection" in by_name:
        _read_connection(head, by_name)
    if b"expect" in by_name:
        head.expects_go_ahead = head.is_1_1 and head.has_body and by_name[b"expect"].lower() == b"100-continue"


def _read_connection(head: Head, by_name: Mapping[bytes, bytes]) -> None:
    options: frozenset[bytes] = frozenset()
    for name, value in head.fields:
        if name == b"connection":
            options |= options_of(value)
    if not options.isdisjoint(_DECIDED_BY):
        raise Unreadable
    head.options = options
    head.keeps_alive = head.is_1_1 and b"close" not in options
    if b"upgrade" in options and b"upgrade" in by_name and head.is_1_1:
        offers = [offer.strip() for offer in by_name[b"upgrade"].split(b",")]
        head.offers = tuple(offer for offer in offers if offer and not _NOT_TO_GO_OVER_TO.fullmatch(offer))


def options_of(value: bytes) -> frozenset[bytes]:
    """Give the names that a Connection field lists, in lower case."""
    return _known_options(value) if len(value) <= _KNOWN_BYTES else _options(value)


def _options(value: bytes) -> frozenset[bytes]:
    return frozenset(option for part in value.lower().split(b",") if (option := part.strip()))


_known_options = lru_cache(_KNOWN_OPTIONS)(_options)


def _origin_form(target: bytes, host: bytes) -> bytes:
    """Give path and query: refuse targets that are no path, or that name another host (RFC 9112 section 3.2.2)."""
    if target[:1] != b"/":
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None or not host or absolute[1].lower() != host.lower():
            raise Unreadable
        target = absolute[2] if absolute[2][:1] == b"/" else b"/" + absolute[2]
    if b"#" in target:
        raise Unreadable
    return target


def length_of(value: bytes) -> int:
    """Give a Content-Length in bytes; raises `Unreadable` for what is none."""
    if not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
        raise Unreadable
    return int(value)


def _refuse_repeated(fields: Fields) -> None:
    names = [name for name, _ in fields]
    if any(names.count(once) > 1 for once in _ONCE):
        raise Unreadable


def _refuse_double_spelling(names: Mapping[bytes, bytes]) -> None:
    """Refuse `Content_Length` and its like: many servers make one name of both spellings, and then two of one field."""
    for name in names:
        hyphenated = name.replace(b"_", b"-")
        if hyphenated != name and (hyphenated in names or hyphenated in _DECIDED_BY or hyphenated in _FRAMING):
            raise Unreadable


def _strip(reading: _Reading) -> None:
    """Take off the white space that the parser leaves behind values (RFC 9112 section 5.1)."""
    reading.fields = [(name, value.rstrip(b" \t")) for name, value in reading.fields]
    reading.spelled = [(name, value.rstrip(b" \t")) for name, value in reading.spelled]
