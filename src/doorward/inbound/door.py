"""Requests in, replies out: a table of paths behind an ASGI callable.

Owns the way of every buffered request: finding its route, reading its body within the route's limit, calling the
handler, and answering. Refuses unknown paths, wrong methods and bodies that are too large, each in the envelope of the
prefix it was asked under. Whatever a handler did not foresee becomes one log line and a 500; a client that goes away
while it still sends is dropped without a word. No framework: routes are a dictionary (docs/adr/0003-inbound.md).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Protocol, TypeAlias, final

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import INTERNAL_ERROR, METHOD_NOT_ALLOWED, NOT_FOUND, PAYLOAD_TOO_LARGE
from doorward.identity.visit import Trust, Visit
from doorward.inbound.blame import frames

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_GONE = 499  # nginx's number for a client that closed before it was answered; seen in metrics and logs only
UNKNOWN_ROUTE = "unknown"
LINGER_BYTES = 64 << 20
LINGER_SECONDS = 2.0

log = logging.getLogger("doorward.inbound")
current_request: ContextVar[str] = ContextVar("current_request", default="")
"""The id of the request that the running task answers, so that whatever it logs can be found by it."""


@frozen(kw_only=False)
class Reply:
    """One answer: `headers` have lower-case names; the door adds Content-Length and X-Request-ID."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


Handler: TypeAlias = Callable[[Visit, bytes], Awaitable[Reply]]


class Seen(Protocol):
    """What is told of a request when it is over: `Visit`, or as much of one."""

    @property
    def method(self) -> str:
        """Give the method."""
        ...

    @property
    def path(self) -> str:
        """Give the path, without the query."""
        ...

    @property
    def address(self) -> str:
        """Give the client's address, empty where nobody knows it."""
        ...

    @property
    def request_id(self) -> str:
        """Give the id."""
        ...


Observe: TypeAlias = Callable[[Seen, str, int, float], None]
"""Told of every request when it is over: what it was, route path or `unknown`, status, seconds."""
Read: TypeAlias = Callable[[int], Awaitable[bytes]]
"""Gives a request's whole body; raises PAYLOAD_TOO_LARGE over so many bytes, `ClientGone` where its end never comes."""
Refuse: TypeAlias = Callable[[Visit, DoorwardError], Reply]
"""Puts a refusal into the words of one prefix."""


@frozen
class Route:
    """One endpoint: a percent-encoded path and a method.

    A path is exact; one that ends in `/*` covers everything below what stands before, where no exact one does. The
    method `*` is for every method that the path has no other route for.

    `max_body` is in bytes; 0 means that the endpoint takes no body, and one that is sent is thrown away unread. A GET
    route answers HEAD as well. The handler may raise `DoorwardError`.

    `at_once` answers what memory alone can tell, without a task, and gives None for all the rest, which the handler
    answers; it never raises.
    """

    method: str
    path: str
    handler: Handler
    max_body: int = 0
    at_once: Callable[[Visit], Reply | None] | None = None


class ClientGone(Exception):
    """The connection ended before the whole request had arrived."""


@final
class Door:
    """The ASGI callable over a table of routes."""

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        trust: Trust,
        clock: Clock,
        observe: Observe,
        envelopes: Mapping[str, Refuse],
    ) -> None:
        """Take the routes and the envelope of each prefix.

        A prefix is a path without trailing slash and covers itself and everything below it; the longest that fits
        speaks. Raises `ValueError` for a route that is there twice and when no envelope covers the prefix "".
        """
        if "" not in envelopes:
            raise ValueError('the prefix "" needs an envelope')
        table = _table(routes)
        self._routes = {path: methods for path, methods in table.items() if not path.endswith("/*")}
        self._below = tuple((path[:-1], methods) for path, methods in table.items() if path.endswith("/*"))
        self.trust = trust
        self._clock = clock
        self._observe = observe
        self._envelopes = dict(sorted(envelopes.items(), key=lambda entry: -len(entry[0])))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3, HTTP alone)."""
        client = scope["client"]
        visit = self.trust.visit(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            raw_headers=tuple(scope["headers"]),  # what was decided by must not change afterwards
            peer=client[0] if client else "",
            scheme=scope["scheme"],
        )

        async def read(limit: int) -> bytes:
            return await read_body(visit, limit, receive)

        try:
            reply = await self.answer(visit, read)
            await send({"type": "http.response.start", "status": reply.status, "headers": list(reply.headers)})
            if is_last(reply):
                await linger(reply.body, receive, send)
            else:
                await send({"type": "http.response.body", "body": reply.body})
        except (ClientGone, asyncio.CancelledError):
            # Cancelled only when the drain is over its time, and then there is no connection left to answer on.
            return

    def answer_at_once(self, visit: Visit) -> Reply | None:
        """Answer as `answer` does, where the route can do so without waiting, else give None."""
        methods = self._routes.get(visit.path)
        route = None if methods is None else methods.get(visit.method) or methods.get("*")
        if route is None or route.at_once is None:
            return None
        started = self._clock.monotonic()
        reply = route.at_once(visit)
        if reply is None:
            return None
        self._observe(visit, route.path, reply.status, self._clock.monotonic() - started)
        return completed(visit, reply)

    async def answer(self, visit: Visit, read: Read) -> Reply:
        """Answer one request, with every header but those of the connection; what it was is observed.

        A reply that `is_last` was made before the body had come. Raises `ClientGone` as `read` does.
        """
        started = self._clock.monotonic()
        current_request.set(visit.request_id)
        methods = self._routes.get(visit.path) or self._find_below(visit.path)
        status = CLIENT_GONE
        try:
            reply = await self._reply(visit, methods, read)
            status = reply.status
        finally:
            # The route's own path: what a client appends to it must not become a series of its own in the metrics.
            label = UNKNOWN_ROUTE if methods is None else next(iter(methods.values())).path
            self._observe(visit, label, status, self._clock.monotonic() - started)
        return reply

    def _find_below(self, path: str) -> Mapping[str, Route] | None:
        return next((methods for prefix, methods in self._below if path.startswith(prefix)), None)

    async def _reply(self, visit: Visit, methods: Mapping[str, Route] | None, read: Read) -> Reply:
        """Give the whole reply to `visit`, whatever happens on the way."""
        extra: tuple[tuple[bytes, bytes], ...] = ()
        try:
            reply = await self._handled(visit, methods, read)
        except ClientGone:
            raise
        except DoorwardError as refusal:
            reply = self._refused(visit, refusal)
            extra = _headers_of(refusal, methods)
        except (Exception, asyncio.CancelledError) as defect:
            if _is_cancelled(defect):
                raise
            log.error("request.failed", extra={"facts": frames(defect)})  # noqa: TRY400 - values in a traceback may be tokens
            reply = self._refused(visit, DoorwardError(INTERNAL_ERROR))
        return completed(visit, reply, extra)

    async def _handled(self, visit: Visit, methods: Mapping[str, Route] | None, read: Read) -> Reply:
        if methods is None:
            raise DoorwardError(NOT_FOUND)
        route = methods.get(visit.method) or methods.get("*")
        if route is None:
            raise DoorwardError(METHOD_NOT_ALLOWED)
        body = await read(route.max_body) if route.max_body else b""
        try:
            return await route.handler(visit, body)
        except DoorwardError as refusal:
            level = refusal.row.log_level
            if log.isEnabledFor(level):
                log.log(level, "request.refused", extra={"facts": {**refusal.facts, "code": refusal.code}})
            raise

    def _refused(self, visit: Visit, refusal: DoorwardError) -> Reply:
        for prefix, refuse in self._envelopes.items():
            if visit.path.startswith(prefix) and visit.path[len(prefix) : len(prefix) + 1] in {"", "/"}:
                return refuse(visit, refusal)
        return self._envelopes[""](visit, refusal)


def _table(routes: Iterable[Route]) -> dict[str, dict[str, Route]]:
    table: dict[str, dict[str, Route]] = {}
    for route in routes:
        methods = table.setdefault(route.path, {})
        if route.method in methods:
            raise ValueError(f"{route.method} {route.path} is there twice")
        methods[route.method] = route
    for methods in table.values():
        if "GET" in methods:
            methods.setdefault("HEAD", methods["GET"])
    return table


def completed(visit: Visit, reply: Reply, extra: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """Add what every reply says."""
    request_id = (b"x-request-id", visit.request_id.encode())
    return Reply(reply.status, reply.body, (*reply.headers, *extra, *_length_of(reply), request_id))


def is_last(reply: Reply) -> bool:
    """Say whether the connection ends with this reply, because the request's body was not read."""
    return (b"connection", b"close") in reply.headers


def _is_cancelled(defect: BaseException) -> bool:
    """Tell a request that is being cut off from a handler that tripped over somebody else's cancelled future."""
    task = asyncio.current_task()
    return isinstance(defect, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _length_of(reply: Reply) -> tuple[tuple[bytes, bytes], ...]:
    """Give Content-Length, which an answer without content must not have (RFC 9110 section 8.6)."""
    return () if reply.status == 204 else ((b"content-length", b"%d" % len(reply.body)),)


def _headers_of(refusal: DoorwardError, methods: Mapping[str, Route] | None) -> tuple[tuple[bytes, bytes], ...]:
    """Give the headers that belong to a refusal in every envelope."""
    if refusal.row is METHOD_NOT_ALLOWED and methods:
        return ((b"allow", ", ".join(sorted(methods)).encode()),)
    if refusal.row is PAYLOAD_TOO_LARGE:
        return ((b"connection", b"close"),)
    if refusal.retry_after is not None:
        return ((b"retry-after", b"%d" % refusal.retry_after),)
    return ()


async def read_body(visit: Visit, limit: int, receive: Receive) -> bytes:
    """Read the body of an ASGI request.

    Raises `DoorwardError` with PAYLOAD_TOO_LARGE as soon as more than `limit` bytes are announced or have come, and
    `ClientGone` where its end never comes.
    """
    announced = visit.header(b"content-length")
    if announced is not None and int(announced) > limit:
        raise DoorwardError(PAYLOAD_TOO_LARGE, limit=limit)
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        body = body + piece if body else piece
        more = message.get("more_body", False)
        if len(body) > limit:
            raise DoorwardError(PAYLOAD_TOO_LARGE, limit=limit)
    return body


async def linger(body: bytes, receive: Receive, send: Send) -> None:
    """Send the answer to a body that is still coming, and read on for a moment before closing.

    Closing a socket with unread bytes resets the connection, and the reset can overtake the answer.
    """
    await send({"type": "http.response.body", "body": body, "more_body": True})
    left = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    break
                left -= len(message.get("body", b""))
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b""})
