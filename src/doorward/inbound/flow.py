"""How much of a connection is taken in at once, and whether its client takes what it is given.

Requests may come faster than they are answered, and answers faster than they are taken. Each waiting request costs many
times its size on the wire, so few are read ahead and the rest stays bytes; and a client that takes no byte of its
answer for long is no client.
"""

import asyncio
from typing import final

from uvicorn.protocols.http.flow_control import FlowControl

MAX_WAITING = 16
SMALL = 2048  # bytes in which too few requests fit to look for their ends
_HEAD_END = b"\r\n\r\n"


@final
class Flow(FlowControl):
    """One connection's flow in both directions; reading can be held, so that nobody resumes it before `release`."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.is_held = False
        self._rest = b""
        self._unsent = 0
        self._unsent_since = 0.0

    def hold(self, rest: bytes) -> None:
        """Stop reading and keep `rest`, after what is already kept."""
        self.is_held = True
        self._rest += rest
        self.pause_reading()

    def release(self) -> bytes:
        """Give what was kept; reading may be resumed from now on."""
        self.is_held = False
        rest, self._rest = self._rest, b""
        return rest

    def resume_reading(self) -> None:
        """Read on, unless reading is held."""
        # uvicorn asks for this whenever a body is awaited, which would let a client stack up requests behind it.
        if not self.is_held:
            super().resume_reading()

    def is_stalled(self, now: float, seconds: float) -> bool:
        """Say whether the client has taken nothing of what waits to be sent for more than `seconds`.

        To be asked again and again; `now` is the loop's time.
        """
        before, self._unsent = self._unsent, self._transport.get_write_buffer_size()
        if not self._unsent:
            return False
        if not before or self._unsent < before:
            self._unsent_since = now
        return now - self._unsent_since > seconds


def share_end(data: bytes, start: int) -> int:
    """Give the index up to which `data` may be read from `start`: no more than MAX_WAITING heads end before it.

    An empty line within a body only makes the share smaller.
    """
    end = start
    for _ in range(MAX_WAITING):
        found = data.find(_HEAD_END, end)
        if found < 0:
            return len(data)
        end = found + len(_HEAD_END)
    return end
