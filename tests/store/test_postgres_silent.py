"""A PostgreSQL server that has gone silent: connections stand, and nothing comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from doorward.base.errors import DoorwardError
from doorward.store import Store, open_store, postgres_connections, tokens
from tests.store import rows

PATIENCE = 0.2
"""Seconds that stand in for ROW_TIMEOUT and CONNECT_TIMEOUT; the command timeout stays 12 s."""


class Wire:
    """The way to the server, which can be made to carry nothing."""

    def __init__(self, port: int) -> None:
        """Lead to `port` of this machine."""
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.carries = asyncio.Event()
        self.carries.set()

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a client with the server."""
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self.carries.wait()
                sink.write(data)
        sink.close()


@pytest.fixture
async def wire(postgres_url: str) -> AsyncIterator[tuple[Wire, Store]]:
    """Give the wire, and a store at its end whose connections have all been used."""
    there = urlsplit(postgres_url)
    assert there.port is not None
    made = Wire(there.port)
    server = await asyncio.start_server(made.meet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    store = await open_store(postgres_url.replace(f":{there.port}/", f":{port}/"), auto_migrate=True)
    yield made, store
    made.carries.set()
    await store.close()
    server.close()


QUESTIONS: dict[str, Callable[[Store], Coroutine[object, object, object]]] = {
    "a row of a key": lambda store: store.find(tokens.IS_SEEN, b"a"),
    "a row": lambda store: store.read(lambda cursor: cursor.one(rows.COUNT_USERS)),
    "a transaction": lambda store: store.write(lambda cursor: cursor.run(rows.ADD_KEY_SET, "a")),
}


def test_the_time_that_a_request_waits() -> None:
    """A silent server is given up after five seconds."""
    assert postgres_connections.ROW_TIMEOUT == postgres_connections.CONNECT_TIMEOUT == 5.0


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_silent_server_is_given_up_soon(
    wire: tuple[Wire, Store], monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    """Every request that needs a row is told so soon, the first one too, and all works when the server is back."""
    (there, store), ask = wire, QUESTIONS[question]
    await store.find(tokens.IS_SEEN, b"a")
    await store.read(lambda cursor: cursor.one(rows.COUNT_USERS))
    for place in ("postgres.ROW_TIMEOUT", "postgres_lookups.ROW_TIMEOUT", "postgres_connections.CONNECT_TIMEOUT"):
        monkeypatch.setattr(f"doorward.store.{place}", PATIENCE)
    there.carries.clear()
    for _ in range(2):
        async with asyncio.timeout(10 * PATIENCE):
            with pytest.raises(DoorwardError, match="store_unavailable"):
                await ask(store)
    monkeypatch.undo()
    there.carries.set()
    await ask(store)
