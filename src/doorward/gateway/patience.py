"""How long is waited for what: the figures, and whether a client still takes what it is given."""

import asyncio
from typing import final

DRAINING_WRITE_SECONDS = 5.0
SPARE_SECONDS = 1.0
LINGER_SECONDS = 2.0
LINGER_BYTES = 64 << 20
HALF_CLOSED_SECONDS = 2.0
"""How long a client that sends no more may wait for the first byte of the application's answer; one that has left
looks the same until something is written to it."""


@final
class Stall:
    """Whether the other end of a connection takes nothing of what waits to be sent."""

    __slots__ = ("_unsent", "_unsent_since")

    def __init__(self) -> None:
        self._unsent = 0
        self._unsent_since = 0.0

    def lasts(self, transport: asyncio.Transport, now: float, seconds: float) -> bool:
        """Say whether nothing was taken for more than `seconds`; to be asked again and again with the loop's time."""
        before, self._unsent = self._unsent, transport.get_write_buffer_size()
        if not self._unsent:
            return False
        if not before or self._unsent < before:
            self._unsent_since = now
        return now - self._unsent_since > seconds
