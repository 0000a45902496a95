"""What a door answers: routes, methods, bodies, refusals, defects."""

import asyncio
import logging

import pytest

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Door, Refuse, Reply, Route, Seen, current_request
from tests.support.canaries import canary
from tests.support.serving import refuse, serving

LIMIT = 1000


async def echo(visit: Visit, body: bytes) -> Reply:
    return Reply(200, f"{visit.method} {visit.query} ".encode() + body, ((b"content-type", b"text/plain"),))


async def broken(_visit: Visit, _body: bytes) -> Reply:
    raise ValueError(canary("in an exception"))


async def tripping(_visit: Visit, _body: bytes) -> Reply:
    raise asyncio.CancelledError


async def refusing(_visit: Visit, _body: bytes) -> Reply:
    raise DoorwardError(STORE_UNAVAILABLE, retry_after=3, reason="locked")


ROUTES = (
    Route(method="GET", path="/echo", handler=echo),
    Route(method="POST", path="/echo", handler=echo, max_body=LIMIT),
    Route(method="*", path="/any", handler=echo),
    Route(method="POST", path="/any", handler=echo, max_body=LIMIT),
    Route(method="*", path="/any/*", handler=echo),
    Route(method="GET", path="/any/exact", handler=echo),
    Route(method="GET", path="/broken", handler=broken),
    Route(method="GET", path="/tripping", handler=tripping),
    Route(method="GET", path="/refusing", handler=refusing),
    Route(method="POST", path="/api/login", handler=echo, max_body=LIMIT),
)


async def test_a_route_answers() -> None:
    """A request reaches its handler, and what the handler replies reaches the client with an id and a length."""
    async with serving(ROUTES) as server:
        answer = await server.get("/echo?a=b", method="POST", body=b"hello")
    assert (answer.status, answer.body) == (200, b"POST a=b hello")
    assert answer.headers["content-length"] == "14"
    assert len(answer.headers["x-request-id"]) == 32
    assert "date" in answer.headers
    assert "server" not in answer.headers


async def test_head_is_get_without_body() -> None:
    """HEAD is answered where GET is, with GET's length and no body."""
    async with serving(ROUTES) as server:
        answer = await server.get("/echo", method="HEAD")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "6", b"")


@pytest.mark.parametrize(
    "path", ["/", "/Echo", "/echo/", "//echo", "/echo;a", "/%65cho", "/echo%2f", "/api", "/api/login/x", "/%00"]
)
async def test_paths_are_exact(path: str) -> None:
    """What is not a route's path, byte for byte, is 404."""
    async with serving(ROUTES) as server:
        answer = await server.get(path)
        assert (answer.status, answer.body) == (404, b"not_found")
        assert server.seen == [("unknown", 404)]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
async def test_wrong_methods_name_the_right_ones(method: str) -> None:
    """A path that exists for other methods is 405 with Allow, OPTIONS included."""
    async with serving(ROUTES) as server:
        answer = await server.get("/echo", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
async def test_a_route_may_be_for_every_method(method: str) -> None:
    """A route of method `*` answers what the path has no other route for, and takes no body unless it says so."""
    async with serving(ROUTES) as listener:
        answer = await listener.get("/any", method=method, body=b"ignored")
        assert (answer.status, answer.body) == (200, b"" if method == "HEAD" else f"{method}  ".encode())
        answer = await listener.get("/any", method="POST", body=b"read")
        assert answer.body == b"POST  read"


@pytest.mark.parametrize(
    ("path", "status", "label"),
    [
        ("/any/", 200, "/any/*"),
        ("/any/thing/else?a=b", 200, "/any/*"),
        ("/any//", 200, "/any/*"),
        ("/any/exact", 405, "/any/exact"),
        ("/anything", 404, "unknown"),
        ("/any/*", 200, "/any/*"),
    ],
)
async def test_a_route_may_cover_what_is_below_it(path: str, status: int, label: str) -> None:
    """A path that ends in `/*` covers what begins with it; an exact path wins; metrics see the route alone."""
    async with serving(ROUTES) as listener:
        assert (await listener.get(path, method="PUT")).status == status
        assert listener.seen == [(label, status)]


async def test_the_longest_prefix_speaks() -> None:
    """Each prefix has its own envelope, and /apix is not below /api."""
    envelopes: dict[str, Refuse] = {
        "/api": lambda _visit, error: Reply(error.row.status, b"api"),
        "/api/oauth2": lambda _visit, error: Reply(error.row.status, b"oauth"),
    }
    async with serving(ROUTES, envelopes=envelopes) as server:
        bodies = [(await server.get(path)).body for path in ("/api", "/api/x", "/api/oauth2/x", "/apix", "/x")]
    assert bodies == [b"api", b"api", b"oauth", b"not_found", b"not_found"]


@pytest.mark.parametrize("size", [LIMIT + 1, 100_000, 3_000_000])
async def test_an_announced_body_too_large_is_refused(size: int) -> None:
    """A body over the limit is 413 before it is read, and the client gets the answer though it goes on sending."""
    async with serving(ROUTES) as server:
        answer = await server.get("/echo", method="POST", body=b"x" * size)
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert server.seen == [("/echo", 413)]


async def test_a_body_of_unknown_length_is_limited() -> None:
    """A chunked body is cut off as soon as it is over the limit."""
    chunk = b"%x\r\n%s\r\n" % (LIMIT, b"x" * LIMIT)
    async with serving(ROUTES) as server:
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 413 " in (await server.exchange(head + chunk * 2 + b"0\r\n\r\n"))
        exact = await server.exchange(head.replace(b"Host", b"Connection: close\r\nHost") + chunk + b"0\r\n\r\n")
        assert exact.startswith(b"HTTP/1.1 200 ")


async def test_a_body_nobody_asked_for_is_thrown_away() -> None:
    """A GET with a body is answered as if it had none."""
    async with serving(ROUTES) as server:
        assert (await server.get("/echo", body=b"{}")).body == b"GET  "


async def test_a_client_that_leaves_while_sending_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    """A connection that ends within the body reaches no handler and writes no error."""
    async with serving(ROUTES) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        await server.get("/echo")
        writer.transport.abort()
        await server.stopped()
        assert ("/echo", 499) in server.seen
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("path", ["/broken", "/tripping"])
async def test_a_defect_is_one_line_without_values(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """What a handler did not foresee is 500 and one log line with classes and places, never the exception's text."""
    async with serving(ROUTES) as server:
        answer = await server.get(path)
    assert (answer.status, answer.body) == (500, b"internal_error")
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    facts = vars(record)["facts"]
    assert record.getMessage() == "request.failed"
    assert facts["exception"][0] in {"ValueError", "CancelledError"}
    assert "CANARY" not in str(facts)
    assert any("test_door.py" in place for place in facts["traceback"])


async def test_a_handler_may_refuse(caplog: pytest.LogCaptureFixture) -> None:
    """A row of the catalogue out of a handler is answered in the envelope, and logged at its own level."""
    async with serving(ROUTES) as server:
        answer = await server.get("/refusing")
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, b"store_unavailable", "3")
    (record,) = [record for record in caplog.records if record.getMessage() == "request.refused"]
    assert record.levelno == logging.ERROR
    assert vars(record)["facts"] == {"code": "store_unavailable", "reason": "locked"}


async def test_each_request_has_its_own_id() -> None:
    """Ids differ, and whatever logs while a request is answered can find its id."""
    noted: list[str] = []

    async def note(_visit: Visit, _body: bytes) -> Reply:
        noted.append(current_request.get())
        return Reply(204)

    async with serving([Route(method="GET", path="/", handler=note)]) as server:
        given = [(await server.get("/", "X-Request-ID: mine")).headers["x-request-id"] for _ in range(3)]
    assert noted == given
    assert len(set(given)) == 3


async def test_a_trusted_proxy_may_name_the_request() -> None:
    """A well-formed X-Request-ID of a trusted peer is kept, also on refusals; a malformed one is not."""
    async with serving(ROUTES, trusted=["127.0.0.0/8"]) as server:
        assert (await server.get("/nowhere", "X-Request-ID: a.B-9_")).headers["x-request-id"] == "a.B-9_"
        assert (await server.get("/echo", "X-Request-ID: a b")).headers["x-request-id"] != "a b"


def test_routes_are_told_apart() -> None:
    """Two handlers for one method and path are a mistake at the start, as is a door without a last envelope."""
    twice = Route(method="GET", path="/", handler=echo)
    with pytest.raises(ValueError, match="twice"):
        door([twice, twice], {"": refuse})
    with pytest.raises(ValueError, match="envelope"):
        door([], {"/api": refuse})


def door(routes: list[Route], envelopes: dict[str, Refuse]) -> Door:
    trust = Trust(entropy=SeededEntropy(), public_url="http://a.example")
    return Door(routes, trust=trust, clock=FrozenClock(0), observe=unobserved, envelopes=envelopes)


def unobserved(_visit: Seen, _route: str, _status: int, _seconds: float) -> None:
    return


async def test_pipelined_requests_are_answered_in_order() -> None:
    """Requests sent at once on one connection are answered one after another."""
    async with serving(ROUTES) as server:
        sent = b"".join(b"GET /echo?%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20))
        last = b"GET /echo?last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        answered = await server.exchange(sent + last)
    assert answered.count(b"200 OK") == 21
    positions = [answered.index(b"GET %d " % number) for number in range(20)]
    assert positions == sorted(positions)
