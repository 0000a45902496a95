"""What two programs in a row could disagree about: the application sees what was decided on, and nothing else."""

import asyncio

import pytest

from tests.support.gateways import application, echoing, gateway, read_head
from tests.support.serving import Serving

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
SEEN = b"GET /seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def post(*lines: bytes, body: bytes = HIDDEN) -> bytes:
    return b"\r\n".join([b"POST /seen HTTP/1.1", b"Host: a", *lines, b"", body])


CHUNKED_ZERO = b"0\r\n\r\n" + HIDDEN


@pytest.mark.parametrize(
    "sent",
    [
        post(b"Content-Length: 0", b"Content-Length: 33"),
        post(b"Content-Length: 33", b"Content-Length: 0"),
        post(b"Content-Length: 0", b"Transfer-Encoding: chunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b"Transfer-Encoding: chunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b"Transfer-Encoding : chunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b"Transfer-Encoding:\x0bchunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b"Transfer-Encoding: xchunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b"Transfer_Encoding: chunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b"X: y\nTransfer-Encoding: chunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b"X: y\rTransfer-Encoding: chunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b" Transfer-Encoding: chunked", body=CHUNKED_ZERO),
        post(b"Content-Length: 38", b"Transfer-Encoding:", b" chunked", body=CHUNKED_ZERO),
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=CHUNKED_ZERO),
        post(b"Transfer-Encoding: identity, chunked", body=CHUNKED_ZERO),
        post(b"Transfer-Encoding: chunked", body=b"1\nx\r\n0\r\n\r\n" + HIDDEN),
        post(b"Transfer-Encoding: chunked", body=b"1;a\nb\r\nx\r\n0\r\n\r\n" + HIDDEN),
        post(b"Transfer-Encoding: chunked", body=b"0x1\r\nx\r\n0\r\n\r\n" + HIDDEN),
        post(b"Transfer-Encoding: chunked", body=b"1\r\nxx\r\n0\r\n\r\n" + HIDDEN),
        post(b"Transfer-Encoding: chunked", body=b"0\r\nX: y\n\n" + HIDDEN),
        b"GET /seen HTTP/1.1\r\nHost: a\r\nX: y\n\r\n" + HIDDEN,
        b"GET /seen HTTP/1.1\nHost: a\n\n" + HIDDEN,
        b"GET /seen HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + HIDDEN,
        b"GET http://b/hidden HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /seen HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
        b"GET /seen\rGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + HIDDEN,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    ],
)
async def test_nothing_is_smuggled(sent: bytes) -> None:
    """A request that hides another gets a client error, and the hidden one reaches nobody."""
    heads: list[bytes] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(65536):
            heads.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(10):
        answered = await server.exchange(sent + SEEN, half_close=True)
        assert answered.startswith(b"HTTP/1.1 400 ")
        assert answered.count(b"HTTP/1.1 ") == 1
    assert b"/hidden" not in b"".join(heads)


@pytest.mark.parametrize(
    "sent",
    [
        post(b"Content-Length: 33"),
        post(b"Transfer-Encoding: chunked", body=b"21\r\n" + HIDDEN + b"\r\n0\r\n\r\n"),
        post(
            b"Transfer-Encoding: chunked",
            body=b'21;x="y"\r\n' + HIDDEN + b"\r\n0\r\nT: " + b"GET /hidden" + b"\r\n\r\n",
        ),
    ],
)
async def test_a_body_that_looks_like_a_request_is_a_body(sent: bytes) -> None:
    """What lies within the framing reaches the application within the framing, and the next request is one."""
    heads: list[bytes] = []
    async with application(echoing(heads)) as app, gateway(app.url) as server, asyncio.timeout(10):
        answered = await server.exchange(sent + SEEN)
        assert answered.count(b"200 OK") == 2
    assert [head.split(b" ")[1] for head in heads] == [b"/seen", b"/seen"]


async def test_an_application_that_splits_its_answer_poisons_nobody() -> None:
    """What follows an answer on the application's connection is never given to the next client."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_head(reader) is not None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    async def ask(server: Serving) -> bytes:
        return (await server.get("/")).body

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(10):
        assert {await ask(server) for _ in range(10)} == {b"ok"}
