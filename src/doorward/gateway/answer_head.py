"""The head of the application's answer: pure, without I/O.

What is ambiguous is refused here as in a request: an answer that two programs read differently poisons the next one on
the connection. The client then gets 502.
"""

import re
from http import HTTPStatus
from typing import final

from doorward.gateway.body import Chunked, Framing, Sized, UntilClose
from doorward.gateway.fields import Unreadable
from doorward.gateway.head import Head
from doorward.gateway.judge import length_of, options_of
from doorward.gateway.line import Line, read_lines

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
MAX_ANSWER_HEAD = 64 * 1024
KNOWN_HEADS = 512
KNOWN_BYTES = 1024
# What is said between us and the application alone (RFC 9110 section 7.6.1), and what we say ourselves.
_NOT_PASSED = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade",
                         b"x-request-id"})  # fmt: skip
_EMPTY = (HTTPStatus.NO_CONTENT.value, HTTPStatus.NOT_MODIFIED.value)


@final
class AnswerHead:
    """An answer's status line and header lines.

    `length` is the announced one, None where there is none. `options` are the names in Connection,
    `upgrade` is the protocol that is gone over to, or empty. `keeps_alive` says that the application takes another
    request on the connection. `begin` is what every client gets of the head. Of a plain one (`is_plain`) the client
    gets that, our own lines and a body of the announced length, whatever was asked.
    """

    __slots__ = ("_is_chunked", "_is_empty", "begin", "has_date", "is_1_1", "is_plain", "keeps_alive", "length",
                 "lines", "options", "reason", "status", "upgrade")  # fmt: skip

    def __init__(self, status: int, reason: bytes, lines: list[Line], *, is_1_1: bool, to_head: bool) -> None:
        """Begin with what needs no reading; `to_head` says that HEAD was asked."""
        self.status = status
        self.reason = reason
        self.lines = lines
        self.is_1_1 = is_1_1
        self.length: int | None = None
        self.options: frozenset[bytes] = frozenset()
        self.has_date = False
        self.upgrade = b""
        self._is_chunked = False
        self._is_empty = to_head or status < 200 or status in _EMPTY
        for line in lines:
            if line.name.is_telling:
                self._read(line.name.text, line.value)
        if self._is_chunked and (self.length is not None or not is_1_1):
            raise Unreadable
        # Must not be said of 1xx and 204, and is of no use with 304 (RFC 9112 section 6.1).
        self._is_chunked &= status >= 200 and status not in _EMPTY
        self.keeps_alive = b"close" not in self.options and (is_1_1 or b"keep-alive" in self.options)
        self.is_plain = self.has_date and self.length is not None and not self._is_empty and self.keeps_alive
        self.begin = self._write_begin()

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

    def is_whole_with(self, size: int) -> bool:
        """Say whether so many bytes behind the head are all of the body, and nothing else."""
        return size == self.length and not self._is_empty

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
        if self.length is None and (self.comes_in_chunks(head) or (self._is_chunked and head.is_1_1)):
            own += b"transfer-encoding: chunked\r\n"
        return b"%b%b\r\n" % (self.begin, own)

    def _write_begin(self) -> bytes:
        """Write what every client gets of the head."""
        dropped = _NOT_PASSED | self.options if self.options else _NOT_PASSED
        if self.status == HTTPStatus.NO_CONTENT or self.status < 200:
            dropped |= {b"content-length"}
        lines = [line.raw for line in self.lines if line.name.text not in dropped]
        return b"HTTP/1.1 %d %b\r\n%b" % (self.status, self.reason, b"".join(lines))


_known: dict[bytes, AnswerHead] = {}
"""Heads that hold nothing private: many answers of an application begin alike, within one second of its Date."""


known_answer = _known.get
"""Gives what the head of an answer says that came before, to another method than HEAD; None for all others."""


def judge_answer(raw: bytes, *, to_head: bool) -> AnswerHead:
    """Give what an answer's head says: `raw` is everything up to the empty line, both included.

    Raises `Unreadable` for what is no HTTP/1.x, or could be taken for two answers.
    """
    known = None if to_head else _known.get(raw)
    if known is not None:
        return known
    answer = _judge(raw, to_head=to_head)
    if not to_head and len(raw) <= KNOWN_BYTES and all(line.name.is_common for line in answer.lines):
        if len(_known) >= KNOWN_HEADS:
            _known.clear()
        _known[raw] = answer
    return answer


def _judge(raw: bytes, *, to_head: bool) -> AnswerHead:
    first, *rest = raw[:-4].split(b"\r\n")
    status = _STATUS.fullmatch(first)
    if status is None:
        raise Unreadable
    minor, code, reason = status.groups(b"")
    return AnswerHead(int(code), reason.rstrip(), read_lines(rest), is_1_1=minor == b"1", to_head=to_head)
