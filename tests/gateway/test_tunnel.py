"""Other protocols behind an agreed upgrade: WebSocket by a real client and a real server, and bytes as they are."""

import asyncio
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from doorward.gateway import tunnel
from doorward.identity.visit import Visit
from doorward.inbound.listen import tls_context
from tests.support.gateways import PRINCIPAL, Lets, application, gateway, lines_of, read_head, saying
from tests.support.peers import make_authority

OFFER = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
BIG = b"x" * 3_000_000


async def test_a_websocket_works() -> None:
    """Messages go both ways, small and large; the application knows who is there; a proper close arrives."""
    names: list[str | None] = []

    async def echo(socket: ServerConnection) -> None:
        assert socket.request is not None
        names.append(socket.request.headers.get("X-MS-CLIENT-PRINCIPAL-NAME"))
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, max_size=None) as app:
        port = next(iter(app.sockets)).getsockname()[1]
        async with gateway(f"http://127.0.0.1:{port}", porter=Lets(PRINCIPAL)) as server, asyncio.timeout(20):
            async with connect(f"ws://127.0.0.1:{server.port}/chat", max_size=None) as client:
                for message in ("hello", BIG, b"", "x" * 70_000):
                    await client.send(message)
                    assert await client.recv() == message
            assert client.close_code == 1000
            await until_seen(server.seen, ("app", 101))
    assert names == ["jane"]


async def test_a_websocket_works_over_tls(tmp_path: Path) -> None:
    """Behind our own TLS messages go both ways as well, and the application learns that there was TLS."""
    schemes: list[str | None] = []
    chain = tmp_path / "server.pem"
    trust = ssl.create_default_context(cafile=str(make_authority(tmp_path, "localhost").ca_file))

    async def echo(socket: ServerConnection) -> None:
        assert socket.request is not None
        schemes.append(socket.request.headers.get("X-Forwarded-Proto"))
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, max_size=None) as app:
        url = f"http://127.0.0.1:{next(iter(app.sockets)).getsockname()[1]}"
        async with gateway(url, tls=tls_context(chain, chain)) as server, asyncio.timeout(20):
            address = f"wss://localhost:{server.port}/"
            async with connect(address, host="127.0.0.1", ssl=trust, max_size=None) as client:
                await client.send(BIG)
                assert await client.recv() == BIG
            assert client.close_code == 1000
            await until_seen(server.seen, ("app", 101))
    assert schemes == ["https"]


async def test_bytes_go_through_as_they_are() -> None:
    """Behind the switch nothing is read: not what looks like a request, and not what came with the heads."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        assert head is not None
        assert lines_of(head)[b"upgrade"] == b"echo/1"
        writer.write(SWITCH + b"hi")
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OFFER + b"early")
        answered = await reader.readuntil(b"\r\n\r\nhiearly")
        assert lines_of(answered)[b"upgrade"] == b"echo/1"
        raw = b"GET / HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n\x00\n"
        writer.write(raw)
        assert await reader.readexactly(len(raw)) == raw
        writer.write(BIG)
        assert await reader.readexactly(len(BIG)) == BIG
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_either_end_ends_both() -> None:
    """When the application leaves, so does the client, and the other way round."""
    ended = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(SWITCH)
        if await reader.read(1) == b"q":
            return
        await reader.read()
        ended.set()

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OFFER + b"q")
        assert (await reader.read()).startswith(b"HTTP/1.1 101 ")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OFFER + b"a")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await ended.wait()
        await server.stopped()


class Session:
    """A session that a test ends: `knows` is what memory says, `lasts` what whoever is asked says."""

    def __init__(self) -> None:
        self.knows = self.goes_on = True
        self.asked: list[tuple[bytes, str]] = []
        self.asked_thrice = asyncio.Event()

    def session_of(self, visit: Visit) -> str:
        """Give its id."""
        return "session-1"

    def is_known(self, visit: Visit) -> bool:
        """Say what memory knows."""
        return self.knows

    async def lasts(self, visit: Visit, session_id: str) -> bool:
        """Say whether it goes on."""
        self.asked.append((visit.header(b"cookie") or b"", session_id))
        if len(self.asked) == 3:
            self.asked_thrice.set()
        return self.goes_on


async def echo_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Switch to another protocol, and send back what comes, until the end."""
    await read_head(reader)
    writer.write(SWITCH)
    while data := await reader.read(100):
        writer.write(data)


async def test_a_tunnel_ends_with_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was opened by somebody goes on while they are signed in, and is cut on both sides once they are not."""
    monkeypatch.setattr(tunnel, "LOOK_SECONDS", 0.005)
    session = Session()
    async with (
        application(echo_bytes) as app,
        gateway(app.url, porter=Lets(PRINCIPAL), lasting=session) as server,
        asyncio.timeout(20),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OFFER.replace(b"Host: a", b"Host: a\r\nCookie: c=1"))
        await reader.readuntil(b"\r\n\r\n")
        session.knows = False
        await session.asked_thrice.wait()
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        session.goes_on = False
        assert await reader.read() == b""
        writer.close()
        await until_seen(server.seen, ("app", 101))
    assert set(session.asked) == {(b"c=1", "session-1")}


async def test_a_tunnel_of_nobody_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who came without a credential has no session that could end."""
    monkeypatch.setattr(tunnel, "LOOK_SECONDS", 0.002)
    session = Session()
    session.knows = session.goes_on = False
    async with application(echo_bytes) as app, gateway(app.url, lasting=session) as server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OFFER)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.02)
        writer.write(b"here")
        assert await reader.readexactly(4) == b"here"
        writer.close()
    assert session.asked == []


async def test_a_drain_cuts_tunnels_at_its_end() -> None:
    """A tunnel that nobody ends does not keep the process alive for longer than the drain takes."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(SWITCH)
        await reader.read()

    async with application(behave) as app, gateway(app.url, drain_timeout=0.2) as server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(OFFER)
        await reader.readuntil(b"\r\n\r\n")
        await server.stopped()
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("offer", [b"h2c", b"HTTP/2.0", b"TLS/1.2", b""])
async def test_some_offers_are_not_passed_on(offer: bytes) -> None:
    """A protocol in which more requests could pass us by is not offered to the application."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        assert head is not None
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
        await reader.read()

    async with application(behave) as app, gateway(app.url) as server, asyncio.timeout(20):
        answer = await server.exchange(OFFER.replace(b"echo/1", offer).replace(b"Upgrade\r", b"Upgrade, close\r"))
        assert b"pgrade" not in answer


async def test_an_offer_may_be_declined() -> None:
    """An application that answers in HTTP is passed on as ever, and the connection goes on."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with application(saying(said, said)) as app, gateway(app.url) as server, asyncio.timeout(20):
        answered = await server.exchange(OFFER + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert answered.count(b"\r\n\r\nok") == 2


async def test_nothing_is_gone_over_to_that_was_not_offered() -> None:
    """An application that switches to something else has not understood."""
    async with application(saying(SWITCH.replace(b"echo/1", b"other"))) as app, gateway(app.url) as server:
        answered = await server.exchange(OFFER.replace(b"Upgrade\r", b"Upgrade, close\r"))
        assert answered.startswith(b"HTTP/1.1 502 ")


async def until_seen(seen: list[tuple[str, int]], entry: tuple[str, int]) -> None:
    while entry not in seen:  # noqa: ASYNC110 - it is another task that changes it
        await asyncio.sleep(0.01)
