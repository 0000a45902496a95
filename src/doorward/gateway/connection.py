"""One client's connection to the public listener.

Owns what a client may send and when: heads whole and in time, bodies by their framing, one request after another
however many have come, an answer taken in time, and the end of the connection. Refuses what `judge` refuses, with one
line in the log. Who answers a request is not its business (`answering.Answerer`).
"""

import asyncio
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeAlias, cast, final

from doorward.gateway.answering import GO_AHEAD, Answerer, whole_answer
from doorward.gateway.fields import Unreadable
from doorward.gateway.head import Head
from doorward.gateway.intake import Intake
from doorward.gateway.patience import LINGER_BYTES, LINGER_SECONDS, Patience, Phase
from doorward.identity.visit import Scheme, Trust
from doorward.inbound.crowd import Crowd, peer_of
from doorward.inbound.door import Reply

MAX_AHEAD = 64 * 1024
UNSENT_BYTES = 512 * 1024
"""What may wait to be sent in one direction. Less makes either side wait for the other with every packet."""
log = logging.getLogger("doorward.inbound")

Answering: TypeAlias = "Callable[[Connection, Head], Answerer]"
"""Gives who answers a request that has come on a connection."""
Recalling: TypeAlias = "Callable[[Connection, bytes], bool]"
"""Answers what came at once and need not be read, since it came before; says whether it has begun to."""


@final
class Connection(asyncio.Protocol):
    """One connection: reads requests one after another, and has each answered before the next is looked at."""

    def __init__(self, crowd: Crowd, answering: Answering, recalling: Recalling) -> None:
        """Be one of `crowd`; `answering` and before it `recalling` give who answers."""
        self.crowd = crowd
        self._answering = answering
        self._recalling = recalling
        self.loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self.loop.create_future()
        self.transport = cast("asyncio.Transport", None)  # there is none before the connection is made
        self.peer = ""
        self.scheme: Scheme = crowd.scheme
        self.stranger_to: Trust | None = None  # who is known to believe nothing that this client says about its way
        self._intake = Intake(crowd.limits.head_bytes)
        self._head: Head | None = None  # of the request that is being answered
        self._answerer: Answerer | None = None
        self._patience = Patience(crowd.limits, self.loop.time())
        self._left_to_throw = -1  # bytes of a body that nobody reads, before the connection is closed
        self._has_served = False
        self._is_advancing = False
        self._is_reading = True
        self._is_body_held = False
        self._can_write = True
        self._has_begun = self._is_told_to_go_ahead = self._is_last = False  # of the answer to the present request
        self.is_draining = False
        self._is_over = False

    # --- the transport's callbacks -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a connection."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(UNSENT_BYTES)
        self.peer = peer_of(transport)
        self.crowd.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why is of no interest
        """Tell whoever answers that the connection is gone."""
        self._end()
        self.crowd.connections.discard(self)
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Take what comes: a head, a body, or what must wait behind it."""
        if self._is_over:
            return
        intake = self._intake
        if intake.framing is not None:
            self._take_body(data)
        elif self._answerer is None and not intake.ahead and self._can_write and self._recalling(self, data):
            return
        else:
            intake.keep(data, is_behind=self._answerer is not None)
        self._advance()

    def eof_received(self) -> bool:
        """Take note that the client sends no more; gives whether an answer can still go out."""
        intake = self._intake
        intake.has_ended = True
        if intake.framing is not None:
            self._end()
            return False
        if self._answerer is not None:
            self._answerer.client_ended()
        else:
            self._advance()
        return self.scheme == "http" and (self._answerer is not None or bool(intake.ahead))

    def pause_writing(self) -> None:
        """Have nothing written while the client takes nothing."""
        self._can_write = False
        if self._answerer is not None:
            self._answerer.hold()

    def resume_writing(self) -> None:
        """Write on."""
        self._can_write = True
        if self._answerer is not None:
            self._answerer.go_on()
        else:
            self._advance()

    # --- what the client sends -----------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Begin with the requests that have come, one after another."""
        if self._is_advancing or self._is_over:
            return
        self._is_advancing = True
        intake = self._intake
        try:
            while intake.ahead and self._answerer is None and intake.framing is None and self._can_write:
                head = None if self._is_over else intake.next_head()
                if head is None:
                    break
                self._begin(head)
        except Unreadable as refused:
            self._refuse(refused.status)
        finally:
            self._is_advancing = False
        if self._answerer is None and intake.is_head_begun:
            self._patience.head_has_begun(self.loop.time())
        self._read_or_not()

    def _begin(self, head: Head) -> None:
        """Have a request answered."""
        self._has_begun = self._is_told_to_go_ahead = self._patience.is_head_timed = False
        self._is_last = self.is_draining or not head.keeps_alive
        self._head = head
        answerer = self._answerer = self._answering(self, head)
        answerer.start()
        if head.has_body:
            self._patience.since = self.loop.time()
            data, self._intake.ahead = self._intake.ahead, b""
            if data:
                self._take_body(data)

    def _take_body(self, data: bytes) -> None:
        """Hand on what comes of a body, or throw it away where the request has been answered already."""
        try:
            piece, trailers = self._intake.body(data)
        except Unreadable as refused:
            self._refuse(refused.status)
            return
        answerer = self._answerer
        if answerer is None:
            self._throw_away(len(data))
            return
        if piece:
            answerer.take(piece)
        if trailers is not None and self._answerer is answerer:
            answerer.take_end(trailers)

    def _throw_away(self, size: int) -> None:
        """Count what is thrown away, and end when it was enough."""
        if self._left_to_throw >= 0:
            self._left_to_throw -= size
            if self._intake.framing is None or self._left_to_throw < 0:
                self.close()
        elif self._intake.framing is None:
            self._patience.since = self.loop.time()

    def _read_or_not(self) -> None:
        """Read on, unless more has come than can be looked at now."""
        wants = not self._is_body_held and len(self._intake.ahead) < MAX_AHEAD
        if wants is not self._is_reading and not self._is_over:
            self._is_reading = wants
            if wants:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    # --- for those who answer ------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send a part of the answer."""
        if not self._is_over:
            self.transport.write(data)

    def ends_with_this(self, *, certainly: bool = False) -> bool:
        """Say whether the answer that begins now is the connection's last, so that it can say so."""
        self._has_begun = True
        # Whoever waits for a go-ahead that never comes may send the body all the same, or the next request.
        waits = cast("Head", self._head).expects_go_ahead and not self._is_told_to_go_ahead
        rest = self._intake.rest
        if certainly or self.is_draining or (rest and waits) or rest > MAX_AHEAD:
            self._is_last = True
        return self._is_last

    def answer(self, reply: Reply) -> None:
        """Send a whole answer; with `Connection: close` in it, it is the connection's last."""
        says_close = (b"connection", b"close") in reply.headers
        closes = self.ends_with_this() and not says_close
        self._is_last = self._is_last or says_close
        self.write(whole_answer(cast("Head", self._head), reply, self.crowd.default_headers, closes=closes))
        self.finish()

    def go_ahead(self) -> None:
        """Tell a client that waits for it to send the body (RFC 9110 section 10.1.1)."""
        if cast("Head", self._head).expects_go_ahead and not self._is_told_to_go_ahead:
            self._is_told_to_go_ahead = True
            self.write(GO_AHEAD)

    def hold_body(self) -> None:
        """Take no more of the body until told."""
        self._is_body_held = True
        self._read_or_not()

    def go_on_with_body(self) -> None:
        """Take what comes of the body again."""
        self._is_body_held = False
        self._read_or_not()

    def be_patient(self) -> None:
        """Count the time for the rest of the body from now."""
        self._patience.since = self.loop.time()

    def begin_with(self, answerer: Answerer) -> None:
        """Have somebody answer a request without a body that was not read."""
        self._answerer = answerer
        self._has_begun = self._is_last = False

    def hand_over(self, answerer: Answerer, head: Head) -> None:
        """Have somebody else answer the present request from now on."""
        self._head = head
        if not self._is_over:
            self._answerer = answerer

    def finish_with(self, data: bytes) -> None:
        """Send a whole answer and go on behind it; whoever gave it is told of nothing more, not even to hold it."""
        self._answerer = None
        self.write(data)
        self.finish()

    def finish(self) -> None:
        """Go on behind a request whose answer has been written."""
        self._answerer = self._head = None
        self._is_body_held = False
        self._has_served = True
        if self._is_over:
            return
        self._patience.since = self.loop.time()
        if self._is_last or self.is_draining:
            self._close_behind_body()
        elif self._intake.has_ended and not self._intake.ahead:
            self.close()
        elif self._intake.ahead or not self._is_reading:
            self._advance()

    def surrender(self) -> bytes:
        """Leave the bytes to somebody who speaks another protocol; gives those that have come already."""
        ahead, self._intake.ahead = self._intake.ahead, b""
        self._is_body_held = False
        self._read_or_not()
        return ahead

    def close(self) -> None:
        """End the connection when all that was written is sent."""
        self._end()
        self.transport.close()

    def cut(self) -> None:
        """Drop the connection in the middle of whatever it does."""
        self._end()
        self.transport.abort()

    # --- how it ends -----------------------------------------------------------------------------------------------

    def end_if_late(self, now: float) -> None:
        """End the connection if its client takes too long to send a request or to take an answer."""
        if self._patience.is_stalled(self.transport, now, is_draining=self.is_draining):
            log.info("http.stalled", extra={"facts": {"address": self.peer}})
            self.cut()
            return
        if self._answerer is not None:
            self._answerer.end_if_late(now)
        if self._is_over or not self._can_write:
            return
        if self._intake.framing is not None:
            if not self._is_body_held and self._patience.is_out(Phase.BODY, now):
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._answerer is None and self._intake.is_head_begun:
            if self._patience.is_out(Phase.HEAD, now):
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._answerer is None and self._patience.is_out(Phase.IDLE if self._has_served else Phase.HEAD, now):
            self.close()

    def end_if_spare(self, now: float) -> None:
        """Close the connection if nothing goes on, to make room for another: kept alive, or open and silent so far."""
        if self._is_idle() and (self._has_served or self._patience.is_out(Phase.SPARE, now)):
            self.close()

    def announce_end(self) -> None:
        """Have the next head of an answer say that it is the connection's last."""
        self.is_draining = True

    def shutdown(self) -> None:
        """Take no further request: close now if none has begun to arrive, else after its answer."""
        self.is_draining = True
        if self._is_idle() or (self._answerer is None and self._intake.framing is not None):
            self.close()

    def _is_idle(self) -> bool:
        return self._answerer is None and self._intake.framing is None and not self._intake.ahead and not self._is_over

    def _close_behind_body(self) -> None:
        """Close, but read on for a moment where a body is still coming.

        Closing a socket with unread bytes resets the connection, and the reset can overtake the answer.
        """
        if self._intake.framing is None or self._intake.has_ended:
            self.close()
        else:
            self._left_to_throw = LINGER_BYTES
            self.loop.call_later(LINGER_SECONDS, self.close)
            self._read_or_not()

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer what cannot be read as a request, and close.

        Nobody is told where an answer has begun, or where the bytes came behind a request without one yet: what we said
        would be taken for a part of that answer, or for the answer to another request.
        """
        is_behind = self._intake.is_behind or self._intake.framing is not None
        if not (self._has_begun if self._answerer is not None else is_behind):
            self.write(self.crowd.refusal(status, self.peer))
        self.close()

    def _end(self) -> None:
        """Have nothing more read or answered."""
        self._is_over, answerer, self._answerer = True, self._answerer, None
        if answerer is not None:
            answerer.client_left()
