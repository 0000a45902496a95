"""One client connection: uvicorn's HTTP/1.1 protocol with the limits that it lacks.

Owns how much and how slowly a client may send before a request is complete, how slowly it may take an answer, and what
happens to input that is no HTTP. uvicorn would wait for a head for ever, take one of any size, take trailers for
headers, and log a warning for every line of garbage; here a slow or oversized head ends the connection with 408 or 431,
garbage with 400, each with one line in the log. Built on the attributes of `HttpToolsProtocol` that uvicorn's own code
uses; tests/inbound/test_wire.py holds every one of them.
"""

import asyncio
import logging
from collections.abc import Callable
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, cast, final

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from doorward.inbound.bare import Joining, Trailers, bare_answer, without_offer
from doorward.inbound.crowd import Connect, Crowd
from doorward.inbound.door import Asgi
from doorward.inbound.flow import MAX_WAITING, SMALL, Flow, share_end

TRAILER_BYTES = 8 * 1024
DRAINING_WRITE_SECONDS = 5.0
SPARE_SECONDS = 1.0

log = logging.getLogger("doorward.inbound")


def asgi(app: Asgi) -> Connect:
    """Have `app` answer, by uvicorn's protocol."""

    def of(crowd: Crowd) -> Callable[[], Wire]:
        config = Config(
            app=cast("Any", app),  # our own ASGI types are wider than uvicorn's typed dictionaries
            http=Wire,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=cast("int", crowd.limits.idle_seconds),  # only ever handed to loop.call_later
        )
        config.load()
        state = ServerState()
        state.connections, state.tasks = cast("Any", crowd.connections), crowd.tasks
        state.default_headers = crowd.default_headers
        return lambda: Wire(config, state, crowd=crowd, loop=asyncio.get_running_loop())

    return of


class _Phase(Enum):
    """Which part of a request is due next."""

    BETWEEN = auto()
    HEAD = auto()
    BODY = auto()


@final
class Wire(HttpToolsProtocol):
    """One connection of a listener."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        *,
        crowd: Crowd,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state={}, _loop=loop)
        self._limits = crowd.limits
        self._request_id = crowd.request_id
        self._phase = _Phase.BETWEEN
        self._chunk = 0
        self._chunk_opens_head = False
        self._head_least = 0  # bounds of what the head has so far, exact but for the chunk in which it began
        self._head_most = 0
        self._behind_body = 0  # bytes since the last that belonged to a body, exact but for the chunk in which it stood
        self._trailers = Trailers(_TooLongError)
        self._waiting_since: float | None = loop.time()
        self._running: RequestResponseCycle | None = None
        self.lost: asyncio.Future[None] = loop.create_future()
        self._is_draining = False
        self._is_broken = False
        self._is_offer = False
        self._flow = cast("Flow", None)  # there is none without a transport

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin with a connection (transport's callback)."""
        super().connection_made(transport)
        self._flow = self.flow = Flow(transport)

    # --- what the client sends -----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Read requests, and keep back what comes faster than it is answered (transport's callback)."""
        if self._is_broken:
            return
        if self._flow.is_held:
            self._flow.hold(data)
        elif len(data) <= SMALL and not self.pipeline:
            self._parse(data)
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Read requests as long as few wait, and keep the rest back."""
        start = 0
        while start < len(data) and not self._is_broken:
            if len(self.pipeline) >= MAX_WAITING:
                self._flow.hold(data[start:])
                return
            end = share_end(data, start)
            self._parse(data[start:end])
            start = end

    def _take_rest(self) -> None:
        """Go on with what was kept back, now that no request waits."""
        rest = self._flow.release()
        if self._is_broken or self.transport.is_closing():
            return
        if self._waiting_since is not None:
            self._waiting_since = self.loop.time()
        self._take(rest)
        self._flow.resume_reading()

    def _parse(self, data: bytes) -> None:
        """Feed the parser, and end the connection when this is not HTTP or a head or trailer is too long."""
        self._unset_keepalive_if_required()
        self._count(len(data))
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            too_long = isinstance(error.__context__, _TooLongError)
            self._break(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_long else HTTPStatus.BAD_REQUEST)
        else:
            if self._phase is not _Phase.BETWEEN and self._is_overlong():
                self._break(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _is_overlong(self) -> bool:
        """Say whether the head, or what follows a body, is too long though its end has not come."""
        if self._phase is _Phase.HEAD:
            return self._head_least > self._limits.head_bytes
        return self._behind_body > TRAILER_BYTES

    def _feed(self, data: bytes) -> None:
        while True:
            parser = self.parser
            try:
                parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if not self._is_offer:
                    self._stop_after_answer()
                    return
                # The parser takes a request that offers another protocol (Java's HTTP client does) for the last in this
                # one, body included. We decline by reading it again without the offer.
                self._is_offer = False
                self.parser = httptools.HttpRequestParser(self)
                rest = data[cast("int", offer.args[0]) :]
                data = without_offer(parser.get_method(), self.url, self.headers) + rest
            else:
                return

    def _count(self, size: int) -> None:
        self._chunk = size
        self._chunk_opens_head = self._phase is _Phase.BETWEEN
        if self._phase is _Phase.HEAD:
            self._head_least += size
            self._head_most += size
        elif self._phase is _Phase.BODY:
            self._behind_body += size
        elif self._phase is _Phase.BETWEEN and self._waiting_since is None:
            # Blank lines may precede a request; they must not keep a connection alive for ever.
            self._waiting_since = self.loop.time()

    def on_message_begin(self) -> None:
        """Note that a request has begun (parser's callback)."""
        super().on_message_begin()
        self._phase = _Phase.HEAD
        self._head_least = self._chunk if self._chunk_opens_head else 0
        self._head_most = self._chunk
        self._chunk_opens_head = False
        self._waiting_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Hand a request whose head is not too long to the app (parser's callback)."""
        if self._head_most > self._limits.head_bytes and self._head_size() > self._limits.head_bytes:
            raise _TooLongError
        if self._offers_upgrade():
            self._is_offer = True
            return
        hosts = sum(1 for name, _ in self.headers if name == b"host")
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            raise _HostUnclearError
        self._phase = _Phase.BODY
        self._behind_body = 0
        self._waiting_since = self.loop.time()
        super().on_headers_complete()
        self._trailers.seen = 0
        self.headers = self._trailers  # from here on uvicorn would add trailers to the headers that were already read
        if self._is_draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Hand on a part of the body (parser's callback)."""
        self._behind_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is whole (parser's callback)."""
        if self._is_offer:
            return
        super().on_message_complete()
        self._phase = _Phase.BETWEEN
        self._waiting_since = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        cycle.transport = cast("asyncio.Transport", Joining(self.transport, self.loop))  # all that a cycle asks of one
        super()._start_asgi_task(cycle, app)
        if self._flow.is_held and not self.pipeline:
            self.loop.call_soon(self._take_rest)

    def _offers_upgrade(self) -> bool:
        # CONNECT is told from an offer: declining it would be read as CONNECT again.
        return self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    # --- how it ends -------------------------------------------------------------------------------------------------

    def end_if_late(self, now: float) -> None:
        """End the connection if its client takes too long to send a request or to take an answer.

        `now` is the loop's time.
        """
        if self._is_stalled(now):
            log.info("http.stalled", extra={"facts": {"address": (self.client or ("",))[0]}})
            self.cut()
            return
        since = self._waiting_since
        if since is None or self._is_broken or self._flow.is_held:
            return
        if self._phase is _Phase.BODY:
            if now - since > self._limits.body_seconds:
                self._break(HTTPStatus.REQUEST_TIMEOUT)
        elif self._is_idle() and now - since > self._limits.head_seconds:
            if self._phase is _Phase.BETWEEN:
                self.transport.close()
            else:
                self._break(HTTPStatus.REQUEST_TIMEOUT)

    def end_if_spare(self, now: float) -> None:
        """Close the connection if nothing goes on, to make room for another: kept alive, or open and silent so far."""
        since = self._waiting_since
        is_silent = since is None or now - since > SPARE_SECONDS
        if self._phase is _Phase.BETWEEN and self._is_idle() and not self._flow.is_held and is_silent:
            self.transport.close()

    def _is_stalled(self, now: float) -> bool:
        seconds = self._limits.write_seconds
        return self._flow.is_stalled(now, min(seconds, DRAINING_WRITE_SECONDS) if self._is_draining else seconds)

    def announce_end(self) -> None:
        """Have the answer under way, or the next, say that it is the connection's last."""
        self._is_draining = True
        if not self._is_idle():
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Take no further request: close now if none has begun to arrive, else after its answer."""
        self.announce_end()
        if self._is_idle() and self._phase is not _Phase.HEAD:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whatever runs or waits that the connection is gone (transport's callback)."""
        if self._running is not None:
            self._running.disconnected = True
        super().connection_lost(exc)
        if not self.lost.done():
            self.lost.set_result(None)

    def cut(self) -> None:
        """Drop the connection in the middle of whatever it does."""
        for cycle in (self._running, *(queued for queued, _ in self.pipeline)):
            if cycle is not None:
                cycle.disconnected = True
        self.transport.abort()

    def _is_idle(self) -> bool:
        cycle = cast("Any", self.cycle)
        return cycle is None or cycle.response_complete

    def _stop_after_answer(self) -> None:
        self._is_broken = True
        if self._is_idle():
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _break(self, status: HTTPStatus) -> None:
        """Answer what cannot be read as a request, and close.

        Requests that were complete before it are answered first, and then nobody is told: the answer would be taken for
        that of another request.
        """
        self._waiting_since = None
        if not self._is_idle() and not (self.cycle.more_body and not self.cycle.response_started and not self.pipeline):
            self._break_behind_others()
            return
        self._is_broken = True
        if not self._is_idle():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        request_id = self._request_id()
        log.info(
            "http.unreadable",
            extra={"facts": {"request_id": request_id, "status": int(status), "address": (self.client or ("",))[0]}},
        )
        self.transport.write(bare_answer(status, request_id, self.server_state.default_headers))
        self.transport.close()

    def _break_behind_others(self) -> None:
        if self.cycle.more_body:
            self._is_broken = True
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.close()
        else:
            self._stop_after_answer()


class _TooLongError(Exception):
    """A head was complete, and longer than it may be; or a body had more trailers than it may have."""


class _HostUnclearError(Exception):
    """Two Host headers, or none (RFC 9112 section 3.2): a proxy before us may have taken another than we would."""
