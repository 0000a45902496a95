"""Bytes both ways, once client and application have gone over to another protocol (RFC 9110 section 7.8).

Nothing is read or changed. Each side is held back while the other takes nothing; one side's end is passed on, and the
end of both, or of the connection, is the end of the tunnel. So is the end of the session that it was opened with: what
goes through is as good as requests, and nobody else would look.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, final

from doorward.gateway.connection import Connection
from doorward.identity.visit import Visit

LOOK_SECONDS = 1.0
log = logging.getLogger("doorward.gateway")


class Lasts(Protocol):
    """Says whether somebody is still signed in who was let in before: `sessions.lasting.Lasting`."""

    def session_of(self, visit: Visit) -> str:
        """Give the id of the session that a visit just came with, empty where there is none."""
        ...

    def is_known(self, visit: Visit) -> bool:
        """Say whether memory knows that the credential of a visit still counts."""
        ...

    async def lasts(self, visit: Visit, session_id: str) -> bool:
        """Say whether whoever came with a visit, and with that session, is still signed in."""
        ...


@final
class Watch:
    """Looks again at who opened a tunnel."""

    def __init__(self, lasting: Lasts, visit: Visit) -> None:
        """Watch the session that `visit` came with."""
        self._lasting = lasting
        self._visit = visit
        self._session_id = lasting.session_of(visit)

    def is_known(self) -> bool:
        """Say whether memory knows that whoever it was is still signed in."""
        return self._lasting.is_known(self._visit)

    async def lasts(self) -> bool:
        """Say whether whoever it was is still signed in."""
        lasts = await self._lasting.lasts(self._visit, self._session_id)
        if not lasts:
            log.info("gateway.session_over", extra={"facts": {"request_id": self._visit.request_id}})
        return lasts


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
    """Two connections joined; `ended` is called once, when either is gone, and `watch` asked once a second."""

    def __init__(
        self, client: Connection, application: asyncio.Transport, ended: Callable[[], None], watch: Watch | None
    ) -> None:
        """Join them from now on."""
        self._client = client
        self._application = application
        self._ended = ended
        self._is_over = self._is_half_closed = False
        self._next_look: asyncio.TimerHandle | None = None
        client.transport.set_protocol(_Side(self, application))
        application.set_protocol(_Side(self, client.transport))
        if watch is not None:
            self._look_later(watch)

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
        if self._next_look is not None:
            self._next_look.cancel()
        self._ended()
        self._application.close()
        self._client.transport.close()
        self._client.connection_lost(exc)

    def _look_later(self, watch: Watch) -> None:
        self._next_look = self._client.loop.call_later(LOOK_SECONDS, self._look, watch)

    def _look(self, watch: Watch) -> None:
        if watch.is_known():
            self._look_later(watch)
        else:
            self._client.crowd.run(self._ask(watch))

    async def _ask(self, watch: Watch) -> None:
        if not await watch.lasts():
            self.cut()
        elif not self._is_over:
            self._look_later(watch)

    def cut(self) -> None:
        """Drop both at once."""
        self._application.abort()
        self._client.transport.abort()


def join(
    client: Connection, application: asyncio.Transport, ended: Callable[[], None], watch: Watch | None = None
) -> Tunnel:
    """Join a client that has been told of it with the application; see `Tunnel`."""
    early = client.surrender()
    tunnel = Tunnel(client, application, ended, watch)
    if early:
        application.write(early)
    return tunnel
