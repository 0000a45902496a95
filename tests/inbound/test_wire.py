"""What one connection takes: heads too long or too slow, input that is no HTTP, connections that end half-way."""

import asyncio
import gc
import logging
import ssl
from pathlib import Path

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from doorward.gateway.local import Local
from doorward.identity.visit import Visit
from doorward.inbound.crowd import Limits
from doorward.inbound.door import Reply, Route
from doorward.inbound.listen import tls_context
from tests.support.peers import make_authority
from tests.support.serving import Serving, serving

HEAD = 4096
SOON = Limits(head_bytes=HEAD, head_seconds=0.2, body_seconds=0.2, idle_seconds=0.2)
ROOMY = Limits(head_bytes=HEAD)
WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def answer(visit: Visit, body: bytes) -> Reply:
    return Reply(200, b"%d headers, %d bytes" % (len(visit.raw_headers), len(body)))


async def answer_at_length(_visit: Visit, _body: bytes) -> Reply:
    return Reply(200, bytes(BIG))


BIG = 12_000_000  # more than the kernel takes for a client that reads nothing
ROUTES = (
    Route(method="GET", path="/", handler=answer),
    Route(method="POST", path="/", handler=answer, max_body=100_000),
    Route(method="GET", path="/big", handler=answer_at_length),
)
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def quiet(caplog: pytest.LogCaptureFixture) -> bool:
    """Say that nothing was logged that would wake somebody, and no stack trace."""
    return not [record for record in caplog.records if record.levelno >= logging.WARNING or record.exc_info]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nname : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx: \x00\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET ?a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_client_error(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Garbage gets a 4xx with a request id and the end of the connection, never a 5xx or a stack trace."""
    async with serving(ROUTES, limits=ROOMY) as server:
        answered = await server.exchange(garbage, half_close=True)
        assert answered.startswith(b"HTTP/1.1 4")
        assert b"x-request-id: " in answered
        assert (await server.get("/")).status == 200
    assert quiet(caplog)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 2 * HEAD,
        b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"a" * 2 * HEAD,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * HEAD,
        b"GET /" + b"a" * 2 * HEAD + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nx: " + b"a" * 10 * HEAD + b"\r\n\r\n",
    ],
)
async def test_a_head_too_long_is_refused(head: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A head over the limit is 431, complete or not, and reaches no handler."""
    async with serving(ROUTES, limits=ROOMY) as server:
        assert b" 431 " in await server.exchange(head)
        assert server.seen == []
    assert quiet(caplog)


async def test_a_head_within_the_limit_passes_behind_a_long_body() -> None:
    """The limit counts the head alone, whatever came before it on the connection or stands in the same packet."""
    body = b"x" * 50_000
    first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" + body
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx: " + b"a" * (HEAD - 200) + b"\r\n\r\n"
    async with serving(ROUTES, limits=ROOMY) as server:
        assert (await server.exchange(first * 3 + last)).count(b"200 OK") == 4


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"\r\n\r\n", b""),
        (b"GET / HTTP/1.1\r\nHost:", b"408"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", b"408"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc", b"408"),
        (WHOLE, b"200"),
        (WHOLE + b"\r\n", b"200"),
        (WHOLE + b"GET", b"200"),
    ],
)
async def test_a_slow_client_is_let_go(sent: bytes, status: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A connection on which nothing whole comes for too long is closed, with 408 where a request had begun."""
    async with serving(ROUTES, limits=SOON) as server, asyncio.timeout(10):
        answered = await server.exchange(sent)
        assert answered[9:12] == status
    assert quiet(caplog)


async def test_a_half_closed_connection_is_still_answered(caplog: pytest.LogCaptureFixture) -> None:
    """A client that sends its request and says it will send no more gets an answer or a closed connection, no error."""
    async with serving(ROUTES, limits=ROOMY) as server:
        answered = await server.exchange(b"GET / HTTP/1.0\r\n\r\n", half_close=True)
        assert answered.startswith(b"HTTP/1.1 200 ") or not answered
        assert (
            await server.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", half_close=True)
        ) == b""
    assert quiet(caplog)


async def test_garbage_behind_a_request_does_not_spoil_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A request that was whole is answered as itself, and the connection then ends without a second answer."""
    async with serving(ROUTES, limits=ROOMY) as server:
        answered = await server.exchange(WHOLE + b"\x00garbage\r\n\r\n")
        assert answered.startswith(b"HTTP/1.1 200 ")
        assert answered.count(b"HTTP/1.1") == 1
        several = await server.exchange(WHOLE * 3 + b"\x00garbage\r\n\r\n")
        assert b" 500 " not in several
        assert several.count(b" 400 ") == 0
    assert quiet(caplog)


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b"hello")])
async def test_an_offer_of_another_protocol_is_ignored(
    upgrade: str, method: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that offers to go on in another protocol is answered in this one."""
    lines = (f"Upgrade: {upgrade}", "Sec-WebSocket-Key: eA==", "Sec-WebSocket-Version: 13")
    async with serving(ROUTES, limits=ROOMY) as server:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" + "\r\n".join(lines) + f"\r\n{length}\r\n"
        last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"
        answered = await server.exchange(head.encode() + body + last)
        assert answered.count(b"200 OK") == 2
        assert b" %d bytes" % len(body) in answered
    assert quiet(caplog)


async def test_a_client_that_wants_a_go_ahead_gets_it() -> None:
    """Expect: 100-continue is answered with 100 before the body, and not at all when the body would be too large."""
    async with serving(ROUTES, limits=ROOMY) as server:
        assert await first_line(server, 5) == b"HTTP/1.1 100 Continue\r\n"
        assert await first_line(server, 100_001) == b"HTTP/1.1 413 Request Entity Too Large\r\n"


async def first_line(server: Serving, length: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length)
    try:
        return await reader.readline()
    finally:
        writer.close()


async def test_a_trailer_is_no_header() -> None:
    """A field behind a chunked body is thrown away, be the body read before it comes or after, and so for the next."""
    trailers = b"Authorization: Bearer x\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Type: text/plain\r\nHost: b\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serving(ROUTES, limits=ROOMY) as server:
        answered = await server.exchange(CHUNKED + b"3\r\nabc\r\n0\r\n" + trailers + last)
        assert answered.count(b"2 headers, ") == 2
        assert answered.count(b"200 OK") == 2


async def test_trailers_are_few() -> None:
    """A request with more trailer fields than anybody sends is 431, though nothing of them is kept."""
    async with serving(ROUTES, limits=ROOMY) as server:
        assert b" 431 " in await server.exchange(CHUNKED + b"0\r\n" + b"a: b\r\n" * 66)


@pytest.mark.parametrize("piece", [b"a: b\r\n" * 600, b"a" * 4096])
@pytest.mark.parametrize("begin", [b"", b"a: "])
async def test_trailers_have_an_end(piece: bytes, begin: bytes) -> None:
    """Trailers without end, in fields or in one, end the connection before they take memory or time."""
    async with serving(ROUTES, limits=ROOMY) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(CHUNKED + b"0\r\n" + begin)
        sent = 0
        try:
            while not reader.at_eof() and sent < 20_000_000:
                writer.write(piece)
                sent += len(piece)
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        writer.close()
        assert sent < 20_000_000
        assert (await server.get("/")).status == 200


async def test_a_body_may_come_in_small_chunks() -> None:
    """The framing of a chunked body is limited by nothing but the body's own limit, packet by packet or all at once."""
    chunks = [b"1;a=b\r\nx\r\n"] * 5000
    last = b"0\r\nChecksum: abc\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serving(ROUTES, limits=ROOMY) as server:
        assert b"2 headers, 5000 bytes" in await server.exchange(CHUNKED + b"".join(chunks) + last)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for piece in [CHUNKED, *chunks, last]:
            writer.write(piece)
            await asyncio.sleep(0)
        assert b"2 headers, 5000 bytes" in await reader.read()
        writer.close()


async def test_many_requests_at_once_are_all_answered() -> None:
    """However many requests come in one go, with bodies that look like ends of heads, each has its answer in order."""
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\n\r\n" + b"\r\n" * 200
    last = CHUNKED.replace(b"Host", b"Connection: close\r\nHost") + b"5\r\n\r\n\r\n.\r\n0\r\n\r\n"
    async with serving(ROUTES, limits=ROOMY) as server, asyncio.timeout(20):
        answered = await server.exchange((get * 30 + post * 10) * 20 + last)
    sizes = [part.rpartition(b", ")[2].partition(b" ")[0] for part in answered.split(b" bytes")[:-1]]
    assert sizes == ([b"0"] * 30 + [b"400"] * 10) * 20 + [b"5"]


async def test_many_offers_at_once_are_ignored() -> None:
    """Offers of another protocol in any number are each ignored."""
    offer = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serving(ROUTES, limits=ROOMY) as server:
        assert (await server.exchange(offer * 2000 + last)).count(b"200 OK") == 2001


@pytest.mark.parametrize(
    ("method", "count", "is_tls"), [("GET", 1, False), ("GET", 5000, False), ("POST", 5000, False), ("GET", 5000, True)]
)
async def test_a_client_that_takes_no_answer_is_let_go(
    tmp_path: Path,
    method: str,
    count: int,
    is_tls: bool,  # noqa: FBT001 - a column of the table
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of a client that asks and does not read, few requests are held, and the connection is cut after a while."""
    chain = tmp_path / "server.pem"
    authority = make_authority(tmp_path, "localhost")
    client = ssl.create_default_context(cafile=str(authority.ca_file)) if is_tls else None
    body = "Content-Length: 1\r\n\r\nx" if method == "POST" else "\r\n"
    request = f"{method} /big HTTP/1.1\r\nHost: a\r\n{body}".encode()
    tls = tls_context(chain, chain) if is_tls else None
    limits = Limits(write_seconds=0.2, idle_seconds=0.2)
    routes = [Route(method=method, path="/big", handler=answer_at_length, max_body=10)]
    caplog.set_level(logging.INFO)
    async with serving(routes, limits=limits, tls=tls) as server, asyncio.timeout(20):
        name = "localhost" if is_tls else None
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client, server_hostname=name, limit=1)
        writer.write(request * count)
        most = 0
        while not [record for record in caplog.records if record.getMessage() == "http.stalled"]:
            most = max(most, waiting_requests())
            await asyncio.sleep(0.02)
        assert most < 200
        await server.stopped()
        writer.close()
    assert quiet(caplog)


def waiting_requests() -> int:
    return sum(isinstance(known, RequestResponseCycle | Local) for known in gc.get_objects())
