"""Connections to the application, over one address or several.

A request goes to the address with the fewest requests under way. An address at which no connection could be opened, or
whose health path does not answer well, is left out for a while, unless there is no other.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import final

from doorward.gateway.berth import Address, Berth
from doorward.gateway.health import watch
from doorward.gateway.upstream import Upstream

IDLE_SECONDS = 50.0
LEFT_OUT_SECONDS = 2.0


class Unreachable(Exception):
    """No connection to any address of the application could be opened."""


@final
class Pool:
    """Connections to all addresses of the application."""

    def __init__(
        self,
        origins: Sequence[str],
        *,
        connect_timeout: float,
        tls: ssl.SSLContext | None = None,
        health_path: str = "",
    ) -> None:
        """Be made inside the event loop; `origins` are one or more, `close` ends what is begun here.

        With a `health_path` each address is asked whether it is well.
        """
        self._loop = asyncio.get_running_loop()
        self.berths = [Berth(Address.read(origin), tls=tls, connect_timeout=connect_timeout) for origin in origins]
        self._turn = 0
        self._watch = self._loop.create_task(watch(self.berths, health_path)) if health_path else None
        self._sweep: asyncio.TimerHandle | None = self._loop.call_later(IDLE_SECONDS / 4, self._sweep_idle)

    def best(self) -> Berth:
        """Give the address that the next request goes to."""
        if len(self.berths) == 1:
            return self.berths[0]
        return self._in_order()[0]

    async def connect(self, first: Berth) -> tuple[Berth, Upstream]:
        """Open a connection to the address `first`, or else to the next that takes one; raises `Unreachable`."""
        reason = ""
        for berth in [first, *(other for other in self._in_order() if other is not first)]:
            try:
                return berth, await berth.connect()
            except (OSError, TimeoutError, UnicodeError) as error:
                berth.left_out_until = self._loop.time() + LEFT_OUT_SECONDS
                reason = (isinstance(error, OSError) and error.strerror) or type(error).__name__
        raise Unreachable(reason)

    def close(self) -> None:
        """Keep no connection any more."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        if self._watch is not None:
            self._watch.cancel()
        for berth in self.berths:
            berth.close()

    def _in_order(self) -> list[Berth]:
        """Give the addresses, those in use first, of these the least busy, of equals each in its turn."""
        self._turn += 1
        now, count = self._loop.time(), len(self.berths)
        turned = [self.berths[(self._turn + number) % count] for number in range(count)]
        return sorted(turned, key=lambda berth: (not berth.is_well, berth.left_out_until > now, berth.busy))

    def _sweep_idle(self) -> None:
        for berth in self.berths:
            berth.close_idle(IDLE_SECONDS)
        self._sweep = self._loop.call_later(IDLE_SECONDS / 4, self._sweep_idle)
