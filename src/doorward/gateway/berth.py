"""One address of the application, and the connections to it that are kept open between requests."""

import asyncio
import ssl
from typing import final
from urllib.parse import urlsplit

from doorward.base.frozen import frozen
from doorward.gateway.upstream import Upstream

MAX_IDLE = 512
RECENT_SECONDS = 1.0
"""An idle connection may be closed by the application at the moment of use. Most keep one open for some seconds, so one
that was used this shortly ago is good enough for a request that must not be sent twice."""


@frozen(kw_only=False)
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
