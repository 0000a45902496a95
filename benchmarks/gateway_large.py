"""Very large bodies through the gateway, each way: whether its memory stays where it was, and how fast they go.

The gateway is one of its own, so that its greatest memory is that of these bodies alone. Sender, receiver and
application share the load generator's core, so the rate is often theirs and not the gateway's; its processor time is.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import replace

from benchmarks.easyauth import serving
from benchmarks.gateway_figures import DOWN, LARGE_MEMORY, LARGE_PROCESSOR, OURS, UP
from benchmarks.gateway_stand import Stand
from benchmarks.processes import LOAD_CORE, Child, python
from benchmarks.ratios import of
from benchmarks.signed_in import COOKIE, HOST
from benchmarks.sink import PIECE

_MIB, _SMALL = 1 << 20, 64 << 20


def measure(stand: Stand, size: int, cookie: str) -> dict[str, float]:
    """Send `size` bytes down and up; raises `RuntimeError` where not all of them arrive."""
    setting = replace(stand.setting, port=next(stand.ports), upstream=f"http://127.0.0.1:{(port := next(stand.ports))}")
    directory = stand.stage.directory
    sink = Child(python("-m", "benchmarks.sink", port), stand.stage.place("sink"), core=LOAD_CORE)
    with sink, serving(setting.write(directory), setting.port, stand.stage.place("doorward-large")) as child:
        sink.wait_for(f"http://127.0.0.1:{port}/")
        ways: dict[str, Callable[[int, int, str], None]] = {DOWN: download, UP: upload}
        for way in ways.values():  # what the first body of all brings into memory is not the point
            way(setting.port, _SMALL, cookie)
        before = child.peak_memory
        found: dict[str, float] = {}
        spent = child.processor_seconds
        for name, way in ways.items():
            started = time.perf_counter()
            way(setting.port, size, cookie)
            found[of(OURS, name)] = size / _MIB / (time.perf_counter() - started)
        found[of(OURS, LARGE_PROCESSOR)] = (child.processor_seconds - spent) * 1e3 / (2 * size / (1 << 30))
        return found | {of(OURS, LARGE_MEMORY): child.peak_memory - before}


def download(port: int, size: int, cookie: str) -> None:
    """Take a body of `size` bytes; raises `RuntimeError` where it is not whole."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(_head(f"GET /{size}", cookie))
        buffer = memoryview(bytearray(PIECE))
        _, got = _read_head(connection)
        taken = len(got)
        while taken < size and (count := connection.recv_into(buffer)):
            taken += count
    if taken != size:
        raise RuntimeError(f"{taken} of {size} bytes came down")


def upload(port: int, size: int, cookie: str) -> None:
    """Send a body of `size` bytes; raises `RuntimeError` where the application counts otherwise."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(_head("POST /", cookie, f"Content-Length: {size}\r\n"))
        piece, left = memoryview(bytes(PIECE)), size
        while left:
            part = piece[: min(left, PIECE)]
            connection.sendall(part)
            left -= len(part)
        length, got = _read_head(connection)
        while len(got) < length and (more := connection.recv(PIECE)):
            got += more
    if got != str(size).encode():
        raise RuntimeError(f"{got[:40]!r} of {size} bytes came up")


def _head(line: str, cookie: str, further: str = "") -> bytes:
    origin = f"Origin: http://{HOST}\r\n"
    return f"{line} HTTP/1.1\r\nHost: {HOST}\r\nCookie: {COOKIE}={cookie}\r\n{origin}{further}\r\n".encode()


def _read_head(connection: socket.socket) -> tuple[int, bytes]:
    """Read the head of an answer; gives the length of its body, and what has come of it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(PIECE)
        if not more:
            raise RuntimeError("the connection ended before an answer")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if not lines[0].startswith(b"http/1.1 200"):
        raise RuntimeError(f"a large body was answered by {lines[0].decode()}")
    return next(int(line[15:]) for line in lines if line.startswith(b"content-length:")), rest
