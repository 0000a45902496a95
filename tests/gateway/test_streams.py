"""Bodies without bounds in bounded memory, both ways, however slow the other end is."""

import asyncio
import resource

import pytest

from doorward.inbound.crowd import Limits
from tests.support.gateways import application, gateway, read_head

GIB = 1 << 30
PIECE = bytes(1 << 18)
ROOM_KIB = 48 * 1024


def peak() -> int:
    """Give the most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def swallow(reader: asyncio.StreamReader, size: int) -> int:
    """Read `size` bytes and give how many came."""
    left = size
    while left and (data := await reader.read(min(left, 1 << 18))):
        left -= len(data)
    return size - left


@pytest.mark.timeout(100)
async def test_a_gibibyte_down() -> None:
    """An answer of any size goes through in constant memory."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB)
        for _ in range(GIB // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()

    async with application(behave) as app, gateway(app.url) as server:
        before = peak()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1 << 18)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert await swallow(reader, GIB) == GIB
        writer.close()
        assert peak() - before < ROOM_KIB


@pytest.mark.timeout(100)
@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_gibibyte_up(is_chunked: bool) -> None:  # noqa: FBT001 - a column
    """A body of any size goes through in constant memory, of known length or in chunks."""
    came: list[int] = []
    written = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if is_chunked else PIECE

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        came.append(await swallow(reader, GIB // len(PIECE) * len(PIECE)))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.read()

    async with application(behave) as app, gateway(app.url) as server:
        before = peak()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        framing = b"Transfer-Encoding: chunked" if is_chunked else b"Content-Length: %d" % GIB
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b\r\n\r\n" % framing)
        for _ in range(GIB // len(PIECE)):
            writer.write(written)
            await writer.drain()
        if is_chunked:
            writer.write(b"0\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
        writer.close()
        assert peak() - before < ROOM_KIB
    assert came == [GIB]


async def test_who_takes_nothing_holds_the_application_back() -> None:
    """While a client reads nothing, little is taken from the application; and in the end the client is let go."""
    sent = [0]
    ended = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB)
        try:
            while True:
                writer.write(PIECE)
                sent[0] += len(PIECE)
                await writer.drain()
        except ConnectionError:
            ended.set()

    limits = Limits(write_seconds=0.3)
    async with application(behave) as app, gateway(app.url, limits=limits) as server, asyncio.timeout(20):
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await ended.wait()
        assert sent[0] < 40_000_000  # what kernels keep for three connections
        writer.close()


async def test_an_application_that_takes_nothing_holds_the_client_back() -> None:
    """While the application reads nothing, little is taken from the client, and the answer may still come."""
    going = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await going.wait()
        await swallow(reader, 64 << 20)
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await reader.read()

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
        sent = 0
        for _ in range(256):
            writer.write(PIECE)
            sent += len(PIECE)
            try:
                await asyncio.wait_for(writer.drain(), 0.2)
            except TimeoutError:
                break
        assert sent < 40_000_000
        going.set()
        writer.write(bytes((64 << 20) - sent))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
        writer.close()
