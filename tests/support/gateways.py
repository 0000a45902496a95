"""A public listener with an application behind it, in the test's own event loop: real sockets on both sides.

The application is whatever a test wants it to be, down to the bytes: a coroutine that is given each connection.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from doorward.base.clock import SystemClock
from doorward.gateway.app import AppDoor, Decides
from doorward.gateway.check import Check
from doorward.gateway.familiar import Standing
from doorward.gateway.forward import Forwarding
from doorward.gateway.listener import PublicListener, Site
from doorward.gateway.pool import Pool
from doorward.gateway.questions import Questions
from doorward.gateway.tunnel import Lasts
from doorward.identity.admission import Allow, Challenge, Decision, Deny
from doorward.identity.principal import Principal
from doorward.identity.visit import Visit
from doorward.inbound.door import Door, Reply, Route
from tests.support.serving import Serving, serving

Behaviour: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PRINCIPAL = Principal(
    auth_typ="aad", idp="aad", id="1", name="jane", name_typ="name", claims=(),
    lines=b"X-MS-CLIENT-PRINCIPAL-ID: 1\r\nX-MS-CLIENT-PRINCIPAL-NAME: jane\r\n",
)  # fmt: skip


class Lets:
    """Lets everybody pass, as `principal`; with `waits` only after a turn of the loop."""

    def __init__(self, principal: Principal | None = None, *, waits: bool = False) -> None:
        self._decision = Allow(principal=principal, rule="test")
        self._waits = waits

    def decide_now(self, visit: Visit) -> Decision | None:
        """Let it pass, or ask to wait."""
        return None if self._waits else self._decision

    def standing(self, visit: Visit) -> Standing | None:
        """Let it pass again, unless it has to wait each time."""
        return None if self._waits else Standing(allow=self._decision)

    def decide_again(self, standing: Standing) -> Allow | None:
        """Let it pass."""
        return standing.allow

    async def decide(self, visit: Visit) -> Decision:
        """Let it pass, later."""
        await asyncio.sleep(0)
        return self._decision

    async def answer(self, visit: Visit, decision: Challenge | Deny) -> Reply:
        """Answer nobody, since everybody passes."""
        raise AssertionError("nobody is refused")


@dataclass
class App:
    """An application: its port, and what it was asked."""

    port: int
    heads: list[bytes] = field(default_factory=list[bytes])
    ended: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        """Give its address."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def application(behave: Behaviour) -> AsyncGenerator[App]:
    """Serve connections by `behave`, which may end them; exceptions of a connection that ended are its business."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            app.ended.append("lost")
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    app = App(server.sockets[0].getsockname()[1])
    try:
        yield app
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def echoing(app_heads: list[bytes] | None = None) -> Behaviour:
    """Give an application that answers every request with its own head and body, and keeps the connection."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await read_head(reader)) is not None:
            body = await read_body(head, reader)
            if app_heads is not None:
                app_heads.append(head)
            content = b"" if head.startswith(b"HEAD ") else head + body
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head + body), content))
            await writer.drain()

    return behave


def saying(*answers: bytes, closes: bool = False) -> Behaviour:
    """Give an application that answers with these bytes, one after another, whatever it is asked."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if await read_head(reader) is None:
                return
            writer.write(answer)
            await writer.drain()
        if not closes:
            await reader.read()

    return behave


async def read_head(reader: asyncio.StreamReader) -> bytes | None:
    """Read a head, or None where the connection ends before one."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None


async def read_body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    """Read a body by its framing, chunks as they are on the wire."""
    lines = [line.lower() for line in head.split(b"\r\n")]
    for line in lines:
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.partition(b":")[2]))
        if line == b"transfer-encoding: chunked":
            return await read_chunks(reader)
    return b""


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Read a chunked body with its trailers, as it is on the wire."""
    read = b""
    while True:
        line = await reader.readline()
        read += line
        if not int(line, 16):
            while line != b"\r\n":
                line = await reader.readline()
                read += line
            return read
        read += await reader.readexactly(int(line, 16) + 2)


def lines_of(raw: bytes) -> dict[bytes, bytes]:
    """Give the fields of a head by lower-case name; several of one name are joined by `|`."""
    found: dict[bytes, bytes] = {}
    for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b": ")
        found[name.lower()] = found[name.lower()] + b"|" + value if name.lower() in found else value
    return found


@asynccontextmanager
async def gateway(
    *origins: str,
    porter: Decides | None = None,
    routes: Sequence[Route] = (),
    forwarding: Forwarding | None = None,
    connect_timeout: float = 5.0,
    response_timeout: float = 60.0,
    lasting: Lasts | None = None,
    **how: Any,
) -> AsyncGenerator[Serving]:
    """Serve an application at `origins`, and `routes` below /.auth."""
    pool = Pool(origins, connect_timeout=connect_timeout)
    seen: list[tuple[str, int]] = []

    def public(door: Door) -> PublicListener:
        app = AppDoor(
            porter=porter or Lets(),
            trust=door.trust,
            pool=pool,
            forwarding=forwarding or Forwarding(),
            clock=SystemClock(),
            observe=lambda _visit, route, status, _seconds: seen.append((route, status)),
            response_timeout=response_timeout,
            lasting=lasting,
        )
        return PublicListener(Site(door=door, app=app, own_prefixes=("/.auth",)))

    async with serving(routes, public=public, **how) as server:
        server.seen = seen
        try:
            yield server
        finally:
            pool.close()


def answering_proxies(check: Check) -> Callable[[Door], PublicListener]:
    """Give what makes a public listener where reverse proxies ask `check`, with its memory of questions."""

    def public(door: Door) -> PublicListener:
        questions = Questions(check, lambda _seen, _route, _status, _seconds: None, SystemClock())
        return PublicListener(Site(door=door, questions=questions, own_prefixes=("/.auth",)))

    return public
