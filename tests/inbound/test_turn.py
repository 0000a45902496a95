"""Connections by way of the loop's own server and one at a time, plain and over TLS: the same service either way."""

import asyncio
import logging
import ssl
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
both = pytest.mark.parametrize("is_shared", [False, True])


@both
async def test_many_connections_are_served(is_shared: bool) -> None:  # noqa: FBT001 - a column of the table
    """Connections that come at once are all answered, and none is open when the run has ended."""
    async with serving(ROUTES, is_shared=is_shared) as server:
        answers = await asyncio.gather(*(server.exchange(REQUEST) for _ in range(100)))
        assert all(answer.endswith(b"http") for answer in answers)
        await server.stopped()


@both
async def test_tls_is_spoken(tmp_path: Path, is_shared: bool) -> None:  # noqa: FBT001 - a column of the table
    """Over TLS the scheme is https."""
    client = ssl.create_default_context(cafile=str(make_authority(tmp_path, "localhost").ca_file))
    chain = tmp_path / "server.pem"
    async with serving(ROUTES, tls=tls_context(chain, chain), is_shared=is_shared) as server:
        assert (await server.exchange(REQUEST, tls=client)).endswith(b"https")


@both
async def test_failed_handshakes_are_nothing_to_report(
    tmp_path: Path,
    is_shared: bool,  # noqa: FBT001 - a column of the table
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Plain HTTP, garbage and connections that end within the handshake are dropped without a line in the log."""
    client = ssl.create_default_context(cafile=str(make_authority(tmp_path, "localhost").ca_file))
    chain = tmp_path / "server.pem"
    async with serving(ROUTES, tls=tls_context(chain, chain), is_shared=is_shared) as server:
        for sent in (REQUEST, b"\x16\x03\x01\x00\x05hello", b""):
            await server.exchange(sent, half_close=True)
        assert (await server.exchange(REQUEST, tls=client)).endswith(b"https")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
