"""The load generator: a process of its own on a core of its own, which sends prepared requests and times the answers.

Sockets and epoll without a framework, so that it is never what limits the server. Usage: python -m benchmarks.load PORT
CONNECTIONS SECONDS FILE; FILE holds the requests as a msgpack array. They are sent in order, one at a time on each
connection, until the time is over or, unless the name of FILE ends in `.cycle`, each was sent once. Prints one JSON
object.
"""

import select
import socket
import sys
import time
from pathlib import Path

import msgspec


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: answers, how many of them were no 200, seconds, and the latencies' quantiles in seconds."""

    requests: int
    refused: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Give the answers per second."""
        return self.requests / self.seconds


def main(port: int, connections: int, seconds: float, file: Path) -> None:
    """Generate the load and print what came of it."""
    requests = msgspec.msgpack.decode(file.read_bytes(), type=list[bytes])
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(min(connections, len(requests)))]
    generator = _Generator(sockets, requests, cycle=file.suffix == ".cycle")
    load = generator.run(seconds)
    sys.stdout.buffer.write(msgspec.json.encode(load))


class _Generator:
    def __init__(self, sockets: list[socket.socket], requests: list[bytes], *, cycle: bool) -> None:
        self._requests = requests
        self._cycle = cycle
        self._next = 0
        self._by_number = {connection.fileno(): connection for connection in sockets}
        self._sent_at: dict[int, float] = {}
        self._partial: dict[int, bytes] = {}
        self._latencies: list[float] = []
        self._refused = 0
        self._poll = select.epoll()
        for connection in sockets:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._poll.register(connection.fileno(), select.EPOLLIN)

    def run(self, seconds: float) -> Load:
        """Send until the time is over, then wait for the answers that are still due."""
        started = time.perf_counter()
        deadline = started + seconds
        for number in self._by_number:
            self._send(number, deadline)
        while self._sent_at:
            for number, _ in self._poll.poll():
                self._receive(number, deadline)
        took = time.perf_counter() - started
        ordered = sorted(self._latencies)
        return Load(
            requests=len(ordered),
            refused=self._refused,
            seconds=took,
            p50=ordered[len(ordered) // 2],
            p99=ordered[len(ordered) * 99 // 100],
        )

    def _send(self, number: int, deadline: float) -> None:
        now = time.perf_counter()
        if now >= deadline or self._next == len(self._requests):
            return
        self._sent_at[number] = now
        self._by_number[number].sendall(self._requests[self._next])
        self._next += 1
        if self._cycle and self._next == len(self._requests):
            self._next = 0

    def _receive(self, number: int, deadline: float) -> None:
        data = self._partial.pop(number, b"") + self._by_number[number].recv(65536)
        if not data:
            raise ConnectionError("the server has closed a connection")
        if not _is_whole(data):
            self._partial[number] = data
            return
        self._latencies.append(time.perf_counter() - self._sent_at.pop(number))
        if not data.startswith(b"HTTP/1.1 200"):
            self._refused += 1
        self._send(number, deadline)


def _is_whole(data: bytes) -> bool:
    end = data.find(b"\r\n\r\n")
    at = max(data.find(b"content-length: ", 0, end), data.find(b"Content-Length: ", 0, end))
    return end >= 0 and len(data) >= end + 4 + int(data[at + 16 : data.index(b"\r\n", at)])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
