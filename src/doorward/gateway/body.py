"""Where a body ends, and what is in it: pure, without I/O.

Three framings: a known length, chunks (RFC 9112 section 7.1), and for answers alone whatever comes until the connection
ends. Chunk sizes and line ends are held to the letter: programs that are lenient about them disagree about where the
next request begins. Extensions of chunks are dropped, trailers kept apart.
"""

import re
from http import HTTPStatus
from typing import Protocol, final

from doorward.gateway.fields import Fields, Unreadable

MAX_SIZE_LINE = 256
MAX_TRAILER_BYTES = 8 * 1024
MAX_TRAILER_FIELDS = 64
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t -~\x80-\xff]*)?")
_SIZE_BEGUN = re.compile(rb"[0-9A-Fa-f]{1,15}(?:[ \t]*(?:;[\t -~\x80-\xff]*)?)?\r?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_CRLF = b"\r\n"


class Framing(Protocol):
    """How a body is delimited; `is_over` once its end has been fed, `trailers` are then known."""

    is_over: bool
    trailers: Fields
    ends_with_connection: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes as they come: gives what of the body they bring, and what follows behind its end.

        Raises `Unreadable` when they break the framing.
        """
        ...


@final
class Sized:
    """A body of known length, in bytes."""

    __slots__ = ("ends_with_connection", "is_over", "left", "trailers")

    def __init__(self, length: int) -> None:
        """Expect `length` bytes."""
        self.left = length
        self.is_over = length == 0
        self.ends_with_connection = False
        self.trailers: Fields = ()

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes as they come; see `Framing`."""
        if len(data) < self.left:
            self.left -= len(data)
            return data, b""
        left, self.left, self.is_over = self.left, 0, True
        return (data, b"") if len(data) == left else (data[:left], data[left:])


@final
class UntilClose:
    """A body that ends with its connection."""

    __slots__ = ("ends_with_connection", "is_over", "trailers")

    def __init__(self) -> None:
        """Expect any number of bytes."""
        self.ends_with_connection = True
        self.is_over = False
        self.trailers: Fields = ()

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes as they come; see `Framing`."""
        return data, b""


@final
class Chunked:
    """A body in chunks, and the trailers behind it."""

    __slots__ = ("_begun", "_fields", "_in_trailers", "_left", "_trailer_bytes", "ends_with_connection", "is_over",
                 "trailers")  # fmt: skip

    def __init__(self) -> None:
        """Expect the size of a chunk."""
        self.ends_with_connection = False
        self._begun = b""  # a line, or the end of a chunk, of which a part has come
        self._left = 0  # bytes until the end of the present chunk, its line end included
        self._in_trailers = False
        self._trailer_bytes = 0
        self._fields: list[tuple[bytes, bytes]] = []
        self.is_over = False
        self.trailers: Fields = ()

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes as they come; see `Framing`."""
        if self._begun:
            data, self._begun = self._begun + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.is_over:
            if self._left:
                at = self._take_chunk(data, at, pieces)
            else:
                end = data.find(_CRLF, at)
                if end < 0:
                    self._keep_line(data[at:])
                    at = len(data)
                else:
                    self._read_line(data[at:end])
                    at = end + 2
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), data[at:] if self.is_over else b""

    def _take_chunk(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Take what has come of the present chunk, and give where it ends; its line end is looked at as a whole."""
        end = at + self._left
        if len(data) >= end:
            if data[end - 2 : end] != _CRLF:
                raise Unreadable
            self._left = 0
            if end - 2 > at:
                pieces.append(data[at : end - 2])
            return end
        content = max(0, min(len(data) - at, self._left - 2))
        if content:
            pieces.append(data[at : at + content])
        self._left -= content
        self._begun = data[at + content :]
        if self._begun and self._begun != b"\r":
            raise Unreadable
        return len(data)

    def _read_line(self, line: bytes) -> None:
        if self._in_trailers:
            self._read_trailer(line)
            return
        size = _SIZE.fullmatch(line)
        if size is None or len(line) > MAX_SIZE_LINE:
            raise Unreadable
        length = int(size[1], 16)
        self._in_trailers = length == 0
        self._left = length + 2 if length else 0

    def _read_trailer(self, line: bytes) -> None:
        if not line:
            self.is_over = True
            self.trailers = tuple(self._fields)
            return
        self._trailer_bytes += len(line) + 2
        if self._trailer_bytes > MAX_TRAILER_BYTES or len(self._fields) >= MAX_TRAILER_FIELDS:
            raise Unreadable(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        field = _FIELD.fullmatch(line)
        if field is None:
            raise Unreadable
        self._fields.append((field[1], field[2]))

    def _keep_line(self, line: bytes) -> None:
        """Wait for the rest of a line, but not for ever."""
        if self._in_trailers:
            if self._trailer_bytes + len(line) > MAX_TRAILER_BYTES:
                raise Unreadable(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif len(line) > MAX_SIZE_LINE or not _SIZE_BEGUN.fullmatch(line):
            raise Unreadable
        self._begun = line


def chunk(piece: bytes) -> bytes:
    """Write a piece of a body as one chunk; it must not be empty."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def last_chunk(trailers: Fields = ()) -> bytes:
    """Write the end of a body in chunks."""
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % field for field in trailers])
