"""How a serving process ends: what is in flight is answered, and nothing waits for ever."""

import asyncio
import json
import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from doorward.identity.visit import Visit
from doorward.inbound.door import Reply, Route
from tests.support.programs import Program, free_ports
from tests.support.serving import BY_THE_GATEWAY, serving

CHILD = Path(__file__).with_name("serving_child.py")


async def answer(_visit: Visit, _body: bytes) -> Reply:
    return Reply(200, b"answered")


@dataclass
class Child:
    """A serving process, and its two ports."""

    program: Program
    port: int
    admin: str

    def ask(self, path: str) -> socket.socket:
        """Send a request to the public listener and give the connection."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        return connection

    def events(self) -> list[str]:
        """Give the events that it has logged."""
        return [json.loads(line)["event"] for line in self.program.stderr.splitlines()]


@contextmanager
def child(tmp_path: Path, drain: float = 20) -> Generator[Child]:
    port = free_ports(2)
    reader = "gateway" if BY_THE_GATEWAY.get() else "uvicorn"
    command = [sys.executable, str(CHILD), str(port), str(port + 1), str(drain), reader]
    admin = f"http://127.0.0.1:{port + 1}"
    with Program(command, cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)}) as program:
        program.wait_for_url(f"{admin}/readyz")
        yield Child(program, port, admin)


def test_a_request_in_flight_is_answered(tmp_path: Path) -> None:
    """After SIGTERM readiness is off, nothing new is taken, what was asked is answered, and the exit status is 0."""
    with child(tmp_path) as serving_process, serving_process.ask("/wait") as waiting:
        program = serving_process.program
        idle = socket.create_connection(("127.0.0.1", serving_process.port), timeout=20)
        program.wait_for_output("waiting")
        program.signal(signal.SIGTERM)
        program.wait_for_url(f"{serving_process.admin}/readyz", status=503)
        assert idle.recv(1) == b""
        idle.close()
        program.wait_until(lambda: refuses(serving_process.port), "no more connections")
        assert program.process.poll() is None
        urllib.request.urlopen(f"{serving_process.admin}/go").close()
        answered = read_all(waiting)
        assert answered.endswith(b"waited")
        assert b"connection: close" in answered
        assert program.wait() == 0
        assert serving_process.events()[-1] == "listener.closed"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_process_ends_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """With nothing in flight either signal ends the process with status 0, without a stack trace."""
    with child(tmp_path) as serving_process:
        serving_process.program.signal(number)
        assert serving_process.program.wait(10) == 0
        assert serving_process.events()[-1] == "listener.closed"


def test_a_second_signal_waits_for_nobody(tmp_path: Path) -> None:
    """A second signal cuts off what is in flight."""
    with child(tmp_path) as serving_process, serving_process.ask("/never") as waiting:
        serving_process.program.wait_for_output("waiting")
        serving_process.program.signal(signal.SIGTERM)
        serving_process.program.wait_until(lambda: "process.draining" in serving_process.events(), "the drain")
        serving_process.program.signal(signal.SIGTERM)
        assert serving_process.program.wait(10) == 0
        assert read_all(waiting) == b""
        assert "listener.cut_off" in serving_process.events()
        assert "library.message" not in serving_process.events()


def test_the_drain_has_an_end(tmp_path: Path) -> None:
    """What is not answered within the drain timeout is cut off."""
    with child(tmp_path, drain=0.3) as serving_process, serving_process.ask("/never") as waiting:
        serving_process.program.wait_for_output("waiting")
        assert serving_process.program.stop(10) == 0
        assert read_all(waiting) == b""


def test_sighup_reloads(tmp_path: Path) -> None:
    """SIGHUP calls what was handed in, and the process goes on."""
    with child(tmp_path) as serving_process:
        serving_process.program.signal(signal.SIGHUP)
        serving_process.program.wait_for_output("reload")
        assert serving_process.program.stop() == 0


async def test_a_half_sent_head_may_still_be_finished() -> None:
    """A request whose head has begun to arrive when idle connections are closed is answered, and told to close."""
    async with serving([Route(method="GET", path="/", handler=answer)]) as server:
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", server.port)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        await server.get("/")
        server.run.stop()
        assert await idle.read() == b""
        writer.write(b" a\r\n\r\n")
        answered = await reader.read()
        idle_writer.close()
        writer.close()
        await server.task
    assert answered.endswith(b"answered")
    assert b"connection: close" in answered


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False


def read_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received
