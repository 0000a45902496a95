"""Sockets to listen on, and the certificates of those that speak TLS.

Everything that can be wrong with an address or a certificate is found here, before a request is taken.
"""

import errno
import socket
import ssl
from dataclasses import field
from pathlib import Path

from doorward.base.errors import DoorwardError
from doorward.base.faults import ADDRESS_IN_USE, ADDRESS_UNUSABLE, TLS_UNUSABLE
from doorward.base.frozen import frozen
from doorward.inbound.crowd import Connect, Limits
from doorward.inbound.door import Asgi

BACKLOG = 2048
MAX_PORT = 65535


@frozen
class Listener:
    """A listening socket and what answers on it: an ASGI callable, or whoever reads its connections; one of the two.

    `name` is for the log.
    """

    name: str
    socket: socket.socket
    app: Asgi | None = None
    connect: Connect | None = None
    limits: Limits = field(default_factory=Limits)
    tls: ssl.SSLContext | None = None


def bind(address: str) -> socket.socket:
    """Listen on `host:port`, `[v6]:port` or `name:port`; port 0 takes a free one.

    Connections wait from now on, though nobody answers them before `serve`. Raises `DoorwardError` with ADDRESS_IN_USE
    when somebody else listens there, with ADDRESS_UNUSABLE when this machine has no such address or we may not use it.
    """
    host, port = _split(address)
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # asyncio turns Nagle's algorithm off only where the protocol is named; an answer would wait 40 ms for an ACK.
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise DoorwardError(ADDRESS_UNUSABLE, address=address, reason=_reason(error)) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except (OSError, OverflowError) as error:
        listening.close()
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        row = ADDRESS_IN_USE if taken else ADDRESS_UNUSABLE
        raise DoorwardError(row, address=address, reason=_reason(error)) from error
    return listening


def address_of(listening: socket.socket) -> str:
    """Give the address that a socket listens on as `host:port`, with the port it really got."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Give the context for TLS 1.2 and later with this certificate chain and key, both PEM.

    Raises `DoorwardError` with TLS_UNUSABLE when they cannot be read or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Read the certificate and key again; connections made from now on use them.

    Raises `DoorwardError` with TLS_UNUSABLE, and the context then keeps what it had.
    """
    try:
        # The pair is tried on a context of its own first: a failed load would leave a certificate without its key.
        # An empty password makes an encrypted key an error instead of a question on the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        reason = _reason(error)
        raise DoorwardError(TLS_UNUSABLE, certificate=str(certificate), key=str(key), reason=reason) from error


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_port = port.isascii() and port.isdecimal() and int(port[:6]) <= MAX_PORT
    if not bare or not is_port or (":" in bare) != (bare != host):
        raise DoorwardError(ADDRESS_UNUSABLE, address=address, reason="not HOST:PORT")
    return bare, int(port)


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
