"""One request whose lines are all known: passed on without being read, and its answer passed back.

Does what `relay.Relay` would do where everything goes the usual way: an idle connection to the application, and an
answer that comes whole and in one piece. Whatever else happens is left to a relay, which is made then and told of it.
"""

from typing import final

from doorward.gateway.answer_head import AnswerHead
from doorward.gateway.app import APP_ROUTE, AppDoor
from doorward.gateway.connection import Connection
from doorward.gateway.familiar import KnownFields
from doorward.gateway.fields import Fields
from doorward.gateway.forward import direct_way
from doorward.gateway.judge import judge
from doorward.gateway.relay import Relay
from doorward.gateway.upstream import Upstream
from doorward.identity.principal import Principal


@final
class Repeat:
    """One such request, which may pass as `principal`; it is what is told of a request when it is over, too."""

    __slots__ = ("_asked_at", "_client", "_door", "_id", "_known", "_line", "_principal", "_started", "_upstream")

    method = "GET"

    def __init__(
        self,
        client: Connection,
        door: AppDoor,
        known: KnownFields,
        line: bytes,
        principal: Principal | None,
        upstream: Upstream,
    ) -> None:
        """Pass on the request with this `line` and these lines, which came on the connection `client`."""
        self._client = client
        self._door = door
        self._known = known
        self._line = line
        self._principal = principal
        self._upstream = upstream
        self._started = door.clock.monotonic()
        self._id = door.trust.request_id().encode()
        self._asked_at = client.loop.time()

    def start(self) -> None:
        """Send the request to the application."""
        client, known, principal = self._client, self._known, self._principal
        client.begin_with(self)
        way = direct_way(client.peer, client.scheme, known.host)
        lines = b"" if principal is None else principal.lines
        written = (self._line, b"\r\n", *known.kept, way, lines, b"X-Request-ID: ", self._id, b"\r\n\r\n")
        self._upstream.ask(self, b"".join(written), is_to_head=False, is_whole=True)

    def begin(self, answer: AnswerHead, piece: bytes, trailers: Fields | None) -> None:
        """Pass the answer back."""
        client, door = self._client, self._door
        if trailers is None or not answer.is_plain or client.is_draining:
            self._relay().begin(answer, piece, trailers)
            return
        client.finish_with(b"%bx-request-id: %b\r\n\r\n%b" % (answer.begin, self._id, piece))
        door.observe(self, APP_ROUTE, answer.status, door.clock.monotonic() - self._started)

    def end_if_late(self, now: float) -> None:
        """Answer in place of an application that takes too long."""
        if now - self._asked_at > self._door.response_timeout:
            self._relay().end_if_late(now)

    # --- what is told of it --------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """Give the path that was asked for."""
        return self._line.split(b" ")[1].partition(b"?")[0].decode("ascii")

    @property
    def address(self) -> str:
        """Give the client's address."""
        return self._client.peer

    @property
    def request_id(self) -> str:
        """Give the id."""
        return self._id.decode("ascii")

    # --- what is left to a relay ---------------------------------------------------------------------------------

    def _relay(self) -> Relay:
        """Read the request after all, and have a relay go on with it."""
        client, door = self._client, self._door
        head = judge(b"%b%b\r\n\r\n" % (self._line, self._known.block))
        visit = head.visit(door.trust, client.peer, client.scheme)
        visit.request_id = self.request_id
        relay = Relay(client, head, visit, door)
        relay.resume(self._upstream, self._principal, started=self._started, asked_at=self._asked_at)
        client.hand_over(relay, head)
        self._upstream.hand_over(self, relay)
        return relay

    def interim(self, answer: AnswerHead) -> None:
        """See `upstream.User`."""
        self._relay().interim(answer)

    def switch(self, answer: AnswerHead, behind: bytes) -> None:
        """See `upstream.User`."""
        self._relay().switch(answer, behind)

    def go_on_with(self, piece: bytes, trailers: Fields | None) -> None:
        """See `upstream.User`."""
        self._relay().go_on_with(piece, trailers)

    def broke(self, reason: str, *, answered: bool) -> None:
        """See `upstream.User`."""
        self._relay().broke(reason, answered=answered)

    def is_full(self) -> None:
        """See `upstream.User`."""
        self._relay().is_full()

    def has_room(self) -> None:
        """See `upstream.User`."""
        self._relay().has_room()

    def take(self, piece: bytes) -> None:
        """See `answering.Answerer`."""
        self._relay().take(piece)

    def take_end(self, trailers: Fields) -> None:
        """See `answering.Answerer`."""
        self._relay().take_end(trailers)

    def hold(self) -> None:
        """See `answering.Answerer`."""
        self._relay().hold()

    def go_on(self) -> None:
        """See `answering.Answerer`."""
        self._relay().go_on()

    def client_ended(self) -> None:
        """See `answering.Answerer`."""
        self._relay().client_ended()

    def client_left(self) -> None:
        """See `answering.Answerer`."""
        self._relay().client_left()
