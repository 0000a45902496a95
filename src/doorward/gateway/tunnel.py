"""Bytes both ways, once client and application have gone over to another protocol (RFC 9110 section 7.8).

Nothing is read or changed. Each side is held back while the other takes nothing; one side's end is passed on, and the
end of both, or of the connection, is the end of the tunnel.
"""

import asyncio
from collections.abc import Callable
from typing import final

from doorward.gateway.connection import Connection


@final
class _Side(asyncio.Protocol):
    """What comes from one side goes to the other."""

    def __init__(self, tunnel: "Tunnel", other: asyncio.Transport) -> None:
        self._tunnel = tunnel
        self._other = other

    def data_received(self, data: bytes) -> None:
        if not self._other.is_closing():
            self._other.write(data)

    def eof_received(self) -> bool:
        return self._tunnel.half_closed(self._other)

    def pause_writing(self) -> None:
        if not self._other.is_closing():
            self._other.pause_reading()

    def resume_writing(self) -> None:
        if not self._other.is_closing():
            self._other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.lost(exc)


@final
class Tunnel:
    """Two connections joined; `ended` is called once, when either is gone."""

    def __init__(self, client: Connection, application: asyncio.Transport, ended: Callable[[], None]) -> None:
        """Join them from now on."""
        self._client = client
        self._application = application
        self._ended = ended
        self._is_over = self._is_half_closed = False
        client.transport.set_protocol(_Side(self, application))
        application.set_protocol(_Side(self, client.transport))

    def half_closed(self, other: asyncio.Transport) -> bool:
        """Pass on that one side sends no more; gives whether the other still may."""
        if self._is_half_closed or other.is_closing() or not other.can_write_eof():
            self.lost(None)
            return False
        self._is_half_closed = True
        other.write_eof()
        return True

    def lost(self, exc: Exception | None) -> None:
        """Close both, after what is still to be sent."""
        if self._is_over:
            return
        self._is_over = True
        self._ended()
        self._application.close()
        self._client.transport.close()
        self._client.connection_lost(exc)

    def cut(self) -> None:
        """Drop both at once."""
        self._application.abort()
        self._client.transport.abort()


def join(client: Connection, application: asyncio.Transport, ended: Callable[[], None]) -> Tunnel:
    """Join a client that has been told of it with the application; `ended` is called when either is gone."""
    early = client.surrender()
    tunnel = Tunnel(client, application, ended)
    if early:
        application.write(early)
    return tunnel
