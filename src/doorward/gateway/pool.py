"""Connections to the application, kept open between requests, over one address or several.

A request goes to the address with the fewest requests under way. An address at which no connection could be opened, or
whose health path does not answer well, is left out for a while, unless there is no other.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final
from urllib.parse import urlsplit

from doorward.gateway.upstream import Upstream

MAX_IDLE = 512
IDLE_SECONDS = 50.0
RECENT_SECONDS = 1.0
"""An idle connection may be closed by the application at the moment of use. Most keep one open for some seconds, so one
that was used this shortly ago is good enough for a request that must not be sent twice."""
LEFT_OUT_SECONDS = 2.0


class Unreachable(Exception):
    """No connection to any address of the application could be opened."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the application is: an origin such as `http://127.0.0.1:3000`, taken apart."""

    host: str
    port: int
    is_tls: bool
    netloc: bytes

    @classmethod
    def read(cls, origin: str) -> "Address":
        """Take an origin apart."""
        parts = urlsplit(origin)
        is_tls = parts.scheme == "https"
        port = parts.port or (443 if is_tls else 80)
        return cls(parts.hostname or "", port, is_tls, parts.netloc.encode("ascii"))


@final
class Berth:
    """One address: its idle connections, newest last, and how many requests are under way."""

    def __init__(self, address: Address, *, tls: ssl.SSLContext | None, connect_timeout: float) -> None:
        """Connect to `address` within `connect_timeout` seconds, over TLS by `tls`."""
        self.address = address
        self._tls = tls if address.is_tls else None
        self._connect_timeout = connect_timeout
        self._loop = asyncio.get_running_loop()
        self._idle: list[Upstream] = []
        self.busy = 0
        self.left_out_until = 0.0
        self.is_well = True
        self._is_closed = False

    def take(self, *, must_be_recent: bool) -> Upstream | None:
        """Give an open connection, if one is idle."""
        while self._idle:
            upstream = self._idle[-1]
            if must_be_recent and self._loop.time() - upstream.idle_since > RECENT_SECONDS:
                return None
            self._idle.pop()
            if upstream.is_open:
                self.busy += 1
                return upstream
            upstream.close_idle()
        return None

    async def connect(self) -> Upstream:
        """Open a connection; raises `OSError` or `TimeoutError`."""
        self.busy += 1
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, upstream = await self._loop.create_connection(
                    lambda: Upstream(self), self.address.host, self.address.port, ssl=self._tls
                )
        except BaseException:
            self.busy -= 1
            raise
        return upstream

    def take_back(self, upstream: Upstream) -> None:
        """Keep a connection for the next request."""
        self.busy -= 1
        if self._is_closed or len(self._idle) >= MAX_IDLE:
            upstream.close_idle()
            return
        upstream.idle_since = self._loop.time()
        self._idle.append(upstream)

    def forget(self, upstream: Upstream) -> None:
        """Forget a connection that is gone, or that no more requests go over."""
        if upstream in self._idle:
            self._idle.remove(upstream)
        else:
            self.busy -= 1

    def close_idle(self, older_than: float) -> None:
        """Close connections that nobody has used for so many seconds."""
        limit = self._loop.time() - older_than
        while self._idle and self._idle[0].idle_since <= limit:
            self._idle.pop(0).close_idle()

    def close(self) -> None:
        """Keep no connection any more; those in use are closed after their answer."""
        self._is_closed = True
        self.close_idle(0)


@final
class Pool:
    """Connections to all addresses of the application."""

    def __init__(self, origins: Sequence[str], *, connect_timeout: float, tls: ssl.SSLContext | None = None) -> None:
        """Be made inside the event loop; `origins` are one or more."""
        self._loop = asyncio.get_running_loop()
        self.berths = [Berth(Address.read(origin), tls=tls, connect_timeout=connect_timeout) for origin in origins]
        self._turn = 0
        self._sweep: asyncio.TimerHandle | None = self._loop.call_later(IDLE_SECONDS / 4, self._sweep_idle)

    def best(self) -> Berth:
        """Give the address that the next request goes to."""
        if len(self.berths) == 1:
            return self.berths[0]
        return self._in_order()[0]

    async def connect(self) -> tuple[Berth, Upstream]:
        """Open a connection to the best address that takes one; raises `Unreachable`."""
        reason = ""
        for berth in self._in_order():
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
