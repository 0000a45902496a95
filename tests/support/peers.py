"""The other side of calls to the outside: small real servers, with every way of misbehaving.

They speak just enough HTTP/1.1 for one request a connection. Everything runs in the test's own event loop.
"""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes, status: str = "200 OK", content_type: str = "application/json", more: str = "") -> bytes:
    """Write a whole HTTP answer; `more` is further header lines, each ending in CR LF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


@dataclass
class Publisher:
    """A server that sends the same answer to every request, and remembers the heads of the requests.

    While `gate` is closed, requests wait; `arrived` is set when one has come in.
    """

    reply: bytes = b""
    heads: list[str] = field(default_factory=list[str])
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    url: str = ""

    def publish(self, document: bytes) -> None:
        """Answer with a JSON document from now on."""
        self.reply = answer(document)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        self.arrived.set()
        await self.gate.wait()
        writer.write(self.reply)
        await writer.drain()


@asynccontextmanager
async def publisher(reply: bytes = b"", tls: ssl.SSLContext | None = None) -> AsyncGenerator[Publisher]:
    """Run a publisher on 127.0.0.1 with its gate open."""
    publishing = Publisher(reply=reply)
    publishing.gate.set()
    async with listening(publishing.talk, tls) as port:
        publishing.port = port
        publishing.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/keys"
        yield publishing


@asynccontextmanager
async def listening(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncGenerator[int]:
    """Serve every connection to a free port of 127.0.0.1 with `talk`; gives the port. Ends them all at the end."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            await talk(reader, writer)
        writer.close()
        running.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


@dataclass
class ConnectProxy:
    """A proxy for CONNECT (RFC 9110 section 9.3.6) that leads every tunnel to one port of this machine."""

    target: int
    heads: list[str] = field(default_factory=list[str])

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one tunnel."""
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            far_writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    sink.close()


@dataclass(frozen=True)
class Authority:
    """A certificate authority made for one test: the file of its certificate, and a server it vouches for."""

    ca_file: Path
    server: ssl.SSLContext


def make_authority(directory: Path, *hosts: str) -> Authority:
    """Make an authority and a server certificate for `hosts`, which may be addresses."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
    ca = _certificate(ca_name, ca_name, ca_key, ca_key, [(x509.BasicConstraints(ca=True, path_length=None), True)])
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    leaf = _certificate(subject, ca_name, key, ca_key, [(names, False)])
    ca_file, chain = directory / "ca.pem", directory / "server.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain.write_bytes(secret + leaf.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return Authority(ca_file, context)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())


async def at_once(*calls: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run calls side by side and give what each returned or raised."""
    return await asyncio.gather(*calls, return_exceptions=True)
