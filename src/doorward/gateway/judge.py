"""Whether a request's head means one thing alone: pure, without I/O.

Between two programs that read one request differently there is room for an attack, so whatever could be read in two
ways is refused, even where the specification says how to read it (RFC 9112; its section 11.2 names the attack). What
`judge` gives is what is decided on and, byte for byte, what is passed on.
"""

import re
from functools import lru_cache
from http import HTTPStatus

from doorward.gateway.fields import Unreadable
from doorward.gateway.head import Head
from doorward.gateway.line import Line
from doorward.gateway.run import read_runs

MAX_FIELDS = 200
MAX_LENGTH_DIGITS = 15
_KNOWN_OPTIONS = 256
_KNOWN_BYTES = 128
_SHOWN = 64

_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LINE = re.compile(rb"([A-Z-]{1,24}) ((?:/|[Hh][Tt][Tt][Pp][Ss]?://)[!-~]*) HTTP/1\.([01])")
_BEGIN = re.compile(rb"[A-Z-]{1,24}(?: (?:[/Hh][!-~]*(?: [HTP/1.0]*\r?)?)?)?")
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)([/?]?.*)", re.IGNORECASE | re.DOTALL)

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


def judge(raw: bytes) -> Head:
    """Give what a head says: `raw` is everything from the method to the first empty line, both included.

    Raises `Unreadable` for whatever is no HTTP/1.1 or HTTP/1.0 request, or could be taken for two.
    """
    end = raw.find(b"\r\n")
    asked = _LINE.fullmatch(raw, 0, end)
    if asked is None or not raw.endswith(b"\r\n\r\n"):
        raise Unreadable
    method, target, minor = asked.groups()
    if method == b"CONNECT":  # of tunnels alone, whatever stands behind it (RFC 9110 section 9.3.6)
        raise Unreadable
    block = raw[end:-4]
    head = Head(asked[0], block, method, target, read_runs(block), is_1_1=minor == b"1")
    if len(head.fields) > MAX_FIELDS:
        raise Unreadable(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    _take_facts(head)
    if target[:1] != b"/":
        _take_absolute(head)
    if b"#" in target:
        raise Unreadable
    return head


def refuse_early(begun: bytes) -> None:
    """Refuse what can no more become a request though its head is not whole; raises `Unreadable`.

    Somebody who speaks another protocol should not wait for our patience to end.
    """
    line, end, _ = begun.partition(b"\r\n")
    if not (_LINE.fullmatch(line) if end else _BEGIN.fullmatch(line[:_SHOWN])):
        raise Unreadable


def _take_facts(head: Head) -> None:
    """Read what the connection's own business depends on, or remember it with the one run that says so."""
    telling = [run for run in head.runs if run.told]
    run = telling[0] if len(telling) == 1 and head.is_1_1 else None
    if run is None or run.facts is None:
        _read_framing(head)
        if run is not None and run.is_known and not any(line.name.has_underscore for line in run.told):
            run.facts = (
                head.host, head.length, head.options, head.offers, head.keeps_alive, head.expects_go_ahead
            )  # fmt: skip
    else:
        head.host, head.length, head.options, head.offers, head.keeps_alive, head.expects_go_ahead = run.facts


def _read_framing(head: Head) -> None:
    """Read host, length, connection and their like; refuse what contradicts itself."""
    told: dict[bytes, bytes] = {}
    for line in [line for run in head.runs for line in run.told]:
        if line.name.is_telling:
            if line.name.text == b"connection":
                head.options |= options_of(line.value)
            elif line.name.text in told:
                raise Unreadable
            else:
                told[line.name.text] = line.value
        else:
            _refuse_double_spelling(line, head.lines)
    head.host = told.get(b"host", b"")
    if (head.is_1_1 or b"host" in told) and not _HOST.fullmatch(head.host):
        raise Unreadable
    if b"transfer-encoding" in told:
        # In HTTP/1.0 it means nothing, and a proxy before us may have thought so (RFC 9112 section 6.1).
        if not head.is_1_1 or b"content-length" in told or told[b"transfer-encoding"].lower() != b"chunked":
            raise Unreadable
        head.length = None
    elif b"content-length" in told:
        head.length = length_of(told[b"content-length"])
    if head.options:
        _read_options(head, told.get(b"upgrade"))
    if b"expect" in told:
        head.expects_go_ahead = head.is_1_1 and head.has_body and told[b"expect"].lower() == b"100-continue"


def _read_options(head: Head, upgrade: bytes | None) -> None:
    """Read what Connection says (RFC 9110 section 7.6.1)."""
    options = head.options
    if not options.isdisjoint(_DECIDED_BY):
        raise Unreadable
    head.keeps_alive = head.is_1_1 and b"close" not in options
    if upgrade is not None and b"upgrade" in options and head.is_1_1:
        offers = [offer.strip() for offer in upgrade.split(b",")]
        head.offers = tuple(offer for offer in offers if offer and not _NOT_TO_GO_OVER_TO.fullmatch(offer))


def options_of(value: bytes) -> frozenset[bytes]:
    """Give the names that a Connection field lists, in lower case."""
    return _known_options(value) if len(value) <= _KNOWN_BYTES else _options(value)


def _options(value: bytes) -> frozenset[bytes]:
    return frozenset(option for part in value.lower().split(b",") if (option := part.strip()))


_known_options = lru_cache(_KNOWN_OPTIONS)(_options)


def _take_absolute(head: Head) -> None:
    """Take the path out of a target with a host, which must be the one in Host (RFC 9112 section 3.2.2)."""
    absolute = _ABSOLUTE.fullmatch(head.target)
    if absolute is None or not head.host or absolute[1].lower() != head.host.lower():
        raise Unreadable
    head.take_target(absolute[2] if absolute[2][:1] == b"/" else b"/" + absolute[2])


def length_of(value: bytes) -> int:
    """Give a Content-Length in bytes; raises `Unreadable` for what is none."""
    if not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
        raise Unreadable
    return int(value)


def _refuse_double_spelling(line: Line, lines: list[Line]) -> None:
    """Refuse `Content_Length` and its like: many servers make one name of both spellings, and then two of one field."""
    hyphenated = line.name.text.replace(b"_", b"-")
    names = [other.name.text.replace(b"_", b"-") for other in lines if other.name.text != line.name.text]
    if hyphenated in names or hyphenated in _DECIDED_BY or hyphenated in _FRAMING:
        raise Unreadable
