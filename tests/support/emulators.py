"""The pretend providers on a real server, in the test's own event loop."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from doorward.base.clock import Clock
from doorward.base.entropy import SeededEntropy
from doorward.emulator.app import EmulatorApp
from doorward.emulator.clients import Client


@dataclass(frozen=True)
class RunningEmulator:
    """An emulator that answers at `url`, which is `http://127.0.0.1:` and its `port`."""

    url: str
    port: int
    app: EmulatorApp


@asynccontextmanager
async def running_emulator(
    clock: Clock,
    keys: Path | None = None,
    port: int = 0,
    clients: Iterable[Client] = (),
    people_file: Path | None = None,
) -> AsyncGenerator[RunningEmulator]:
    """Serve the pretend providers at a free port of 127.0.0.1, or at `port`."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        app = EmulatorApp(url, clock, SeededEntropy(), keys=keys, clients=clients, people_file=people_file)
        config = uvicorn.Config(app, log_config=None, proxy_headers=False, lifespan="on")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        try:
            yield RunningEmulator(url, port, app)
        finally:
            server.should_exit = True
            await serving
