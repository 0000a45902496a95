import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from doorward.cli.healthcheck import reachable
from tests.cli.conftest import CommandLine
from tests.support.programs import free_port


@contextmanager
def answering(status: int, body: bytes) -> Generator[int]:
    """Answer every request so, on a port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            """Write no log."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_ready_server_is_healthy(cli: CommandLine) -> None:
    """200 from /readyz is exit status 0; an address for everybody is asked on loopback."""
    with answering(200, b'{"ready":true}') as port:
        cli.settings(server={"admin_listen": f"0.0.0.0:{port}"})
        assert cli.ok("healthcheck").out == "ready\n"


def test_reasons_are_told(cli: CommandLine) -> None:
    """Anything but 200 is exit status 1, with the reasons."""
    with answering(503, b'{"ready":false,"reasons":[{"code":"keys_unavailable","message":"No keys"}]}') as port:
        cli.settings(server={"admin_listen": f"127.0.0.1:{port}"})
        assert "No keys [keys_unavailable]" in cli.refused("not_ready", "healthcheck").err


def test_an_odd_answer_is_not_ready(cli: CommandLine) -> None:
    """An answer in no form of ours is not ready either."""
    with answering(500, b"<html>") as port:
        cli.settings(server={"admin_listen": f"127.0.0.1:{port}"})
        assert "answered 500" in cli.refused("not_ready", "healthcheck").err


def test_nobody_is_not_running(cli: CommandLine) -> None:
    """Where nothing listens, the error says so."""
    cli.settings(server={"admin_listen": f"127.0.0.1:{free_port()}"})
    cli.refused("not_running", "healthcheck")


@pytest.mark.parametrize(("host", "asked"), [
    ("127.0.0.1", "127.0.0.1"),
    ("0.0.0.0", "127.0.0.1"),  # noqa: S104 - nobody listens there; it is what is asked about
    ("::", "::1"),
    ("10.1.2.3", "10.1.2.3"),
    ("box", "box"),
])  # fmt: skip
def test_a_wildcard_is_reached_on_loopback(host: str, asked: str) -> None:
    """A listener on every address is asked on this machine's own."""
    assert reachable(host) == asked
