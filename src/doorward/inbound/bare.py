"""What goes over a connection around the app: heads written by hand, and fewer, larger packets.

Nothing here knows the state of a connection.
"""

import asyncio
from http import HTTPStatus
from typing import final

TRAILER_FIELDS = 64


@final
class Joining:
    """What a response is written to: sends its head together with the body that follows in the same turn of the loop.

    uvicorn writes the two apart, and each write is a call to the kernel and a packet for the client.
    """

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send `data`, after what is held; hold it for the rest of this turn where it is a head."""
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._held = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def close(self) -> None:
        """Close the connection once everything is sent."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Say whether the connection is going or gone."""
        return self._transport.is_closing()


@final
class Trailers(list[tuple[bytes, bytes]]):
    """Where trailers go: counted, `seen` so far, and kept nowhere.

    Whoever decides by a header has done so before a trailer comes, a proxy in front of us among them (RFC 9110 section
    6.5.1). Raises `overflow` when they are too many.
    """

    def __init__(self, overflow: type[Exception]) -> None:
        super().__init__()
        self._overflow = overflow
        self.seen = 0

    def append(self, _field: tuple[bytes, bytes], /) -> None:
        """Count one."""
        self.seen += 1
        if self.seen > TRAILER_FIELDS:
            raise self._overflow


def without_offer(method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Write a request's head again without the offer to go on in another protocol (RFC 9110 section 7.8)."""
    kept = [b"%s: %s" % header for header in headers if header[0] not in {b"upgrade", b"connection", b"http2-settings"}]
    options = [option.strip() for name, value in headers if name == b"connection" for option in value.split(b",")]
    kept += [b"connection: close" for option in options if option.lower() == b"close"]
    return b"\r\n".join([b"%s %s HTTP/1.1" % (method, url), *kept, b"", b""])


def bare_answer(status: HTTPStatus, request_id: str, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    """Give a whole response that says nothing but `status`, and that it is the connection's last."""
    body = f"{status.phrase}\n".encode()
    lines = [
        b"HTTP/1.1 %d %s" % (status, status.phrase.encode()),
        *(name + b": " + value for name, value in default_headers),
        b"content-type: text/plain; charset=utf-8",
        b"content-length: %d" % len(body),
        b"x-request-id: " + request_id.encode(),
        b"connection: close",
    ]
    return b"\r\n".join([*lines, b"", body])
