"""What a request's head says, once nothing in it is ambiguous; and what an answer's head says."""

from http import HTTPStatus
from typing import TypeAlias, final

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]


class Unreadable(Exception):
    """What came is no request that means one thing alone; `status` is the answer."""

    def __init__(self, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        """Refuse with `status`."""
        super().__init__(status.phrase)
        self.status = status


@final
class Head:
    """A request's line and fields; only `judge` makes one.

    `target` is in origin form: path and query as they were sent. `fields` have lower-case names, `spelled` the names as
    they were sent; both stand in the order they were sent. `length` is the announced length of the body, None where the
    body comes in chunks. `options` are the names in Connection, in lower case; `offers` the protocols in Upgrade that
    may be gone over to.
    """

    __slots__ = (
        "expects_go_ahead",
        "fields",
        "host",
        "is_1_1",
        "keeps_alive",
        "length",
        "method",
        "offers",
        "options",
        "path",
        "query",
        "spelled",
        "target",
    )

    def __init__(self, method: bytes, target: bytes, fields: Fields, spelled: Fields, *, is_1_1: bool) -> None:
        """Begin with what needs no reading; the judge fills in the rest."""
        self.method = method.decode("ascii")
        self.target = target
        path, _, query = target.partition(b"?")
        self.path = path.decode("ascii")
        self.query = query.decode("ascii")
        self.fields = fields
        self.spelled = spelled
        self.is_1_1 = is_1_1
        self.host = b""
        self.length: int | None = 0
        self.options: frozenset[bytes] = frozenset()
        self.offers: tuple[bytes, ...] = ()
        self.keeps_alive = is_1_1
        self.expects_go_ahead = False

    @property
    def has_body(self) -> bool:
        """Say whether a body follows."""
        return self.length != 0

    def __repr__(self) -> str:
        """Show the request without query and fields, which may hold secrets."""
        return f"Head({self.method!r}, {self.path!r})"
