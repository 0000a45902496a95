"""Requests whose lines are known, over real connections on both sides: nobody can tell them from others."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from doorward.gateway.familiar import Standing
from doorward.identity.admission import Allow
from doorward.identity.visit import Visit
from doorward.inbound.crowd import Limits
from tests.support.gateways import PRINCIPAL, App, Behaviour, Lets, application, echoing, gateway, read_head
from tests.support.serving import Serving

ASKED = (
    b"GET /a?b HTTP/1.1\r\nHost: a\r\nCookie: x=1; AppServiceAuthSession=y\r\nX-MS-TOKEN-A: z\r\nAccept: */*\r\n\r\n"
)
OK = b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok"
_OWN = re.compile(rb"(?i)(x-request-id|date): [^\r]*")


class Counts(Lets):
    """Lets everybody pass and counts how often it decided, and decided again; it need not, while `holds` is false."""

    def __init__(self) -> None:
        super().__init__(PRINCIPAL)
        self.decided = self.again = 0
        self.holds = True

    def decide_now(self, visit: Visit) -> Allow | None:
        """Let it pass."""
        self.decided += 1
        return self._decision

    def decide_again(self, standing: Standing) -> Allow | None:
        """Let it pass, or have it looked at."""
        self.again += self.holds
        return self._decision if self.holds else None


def after_two(last: bytes, *, ends: bool = False) -> Behaviour:
    """Give an application that answers twice as usual, then with `last`, then as usual again on any connection."""
    asked = 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while await read_head(reader) is not None:
            asked += 1
            writer.write(last if asked == 3 else OK)
            await writer.drain()
            if asked == 3 and ends:
                return

    return behave


class Client:
    """One connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, sent: bytes = ASKED) -> bytes:
        """Send a request and give an answer with a length, whole."""
        self.writer.write(sent)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return head + await self.reader.readexactly(int(length[1]) if length else 0)


@asynccontextmanager
async def client_of(server: Serving) -> AsyncGenerator[Client]:
    """Connect to the gateway."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


@asynccontextmanager
async def known(app: App, porter: Lets, **how: Any) -> AsyncGenerator[tuple[Serving, Client]]:
    """Serve `app`, and ask twice, so that the third request is known."""
    async with gateway(app.url, porter=porter, **how) as server, client_of(server) as client, asyncio.timeout(10):
        for _ in range(2):
            assert (await client.ask()).endswith(b"\r\n\r\nok")
        yield server, client


@asynccontextmanager
async def echoed(heads: list[bytes], porter: Lets) -> AsyncGenerator[Client]:
    """Serve an application that answers with what it got, which goes into `heads`, and connect to it."""
    async with (
        application(echoing(heads)) as app,
        gateway(app.url, porter=porter) as server,
        client_of(server) as client,
    ):
        yield client


async def test_the_application_sees_no_difference() -> None:
    """What the application gets of a known request is what it got before, but for the request's id."""
    heads: list[bytes] = []
    porter = Counts()
    async with echoed(heads, porter) as client:
        for _ in range(5):
            await client.ask()
    assert (porter.decided, porter.again) == (2, 3)
    assert len({_OWN.sub(b"", head) for head in heads}) == 1
    assert len(set(heads)) == 5
    assert b"x=1\r\n" in heads[4]
    assert b"X-MS-CLIENT-PRINCIPAL-NAME: jane\r\n" in heads[4]
    assert b"X-MS-TOKEN-A" not in heads[4]


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        (OK, False),
        (OK.replace(b"OK", b"Fine").replace(b"Date", b"ETag"), False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n", False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK, False),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", False),
        (OK.replace(b"Content", b"Connection: close\r\nContent"), True),
        (b"HTTP/1.0 200 OK\r\n\r\nabc", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", True),
        (b"HTTP/1.1 200 OK\r\nContent-Len", True),
        (b"nonsense\r\n\r\n", True),
        (b"", True),
        (OK + b"more", False),
    ],
)
async def test_whatever_the_application_answers(said: bytes, ends: bool) -> None:  # noqa: FBT001 - a column
    """A known request is answered, observed and followed by others as one that nobody knew."""
    results: list[tuple[bytes, list[tuple[str, int]]]] = []
    for is_known in (True, False):
        async with application(after_two(said, ends=ends)) as app, gateway(app.url, porter=Counts()) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            client = Client(reader, writer)
            for number in range(2):
                await client.ask(ASKED if is_known else ASKED.replace(b"*/*", b"a/%d" % number))
            writer.write(ASKED if is_known else ASKED.replace(b"*/*", b"a/b"))
            writer.write(ASKED.replace(b"Accept", b"Connection: close\r\nAccept"))
            async with asyncio.timeout(10):
                got = await reader.read()
            writer.close()
        results.append((_OWN.sub(b"", got), server.seen))
    assert results[0] == results[1]


async def test_a_known_request_is_not_read() -> None:
    """From the third time on it is asked only whether its sender still passes, and then everything is looked at."""
    porter = Counts()
    async with application(after_two(OK)) as app, known(app, porter) as (server, client):
        assert (porter.decided, porter.again) == (2, 0)
        assert (await client.ask()).endswith(b"\r\n\r\nok")
        assert (porter.decided, porter.again) == (2, 1)
        porter.holds = False
        await client.ask()
        assert (porter.decided, porter.again) == (3, 1)
        assert server.seen == [("app", 200)] * 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"x=1", b"x=2"),
        (b"/a?b", b"/.auth/a"),
        (b"GET", b"HEAD"),
        (b"GET", b"POST"),
        (b"HTTP/1.1\r\n", b"HTTP/1.0\r\n"),
        (b"/a?b", b"http://a/a?b"),
        (b"/a?b", b"/%0a"),
        (b"\r\n\r\n", b"\r\nX: y\r\n\r\n"),
        (b"\r\n\r\n", b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (b"GET", b"\r\nGET"),
    ],
)
async def test_nothing_else_is_taken_for_it(old: bytes, new: bytes) -> None:
    """One other byte anywhere, and the request is read and decided on as if nothing had come before."""
    porter = Counts()
    async with application(after_two(OK)) as app, known(app, porter) as (server, _), client_of(server) as client:
        client.writer.write(ASKED.replace(old, new))
        await client.reader.readuntil(b"\r\n\r\n")
    assert porter.again == 0


async def test_a_request_in_pieces_is_read() -> None:
    """Where the bytes do not come at once they are put together first."""
    porter = Counts()
    async with application(after_two(OK)) as app, known(app, porter) as (_, client):
        for byte in ASKED[:-1]:
            client.writer.write(bytes([byte]))
            await client.writer.drain()
        assert (await client.ask(ASKED[-1:])).endswith(b"ok")


@pytest.mark.parametrize("line", [b"Upgrade: x", b"Connection: close", b"Content-Length: 2", b"Connection: te, x"])
async def test_not_everything_is_remembered(line: bytes) -> None:
    """What has a body, ends a connection or speaks of it is read each time."""
    porter = Counts()
    sent = ASKED.replace(b"Accept", line + b"\r\nAccept") + b"ab" * (b"Length" in line)
    async with application(echoing()) as app, gateway(app.url, porter=porter) as server:
        for _ in range(4):
            async with client_of(server) as client:
                await client.ask(sent)
    assert (porter.decided, porter.again) == (4, 0)


async def test_a_trusted_proxy_is_asked_each_time() -> None:
    """Who may speak of others is read each time: what is believed of it is in no memory."""
    porter = Counts()
    async with application(after_two(OK)) as app, known(app, porter, trusted=["127.0.0.1"]) as (_, client):
        await client.ask()
    assert (porter.decided, porter.again) == (3, 0)


async def test_small_heads_are_held_to_their_limit() -> None:
    """Where heads may not even have the length of what is remembered, each is measured."""
    porter = Counts()
    limits = Limits(head_bytes=4096)
    async with application(after_two(OK)) as app, known(app, porter, limits=limits) as (_, client):
        await client.ask()
    assert porter.again == 0


async def test_a_slow_application_is_given_up() -> None:
    """A known request that nobody answers in time gets 504, and nothing that comes after that."""
    porter = Counts()
    async with (
        application(after_two(b"")) as app,
        known(app, porter, response_timeout=0.2) as (server, client),
    ):
        answer = await client.ask()
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert porter.again == 1
    assert server.seen[-1] == ("app", 504)


async def test_a_client_that_leaves_ends_its_request() -> None:
    """Who leaves a known request is observed as gone, and the application's connection ends."""
    porter = Counts()
    async with application(after_two(b"")) as app, known(app, porter) as (server, client):
        client.writer.write(ASKED)
        while not porter.again:  # noqa: ASYNC110 - it is another task that changes it
            await asyncio.sleep(0.01)
        client.writer.transport.abort()
        while len(server.seen) < 3:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)
        assert server.seen[-1] == ("app", 499)


async def test_requests_stacked_up_are_answered_in_order() -> None:
    """What comes behind a known request waits for its answer."""
    heads: list[bytes] = []
    porter = Counts()
    async with echoed(heads, porter) as client:
        for _ in range(3):
            await client.ask()
        client.writer.write(ASKED)
        client.writer.write(ASKED.replace(b"/a", b"/b"))
        for path in (b"/a?b", b"/b?b"):
            assert b"GET " + path in await client.ask(b"")


async def test_the_last_answer_says_so() -> None:
    """While the service ends, a known request is answered, and told that it was the connection's last."""
    porter = Counts()
    go_on = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(3):
            await read_head(reader)
            if number == 2:
                await go_on.wait()
            writer.write(OK)

    async with application(behave) as app, known(app, porter) as (server, client):
        client.writer.write(ASKED)
        while not porter.again:  # noqa: ASYNC110 - it is another task that changes it
            await asyncio.sleep(0.01)
        server.run.stop()
        await asyncio.sleep(0.01)
        go_on.set()
        assert b"connection: close" in await client.reader.read()


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("in_pieces", [False, True])
async def test_a_client_that_takes_nothing_holds_nobody_else(is_known: bool, in_pieces: bool) -> None:  # noqa: FBT001 - columns
    """When somebody does not read a long answer, the connection that it came by serves the next as ever."""
    large = OK.replace(b": 2", b": 200000").removesuffix(b"ok") + b"x" * 200_000

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await read_head(reader)) is not None:
            answer = large if b"/large" in head else OK
            if in_pieces:
                writer.write(answer[:-1])
                await writer.drain()
                answer = answer[-1:]
            writer.write(answer)
            await writer.drain()

    asked = ASKED.replace(b"/a?b", b"/large")
    async with application(behave) as app, gateway(app.url, porter=Counts(), response_timeout=5) as server:
        if is_known:
            for _ in range(2):
                async with client_of(server) as client:
                    await client.ask(asked)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(slow, ("127.0.0.1", server.port))
            for _ in range(30):  # one by one, so that each may be known
                await loop.sock_sendall(slow, asked)
                await asyncio.sleep(0.01)
            for _ in range(3):
                async with client_of(server) as client, asyncio.timeout(3):
                    assert (await client.ask()).endswith(b"ok")
