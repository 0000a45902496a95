"""What a request's head says, once nothing in it is ambiguous."""

from typing import final

from doorward.gateway.fields import Fields
from doorward.gateway.line import Line
from doorward.gateway.run import Run
from doorward.identity.visit import Scheme, Trust, Visit


@final
class Head:
    """A request's line and fields; only `judge` makes one.

    `target` is in origin form: path and query as they were sent. `runs` are the header lines and `fields` the same
    with lower-case names, both in the order they were sent. `length` is the announced length of the body, None where
    the body comes in chunks. `options` are the names in Connection, in lower case; `offers` the protocols in Upgrade
    that may be gone over to. `line` is the request line and `block` the header lines as they came, each with the line
    end before it.
    """

    __slots__ = (
        "block", "expects_go_ahead", "fields", "host", "is_1_1", "keeps_alive", "length", "line", "method", "offers",
        "options", "path", "query", "runs", "target",
    )  # fmt: skip

    def __init__(
        self, line: bytes, block: bytes, method: bytes, target: bytes, runs: list[Run], *, is_1_1: bool
    ) -> None:
        """Begin with what needs no reading; the judge fills in the rest."""
        self.line = line
        self.block = block
        self.method = method.decode("ascii")
        self.take_target(target)
        self.runs = runs
        fields: Fields = ()
        for run in runs:
            fields += run.fields
        self.fields = fields
        self.is_1_1 = is_1_1
        self.host = b""
        self.length: int | None = 0
        self.options: frozenset[bytes] = frozenset()
        self.offers: tuple[bytes, ...] = ()
        self.keeps_alive = is_1_1
        self.expects_go_ahead = False

    def take_target(self, target: bytes) -> None:
        """Note what is asked for: a path and a query."""
        self.target = target
        path, _, query = target.decode("ascii").partition("?")
        self.path = path
        self.query = query

    def visit(self, trust: Trust, peer: str, scheme: Scheme) -> Visit:
        """Give the facts of the request, which came from `peer` over a listener that speaks `scheme`."""
        return trust.visit(
            method=self.method, path=self.path, query=self.query, raw_headers=self.fields, peer=peer, scheme=scheme
        )

    @property
    def lines(self) -> list[Line]:
        """Give the header lines one by one."""
        return [line for run in self.runs for line in run.lines]

    @property
    def has_body(self) -> bool:
        """Say whether a body follows."""
        return self.length != 0

    def __repr__(self) -> str:
        """Show the request without query and fields, which may hold secrets."""
        return f"Head({self.method!r}, {self.path!r})"
