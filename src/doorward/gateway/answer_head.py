"""The head of the application's answer: pure, without I/O.

What is ambiguous is refused here as in a request: an answer that two programs read differently poisons the next one on
the connection. The client then gets 502.
"""

from http import HTTPStatus
from typing import final

import httptools

from doorward.gateway.body import Chunked, Framing, Sized, UntilClose
from doorward.gateway.head import Fields, Head, Unreadable
from doorward.gateway.judge import length_of, options_of

MAX_ANSWER_HEAD = 64 * 1024
# What is said between us and the application alone (RFC 9110 section 7.6.1), and what we say ourselves.
_NOT_PASSED = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade",
                         b"x-request-id"})  # fmt: skip
_EMPTY = (HTTPStatus.NO_CONTENT.value, HTTPStatus.NOT_MODIFIED.value)


@final
class AnswerHead:
    """An answer's status line and fields, names as they were sent.

    `length` is the announced one, None where there is none. `options` are the names in Connection,
    `upgrade` is the protocol that is gone over to, or empty.
    """

    __slots__ = ("_is_chunked", "_is_empty", "has_date", "is_1_1", "length", "options", "reason", "spelled",
                 "status", "upgrade")  # fmt: skip

    def __init__(self, status: int, reason: bytes, spelled: Fields, *, is_1_1: bool, to_head: bool) -> None:
        """Begin with what needs no reading; `to_head` says that HEAD was asked."""
        self.status = status
        self.reason = reason
        self.spelled = spelled
        self.is_1_1 = is_1_1
        self.length: int | None = None
        self.options: frozenset[bytes] = frozenset()
        self.has_date = False
        self.upgrade = b""
        self._is_chunked = False
        self._is_empty = to_head or status < 200 or status in _EMPTY
        for name, value in spelled:
            self._read(name.lower(), value)
        if self._is_chunked and (self.length is not None or not is_1_1):
            raise Unreadable

    def _read(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            if self.length is not None:
                raise Unreadable
            self.length = length_of(value)
        elif name == b"transfer-encoding":
            if self._is_chunked or value.lower() != b"chunked":
                raise Unreadable
            self._is_chunked = True
        elif name == b"connection":
            self.options |= options_of(value)
        elif name == b"date":
            self.has_date = True
        elif name == b"upgrade":
            self.upgrade = value

    @property
    def keeps_alive(self) -> bool:
        """Say whether the application takes another request on the connection."""
        if b"close" in self.options:
            return False
        return self.is_1_1 or b"keep-alive" in self.options

    def framing(self) -> Framing:
        """Say how the body is delimited (RFC 9112 section 6.3)."""
        if self._is_empty:
            return Sized(0)
        if self._is_chunked:
            return Chunked()
        return UntilClose() if self.length is None else Sized(self.length)

    def comes_in_chunks(self, head: Head) -> bool:
        """Say whether the body goes to the client in chunks: its length is not known, and the client knows them."""
        return not self._is_empty and self.length is None and head.is_1_1

    def ends_connection(self, head: Head) -> bool:
        """Say whether only the end of the connection tells the client where the body ends."""
        return not self._is_empty and self.length is None and not head.is_1_1

    def write(self, head: Head, own: bytes) -> bytes:
        """Write the head as the client gets it; `own` are the header lines that we add."""
        dropped = _NOT_PASSED | self.options if self.options else _NOT_PASSED
        if self.status == HTTPStatus.NO_CONTENT or self.status < 200:
            dropped |= {b"content-length"}
        lines = [b"%b: %b\r\n" % field for field in self.spelled if field[0].lower() not in dropped]
        chunked = self.comes_in_chunks(head) or (self._is_chunked and self._is_empty and head.is_1_1)
        last = b"transfer-encoding: chunked\r\n\r\n" if chunked else b"\r\n"
        return b"HTTP/1.1 %d %b\r\n%b%b%b" % (self.status, self.reason, b"".join(lines), own, last)


@final
class _Reading:
    """What httptools found."""

    __slots__ = ("is_whole", "reason", "spelled")

    def __init__(self) -> None:
        self.reason = b""
        self.spelled: list[tuple[bytes, bytes]] = []
        self.is_whole = False

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self.spelled.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_whole = True


def judge_answer(raw: bytes, *, to_head: bool) -> AnswerHead:
    """Give what an answer's head says: `raw` is everything up to the empty line, both included.

    Raises `Unreadable` for what is no HTTP/1.x, or could be taken for two answers.
    """
    reading = _Reading()
    parser = httptools.HttpResponseParser(reading)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        raise Unreadable from None
    status = parser.get_status_code()
    is_1_1 = raw.startswith(b"HTTP/1.1 ")
    if not reading.is_whole or not (is_1_1 or raw.startswith(b"HTTP/1.0 ")) or status < 100:
        raise Unreadable
    if b" \r\n" in raw or b"\t\r\n" in raw:
        reading.spelled = [(name, value.rstrip(b" \t")) for name, value in reading.spelled]
    return AnswerHead(status, reading.reason.rstrip(), tuple(reading.spelled), is_1_1=is_1_1, to_head=to_head)
