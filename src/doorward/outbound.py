"""The only user of the HTTP client: documents fetched from providers.

Owns what every call to the outside has in common: HTTPS with a checked certificate (plain HTTP to this machine only),
no redirect, a bound on the whole time and on the size, JSON only, and the operator's proxy. Only addresses from the
settings are handed to it, never one that came with a token (token-exchange reference 2.2). Calls run in threads of
their own; the client library is loaded by the first of them, because a worker must be ready before it needs anybody's
keys.
"""

import asyncio
import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import cache
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import SplitResult, unquote, urlsplit

from doorward.base.loopback import is_loopback_host

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager
    from urllib3.exceptions import HTTPError

T = TypeVar("T")

TIMEOUT = 5.0
MAX_BYTES = 1024 * 1024
THREADS = 8

_CHUNK = 64 * 1024
_JSON = re.compile(r"application/json|[a-z0-9!#$&^_.-]+/[a-z0-9!#$&^_.-]+\+json")
_OK = 200


class OutboundFailed(Exception):
    """A document could not be had.

    `reason` names the kind of failure and `host` the host that was asked; neither holds a path, a query, a credential
    or anything that the other side sent.
    """

    def __init__(self, reason: str, host: str) -> None:
        """Say that asking `host` failed because of `reason`."""
        super().__init__(f"{reason} ({host})")
        self.reason = reason
        self.host = host


class Outbound:
    """Fetches documents over HTTP for everybody else."""

    def __init__(self, ca_file: str | None, environ: Mapping[str, str]) -> None:
        """Prepare for calls that trust the system's authorities and those in `ca_file`, by way of `environ`'s proxies.

        Raises `ValueError` when `ca_file` cannot be read or holds no certificate.
        """
        self._ca_file = ca_file or None
        self._proxies = _proxies(environ)
        self._room = asyncio.Semaphore(THREADS)
        self._trust: ssl.SSLContext | None = None
        self._trust_lock = threading.Lock()
        if self._ca_file is not None:
            _add_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self._ca_file)

    async def get_json_document(self, url: str, *, timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES) -> bytes:  # noqa: ASYNC109 - it bounds the thread too, which a caller's asyncio.timeout could not
        """Fetch the JSON document at `url`, within `timeout` seconds in all and at most `max_bytes` long.

        Gives the bytes as they were sent; nobody has looked whether they are JSON. Raises `OutboundFailed`.
        """
        parts = _acceptable(url)
        flight = _Flight()
        try:
            async with asyncio.timeout(timeout):
                await self._room.acquire()
                return await _in_thread(lambda: self._get(parts, timeout, max_bytes, flight), self._room.release)
        except TimeoutError:
            raise OutboundFailed(f"no complete answer within {timeout:g} s", _host(parts)) from None
        finally:
            flight.cut()

    def _get(self, parts: SplitResult, timeout: float, max_bytes: int, flight: "_Flight") -> bytes:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see the module's docstring

        host = _host(parts)
        try:
            with self._manager(parts, flight) as manager:
                response = manager.request(
                    "GET",
                    parts.geturl(),
                    headers={"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"},
                    redirect=False,
                    retries=False,
                    timeout=timeout,
                    preload_content=False,
                )
                with closing(response):
                    return _read_json(response, host, max_bytes)
        except (HTTPError, OSError, ValueError) as error:
            raise OutboundFailed(_reason(error), host) from None
        finally:
            flight.end()

    def _manager(self, parts: SplitResult, flight: "_Flight") -> "PoolManager":
        from urllib3 import PoolManager, ProxyManager, make_headers  # noqa: PLC0415 - see the module's docstring
        from urllib3.util import parse_url  # noqa: PLC0415 - see the module's docstring

        proxy = self._proxy_for(parts)
        trust = self._trusted() if parts.scheme == "https" or proxy else None
        if proxy is None:
            manager = PoolManager(ssl_context=trust)
        else:
            auth = parse_url(proxy).auth
            headers = make_headers(proxy_basic_auth=unquote(auth)) if auth else None
            manager = ProxyManager(proxy, proxy_headers=headers, ssl_context=trust, proxy_ssl_context=trust)
        manager.pool_classes_by_scheme = _pool_classes()
        manager.connection_pool_kw["socket_options"] = None
        _held_by.flight = flight
        return manager

    def _proxy_for(self, parts: SplitResult) -> str | None:
        if is_loopback_host(parts.hostname or "") or _is_direct(parts, self._proxies.get("no", "")):
            return None
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        return proxy if proxy is None or "://" in proxy else f"http://{proxy}"

    def _trusted(self) -> ssl.SSLContext:
        with self._trust_lock:
            if self._trust is None:
                self._trust = _trust(self._ca_file)
            return self._trust


class _Flight:
    """One call under way in a thread, and the means to cut it off from outside.

    Timeouts of a socket bound each single read, so a server that drips bytes would hold a thread for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wire: socket.socket | None = None
        self._over = False

    def hold(self, wire: socket.socket) -> socket.socket:
        """Remember the connection. The copy stays valid when TLS takes the original's place."""
        with self._lock:
            if self._over:
                wire.close()
                raise TimeoutError("cut off")
            self._wire = wire.dup()
        return wire

    def cut(self) -> None:
        """End the connection, whatever is being read or written on it."""
        with self._lock:
            self._over = True
            if self._wire is not None:
                with suppress(OSError):
                    self._wire.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._over = True
            if self._wire is not None:
                self._wire.close()
                self._wire = None


class _Holder(threading.local):
    """The flight of the call that runs in this thread."""

    flight: _Flight


_held_by = _Holder()


@cache
def _pool_classes() -> "dict[str, type[HTTPConnectionPool]]":
    """Give urllib3's connection pools with connections that report to their flight."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool  # noqa: PLC0415 - see the module's docstring
    from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415 - see the module's docstring

    logging.getLogger("urllib3").setLevel(logging.WARNING)  # its debug lines hold whole addresses, query included

    class HeldPlain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _held_by.flight.hold(super()._new_conn())

    class HeldTls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _held_by.flight.hold(super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = HeldPlain  # pyright: ignore[reportAssignmentType] - as urllib3's own, whose protocol is too narrow

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = HeldTls  # pyright: ignore[reportAssignmentType] - see above

    return {"http": PlainPool, "https": TlsPool}


async def _in_thread(call: Callable[[], T], when_done: Callable[[], None]) -> T:
    """Run `call` in a daemon thread and `when_done` in the loop once that thread has ended.

    Not an executor: the interpreter waits for an executor's threads at exit, and one that hangs in a name look-up would
    keep a stopped server from stopping.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        when_done()
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(cast("T", value))

    def run() -> None:
        value, error = None, None
        try:
            value = call()
        except Exception as raised:  # noqa: BLE001 - handed to the waiting task unchanged
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    try:
        threading.Thread(target=run, name="doorward-outbound", daemon=True).start()
    except RuntimeError:  # the system gives no more threads
        when_done()
        raise
    return await answer


def _acceptable(url: str) -> SplitResult:
    """Take an address apart; raises `OutboundFailed` for one that must not be asked."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise OutboundFailed("not an address", "?") from None
    if not host or parts.username is not None or parts.fragment:
        raise OutboundFailed("not an address without user and fragment", host or "?")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_host(host)):
        raise OutboundFailed("not https", host)
    return parts


def _host(parts: SplitResult) -> str:
    """Give host and port as they stand in the address; there is no user part."""
    return parts.netloc


def _read_json(response: "BaseHTTPResponse", host: str, max_bytes: int) -> bytes:
    if response.status != _OK:
        kind = "a redirect, which is not followed" if response.status // 100 == 3 else "not 200"
        raise OutboundFailed(f"status {response.status}: {kind}", host)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if _JSON.fullmatch(media_type) is None:
        raise OutboundFailed("the answer's Content-Type is not JSON", host)
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise OutboundFailed("the answer is compressed, which was not asked for", host)
    body = bytearray()
    for chunk in response.stream(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > max_bytes:
            raise OutboundFailed(f"the answer is longer than {max_bytes} bytes", host)
    return bytes(body)


def _reason(error: Exception) -> str:
    """Name the kind of a failure without quoting what the other side sent."""
    from urllib3 import exceptions  # noqa: PLC0415 - see the module's docstring

    if isinstance(error, exceptions.ProxyError):
        return f"proxy: {_reason(error.original_error)}"
    if isinstance(error, exceptions.SSLError | ssl.SSLError):
        return f"TLS: {_tls_reason(error)}"
    kinds: list[tuple[type[Exception], str]] = [
        (exceptions.NameResolutionError, "the name cannot be resolved"),
        (exceptions.NewConnectionError, "no connection"),
        (exceptions.TimeoutError, "no answer in time"),
        (exceptions.ProtocolError, "the connection broke off"),
        (exceptions.LocationValueError, "not an address"),
        (OSError, "no connection"),
    ]
    return next((text for kind, text in kinds if isinstance(error, kind)), f"failed with {type(error).__name__}")


def _tls_reason(error: "HTTPError | ssl.SSLError") -> str:
    inner = error if isinstance(error, ssl.SSLError) else next(iter(error.args), None)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"certificate refused: {inner.verify_message}"
    return inner.reason.lower().replace("_", " ") if isinstance(inner, ssl.SSLError) and inner.reason else "failed"


def _proxies(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Read `<scheme>_proxy` and `no_proxy`, where lower case wins over upper case as it does in curl."""
    names = sorted(environ, key=str.islower)
    return {name.lower().removesuffix("_proxy"): environ[name] for name in names if _names_proxy(name, environ)}


def _names_proxy(name: str, environ: Mapping[str, str]) -> bool:
    return name.lower().endswith("_proxy") and bool(environ[name])


def _is_direct(parts: SplitResult, no_proxy: str) -> bool:
    """Say whether `no_proxy` exempts a host: `*`, a name with all below it, or either with a port."""
    host, port = (parts.hostname or "").lower(), parts.port or 443
    for entry in no_proxy.lower().replace(",", " ").split():
        name, _, only_port = entry.partition(":")
        name = name.removeprefix("*").removeprefix(".")
        if entry == "*" or (only_port in ("", str(port)) and (host == name or host.endswith(f".{name}"))):
            return True
    return False


def _trust(ca_file: str | None) -> ssl.SSLContext:
    """Trust the system's authorities (or those SSL_CERT_FILE and SSL_CERT_DIR name) and the operator's own."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        _add_authorities(context, ca_file)
    return context


def _add_authorities(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:
        raise ValueError(f"{ca_file}: no certificates can be read: {error.strerror or error}") from error
