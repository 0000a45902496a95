"""Questions of a reverse proxy that need not be read again: `/.auth/check` about somebody who was asked about before.

Of such a question two values change each time, the address that is asked about and the request's id. The bytes around
them are remembered with what follows from them (`familiar.Standing`), the addresses with where they lead. So a question
is answered from memory where every byte of it was read before, in this place, but for an id, which is one still. Who
sent what is asked about is looked up anew each time, and whoever does not pass is answered by the door itself.
"""

from typing import TypeAlias, final

from doorward.base.clock import Clock
from doorward.gateway.answering import status_line, write_fields
from doorward.gateway.check import Check
from doorward.gateway.connection import Connection
from doorward.gateway.familiar import LONGEST_BLOCK, LONGEST_LINE, Standing, is_ordinary
from doorward.gateway.head import Head
from doorward.gateway.keeping import Keeping
from doorward.gateway.original import NotTold, origin_of, read_original
from doorward.identity.admission import Allow
from doorward.identity.paths import has_control
from doorward.identity.visit import REQUEST_ID, Visit
from doorward.inbound.door import Observe

MOST_BYTES = 48 << 20
MOST_ADDRESSES = 4096
_OVERHEAD = 768
_MOST_FORMS = 4
_ADDRESSES = frozenset({b"x-original-url", b"x-forwarded-uri"})
_ID = b"x-request-id"
_OK = status_line(200)
_NO_STORE = b"cache-control: no-store\r\n"
_EMPTY = b"content-length: 0\r\nx-request-id: "

Marks: TypeAlias = tuple[tuple[bytes, bool], ...]
"""What stands before each value that changes, in order, and whether that is the address: line end, name and colon."""
_Cut: TypeAlias = tuple[tuple[bytes, ...], bytes, bytes]
"""A question without the values that change; the address, and the id, which is empty where there is none."""


@final
class KnownQuestion:
    """What follows from a question without the values that change.

    `peer` asked it, about `address`, at the `origin` that its addresses began with; `standing` is what the original
    request passes by, and `lines` are said beside who sent it.
    """

    __slots__ = ("address", "lines", "origin", "peer", "standing", "weight")

    def __init__(self, visit: Visit, origin: bytes, standing: Standing, lines: bytes, size: int) -> None:
        """Take what was worked out for a question of `size` bytes."""
        self.peer = visit.peer
        self.address = visit.address
        self.origin = origin
        self.standing = standing
        self.lines = lines
        self.weight = _OVERHEAD + size + len(lines)


@final
class Questions:
    """The questions that are known, of GET at `path`."""

    def __init__(self, check: Check, observe: Observe, clock: Clock) -> None:
        """Know nothing yet of what is asked at `check`; what is answered by memory is observed."""
        self._check = check
        self._porter = check.porter
        self._trust = check.trust
        self.path = path = check.path
        self.observe = observe
        self.clock = clock
        self._begin = b"GET %b" % path.encode("ascii")
        self._forms: tuple[Marks, ...] = ()
        self._known: Keeping[tuple[bytes, ...], KnownQuestion] = Keeping(MOST_BYTES)
        self._origins: dict[bytes, bytes] = {}

    def recall(self, client: Connection, data: bytes) -> "Told | None":
        """Give the answer, where these bytes are a known question, and it is yes; else None."""
        if not data.startswith(self._begin):
            return None
        for marks in self._forms:
            cut = _cut(data, marks)
            known = None if cut is None else self._known.kept.get(cut[0])
            if cut is not None and known is not None:
                return self._told(client, known, *cut[1:])
        return None

    def _told(self, client: Connection, known: KnownQuestion, address: bytes, request_id: bytes) -> "Told | None":
        if known.peer != client.peer or self._origins.get(address) != known.origin:
            return None
        if request_id and not REQUEST_ID.fullmatch(request_id):
            return None
        allow = self._porter.decide_again(known.standing)
        return allow and Told(client, self, known, allow, request_id or self._trust.request_id().encode())

    def meet(self, head: Head, visit: Visit) -> None:
        """Remember a question that has come for the second time, and the address it asks about."""
        marks = _marks(head) if head.method == "GET" and visit.peer_is_trusted and is_ordinary(head) else ()
        cut = _cut(b"%b%b\r\n\r\n" % (head.line, head.block), marks) if marks else None
        original = None if cut is None else self._original(visit)
        if cut is None or original is None or not self._learn(cut[1]) or not self._known.is_due(cut[0]):
            return
        standing = self._porter.standing(original)
        if standing is not None:
            lines = write_fields(self._check.cookies(visit, original))
            self._known.keep(cut[0], KnownQuestion(visit, origin_of(cut[1]), standing, lines, len(head.block)))
            if marks not in self._forms:
                self._forms = (marks, *self._forms)[:_MOST_FORMS]

    def _original(self, visit: Visit) -> Visit | None:
        """Give the original request where it is a GET that is like one for any other address of its origin."""
        try:
            original = read_original(visit, self._trust.host_header)
        except NotTold:
            return None
        # With any other method it matters from which site a request was sent, and that decides each time.
        return original if original.method == "GET" and not has_control(original.path) else None

    def _learn(self, address: bytes) -> bool:
        """Remember an address that was read, and say whether it can be."""
        if len(address) > LONGEST_LINE or address != address.strip(b" \t"):
            return False
        if address not in self._origins:
            if len(self._origins) >= MOST_ADDRESSES:
                self._origins.clear()
            self._origins[address] = origin_of(address)
        return True


@final
class Told:
    """One question that is answered with yes by memory; it is what is told of a request when it is over, too."""

    __slots__ = ("_allow", "_client", "_id", "_known", "_questions")

    method = "GET"

    def __init__(
        self, client: Connection, questions: Questions, known: KnownQuestion, allow: Allow, request_id: bytes
    ) -> None:
        """Answer on the connection `client`."""
        self._client = client
        self._questions = questions
        self._known = known
        self._allow = allow
        self._id = request_id

    def start(self) -> None:
        """Answer as `check.Check` does."""
        client, questions, principal = self._client, self._questions, self._allow.principal
        started = questions.clock.monotonic()
        lines = b"" if principal is None else principal.lines
        dated = write_fields(client.crowd.default_headers)
        said = (_OK, dated, _NO_STORE, lines, self._known.lines, _EMPTY, self._id, b"\r\n\r\n")
        client.finish_with(b"".join(said))
        questions.observe(self, questions.path, 200, questions.clock.monotonic() - started)

    @property
    def path(self) -> str:
        """Give the path of the question."""
        return self._questions.path

    @property
    def address(self) -> str:
        """Give the address of whoever sent the original request."""
        return self._known.address

    @property
    def request_id(self) -> str:
        """Give the id."""
        return self._id.decode("ascii")


def _marks(head: Head) -> Marks:
    """Find what stands before the values that change, as this proxy writes it; nothing where it asks in another way."""
    marks: list[tuple[bytes, bool]] = []
    for line in head.lines:
        name = line.name.text
        if name == _ID or name in _ADDRESSES:
            marks.append((b"\r\n%b: " % line.raw[: len(name)], name in _ADDRESSES))
    addresses = [mark for mark, is_address in marks if is_address]
    return tuple(marks) if len(addresses) == 1 and len(marks) - len(addresses) <= 1 else ()


def _cut(data: bytes, marks: Marks) -> _Cut | None:
    """Take out of a question what changes, or give None where it has another form."""
    pieces: list[bytes] = []
    address = request_id = b""
    at = 0
    for mark, is_address in marks:
        found = data.find(mark, at)
        if found < 0:
            return None
        begin = found + len(mark)
        end = data.find(b"\r\n", begin)
        pieces.append(data[at:begin])
        if is_address:
            address = data[begin:end]
        else:
            request_id = data[begin:end]
        at = end
    pieces.append(data[at:])
    return (tuple(pieces), address, request_id) if len(data) <= LONGEST_BLOCK else None
