"""Connections taken one at a time, plain and over TLS, and when there is no room for another."""

import asyncio
import logging
import os
import resource
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from doorward.identity.visit import Visit
from doorward.inbound.door import Reply, Route
from doorward.inbound.listen import tls_context
from tests.support.peers import make_authority
from tests.support.serving import serving

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def scheme(visit: Visit, _body: bytes) -> Reply:
    return Reply(200, visit.scheme.encode())


ROUTES = (Route(method="GET", path="/", handler=scheme),)


async def test_many_connections_are_served() -> None:
    """Connections that come at once are all answered, and none is open when the run has ended."""
    async with serving(ROUTES) as server:
        answers = await asyncio.gather(*(server.exchange(REQUEST) for _ in range(100)))
        assert all(answer.endswith(b"http") for answer in answers)
        await server.stopped()


async def test_tls_is_spoken(tmp_path: Path) -> None:
    """Over TLS the scheme is https."""
    client = ssl.create_default_context(cafile=str(make_authority(tmp_path, "localhost").ca_file))
    chain = tmp_path / "server.pem"
    async with serving(ROUTES, tls=tls_context(chain, chain)) as server:
        assert (await server.exchange(REQUEST, tls=client)).endswith(b"https")


async def test_failed_handshakes_are_nothing_to_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Plain HTTP, garbage and connections that end within the handshake are dropped without a line in the log."""
    client = ssl.create_default_context(cafile=str(make_authority(tmp_path, "localhost").ca_file))
    chain = tmp_path / "server.pem"
    async with serving(ROUTES, tls=tls_context(chain, chain)) as server:
        for sent in (REQUEST, b"\x16\x03\x01\x00\x05hello", b""):
            await server.exchange(sent, half_close=True)
        assert (await server.exchange(REQUEST, tls=client)).endswith(b"https")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_who_finds_no_room_waits(caplog: pytest.LogCaptureFixture) -> None:
    """Out of file descriptors, connections wait and are answered as soon as there are some; the log tells it once."""
    async with serving(ROUTES) as server, asyncio.timeout(10):
        waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        with no_more_descriptors():
            for _ in range(20):
                await asyncio.sleep(0.02)
            assert told(caplog)
        for connection in waiting:
            reader, writer = await asyncio.open_connection(sock=connection)
            writer.write(REQUEST)
            assert (await reader.read()).endswith(b"http")
            writer.close()
        with no_more_descriptors(spare=1):
            late = socket.create_connection(("127.0.0.1", server.port))
            for _ in range(20):
                await asyncio.sleep(0.02)
        late.close()
    assert len(told(caplog)) == 1


async def test_idle_connections_make_room(caplog: pytest.LogCaptureFixture) -> None:
    """Out of file descriptors, connections that are kept alive between requests are closed for those that wait."""
    async with serving(ROUTES) as server, asyncio.timeout(10):
        kept, kept_writer = await asyncio.open_connection("127.0.0.1", server.port)
        kept_writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await kept.readuntil(b"\r\n\r\nhttp")).startswith(b"HTTP/1.1 200 ")
        waiting = socket.create_connection(("127.0.0.1", server.port))
        with no_more_descriptors():
            reader, writer = await asyncio.open_connection(sock=waiting)
            writer.write(REQUEST)
            assert (await reader.read()).endswith(b"http")
            assert await kept.read() == b""
        kept_writer.close()
        writer.close()
    assert len(told(caplog)) == 1


def told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage() == "listener.exhausted"]


@contextmanager
def no_more_descriptors(spare: int = 0) -> Generator[None]:
    """Leave this process `spare` file descriptors to open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.open(os.devnull, os.O_RDONLY)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + spare, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
