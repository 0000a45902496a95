"""What a client's connection asks of whoever answers a request, and how whole answers are written."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Protocol

from doorward.gateway.fields import Fields
from doorward.gateway.head import Head
from doorward.inbound.door import Reply

GO_AHEAD = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINES = {status.value: b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}


class Answerer(Protocol):
    """Who answers one request, and is told of what happens on the connection until the answer is whole."""

    def start(self) -> None:
        """Begin; the answer may be finished when this returns, or later."""
        ...

    def take(self, piece: bytes) -> None:
        """Take a piece of the request's body."""
        ...

    def take_end(self, trailers: Fields) -> None:
        """Note that the body is whole; not called for a request without one."""
        ...

    def hold(self) -> None:
        """Write no more until told: the client takes nothing."""
        ...

    def go_on(self) -> None:
        """Write on."""
        ...

    def client_ended(self) -> None:
        """Note that the client sends no more, which may mean that it has left, or not."""
        ...

    def client_left(self) -> None:
        """Give up: nobody takes the answer any more."""
        ...

    def end_if_late(self, now: float) -> None:
        """End what takes too long; called once a second with the loop's time."""
        ...


def status_line(status: int) -> bytes:
    """Give the first line of an answer."""
    return _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def write_fields(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Give header lines."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def whole_answer(head: Head, reply: Reply, default_headers: Sequence[tuple[bytes, bytes]], *, closes: bool) -> bytes:
    """Give a whole answer; with `closes` it says that it is the connection's last."""
    end = b"connection: close\r\n\r\n" if closes else b"\r\n"
    parts = [status_line(reply.status), write_fields(default_headers), write_fields(reply.headers), end]
    if reply.body and head.method != "HEAD" and reply.status not in {204, 304}:
        parts.append(reply.body)
    return b"".join(parts)
