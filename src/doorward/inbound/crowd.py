"""The connections of one listener, and what they have in common.

Owns what a connection must be able to do so that `serve` can end it in time, make room by it and drain it, whoever
reads the bytes that come over it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import field
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias, cast

from doorward.base.frozen import frozen
from doorward.identity.visit import Scheme, plain_peer
from doorward.inbound.bare import bare_answer

log = logging.getLogger("doorward.inbound")


@frozen
class Limits:
    """How long and how large requests may be, in seconds and bytes (settings server.head_limit and its neighbours).

    `head_seconds` runs from the first byte, or from the connection where none comes; `body_seconds` from the end of the
    head, or for what is passed on from the last byte that came; `idle_seconds` between two requests of one connection;
    `write_seconds` from the last byte of an answer that the client took, while more waits.
    """

    head_bytes: int = 32 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0
    write_seconds: float = 30.0


class Connected(Protocol):
    """One connection; `lost` is done when it is gone. Times are the loop's, in seconds."""

    lost: asyncio.Future[None]

    def end_if_late(self, now: float) -> None:
        """End the connection if its client takes too long; called once a second."""
        ...

    def end_if_spare(self, now: float) -> None:
        """Close the connection if nothing goes on, to make room for another."""
        ...

    def announce_end(self) -> None:
        """Have the answer under way, or the next, say that it is the connection's last."""
        ...

    def shutdown(self) -> None:
        """Take no further request: close now if none has begun to arrive, else after its answer."""
        ...

    def cut(self) -> None:
        """Drop the connection in the middle of whatever it does."""
        ...


@frozen
class Crowd:
    """The open connections, the tasks that answer on them, and what every answer says besides (`default_headers`).

    `request_id` makes an id for what never became a request.
    """

    limits: Limits
    scheme: Scheme
    request_id: Callable[[], str]
    connections: set[Connected] = field(default_factory=set[Connected])
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set["asyncio.Task[None]"])
    default_headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a part of an answer that has to wait; the end of the listener waits for it."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def refusal(self, status: HTTPStatus, address: str) -> bytes:
        """Give the answer to what `address` sent and cannot be read as a request, and log that."""
        request_id = self.request_id()
        facts = {"request_id": request_id, "status": int(status), "address": address}
        log.info("http.unreadable", extra={"facts": facts})
        return bare_answer(status, request_id, self.default_headers)


def peer_of(transport: asyncio.BaseTransport) -> str:
    """Give the address at the other end of a connection, empty where there is none."""
    peer = cast("object", transport.get_extra_info("peername"))
    return plain_peer(str(cast("tuple[object, ...]", peer)[0])) if isinstance(peer, tuple) else ""


Connect: TypeAlias = Callable[[Crowd], Callable[[], asyncio.Protocol]]
"""Gives, for a listener's crowd, what makes a protocol for each new connection, which enters itself in the crowd."""
