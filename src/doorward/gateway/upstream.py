"""One connection to the application: requests out, answers in, one after another.

Owns where an answer begins and ends. What comes without having been asked for, and what is no HTTP, ends the
connection; the exchange on it, if there is one, is told. Who is behind an exchange is not its business (`User`).
"""

import asyncio
from typing import Protocol, cast, final

from doorward.gateway.answer_head import MAX_ANSWER_HEAD, AnswerHead, judge_answer, known_answer
from doorward.gateway.body import Framing
from doorward.gateway.fields import Fields, Unreadable

NO_HTTP = "the answer is no HTTP/1.1"
UNSENT_BYTES = 512 * 1024
_HEAD_END = b"\r\n\r\n"


class User(Protocol):
    """Who waits for an answer, and is told of it in the order in which it comes."""

    def interim(self, answer: AnswerHead) -> None:
        """Note an answer of the kind 1xx, behind which the real one follows."""
        ...

    def switch(self, answer: AnswerHead, behind: bytes) -> None:
        """Take over the connection, on which another protocol is spoken from now on; `behind` has come already."""
        ...

    def begin(self, answer: AnswerHead, piece: bytes, trailers: Fields | None) -> None:
        """Take the head and the first piece of the body; `trailers` are None while its end has not come."""
        ...

    def go_on_with(self, piece: bytes, trailers: Fields | None) -> None:
        """Take a further piece of the body; `trailers` are None while its end has not come."""
        ...

    def broke(self, reason: str, *, answered: bool) -> None:
        """Note that the answer will not come, or not wholly; `answered` says whether anything of it has come."""
        ...

    def is_full(self) -> None:
        """Send no more until told: the application takes nothing."""
        ...

    def has_room(self) -> None:
        """Send on."""
        ...


class Home(Protocol):
    """Where connections come from and go back to: the pool's part for one address."""

    def take_back(self, upstream: "Upstream") -> None:
        """Take back a connection on which another request may be sent."""
        ...

    def forget(self, upstream: "Upstream") -> None:
        """Forget a connection that is gone."""
        ...


@final
class Upstream(asyncio.Protocol):
    """A connection to the application; `idle_since` is the loop's time when it was last taken back."""

    __slots__ = ("_answer", "_begun", "_framing", "_home", "_is_gone", "_is_to_head", "_is_whole", "_user",
                 "idle_since", "transport", "uses")  # fmt: skip

    def __init__(self, home: Home) -> None:
        """Belong to `home`."""
        self._home = home
        self.transport = cast("asyncio.Transport", None)  # there is none before the connection is made
        self.idle_since = 0.0
        self.uses = 0
        self._user: User | None = None
        self._begun = b""
        self._answer: AnswerHead | None = None
        self._framing: Framing | None = None
        self._is_to_head = False
        self._is_whole = True  # the request was sent to its end
        self._is_gone = False

    # --- for its user --------------------------------------------------------------------------------------------

    def ask(self, user: User, data: bytes, *, is_to_head: bool, is_whole: bool) -> None:
        """Send a request, or its beginning where it is not `is_whole`; `user` is told of the answer."""
        self.uses += 1
        self._user = user
        self._is_to_head = is_to_head
        self._is_whole = is_whole
        self.transport.write(data)

    def hand_over(self, before: User, after: User) -> None:
        """Have somebody else told of the answer, if it was still to come."""
        if self._user is before:
            self._user = after

    def send(self, data: bytes, *, is_whole: bool) -> None:
        """Send a further part of a request, the last where it then `is_whole`."""
        self._is_whole = is_whole
        if data:
            self.transport.write(data)
        if is_whole and self._user is None:
            self._settle()

    def drop(self) -> None:
        """End the connection in the middle of whatever goes on; nobody is told."""
        self.release()
        self.transport.abort()

    def close_idle(self) -> None:
        """Close a connection on which nothing goes on, and that nobody keeps any more."""
        self._is_gone = True
        self.transport.close()

    def release(self) -> None:
        """Leave the connection to somebody else, who speaks another protocol on it."""
        self._user = None
        self._let_go()

    @property
    def is_open(self) -> bool:
        """Say whether a request can be sent."""
        return not self._is_gone and not self.transport.is_closing()

    # --- the transport's callbacks -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a connection."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(UNSENT_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._let_go()
        self._break("the connection was lost" if exc is None else type(exc).__name__)

    def eof_received(self) -> bool:
        """End a body that ends with the connection, and close in any case."""
        self._let_go()
        user, framing = self._user, self._framing
        if user is not None and framing is not None and framing.ends_with_connection:
            self._user = None
            user.go_on_with(b"", ())
        self._break("the application closed the connection")
        return False

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer."""
        user = self._user
        if user is not None and self._framing is None and self._is_whole and not (self._is_to_head or self._begun):
            end = data.find(_HEAD_END) + 4
            answer = known_answer(data[:end])
            if answer is not None and answer.is_plain and answer.length == len(data) - end and not self._is_gone:
                self._user = None
                self._home.take_back(self)
                user.begin(answer, data[end:], ())
                return
        self._take(user, data)

    def _take(self, user: User | None, data: bytes) -> None:
        try:
            if user is None:
                self.drop()  # nobody has asked
            elif self._framing is not None:
                piece, behind = self._framing.feed(data)
                self._go_on(user, piece, behind)
            else:
                self._read_head(user, self._begun + data if self._begun else data)
        except Unreadable:
            self._break(NO_HTTP)
            self.drop()

    def pause_writing(self) -> None:
        """Have nothing more sent."""
        if self._user is not None:
            self._user.is_full()

    def resume_writing(self) -> None:
        """Have more sent."""
        if self._user is not None:
            self._user.has_room()

    # --- reading -------------------------------------------------------------------------------------------------

    def _read_head(self, user: User, data: bytes) -> None:
        while True:
            end = data.find(_HEAD_END) + 4
            if (end if end >= 4 else len(data)) > MAX_ANSWER_HEAD:
                raise Unreadable
            if end < 4:
                self._begun = data
                return
            answer = judge_answer(data[:end], to_head=self._is_to_head)
            data = data[end:]
            if answer.status >= 200:
                break
            if answer.status == 101:
                self._begun = b""
                user.switch(answer, data)
                return
            user.interim(answer)
        self._begun = b""
        if answer.is_whole_with(len(data)):
            self._answer = answer
            self._end(b"")
            user.begin(answer, data, ())
            return
        framing = answer.framing()
        piece, behind = framing.feed(data)
        self._answer = answer
        if framing.is_over:
            self._end(behind)
            user.begin(answer, piece, framing.trailers)
            return
        self._framing = framing
        user.begin(answer, piece, None)

    def _go_on(self, user: User, piece: bytes, behind: bytes) -> None:
        framing = cast("Framing", self._framing)
        if framing.is_over:
            self._end(behind)
            user.go_on_with(piece, framing.trailers)
        elif piece:
            user.go_on_with(piece, None)

    def _end(self, behind: bytes) -> None:
        """Be free for the next request, where nothing speaks against it."""
        self._user = self._framing = None
        if behind:
            self.drop()  # what follows an answer nobody has asked for
        elif self._is_whole:
            self._settle()

    def _settle(self) -> None:
        answer = cast("AnswerHead", self._answer)
        if answer.keeps_alive and not self._is_gone:
            self._home.take_back(self)
        else:
            self._let_go()
            self.transport.close()

    def _let_go(self) -> None:
        """Have the pool forget this connection; no request will be sent on it any more."""
        if not self._is_gone:
            self._is_gone = True
            self._home.forget(self)

    def _break(self, reason: str) -> None:
        user, self._user = self._user, None
        if user is not None:
            user.broke(reason, answered=bool(self._begun) or self._framing is not None)
