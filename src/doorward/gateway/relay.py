"""One request to the application: decided, passed on, and its answer passed back, both as they come.

Owns the order in which things happen to it, what is held back while the other side takes nothing, and what the client
is told when the application fails. A request is sent a second time only where it certainly did not reach the
application: on a kept connection that ended before a byte was answered, without a body, by a method that may be
repeated (RFC 9110 section 9.2.2).
"""

import logging
from collections.abc import Coroutine
from typing import Any, cast, final

from doorward.base.errors import ErrorRow
from doorward.base.refusals import INTERNAL_ERROR, METHOD_NOT_ALLOWED
from doorward.base.refusals_gateway import APP_ANSWER_UNREADABLE, APP_TIMEOUT, APP_UNREACHABLE
from doorward.gateway.answer_head import AnswerHead
from doorward.gateway.answering import write_fields
from doorward.gateway.answers import NO_TRACE, say_refusal
from doorward.gateway.app import APP_ROUTE, AppDoor
from doorward.gateway.berth import Berth
from doorward.gateway.body import chunk, last_chunk
from doorward.gateway.connection import Connection
from doorward.gateway.fields import Fields
from doorward.gateway.forward import trailers_to_pass
from doorward.gateway.head import Head
from doorward.gateway.patience import HALF_CLOSED_SECONDS
from doorward.gateway.pool import Unreachable
from doorward.gateway.tunnel import Tunnel, join
from doorward.gateway.upstream import NO_HTTP, Upstream
from doorward.identity.admission import Allow, Challenge, Decision, Deny
from doorward.identity.principal import Principal
from doorward.identity.visit import Visit
from doorward.inbound.blame import frames
from doorward.inbound.door import CLIENT_GONE, Reply, completed, current_request

UNSENT_BYTES = 64 * 1024
JOINED_BYTES = 16 * 1024  # up to here a copy costs less than a packet
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})

log = logging.getLogger("doorward.gateway")


@final
class Relay:
    """One request that the application answers, if it may pass."""

    # Most requests come and go without any of these being set, and one of these objects is made for each of them.
    _principal: Principal | None = None
    _upstream: Upstream | None = None
    _unsent: list[bytes] | None = None  # of the body, while there is no connection
    _unsent_bytes = 0
    _asked_at: float | None = None
    _ended_at: float | None = None
    _status = CLIENT_GONE
    _in_chunks = False
    _is_reused = False
    _is_repeated = False
    _has_begun = False
    _is_over = False
    _ends_connection = False
    _is_full = False
    _is_held = False
    _tunnel: Tunnel | None = None

    def __init__(self, client: Connection, head: Head, visit: Visit, door: AppDoor) -> None:
        """Pass on the request with this `head`, which came on the connection `client`."""
        self._client = client
        self._head = head
        self._visit = visit
        self._door = door
        self._loop = client.loop
        self._started = door.clock.monotonic()
        self._is_whole = not head.has_body  # the body has come to its end

    # --- deciding ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Decide, and pass the request on or answer it."""
        try:
            reply = self._door.answer_first(self._visit)
            if reply is not None:
                self._answer(reply)
            elif self._head.method == "TRACE":  # the application would show a script what its browser keeps from it
                self._fail(METHOD_NOT_ALLOWED, headers=NO_TRACE)
            elif (decision := self._door.porter.decide_now(self._visit)) is None:
                self._run(self._decide())
            else:
                self._follow(decision)
        except Exception as defect:  # noqa: BLE001 - whatever it is, this request alone fails
            self._fail_by_defect(defect)

    async def _decide(self) -> None:
        self._follow(await self._door.porter.decide(self._visit))

    def _follow(self, decision: Decision) -> None:
        if self._is_over:
            return
        if isinstance(decision, Allow):
            self._principal = decision.principal
            self._pass_on()
        else:
            self._run(self._refuse(decision))

    async def _refuse(self, decision: Challenge | Deny) -> None:
        reply = await self._door.porter.answer(self._visit, decision)
        if not self._is_over:
            self._answer(reply)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what has to wait; a defect in it fails this request alone."""

        async def guarded() -> None:
            current_request.set(self._visit.request_id)
            try:
                await work
            except Exception as defect:  # noqa: BLE001 - see above
                self._fail_by_defect(defect)

        self._client.crowd.run(guarded())

    # --- the request, on its way to the application --------------------------------------------------------------

    def _pass_on(self) -> None:
        berth = self._door.pool.best()
        upstream = berth.take(must_be_recent=not self._may_repeat)
        if upstream is None:
            self._run(self._connect(berth))
        else:
            self._is_reused = True
            self._ask(berth, upstream)

    async def _connect(self, first: Berth) -> None:
        try:
            berth, upstream = await self._door.pool.connect(first)
        except Unreachable as error:
            if not self._is_over:
                self._fail(APP_UNREACHABLE, reason=str(error))
            return
        if self._is_over:
            berth.take_back(upstream)
        else:
            self._is_reused = False
            self._ask(berth, upstream)

    def _ask(self, berth: Berth, upstream: Upstream) -> None:
        """Send the request, with what has come of its body."""
        self._upstream = upstream
        self._asked_at = self._loop.time()
        written = self._door.forwarding.write(self._head, self._visit, self._principal, berth.address.netloc)
        if self._unsent:
            written = b"".join([written, *self._unsent])
            self._unsent = None
        upstream.ask(self, written, is_to_head=self._head.method == "HEAD", is_whole=self._is_whole)
        if not self._is_whole:
            self._client.go_on_with_body()
        elif self._head.method == "GET" and not self._visit.peer_is_trusted:
            self._door.remember(self._head, self._visit, berth.address.netloc)

    def resume(self, upstream: Upstream, principal: Principal | None, *, started: float, asked_at: float) -> None:
        """Go on with a request that was passed on already, on a connection that had been kept."""
        self._upstream, self._principal, self._is_reused = upstream, principal, True
        self._started, self._asked_at = started, asked_at

    def take(self, piece: bytes) -> None:
        """Pass on a piece of the body, or keep a little while there is nobody to pass it to."""
        self._client.be_patient()
        self._send(chunk(piece) if self._head.length is None else piece)

    def take_end(self, trailers: Fields) -> None:
        """Pass on the end of the body."""
        self._is_whole = True
        self._send(last_chunk(trailers_to_pass(trailers)) if self._head.length is None else b"")

    def _send(self, data: bytes) -> None:
        if self._upstream is not None:
            self._asked_at = self._loop.time()
            self._upstream.send(data, is_whole=self._is_whole)
            return
        if self._unsent is None:
            self._unsent = []
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > UNSENT_BYTES:
            self._client.hold_body()

    def is_full(self) -> None:
        """Take no more of the body while the application takes nothing."""
        self._is_full = True
        self._client.hold_body()

    def has_room(self) -> None:
        """Take more of the body."""
        self._is_full = False
        self._asked_at = self._loop.time()
        self._client.go_on_with_body()

    @property
    def _may_repeat(self) -> bool:
        return not self._head.has_body and self._head.method in _REPEATABLE and not self._head.offers

    # --- the answer, on its way to the client --------------------------------------------------------------------

    def interim(self, answer: AnswerHead) -> None:
        """Pass on what comes before the answer, to a client that knows it."""
        if answer.status == 100:
            self._client.go_ahead()
        elif self._head.is_1_1:
            self._client.write(answer.write(self._head, b""))

    def begin(self, answer: AnswerHead, piece: bytes, trailers: Fields | None) -> None:
        """Pass on the head and the first piece, in one packet."""
        self._has_begun = True
        self._status = answer.status
        if answer.length is None:
            self._in_chunks = answer.comes_in_chunks(self._head)
            self._ends_connection = answer.ends_connection(self._head)
        is_cut_short = trailers is not None and not self._is_whole
        own = b"x-request-id: %b\r\n" % self._visit.request_id.encode()
        if not answer.has_date:
            own = write_fields(self._client.crowd.default_headers) + own
        if self._client.ends_with_this(certainly=self._ends_connection or is_cut_short):
            own += b"connection: close\r\n"
        self._pass_back(answer.write(self._head, own), piece, trailers)

    def go_on_with(self, piece: bytes, trailers: Fields | None) -> None:
        """Pass on a further piece."""
        self._pass_back(b"", piece, trailers)

    def _pass_back(self, before: bytes, piece: bytes, trailers: Fields | None) -> None:
        if self._in_chunks:
            end = b"" if trailers is None else last_chunk(trailers_to_pass(trailers))
            piece = (chunk(piece) if piece else b"") + end
        upstream = self._upstream
        if trailers is not None:
            self._upstream = None  # it serves others by now, and must not be held when this client takes nothing
        if before and len(piece) >= JOINED_BYTES:
            self._client.write(before)
            before = b""
        self._client.write(before + piece if before else piece)
        if self._ended_at is not None:
            self._ended_at = self._loop.time()
        if trailers is not None:
            if upstream is not None and not self._is_whole:
                upstream.drop()  # it still waits for a request that nobody will finish
            self._end()
            self._client.finish()

    def broke(self, reason: str, *, answered: bool) -> None:
        """Send the request again where that is safe, else say that the application failed."""
        self._upstream = None
        if self._has_begun:
            log.warning("gateway.answer_broken", extra={"facts": self._facts(reason)})
            self._end()
            # Without a length or chunks only a reset tells the client that something is missing.
            (self._client.cut if self._ends_connection else self._client.close)()
        elif self._is_reused and self._may_repeat and not answered and not self._is_repeated:
            self._is_repeated = True
            self._run(self._connect(self._door.pool.best()))
        else:
            self._fail(APP_ANSWER_UNREADABLE if reason == NO_HTTP else APP_UNREACHABLE, reason=reason)

    def switch(self, answer: AnswerHead, behind: bytes) -> None:
        """Let client and application speak another protocol, one that the client has offered."""
        upstream, self._upstream = cast("Upstream", self._upstream), None
        if not answer.upgrade or answer.upgrade.lower() not in [offer.lower() for offer in self._head.offers]:
            upstream.drop()
            self._fail(APP_ANSWER_UNREADABLE, reason="a protocol that was not offered")
            return
        self._has_begun = True
        self._status = answer.status
        own = b"Connection: Upgrade\r\nUpgrade: %b\r\nx-request-id: " + self._visit.request_id.encode() + b"\r\n"
        self._client.write(answer.write(self._head, own % answer.upgrade) + behind)
        upstream.release()
        self._tunnel = join(self._client, upstream.transport, self._end, self._door.watch(self._visit, self._principal))

    def hold(self) -> None:
        """Take no more of the answer while the client takes nothing."""
        self._is_held = True
        if self._upstream is not None:
            self._upstream.transport.pause_reading()

    def go_on(self) -> None:
        """Take more of the answer."""
        self._is_held = False
        if self._ended_at is not None:
            self._ended_at = self._loop.time()
        if self._upstream is not None:
            self._upstream.transport.resume_reading()

    # --- how it ends ---------------------------------------------------------------------------------------------

    def client_ended(self) -> None:
        """Note when the client ended its side; while the answer goes on it may still be there."""
        self._ended_at = self._loop.time()

    def client_left(self) -> None:
        """Cancel the application's request."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.drop()
        if self._tunnel is not None:
            self._tunnel.cut()
        self._end()

    def end_if_late(self, now: float) -> None:
        """Answer in place of an application that takes too long; give up for a client that has probably left."""
        if self._ended_at is not None and not self._is_held and now - self._ended_at > HALF_CLOSED_SECONDS:
            self._client.cut()
            return
        if self._has_begun:
            return
        waits = self._is_whole or self._is_full
        if waits and self._asked_at is not None and now - self._asked_at > self._door.response_timeout:
            upstream, self._upstream = self._upstream, None
            if upstream is not None:
                upstream.drop()
                self._fail(APP_TIMEOUT)

    def _fail(self, row: ErrorRow, *, reason: str = "", headers: Fields = ()) -> None:
        if log.isEnabledFor(row.log_level):
            log.log(row.log_level, "gateway.app_failed", extra={"facts": {**self._facts(reason), "code": row.code}})
        self._answer(say_refusal(self._visit, row, headers=headers))

    def _fail_by_defect(self, defect: Exception) -> None:
        log.error("request.failed", extra={"facts": {**self._facts(""), **frames(defect)}})
        if self._is_over:
            return
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.drop()
        if self._has_begun:
            self._client.cut()
        else:
            self._answer(say_refusal(self._visit, INTERNAL_ERROR))

    def _facts(self, reason: str) -> dict[str, object]:
        return {"request_id": self._visit.request_id, **({"reason": reason} if reason else {})}

    def _answer(self, reply: Reply) -> None:
        """Answer in place of the application."""
        self._status = reply.status
        self._end()
        self._client.answer(completed(self._visit, reply))

    def _end(self) -> None:
        """Report the request, once."""
        if not self._is_over:
            self._is_over = True
            door = self._door
            door.observe(self._visit, APP_ROUTE, self._status, door.clock.monotonic() - self._started)
