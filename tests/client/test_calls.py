import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from doorward.client import PlatformTokens, ServiceUnavailable
from doorward.client.calls import Service
from tests.support.canaries import canary
from tests.support.peers import make_authority
from tests.support.token_services import NOW, TOKEN, active, token_service

FOR_LONG = int(NOW) + 10**9


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://auth.example.com", "https://auth.example.com/auth-service"),
        ("https://auth.example.com/", "https://auth.example.com/auth-service"),
        ("https://auth.example.com/auth-service", "https://auth.example.com/auth-service"),
        ("https://auth.example.com:8443/auth-service/", "https://auth.example.com:8443/auth-service"),
        ("https://example.com/below", "https://example.com/below/auth-service"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/auth-service"),
        ("http://[::1]:8080", "http://[::1]:8080/auth-service"),
        ("http://localhost", "http://localhost/auth-service"),
    ],
)
def test_an_address_names_the_service_with_or_without_its_path(url: str, root: str) -> None:
    """What stands in the browser's address line works, and so does the issuer."""
    assert str(Service.at(url)) == root


def test_a_certificate_is_checked(tmp_path: Path) -> None:
    """A service with a certificate of nobody we trust is as good as away; with `ca_file` it is asked."""
    authority = make_authority(tmp_path, "127.0.0.1")
    with token_service(authority.server) as service:
        service.say(active(exp=FOR_LONG))
        stranger = PlatformTokens(service.url, "app", canary("tls client"))
        with pytest.raises(ServiceUnavailable, match="SSLCertVerificationError"):
            stranger.verify(TOKEN)
        assert not service.asked
        trusting = PlatformTokens(service.url, "app", canary("tls client"), ca_file=str(authority.ca_file))
        assert trusting.verify(TOKEN).id == 7


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"nonsense\r\n\r\n", b"\xff\r\n"]
)
def test_half_an_answer_is_none(said: bytes) -> None:
    """A connection that ends early, or speaks something else, is trouble."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        answered = pool.submit(_answer_once, listener, said)
        tokens = PlatformTokens(f"http://127.0.0.1:{listener.getsockname()[1]}", "app", canary("half an answer"))
        with pytest.raises(ServiceUnavailable):
            tokens.verify(TOKEN)
        answered.result()


def _answer_once(listener: socket.socket, said: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(said)


def test_a_missing_authority_file_is_found_at_the_start(tmp_path: Path) -> None:
    """An app does not start with a `ca_file` that is not there."""
    with pytest.raises(OSError, match="No such file"):
        PlatformTokens("https://auth.example.com", "app", canary("ca"), ca_file=str(tmp_path / "none.pem"))
