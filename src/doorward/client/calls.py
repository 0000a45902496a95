"""Calls to the token service over HTTP, by the standard library.

The standard library's client does exactly what is wanted and nothing more: it follows no redirect, asks no proxy,
keeps no cookie, retries nothing by itself; and an app gets no HTTP library from us beside its own. Asynchronous apps
wait for a thread. HTTPS with a checked certificate, plain HTTP to this machine only. Connections are kept open for the
next call.
"""

import os
import ssl
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from doorward import __version__
from doorward.base.loopback import is_loopback_host
from doorward.client.refusals import ServiceUnavailable

MAX_BYTES = 256 * 1024
PREFIX = "/auth-service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Where the token service is: `path` is that of its root, ending in `/auth-service`."""

    scheme: str
    host: str
    port: int | None
    path: str

    @classmethod
    def at(cls, url: str) -> "Service":
        """Read the service's address, `public_url` with or without `/auth-service`.

        Raises `ValueError` for anything but an `https:` address, or an `http:` address of this machine.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError("the token service's address must begin with https://")
        if parts.scheme == "http" and not is_loopback_host(parts.hostname):
            raise ValueError("the token service's address may begin with http:// on this machine only; use https://")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ValueError("the token service's address must have no credentials, query or fragment")
        path = parts.path.rstrip("/")
        path = path if path.endswith(PREFIX) else path + PREFIX
        return cls(scheme=parts.scheme, host=parts.hostname, port=parts.port, path=path)

    def __str__(self) -> str:
        """Give the address, which is also the issuer of its tokens."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port is None else f':{self.port}'}{self.path}"


class Calls:
    """Sends requests to one service, from any thread."""

    def __init__(self, service: Service, *, timeout: float, ca_file: str | None) -> None:
        """Give up a read or a connection after `timeout` seconds; trust `ca_file` (PEM) and the system's authorities.

        Raises `OSError` when `ca_file` cannot be read.
        """
        self._service = service
        self._timeout = timeout
        self._trust = ssl.create_default_context() if service.scheme == "https" else None
        if self._trust is not None and ca_file is not None:
            self._trust.load_verify_locations(ca_file)
        # Each with the process that made it: a fork must not speak on its parent's connections.
        self._idle: deque[tuple[int, HTTPConnection]] = deque()
        weakref.finalize(self, _close_all, self._idle)

    def get(self, path: str) -> bytes:
        """Give the document at a path; raises `ServiceUnavailable`."""
        status, body = self.send("GET", path)
        if status != 200:
            raise ServiceUnavailable(f"the token service answers {status}")
        return body

    def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Send a request that may be repeated, and give status and body.

        Raises `ServiceUnavailable` when no whole answer came.
        """
        target = self._service.path + path
        sent = {"Accept": "application/json", "User-Agent": f"doorward-client/{__version__}", **(headers or {})}
        try:
            if (connection := self._take_idle()) is not None:
                try:
                    return self._exchange(connection, method, target, sent, body)
                except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                    pass  # the service has closed the idle connection in the meantime
            return self._exchange(self._connect(), method, target, sent, body)
        except (OSError, HTTPException) as error:
            raise ServiceUnavailable(f"the token service does not answer: {type(error).__name__}") from error

    def _take_idle(self) -> HTTPConnection | None:
        while self._idle:
            with suppress(IndexError):  # another thread was faster
                process, connection = self._idle.pop()
                if process == os.getpid():
                    return connection
                connection.close()
        return None

    def _connect(self) -> HTTPConnection:
        host, port = self._service.host, self._service.port
        if self._trust is None:
            return HTTPConnection(host, port, timeout=self._timeout)
        return HTTPSConnection(host, port, timeout=self._timeout, context=self._trust)

    def _exchange(
        self, connection: HTTPConnection, method: str, target: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        is_reusable = False
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            content = response.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise HTTPException("the answer is too large")
            is_reusable = not response.will_close
            return response.status, content
        finally:
            if is_reusable:
                self._idle.append((os.getpid(), connection))
            else:
                connection.close()


def _close_all(idle: deque[tuple[int, HTTPConnection]]) -> None:
    for _, connection in idle:
        connection.close()
