"""A token service as an app sees it, with every way of misbehaving: it answers what it is told, and counts."""

import json
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

TOKEN = "0123456789abcdef" * 4
NOW = 1_800_000_000.0


def active(**changes: object) -> dict[str, object]:
    """Give what the service says of a good platform token; `...` takes a member out."""
    members: dict[str, object] = {
        "active": True,
        "iss": "https://auth.example.com/auth-service",
        "sub": "7",
        "aud": "platform",
        "client_id": "d0025a2d-0000-4000-8000-00000000de00",
        "username": "jane@contoso.com",
        "token_type": "bearer",
        "iat": int(NOW) - 60,
        "exp": int(NOW) + 3600,
    }
    return {name: value for name, value in (members | changes).items() if value is not ...}


@dataclass
class TokenService:
    """A service that answers every request alike; while `gate` is closed, requests wait."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    gate: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Event = field(default_factory=threading.Event)
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    connections: set[int] = field(default_factory=set[int])
    hangs_up: bool = False

    def say(self, members: object, status: int = 200, **headers: str) -> None:
        """Answer this JSON from now on."""
        self.body, self.status, self.headers = json.dumps(members).encode(), status, headers

    @property
    def tokens(self) -> list[str]:
        """Give the tokens that it was asked about, in their order."""
        return [asked["token"] for asked in self.asked]


@contextmanager
def token_service(tls: ssl.SSLContext | None = None) -> Generator[TokenService]:
    """Run one on a free port of 127.0.0.1, with TLS where a context is given."""
    service = TokenService()
    service.gate.set()
    server = _Quiet(("127.0.0.1", 0), _handler(service))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    service.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever asked has hung up."""


def _handler(service: TokenService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
            """Say nothing."""

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: values[0] for name, values in parse_qs(form).items()})

        def _answer(self, form: dict[str, str]) -> None:
            head = {"path": self.path, "authorization": self.headers.get("Authorization", "")}
            service.asked.append(form | head)
            service.connections.add(self.client_address[1])
            self.close_connection = service.hangs_up
            service.arrived.set()
            service.gate.wait(10)
            self.send_response(service.status)
            for name, value in service.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(service.body)))
            self.end_headers()
            with suppress(ConnectionError):  # whoever asked has given up
                self.wfile.write(service.body)

    return Handler
