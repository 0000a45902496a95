"""A listener of ours in the test's own event loop, and a client that sends bytes exactly as it is told."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from doorward.base.clock import SystemClock
from doorward.base.entropy import SeededEntropy
from doorward.base.errors import DoorwardError
from doorward.gateway.listener import PublicListener, Site
from doorward.identity.visit import Trust, Visit
from doorward.inbound.crowd import Limits
from doorward.inbound.door import Asgi, Door, Refuse, Reply, Route
from doorward.inbound.listen import Listener, bind
from doorward.inbound.serve import Run, serve


@dataclass
class Serving:
    """A listener at work: its port, its run, and what was observed of its requests (route, status)."""

    port: int
    run: Run
    task: asyncio.Task[None]
    seen: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    async def exchange(self, sent: bytes, *, half_close: bool = False, tls: ssl.SSLContext | None = None) -> bytes:
        """Send bytes on a connection of their own and give everything that comes back until it is closed."""
        name = None if tls is None else "localhost"
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=tls, server_hostname=name)
        writer.write(sent)
        if half_close:
            writer.write_eof()
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def get(self, path: str, *lines: str, method: str = "GET", body: bytes = b"") -> "Answer":
        """Send one request, with further header lines, and give its answer."""
        length = [f"Content-Length: {len(body)}"] if body else []
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a.example", "Connection: close", *lines, *length])
        return Answer.read(await self.exchange(head.encode("latin-1") + b"\r\n\r\n" + body))

    async def stopped(self) -> None:
        """Stop it and wait for its end."""
        self.run.stop()
        await self.task


@dataclass(frozen=True)
class Answer:
    """A response as it came: status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def read(cls, raw: bytes) -> "Answer":
        """Read one whole response."""
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines)
        return cls(int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}, body)


BY_THE_GATEWAY: ContextVar[bool] = ContextVar("BY_THE_GATEWAY", default=False)
"""Whether the public listener's protocol serves where a test does not say."""


def by_the_gateway(door: Door) -> PublicListener:
    """Give the public listener, without an application behind it."""
    return PublicListener(Site(door=door))


def refuse(_visit: Visit, error: DoorwardError) -> Reply:
    """Put a refusal into the plainest envelope there is: its code."""
    return Reply(error.row.status, error.code.encode(), ((b"content-type", b"text/plain"),))


@asynccontextmanager
async def serving(
    routes: Iterable[Route] = (),
    *,
    app: Callable[[Door], Asgi] = lambda door: door,
    public: Callable[[Door], PublicListener] | None = None,
    trusted: Iterable[str] = (),
    envelopes: dict[str, Refuse] | None = None,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    drain_timeout: float = 10.0,
    port: int = 0,
) -> AsyncGenerator[Serving]:
    """Serve `routes` on a free port of 127.0.0.1, or on `port`: by uvicorn's protocol, or with `public` by ours."""
    public = public or (by_the_gateway if BY_THE_GATEWAY.get() else None)
    entropy, clock, listening, run = SeededEntropy(), SystemClock(), bind(f"127.0.0.1:{port}"), Run()
    seen: list[tuple[str, int]] = []
    door = Door(
        routes,
        trust=Trust(entropy=entropy, public_url="http://a.example", trusted_proxies=trusted),
        clock=clock,
        observe=lambda _visit, route, status, _seconds: seen.append((route, status)),
        envelopes={"": refuse, **(envelopes or {})},
    )
    listener = Listener(
        name="public",
        socket=listening,
        app=None if public else app(door),
        connect=public(door).connect if public else None,
        limits=limits or Limits(),
        tls=tls,
    )
    port = listening.getsockname()[1]
    up = asyncio.Event()
    task = asyncio.create_task(
        serve([listener], run, clock=clock, entropy=entropy, drain_timeout=drain_timeout, started=up.set)
    )
    await up.wait()
    try:
        yield Serving(port, run, task, seen)
    finally:
        run.stop()
        run.stop()
        await task
