"""The calls: a document, a posted form, a profile."""

import asyncio
import re
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import field
from typing import TYPE_CHECKING, final
from urllib.parse import SplitResult, unquote

from doorward.base.frozen import frozen
from doorward.base.loopback import is_loopback_host
from doorward.outbound.failure import OutboundFailed, reason_of
from doorward.outbound.flight import Flight, held_by, in_thread, pool_classes
from doorward.outbound.route import acceptable, add_authorities, host_of, is_direct, proxies_of, trust_system_and

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

TIMEOUT = 5.0
MAX_BYTES = 1024 * 1024
THREADS = 8
CALL_TIMEOUT = 10.0
CALL_MAX_BYTES = 256 * 1024
CALL_THREADS = 16

_CHUNK = 64 * 1024
_JSON = re.compile(r"application/json|[a-z0-9!#$&^_.-]+/[a-z0-9!#$&^_.-]+\+json")
_OK = 200
_FORM = "application/x-www-form-urlencoded"


@final
@frozen
class Answer:
    """What a provider answered: a status of 2xx or 4xx, the media type in lower case without parameters, the body."""

    status: int
    media_type: str
    body: bytes = field(repr=False)


@frozen
class _Call:
    """One request, and the bounds of its answer: seconds in all, and bytes."""

    method: str
    parts: SplitResult
    timeout: float
    max_bytes: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes | None = field(default=None, repr=False)


class Outbound:
    """Calls providers over HTTP for everybody else."""

    def __init__(self, ca_file: str | None, environ: Mapping[str, str], *, call_timeout: float = CALL_TIMEOUT) -> None:
        """Prepare for calls that trust the system's authorities and those in `ca_file`, by way of `environ`'s proxies.

        `call_timeout`, in seconds, bounds each call that is no document. Raises `ValueError` when `ca_file` cannot be
        read or holds no certificate.
        """
        self._ca_file = ca_file or None
        self._proxies = proxies_of(environ)
        self._call_timeout = call_timeout
        self._room = asyncio.Semaphore(THREADS)
        # Room for each host of its own: a provider that is slow must not hold up people who come by another.
        self._rooms: dict[str, asyncio.Semaphore] = {}
        self._trust: ssl.SSLContext | None = None
        self._trust_lock = threading.Lock()
        if self._ca_file is not None:
            add_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self._ca_file)

    async def get_json_document(self, url: str, *, timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES) -> bytes:  # noqa: ASYNC109 - it bounds the thread too, which a caller's asyncio.timeout could not
        """Fetch the JSON document at `url`, within `timeout` seconds in all and at most `max_bytes` long.

        Gives the bytes as they were sent; nobody has looked whether they are JSON. Raises `OutboundFailed`.
        """
        call = _Call(method="GET", parts=acceptable(url), timeout=timeout, max_bytes=max_bytes)
        answer = await self._ask(call, self._room)
        host = host_of(call.parts)
        if answer.status != _OK:
            raise OutboundFailed(f"status {answer.status}: not 200", host)
        if _JSON.fullmatch(answer.media_type) is None:
            raise OutboundFailed("the answer's Content-Type is not JSON", host)
        return answer.body

    async def post_form(self, url: str, form: bytes, *, authorization: str = "") -> Answer:
        """Post a form, already encoded, and give the answer, whether it grants or refuses (RFC 6749 section 5).

        `authorization` is the whole value of that header. Raises `OutboundFailed` for everything but 2xx and 4xx.
        """
        headers = {"Content-Type": _FORM} | _authorized(authorization)
        return await self._call("POST", url, headers, form)

    async def post_json(self, url: str, body: bytes, authorization: str) -> Answer:
        """Post JSON, already encoded, under an Authorization header; raises as `post_form`."""
        return await self._call("POST", url, {"Content-Type": "application/json"} | _authorized(authorization), body)

    async def get_profile(self, url: str, bearer: str) -> Answer:
        """Fetch the profile of whoever the token `bearer` belongs to (RFC 6750 section 2.1); raises as `post_form`."""
        return await self.get_signed(url, f"Bearer {bearer}")

    async def get_signed(self, url: str, authorization: str) -> Answer:
        """Fetch what needs an Authorization header of any kind, such as one of OAuth 1.0a; raises as `post_form`."""
        return await self._call("GET", url, _authorized(authorization), None)

    async def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        call = _Call(
            method=method,
            parts=acceptable(url),
            timeout=self._call_timeout,
            max_bytes=CALL_MAX_BYTES,
            headers={"User-Agent": "Doorward", **headers},  # GitHub refuses callers without a name
            body=body,
        )
        room = self._rooms.setdefault(host_of(call.parts), asyncio.Semaphore(CALL_THREADS))
        return await self._ask(call, room)

    async def _ask(self, call: _Call, room: asyncio.Semaphore) -> Answer:
        flight = Flight()
        try:
            async with asyncio.timeout(call.timeout):
                await room.acquire()
                return await in_thread(lambda: self._send(call, flight), room.release)
        except TimeoutError:
            raise OutboundFailed(f"no complete answer within {call.timeout:g} s", host_of(call.parts)) from None
        finally:
            flight.cut()

    def _send(self, call: _Call, flight: Flight) -> Answer:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see the package's docstring

        host = host_of(call.parts)
        try:
            with self._manager(call.parts, flight) as manager:
                response = manager.request(
                    call.method,
                    call.parts.geturl(),
                    body=call.body,
                    headers={
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",
                        "Connection": "close",
                        **call.headers,
                    },
                    redirect=False,
                    retries=False,
                    timeout=call.timeout,
                    preload_content=False,
                )
                with closing(response):
                    return _read(response, host, call.max_bytes)
        except (HTTPError, OSError, ValueError) as error:
            raise OutboundFailed(reason_of(error), host) from None
        finally:
            flight.end()

    def _manager(self, parts: SplitResult, flight: Flight) -> "PoolManager":
        from urllib3 import PoolManager, ProxyManager, make_headers  # noqa: PLC0415 - see the package's docstring
        from urllib3.util import parse_url  # noqa: PLC0415 - see the package's docstring

        proxy = self._proxy_for(parts)
        trust = self._trusted() if parts.scheme == "https" or proxy else None
        if proxy is None:
            manager = PoolManager(ssl_context=trust)
        else:
            auth = parse_url(proxy).auth
            headers = make_headers(proxy_basic_auth=unquote(auth)) if auth else None
            manager = ProxyManager(proxy, proxy_headers=headers, ssl_context=trust, proxy_ssl_context=trust)
        manager.pool_classes_by_scheme = pool_classes()
        manager.connection_pool_kw["socket_options"] = None
        held_by.flight = flight
        return manager

    def _proxy_for(self, parts: SplitResult) -> str | None:
        if is_loopback_host(parts.hostname or "") or is_direct(parts, self._proxies.get("no", "")):
            return None
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all")
        return proxy if proxy is None or "://" in proxy else f"http://{proxy}"

    def _trusted(self) -> ssl.SSLContext:
        with self._trust_lock:
            if self._trust is None:
                self._trust = trust_system_and(self._ca_file)
            return self._trust


def _authorized(authorization: str) -> dict[str, str]:
    """Give the Authorization header; raises `OutboundFailed` for a value that would be more than one header."""
    if not authorization.isprintable() or not authorization.isascii():
        raise OutboundFailed("not a credential that fits into a header", "?")
    return {"Authorization": authorization} if authorization else {}


def _read(response: "BaseHTTPResponse", host: str, max_bytes: int) -> Answer:
    status = response.status
    if status // 100 not in {2, 4}:
        kind = "a redirect, which is not followed" if status // 100 == 3 else "not 200"
        raise OutboundFailed(f"status {status}: {kind}", host)
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise OutboundFailed("the answer is compressed, which was not asked for", host)
    body = bytearray()
    for chunk in response.stream(_CHUNK, decode_content=False):
        body += chunk
        if len(body) > max_bytes:
            raise OutboundFailed(f"the answer is longer than {max_bytes} bytes", host)
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Answer(status=status, media_type=media_type, body=bytes(body))
