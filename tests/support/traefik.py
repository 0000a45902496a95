"""A stand-in for Traefik, which is in no package registry: it does what Traefik 3 does by its file below deploy/.

From Traefik's documentation of routers, `headers` and `forwardAuth`: the longest rule counts first; headers with an
empty value are taken away; the question is a GET with the client's headers and X-Forwarded-* of Traefik's own; headers
that match the expression are taken away before those of the answer are set; any answer but 2xx is the client's.
"""

import asyncio
import re
import tomllib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.support.gateways import read_body, read_head
from tests.support.proxies import DEPLOY, changed

Header = tuple[str, str]
_OF_CONNECTION = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
_UNTRUSTED = re.compile(r"x-forwarded-|x-real-ip$", re.IGNORECASE)


class Traefik:
    """The site of a dynamic configuration."""

    def __init__(self, site: dict[str, Any]) -> None:
        """Serve by the tables below `http`."""
        self._routers = sorted(site["routers"].values(), key=lambda router: -len(router["rule"]))
        self._middlewares = site["middlewares"]
        self._services = site["services"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        raw = await read_head(reader)
        assert raw is not None
        body = await read_body(raw, reader)
        first, *lines = raw.decode("latin-1").strip().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = [line.partition(": ") for line in lines]
        headers = [(name, value) for name, _, value in pairs if not _UNTRUSTED.match(name)]
        writer.write(await self._answer(method, target, headers, body))
        await writer.drain()
        writer.close()

    async def _answer(self, method: str, target: str, headers: list[Header], body: bytes) -> bytes:
        router = next(router for router in self._routers if _matches(router["rule"], target, headers))
        ours = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": _host(headers)}
        for name in router["middlewares"]:
            ((kind, how),) = self._middlewares[name].items()
            if kind == "headers":
                gone = {key.lower() for key, value in how["customRequestHeaders"].items() if not value}
                headers = [(key, value) for key, value in headers if key.lower() not in gone]
                continue
            assert kind == "forwardAuth"
            assert how["trustForwardHeader"] is False
            described = {"X-Forwarded-Method": method, "X-Forwarded-Uri": target, **ours}
            asked = [(key, value) for key, value in headers if key.lower() not in _OF_CONNECTION]
            answered = await _send(how["address"], "GET", None, [*asked, *described.items()], b"")
            status, told = _read(answered)
            if not 200 <= status < 300:
                return answered
            pattern = re.compile(how["authResponseHeadersRegex"])
            headers = [(key, value) for key, value in headers if not pattern.search(key)]
            headers += [(key, value) for key, value in told if pattern.search(key)]
        server = self._services[router["service"]]["loadBalancer"]["servers"][0]["url"]
        kept = [(key, value) for key, value in headers if key.lower() not in _OF_CONNECTION]
        return await _send(server, method, target, [*kept, *ours.items()], body)


def _matches(rule: str, target: str, headers: list[Header]) -> bool:
    for term in rule.split(" && "):
        found = re.fullmatch(r"(!?)(Host|PathPrefix)\(`([^`]*)`\)", term)
        assert found is not None, term
        value = _host(headers) == found[3] if found[2] == "Host" else target.partition("?")[0].startswith(found[3])
        if value is bool(found[1]):
            return False
    return True


def _host(headers: list[Header]) -> str:
    return next(value for name, value in headers if name.lower() == "host")


async def _send(url: str, method: str, target: str | None, headers: list[Header], body: bytes) -> bytes:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    target = f"{parts.path}?{parts.query}" if target is None else target
    length = [f"Content-Length: {len(body)}"] if body else []
    lines = [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "Connection: close", *length, "", ""])
    writer.write(head.encode("latin-1") + body)
    try:
        return await reader.read()
    finally:
        writer.close()


def _read(raw: bytes) -> tuple[int, list[Header]]:
    first, *lines = raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return int(first.split(" ")[1]), [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


@asynccontextmanager
async def traefik(*, doorward: int, application: int) -> AsyncGenerator[int]:
    """Serve the site of deploy/traefik before Doorward and an application, without TLS; gives the port."""
    ports = {"127.0.0.1:8080": f"127.0.0.1:{doorward}", "127.0.0.1:3000": f"127.0.0.1:{application}"}
    site = tomllib.loads(changed((DEPLOY / "traefik" / "dynamic.toml").read_text(), ports))
    server = await asyncio.start_server(Traefik(site["http"]).serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
