"""Requests that are answered in this process: `/.auth/*`, `/auth-service/*` and whatever there is no application for.

The door is asked directly, without an ASGI hop. A body is read when a handler asks for it, within the handler's limit.
"""

import asyncio
from typing import final

from doorward.base.errors import DoorwardError
from doorward.base.refusals import PAYLOAD_TOO_LARGE
from doorward.gateway.connection import Connection
from doorward.gateway.fields import Fields
from doorward.gateway.head import Head
from doorward.identity.visit import Visit
from doorward.inbound.door import ClientGone, Door

UNASKED_BYTES = 64 * 1024


@final
class Local:
    """One request that the door answers."""

    __slots__ = (
        "_client", "_door", "_has_left", "_head", "_is_asked", "_is_over", "_pieces", "_size", "_visit", "_wait",
    )  # fmt: skip

    def __init__(self, client: Connection, head: Head, visit: Visit, door: Door) -> None:
        """Answer the request with this `head` on the connection `client`."""
        self._client = client
        self._head = head
        self._visit = visit
        self._door = door
        self._pieces: list[bytes] = []
        self._size = 0
        self._wait: asyncio.Future[None] | None = None
        self._is_asked = False
        self._is_over = not head.has_body
        self._has_left = False

    def start(self) -> None:
        """Have the door answer."""
        reply = None if self._head.has_body else self._door.answer_at_once(self._visit)
        if reply is None:
            self._client.crowd.run(self._run())
        else:
            self._client.answer(reply)

    def take(self, piece: bytes) -> None:
        """Keep a piece of the body, and hold the rest back while nobody asks for it."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._is_asked:
            self._wake()
        elif self._size > UNASKED_BYTES:
            self._client.hold_body()

    def take_end(self, trailers: Fields) -> None:  # noqa: ARG002 - whoever decides by a header did so before a trailer came
        """Note that the body is whole."""
        self._is_over = True
        self._wake()

    def hold(self) -> None:
        """Nothing is written before the answer is whole."""

    def go_on(self) -> None:
        """Nothing is written before the answer is whole."""

    def client_ended(self) -> None:
        """Answer all the same: what was asked may have been done already."""

    def client_left(self) -> None:
        """Stop waiting for the body."""
        self._has_left = True
        self._wake()

    def end_if_late(self, now: float) -> None:
        """Handlers keep their own time."""

    def _wake(self) -> None:
        if self._wait is not None and not self._wait.done():
            self._wait.set_result(None)

    async def _run(self) -> None:
        try:
            reply = await self._door.answer(self._visit, self._read)
        except ClientGone:
            return
        if not self._has_left:
            self._pieces.clear()
            self._client.answer(reply)

    async def _read(self, limit: int) -> bytes:
        """Read the whole body; raises `DoorwardError` with PAYLOAD_TOO_LARGE over `limit` bytes, and `ClientGone`."""
        if self._head.length is not None and self._head.length > limit:
            raise DoorwardError(PAYLOAD_TOO_LARGE, limit=limit)
        if not self._is_over:
            self._is_asked = True
            if not self._size:
                self._client.go_ahead()
            self._client.go_on_with_body()
        while not self._is_over and not self._has_left and self._size <= limit:
            self._wait = asyncio.get_running_loop().create_future()
            await self._wait
        if self._size > limit:
            raise DoorwardError(PAYLOAD_TOO_LARGE, limit=limit)
        if not self._is_over:
            raise ClientGone
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
