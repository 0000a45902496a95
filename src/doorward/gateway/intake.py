"""What a client has sent and nobody has looked at yet: heads and bodies out of bytes, pure and without I/O.

One request is taken out at a time; what comes behind it stays bytes, so that a client can stack up requests but not
what is made of them.
"""

from http import HTTPStatus
from typing import cast, final

from doorward.gateway.body import Chunked, Framing, Sized
from doorward.gateway.fields import Fields, Unreadable
from doorward.gateway.head import Head
from doorward.gateway.judge import judge, refuse_early

_HEAD_END = b"\r\n\r\n"


@final
class Intake:
    """The bytes of one connection; heads may have `limit` bytes.

    `ahead` is what waits, `is_behind` says that it came before the request in front of it was answered. `framing` is
    that of a body whose end has not come. `has_ended` is to be set when no more will come.
    """

    __slots__ = ("_is_line_read", "_limit", "ahead", "framing", "has_ended", "is_behind", "is_head_begun")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._is_line_read = False
        self.ahead = b""
        self.framing: Framing | None = None
        self.has_ended = False
        self.is_behind = False
        self.is_head_begun = False

    @property
    def rest(self) -> float:
        """Give how many bytes of a body are still to come; without end where nobody knows."""
        if self.framing is None:
            return 0
        return self.framing.left if isinstance(self.framing, Sized) else float("inf")

    def keep(self, data: bytes, *, is_behind: bool) -> None:
        """Keep what has come; it `is_behind` a request that is not answered yet, or in front."""
        if self.ahead:
            self.ahead += data
            self.is_behind = self.is_behind or is_behind
        else:
            self.ahead = data
            self.is_behind = is_behind

    def next_head(self) -> Head | None:
        """Take the next head, if it is whole. Raises `Unreadable` for what is none, or will be none."""
        data = self.ahead
        if data[:1] in {b"\r", b"\n"}:  # empty lines may stand before a request (RFC 9112 section 2.2)
            data = self.ahead = data.lstrip(b"\r\n")
        end = data.find(_HEAD_END)
        size = len(data) if end < 0 else end + 4
        if size > self._limit:
            raise Unreadable(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if end < 0:
            self._look_at_begun(data)
            return None
        head = judge(data[:size])
        self.ahead = data[size:]
        self.is_behind = bool(self.ahead)
        self.is_head_begun = self._is_line_read = False
        if head.has_body:
            self.framing = Chunked() if head.length is None else Sized(head.length)
        return head

    def _look_at_begun(self, data: bytes) -> None:
        """Refuse what can become no head; the first line is looked at until it is whole, and then no more."""
        if self.has_ended:
            raise Unreadable
        if data and not self._is_line_read:
            refuse_early(data)
            self._is_line_read = b"\r\n" in data
            self.is_head_begun = True

    def body(self, data: bytes) -> tuple[bytes, Fields | None]:
        """Take bytes of a body: gives its next piece, and its trailers once it is whole, else None.

        Raises `Unreadable` when the framing is broken.
        """
        framing = cast("Framing", self.framing)
        piece, behind = framing.feed(data)
        if not framing.is_over:
            return piece, None
        self.framing = None
        self.keep(behind, is_behind=bool(behind))
        return piece, framing.trailers
