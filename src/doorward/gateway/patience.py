"""How long a client is waited for: the figures, and whether it still takes what it is given."""

import asyncio
from enum import Enum, auto
from typing import final

from doorward.inbound.crowd import Limits

DRAINING_WRITE_SECONDS = 5.0
SPARE_SECONDS = 1.0
LINGER_SECONDS = 2.0
LINGER_BYTES = 64 << 20
HALF_CLOSED_SECONDS = 2.0
"""How long a client that sends no more waits for the next byte of the application's answer. One that has left looks the
same until something is written to it, and its request should not go on for nobody."""


class Phase(Enum):
    """What is waited for."""

    HEAD = auto()
    BODY = auto()
    IDLE = auto()
    SPARE = auto()


@final
class Patience:
    """How long one client has been waited for; `since` is when that began. Times are the loop's, in seconds.

    `is_head_timed` says that `since` is when the head began that is coming now.
    """

    __slots__ = ("_limits", "_unsent", "_unsent_since", "is_head_timed", "since")

    def __init__(self, limits: Limits, now: float) -> None:
        """Wait from now on, by `limits`."""
        self.since = now
        self._limits = limits
        self._unsent = 0
        self._unsent_since = 0.0
        self.is_head_timed = False

    def head_has_begun(self, now: float) -> None:
        """Wait for the rest of a head, from when its first bytes came."""
        if not self.is_head_timed:
            self.is_head_timed = True
            self.since = now

    def is_out(self, phase: Phase, now: float) -> bool:
        """Say whether the client has had its time for what is waited for."""
        limits = self._limits
        seconds = {
            Phase.HEAD: limits.head_seconds,
            Phase.BODY: limits.body_seconds,
            Phase.IDLE: limits.idle_seconds,
            Phase.SPARE: SPARE_SECONDS,
        }[phase]
        return now - self.since > seconds

    def is_stalled(self, transport: asyncio.Transport, now: float, *, is_draining: bool) -> bool:
        """Say whether the client has taken nothing of its answer for too long; to be asked again and again."""
        before, self._unsent = self._unsent, transport.get_write_buffer_size()
        if not self._unsent:
            return False
        if not before or self._unsent < before:
            self._unsent_since = now
        seconds = self._limits.write_seconds
        return now - self._unsent_since > (min(seconds, DRAINING_WRITE_SECONDS) if is_draining else seconds)
