"""`EasyAuth` around an ASGI application: the gateway in the application's own process (interface, section 8).

Our own addresses are answered here, everybody else is let in to the application or not by the same porter as at every
other door. The application sees requests without what clients make up, and with who is asking. Bodies are never read
here but for our own addresses, within their limits.

Where the server speaks the lifespan protocol, the house opens before the application starts and closes after it has
ended, all in the server's event loop. Where it does not, the house lives in a thread of its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack
from typing import Any, Protocol, final

from doorward.base.errors import DoorwardError
from doorward.base.refusals import NOT_FOUND
from doorward.embedded import DEFAULT_CONFIG, Config, HouseThread, Running, open_inside, read_settings
from doorward.gateway.answers import say_refusal
from doorward.gateway.inside import REQUEST_ID, Inside, judged_path, without_request_id
from doorward.identity.admission import Allow
from doorward.identity.visit import Scheme, Visit
from doorward.inbound.blame import frames
from doorward.inbound.door import (
    Asgi,
    ClientGone,
    Read,
    Receive,
    Reply,
    Scope,
    Send,
    completed,
    is_last,
    linger,
    read_body,
)

__all__ = ["EasyAuth"]

_SCHEMES: dict[str, Scheme] = {"https": "https", "wss": "https"}
_NOT_IN_HTTP_2 = frozenset({b"connection"})  # RFC 9113 section 8.2.2
_RESPONSE = "websocket.http.response"
# The registered codes that say 401 and 403 (IANA, WebSocket Close Code Number Registry), and "policy violation".
_CLOSE_CODES = {401: 3000, 403: 3003}
_CLOSED = 1008
_ENDS = ("lifespan.shutdown.complete", "lifespan.shutdown.failed")

_log = logging.getLogger("doorward.embedded")


class _Home(Protocol):
    """Where the house lives, as one request sees it."""

    inside: Inside

    async def ask(self, visit: Visit, read: Read) -> Allow | Reply:
        """Look at a request, as `Inside.ask` does."""
        ...


@final
class EasyAuth:
    """The ASGI application (version 3) that lets in to `app` who may pass.

    `config` is the settings file of `doorward serve`, None for its defaults, or settings made elsewhere; its rules hold
    here, too. Raises `SettingsRejected` when the settings are wrong.
    """

    def __init__(self, app: Asgi, config: Config = DEFAULT_CONFIG) -> None:
        """Read the settings; nothing is opened yet."""
        self._app = app
        self._settings = read_settings(config)
        self._here: _Here | None = None
        self._thread = HouseThread(self._settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        match scope["type"]:
            case "http":
                await self._answer(scope, receive, send)
            case "websocket":
                await self._answer_websocket(scope, receive, send)
            case "lifespan":
                await _Lifespan(self._app, self._open, receive, send).run(scope)
            case kind:
                raise ValueError(f"nobody is let in by a protocol that is not known: {kind}")

    def close(self) -> None:
        """Close the house where the server does not say when; at the end of the process that happens by itself."""
        self._thread.close()

    async def _open(self, stack: AsyncExitStack) -> None:
        """Open the house in the server's event loop, for as long as `stack` lasts."""
        self._here = _Here(await stack.enter_async_context(open_inside(self._settings)))
        stack.callback(self._leave)

    def _leave(self) -> None:
        self._here = None

    async def _home(self) -> _Home:
        """Give the house: the server's loop's, else the one in a thread."""
        if self._here is not None and self._here.loop is asyncio.get_running_loop():
            return self._here
        return _Elsewhere(await asyncio.to_thread(self._thread.open))

    # --- HTTP ----------------------------------------------------------------------------------------------------

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            home = await self._home()
        except DoorwardError as error:
            await _fail_to_open(error, send)
            return
        visit = _visit(home.inside, scope)
        allow = home.inside.pass_now(visit)
        if allow is None:

            async def read(limit: int) -> bytes:
                return await read_body(visit, limit, receive)

            try:
                answered = await home.ask(visit, read)
            except ClientGone:
                return
            if isinstance(answered, Reply):
                await _reply(scope, answered, receive, send)
                return
            allow = answered
        await self._app(_scope_for_app(home.inside, scope, visit, allow), receive, _naming(send, visit))

    # --- WebSocket -----------------------------------------------------------------------------------------------

    async def _answer_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a WebSocket in to the application, or refuse it before it is accepted."""
        try:
            home = await self._home()
        except DoorwardError as error:
            _log_unopened(error)
            await _close(receive, send, _CLOSED)
            return
        visit = _visit(home.inside, scope, is_websocket=True)
        answered: Allow | Reply | None = home.inside.pass_now(visit)
        if home.inside.site.is_own(visit.path):  # nothing of ours speaks it
            answered = completed(visit, say_refusal(visit, NOT_FOUND))
        elif answered is None:
            answered = await home.ask(visit, _read_nothing)
        if isinstance(answered, Allow):
            await self._app(_scope_for_app(home.inside, scope, visit, answered), receive, send)
        elif _RESPONSE in (scope.get("extensions") or {}):
            await receive()  # websocket.connect
            await send({"type": f"{_RESPONSE}.start", "status": answered.status, "headers": list(answered.headers)})
            await send({"type": f"{_RESPONSE}.body", "body": answered.body})
        else:
            await _close(receive, send, _CLOSE_CODES.get(answered.status, _CLOSED))


@final
class _Here:
    """The house in the server's own event loop."""

    def __init__(self, inside: Inside) -> None:
        self.inside = inside
        self.loop = asyncio.get_running_loop()

    async def ask(self, visit: Visit, read: Read) -> Allow | Reply:
        """Ask it."""
        return await self.inside.ask(visit, read)


@final
class _Elsewhere:
    """The house in a thread of its own; the body of a request is still read in the server's event loop."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.inside = running.inside

    async def ask(self, visit: Visit, read: Read) -> Allow | Reply:
        """Ask it."""
        ours = asyncio.get_running_loop()

        async def read_here(limit: int) -> bytes:
            return await read(limit)

        async def read_over_there(limit: int) -> bytes:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(read_here(limit), ours))

        return await asyncio.wrap_future(self._running.ask(visit, read_over_there))


# --- what the server says, in our words; and back --------------------------------------------------------------------


def _visit(inside: Inside, scope: Scope, *, is_websocket: bool = False) -> Visit:
    """Read a scope; optional members of it may be missing (ASGI, HTTP and WebSocket message format)."""
    fields = [(name.lower(), value) for name, value in scope["headers"]]
    if is_websocket and not any(name == b"upgrade" for name, _ in fields):
        fields.append((b"upgrade", b"websocket"))  # HTTP/2 has no such field; a handshake is one all the same
    client = scope.get("client")
    return inside.site.door.trust.visit(
        method="GET" if is_websocket else scope["method"],
        path=judged_path(scope["path"].encode("utf-8", "surrogateescape"), scope.get("raw_path")),
        query=scope.get("query_string", b"").decode("latin-1"),
        raw_headers=tuple(fields),
        peer=client[0] if client else "",
        scheme=_SCHEMES.get(scope.get("scheme", "http"), "http"),
    )


def _scope_for_app(inside: Inside, scope: Scope, visit: Visit, allow: Allow) -> Scope:
    """Give the scope as the application is to see it: what trusted proxies say of the client stands in it, too."""
    seen: Scope = {**scope, "headers": inside.fields(visit, allow)}
    if visit.peer_is_trusted:
        plain, secure = ("ws", "wss") if scope["type"] == "websocket" else ("http", "https")
        seen["scheme"] = secure if visit.scheme == "https" else plain
        if not visit.address_is_proxy:
            seen["client"] = (visit.address, 0)
    return seen


def _naming(send: Send, visit: Visit) -> Send:
    """Give every answer of the application the id of its request."""

    async def send_named(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            fields = without_request_id(message.get("headers", ()))
            message = {**message, "headers": [*fields, (REQUEST_ID, visit.request_id.encode())]}
        await send(message)

    return send_named


async def _reply(scope: Scope, reply: Reply, receive: Receive, send: Send) -> None:
    """Answer in place of the application."""
    is_old = scope.get("http_version", "1.1") in {"1.0", "1.1"}
    headers = [field for field in reply.headers if is_old or field[0] not in _NOT_IN_HTTP_2]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if is_last(reply):
        await linger(reply.body, receive, send)
    else:
        await send({"type": "http.response.body", "body": reply.body})


async def _fail_to_open(error: DoorwardError, send: Send) -> None:
    """Refuse whoever asks while the house cannot be opened; the next request tries again."""
    _log_unopened(error)
    headers = [(b"content-type", b"text/plain"), (b"cache-control", b"no-store"), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"Try again in a moment."})


def _log_unopened(error: DoorwardError) -> None:
    _log.error("embedded.not_open", extra={"facts": {"code": error.code, **error.facts}})


async def _close(receive: Receive, send: Send, code: int) -> None:
    await receive()  # websocket.connect
    await send({"type": "websocket.close", "code": code})


async def _read_nothing(_limit: int) -> bytes:
    return b""


# --- the life of the process -----------------------------------------------------------------------------------------


@final
class _Lifespan:
    """The lifespan protocol, ours around the application's own.

    An application that knows nothing of it says so by an exception (ASGI, Lifespan Protocol); ours goes on without it.
    """

    def __init__(
        self, app: Asgi, open_house: Callable[[AsyncExitStack], Awaitable[None]], receive: Receive, send: Send
    ) -> None:
        self._app = app
        self._open_house = open_house
        self._receive = receive
        self._send = send
        self._stack = AsyncExitStack()
        self._began: MutableMapping[str, Any] | None = None
        self._said = ""  # the last that the application said
        self._is_ending = False

    async def run(self, scope: Scope) -> None:
        """Open, have the application start, have it end, close."""
        self._began = await self._receive()
        try:
            await self._open_house(self._stack)
        except DoorwardError as error:
            _log_unopened(error)
            await self._send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        async with self._stack:
            await self._run_app(scope)

    async def _run_app(self, scope: Scope) -> None:
        try:
            await self._app(scope, self._hear, self._speak)
        except Exception as defect:
            if self._is_ending or self._said == "lifespan.startup.failed":
                raise
            if self._said:
                _log.error("embedded.lifespan_broken", extra={"facts": frames(defect)})
        if self._said == "lifespan.startup.failed":
            return
        if not self._said:
            await self._send({"type": "lifespan.startup.complete"})
        if not self._is_ending:
            await self._receive()
        if self._said not in _ENDS:
            await self._end({"type": "lifespan.shutdown.complete"})

    async def _hear(self) -> MutableMapping[str, Any]:
        if self._began is not None:
            message, self._began = self._began, None
            return message
        message = await self._receive()
        self._is_ending = True
        return message

    async def _speak(self, message: MutableMapping[str, Any]) -> None:
        self._said = message["type"]
        if self._said in _ENDS:
            await self._end(message)
        else:
            await self._send(message)

    async def _end(self, message: MutableMapping[str, Any]) -> None:
        """Close before the server is told that all is over: it may end the process at once."""
        await self._stack.aclose()
        await self._send(message)
