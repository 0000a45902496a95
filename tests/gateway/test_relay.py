"""Requests to the application and their answers, over real connections on both sides."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

import pytest

from doorward.inbound.crowd import Limits
from tests.support.gateways import (
    PRINCIPAL,
    Lets,
    application,
    echoing,
    gateway,
    lines_of,
    read_chunks,
    read_head,
    saying,
)
from tests.support.programs import free_port
from tests.support.serving import Answer

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_an_application_answers() -> None:
    """A request goes to the application and its answer back, with an id and a date; it is observed once."""
    async with application(saying(OK)) as app, gateway(app.url) as server:
        answer = await server.get("/x?y")
        assert (answer.status, answer.body) == (200, b"ok")
        assert len(answer.headers["x-request-id"]) == 32
        assert "date" in answer.headers
        assert server.seen == [("app", 200)]


@pytest.mark.parametrize("waits", [False, True])
async def test_identity_reaches_the_application(waits: bool) -> None:  # noqa: FBT001 - a column
    """Whoever passes is named to the application, be it known at once or looked up; a forged name is gone."""
    async with application(echoing()) as app, gateway(app.url, porter=Lets(PRINCIPAL, waits=waits)) as server:
        answer = await server.get("/", "X-MS-CLIENT-PRINCIPAL-NAME: root", method="POST", body=b"hello")
        assert answer.body.endswith(b"\r\n\r\nhello")
        assert lines_of(answer.body)[b"x-ms-client-principal-name"] == b"jane"


async def test_our_own_addresses_do_not_reach_it() -> None:
    """What lies below our prefix is answered here; a longer word is the application's."""
    async with application(saying(OK, OK)) as app, gateway(app.url) as server:
        assert (await server.get("/.auth/x")).status == 404
        assert (await server.get("/.auth")).status == 404
        assert (await server.get("/.authx")).body == b"ok"
        assert (await server.get("//.auth/x")).body == b"ok"


async def test_connections_are_kept_on_both_sides() -> None:
    """Requests of one client, one after another or all at once, share connections and are answered in order."""
    heads: list[bytes] = []
    async with application(echoing(heads)) as app, gateway(app.url) as server, asyncio.timeout(10):
        sent = b"".join(GET.replace(b"/a", b"/%d" % number) for number in range(50)) + LAST
        answered = await server.exchange(sent)
        assert answered.count(b"200 OK") == 51
        positions = [answered.index(b"GET /%d " % number) for number in range(50)]
        assert positions == sorted(positions)
        assert [head.split()[1] for head in heads] == [b"/%d" % number for number in range(50)] + [b"/last"]


async def test_a_body_goes_through_as_it_is() -> None:
    """A body keeps its framing and its trailers, and what is pipelined behind it is a request of its own."""
    sized = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked += b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nCheck: 1\r\nCookie: x\r\n\r\n"
    async with application(echoing()) as app, gateway(app.url) as server:
        answered = await server.exchange(sized + chunked + LAST)
        assert answered.count(b"200 OK") == 3
        assert b"\r\n\r\nhello" in answered
        assert b"5\r\nabcde\r\n0\r\nCheck: 1\r\n\r\n" in answered
        assert b"Cookie" not in answered


@pytest.mark.parametrize(
    ("said", "got"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n",
            b"3\r\nabc\r\n0\r\nT: 1\r\n\r\n",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: x\r\n\r\n", b""),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nab", b"ab"),
        (b"HTTP/1.1 404 Nope\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.1 299 \r\nContent-Length: 1\r\n\r\nx", b"x"),
    ],
)
async def test_answers_of_every_kind(said: bytes, got: bytes) -> None:
    """Chunks and trailers, answers without a body, ranges and hints come through, and the connection goes on."""
    async with application(saying(said, OK)) as app, gateway(app.url) as server:
        answered = await server.exchange(GET + LAST)
    status, *lines = said.partition(b"\r\n\r\n")[0].split(b"\r\n")
    first, _, second = answered.rpartition(b"HTTP/1.1 200 OK\r\n")
    assert first.startswith(status + b"\r\n") or status.startswith(b"HTTP/1.1 20")
    assert second.endswith(b"\r\n\r\nok")
    assert first.endswith(b"\r\n\r\n" + got)
    assert all(line in first for line in lines if not line.startswith(b"Transfer"))
    assert (b"Early Hints" in answered) is (b"Early Hints" in said)


async def test_head_has_no_body() -> None:
    """HEAD gets GET's length and no body, and the connection goes on."""
    async with application(saying(OK.removesuffix(b"ok"), OK)) as app, gateway(app.url) as server:
        answered = await server.exchange(GET.replace(b"GET", b"HEAD") + LAST)
        assert answered.count(b"Content-Length: 2") == 2
        assert answered.count(b"ok") == 1


async def test_a_body_may_end_with_the_connection() -> None:
    """Where only the end of the application's connection ends a body, the client gets chunks, or an end of its own."""
    said = b"HTTP/1.0 200 OK\r\n\r\nabc"
    async with application(saying(said, closes=True)) as app, gateway(app.url) as server:
        answered = await server.exchange(LAST)
        assert lines_of(answered)[b"transfer-encoding"] == b"chunked"
        assert answered.endswith(b"3\r\nabc\r\n0\r\n\r\n")
        old = await server.exchange(b"GET / HTTP/1.0\r\n\r\n")
        assert old.endswith(b"\r\n\r\nabc")
        assert b"chunked" not in old


async def test_chunks_are_no_matter_for_http_1_0() -> None:
    """A client that does not know chunks gets the body alone, and the end of the connection."""
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    async with application(saying(said)) as app, gateway(app.url) as server:
        answered = await server.exchange(b"GET / HTTP/1.0\r\n\r\n")
        assert answered.endswith(b"\r\n\r\nabcde")
        assert lines_of(answered)[b"connection"] == b"close"


async def test_events_are_not_held_back() -> None:
    """What the application sends in pieces arrives in those pieces, before the answer is whole."""
    going = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"9\r\ndata: 1\n\n\r\n")
        await going.wait()
        writer.write(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")
        await writer.drain()

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(LAST)
        await reader.readuntil(b"data: 1\n\n\r\n")
        going.set()
        assert (await reader.read()).endswith(b"data: 2\n\n\r\n0\r\n\r\n")
        writer.close()


async def test_whoever_waits_for_a_go_ahead_gets_the_application_s() -> None:
    """Expect: 100-continue reaches the application, its go-ahead the client, and the body the application."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        assert head is not None
        assert lines_of(head)[b"expect"] == b"100-continue"
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + await reader.readexactly(5))
        await reader.read()

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hello")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK")
        writer.close()


async def test_whoever_is_refused_before_the_go_ahead_sends_no_body() -> None:
    """An answer in place of the go-ahead ends the connection: what the client sends next could be body or request."""
    async with application(saying(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")) as app, gateway(app.url) as server:
        sent = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 26\r\n\r\n"
        answered = await server.exchange(sent)
        assert answered.startswith(b"HTTP/1.1 413 No\r\n")
        assert lines_of(answered)[b"connection"] == b"close"
        assert answered.count(b"HTTP/1.1") == 1


async def test_an_application_may_answer_before_the_body_has_come() -> None:
    """The answer to an unfinished upload arrives, and the connection ends behind it on both sides."""
    said = b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"
    async with application(saying(said)) as app, gateway(app.url) as server, asyncio.timeout(10):
        answered = await server.exchange(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n" + bytes(4_000_000), half_close=False
        )
        assert answered.startswith(b"HTTP/1.1 403 No\r\n")
        assert lines_of(answered)[b"connection"] == b"close"
        assert answered.endswith(b"no")


async def test_both_sides_may_speak_at_once() -> None:
    """An application may begin its answer while the request's body still comes, and go on behind it."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        body = await read_chunks(reader)
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        await reader.read()

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        await reader.readuntil(b"hi\r\n")
        writer.write(b"3\r\nabc\r\n0\r\n\r\n")
        assert b"abc" in await reader.readuntil(b"0\r\n\r\n")
        writer.close()


# --- when it fails ---------------------------------------------------------------------------------------------------


async def test_an_application_that_is_away_is_502(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody listens the client is told, as a page or as JSON, and the log names the request."""
    async with gateway(f"http://127.0.0.1:{free_port()}") as server:
        for_programs = await server.get("/")
        for_people = await server.get("/", "Accept: text/html")
        assert server.seen == [("app", 502)] * 2
    assert (for_programs.status, for_people.status) == (502, 502)
    assert b'"code":"app_unreachable"' in for_programs.body
    assert for_people.headers["content-type"].startswith("text/html")
    facts = [vars(record)["facts"] for record in caplog.records if record.getMessage() == "gateway.app_failed"]
    assert facts[0]["request_id"] == for_programs.headers["x-request-id"]
    assert facts[0]["reason"]


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_an_application_that_hangs_up_is_502(said: bytes) -> None:
    """A connection that ends without an answer is 502."""
    async with application(saying(said, closes=True)) as app, gateway(app.url) as server:
        assert (await server.get("/")).status == 502


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_an_answer_that_cannot_be_read_is_502(said: bytes) -> None:
    """What is no HTTP, or two things at once, is not passed on."""
    async with application(saying(said)) as app, gateway(app.url) as server:
        answer = await server.get("/")
        assert answer.status == 502
        assert b"app_answer_unreadable" in answer.body


async def test_an_application_that_is_slow_is_504() -> None:
    """No first byte in time is 504, and the application's connection is dropped."""
    async with application(saying(b"")) as app, gateway(app.url, response_timeout=0.1) as server, asyncio.timeout(10):
        answer = await server.get("/")
        assert answer.status == 504
        assert b"app_timeout" in answer.body
        await until(lambda: server.seen == [("app", 504)])


async def test_slow_connecting_is_502() -> None:
    """A connection that is not accepted in time is 502."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening, contextlib.ExitStack() as stack:
        for _ in range(3):  # more than the kernel takes for a server that accepts nothing
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with gateway(url, connect_timeout=0.05) as server, asyncio.timeout(10):
            assert (await server.get("/")).status == 502


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
async def test_an_answer_that_breaks_off_is_not_completed(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A client can tell that something is missing: neither the length nor the last chunk is there."""
    async with application(saying(said, closes=True)) as app, gateway(app.url) as server:
        answered = await server.exchange(GET + LAST)
        assert answered.count(b"HTTP/1.1") == 1
        assert b"abc" in answered
        assert not answered.endswith(b"0\r\n\r\n")
    assert "gateway.answer_broken" in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("method", "body", "statuses"),
    [("GET", b"", [200, 200]), ("PUT", b"", [200, 200]), ("POST", b"", [200, 502]), ("PUT", b"x", [200, 502])],
)
async def test_what_may_be_repeated_is_sent_again(method: str, body: bytes, statuses: list[int]) -> None:
    """On a kept connection that ends unanswered a request is sent again, if it may be and had no body."""
    connections: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await read_head(reader)
        writer.write(OK)
        if len(connections) == 1:
            await read_head(reader)  # and hangs up

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(10):
        assert [(await server.get("/", method=method, body=body)).status for _ in statuses] == statuses


async def test_nothing_is_sent_again_once_an_answer_has_begun() -> None:
    """A request that was answered in part is not repeated."""
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await read_head(reader)) is not None:
            heads.append(head)
            writer.write(OK if len(heads) == 1 else b"HTTP/1.1 2")
            if len(heads) > 1:
                return

    async with application(behave) as app, gateway(app.url) as server:
        assert (await server.get("/")).status == 200
        assert (await server.get("/")).status == 502
        assert len(heads) == 2


async def test_unasked_bytes_end_a_kept_connection() -> None:
    """What an application sends behind its answer is nobody's answer."""
    async with application(saying(OK + OK, OK)) as app, gateway(app.url) as server:
        answered = await server.exchange(LAST)
        assert answered.count(b"HTTP/1.1") == 1
        assert (await server.get("/")).body == b"ok"


# --- clients that leave ------------------------------------------------------------------------------------------


async def hanging(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Answer nothing until the connection ends."""
    await reader.read()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"])
async def test_a_client_that_leaves_cancels_its_request(said: bytes) -> None:
    """The application's connection ends soon after the client's, before an answer or in the middle of one."""
    gone = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(said)
        came.set()
        await reader.read()
        gone.set()

    came = asyncio.Event()
    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(10):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        await came.wait()
        writer.close()
        await gone.wait()
        await until(lambda: server.seen == [("app", 200 if said else 499)])


async def test_a_client_that_ends_its_side_is_answered() -> None:
    """Whoever sends a request and then no more gets the answer all the same, however long it is."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)
    async with application(saying(said)) as app, gateway(app.url) as server, asyncio.timeout(10):
        answered = await server.exchange(GET, half_close=True)
        assert len(answered.partition(b"\r\n\r\n")[2]) == 3_000_000


async def test_a_slow_upload_is_patiently_taken_and_a_stalled_one_is_not() -> None:
    """The time for a body runs from its last byte."""
    limits = Limits(body_seconds=0.5)
    async with application(echoing()) as app, gateway(app.url, limits=limits) as server, asyncio.timeout(20):
        answered = await server.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
        assert answered.startswith(b"HTTP/1.1 408 ")
        assert server.seen == [("app", 499)]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - it is another task that changes it
        await asyncio.sleep(0.01)


async def test_trace_is_refused() -> None:
    """TRACE would show a page's script what its browser and the gateway add."""
    async with application(saying(OK)) as app, gateway(app.url) as server:
        answer = await server.get("/", method="TRACE")
        assert (answer.status, "GET" in answer.headers["allow"]) == (405, True)


async def test_a_defect_is_one_refused_request(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is 500 for one request, and one line in the log without values."""

    class Broken(Lets):
        def decide_now(self, visit: object) -> None:
            raise ValueError("a value")

    async with application(saying(OK)) as app, gateway(app.url, porter=Broken()) as server:
        assert (await server.get("/")).status == 500
        assert (await server.get("/.auth/x")).status == 404
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "request.failed"
    assert "a value" not in str(vars(record)["facts"])


def test_answers_are_read() -> None:
    """The tests' own reader of answers works."""
    assert Answer.read(OK).body == b"ok"
