"""Sockets and certificates: what can be listened on, and what is refused before anything listens."""

import socket
import ssl
from pathlib import Path

import pytest

from doorward.base.errors import DoorwardError
from doorward.inbound.listen import address_of, bind, load_certificate, tls_context
from tests.support.peers import make_authority


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::1]", "localhost"])  # noqa: S104 - an operator's choice
def test_an_address_can_be_listened_on(host: str) -> None:
    """Addresses, names and bracketed IPv6 are bound, and port 0 is whatever was free."""
    with bind(f"{host}:0") as listening:
        name, _, port = address_of(listening).rpartition(":")
        assert int(port) > 0
        assert host in {name, "localhost"}
        with socket.create_connection(listening.getsockname()[:2], timeout=5):
            pass


@pytest.mark.parametrize(
    "address",
    [
        "", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:٣",
        "::1:8080", "[127.0.0.1:80", "[localhost]:0", "192.0.2.1:8080", "no such host:80", "a..b:80", "\0:80",
    ],
)  # fmt: skip
def test_an_unusable_address_is_named(address: str) -> None:
    """What is no address, or none of this machine, is one error that quotes it."""
    with pytest.raises(DoorwardError) as refused:
        bind(address)
    assert refused.value.code == "address_unusable"
    assert refused.value.facts["address"] == address


def test_a_taken_port_is_told_apart() -> None:
    """A port on which somebody listens already is an error of its own."""
    with bind("127.0.0.1:0") as first, pytest.raises(DoorwardError) as refused:
        bind(address_of(first))
    assert refused.value.code == "address_in_use"


def test_a_certificate_and_its_key_are_read(tmp_path: Path) -> None:
    """A PEM chain and key make a context that speaks TLS 1.2 and later."""
    make_authority(tmp_path, "localhost")
    chain = tmp_path / "server.pem"
    context = tls_context(chain, chain)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_unusable_certificates_are_refused(tmp_path: Path) -> None:
    """A missing file, other text, or another certificate's key is one error, and a context keeps what it has."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make_authority(tmp_path / name, "localhost")
    good, other, text = tmp_path / "a/server.pem", tmp_path / "b/server.pem", tmp_path / "text"
    text.write_text("not PEM")
    context = tls_context(good, good)
    for pair in ((tmp_path / "missing", good), (text, good), (good, text), (tmp_path / "a/ca.pem", other)):
        with pytest.raises(DoorwardError) as refused:
            load_certificate(context, *pair)
        assert refused.value.code == "tls_unusable"
    load_certificate(context, good, good)
