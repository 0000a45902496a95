"""An application for very large bodies: it sends or takes so many bytes, counts them, and keeps none.

Usage: python -m benchmarks.sink PORT. `GET /N` is answered by N bytes; a POST by the number of bytes that its body had.
The answer to a POST comes once all of the body has.
"""

import socketserver
import sys

PIECE = 256 * 1024


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Answer requests until the connection ends."""
        buffer = memoryview(bytearray(PIECE))
        while line := self.rfile.readline():
            length = self._read_length()
            method, path = line.split(b" ")[:2]
            if method == b"GET":
                self._send(int(path[1:] or 0), buffer)
            else:
                count = str(self.taken(length, buffer))
                self._send_head(len(count))
                self.wfile.write(count.encode())

    def _read_length(self) -> int:
        length = 0
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return length

    def _send(self, size: int, buffer: memoryview) -> None:
        self._send_head(size)
        while size:
            piece = buffer[: min(size, PIECE)]
            self.request.sendall(piece)
            size -= len(piece)

    def _send_head(self, size: int) -> None:
        self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())

    def taken(self, size: int, buffer: memoryview) -> int:
        """Take a body of so many bytes and give how many came."""
        got = 0
        while got < size and (count := self.rfile.readinto(buffer[: min(size - got, PIECE)])):
            got += count
        return got


class Server(socketserver.ThreadingTCPServer):
    """The application, with a thread for each connection."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        """Listen at `address`."""
        super().__init__(address, Handler)


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1]))).serve_forever()
