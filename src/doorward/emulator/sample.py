"""The sample application that stands behind the gateway in development: it shows what an application is told.

A plain ASGI application without a framework. It asks nobody who is there: it reads the `X-MS-*` headers as any
application behind Easy Auth does, so it must be reachable through the gateway alone, and listens on loopback. It keeps
nothing, and shows tokens by their first characters.
"""

import asyncio
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qsl

import msgspec

from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.pages import PAGE_HEADERS, render

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PROVIDERS = (
    ("aad", "Microsoft Entra", ""),
    ("google", "Google", "&access_type=offline"),
    ("github", "GitHub", ""),
    ("contoso", "Contoso", ""),
)
SHOWN = 12
MAX_BYTES = 100_000_000
_MAX_EVENTS = 1000
_MAX_SECONDS = 60.0
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,3})?")
_CHUNK = bytes(range(256)) * 64
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")


class SampleApp:
    """The application as an ASGI callable; `prefix` is where Doorward's own paths begin."""

    def __init__(self, prefix: str = "/.auth", providers: tuple[tuple[str, str, str], ...] = PROVIDERS) -> None:
        """Link to these providers: alias, label and further parameters of the sign-in address."""
        self._prefix = prefix
        self._providers = providers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a WebSocket is none of its business, since the server in front of it speaks none."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._answer(_Call(scope, receive, send))

    async def _answer(self, call: "_Call") -> None:
        match call.path:
            case "/" | "/public":
                await call.send(200, self._page(call), PAGE_HEADERS)
            case "/api/whoami":
                await call.send_json(whoami(call.headers))
            case "/api/headers":
                await call.send_json({"method": call.method, "path": call.path, "headers": _shown(call.headers)})
            case "/events":
                await call.stream((b"content-type", b"text/event-stream"), _events(call))
            case "/upload":
                await call.send_json({"bytes": await call.count_body()})
            case "/bytes":
                await call.stream((b"content-type", b"application/octet-stream"), _bytes(call))
            case "/status":
                await call.send(int(call.number("code", 204, 599)) or 200, b"", (_TEXT,))
            case _:
                await call.send(404, b"The sample application has no such page.\n", (_TEXT, _NO_STORE))

    def _page(self, call: "_Call") -> bytes:
        principal = principal_of(call.headers)
        name = call.header("x-ms-client-principal-name")
        return render(
            "emulator_sample.html",
            path=call.path,
            prefix=self._prefix,
            providers=self._providers,
            name=name,
            idp=call.header("x-ms-client-principal-idp"),
            user_id=call.header("x-ms-client-principal-id"),
            claims=[(str(c.get("typ")), str(c.get("val"))) for c in _claims(principal)],
            headers=[pair for pair in _shown(call.headers) if pair[0].startswith("x-ms-")],
        )


class _Call:
    """One request, and the way back."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method = cast("str", scope["method"])
        self.path = cast("str", scope["path"])
        self.headers = [(name.decode("latin-1").lower(), _readable(value)) for name, value in scope["headers"]]
        self._query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        self._receive = receive
        self._send = send

    def header(self, name: str) -> str:
        return next((value for known, value in self.headers if known == name), "")

    def number(self, name: str, default: float, most: float) -> float:
        """Give a number of the query, at most `most`; what is no number is the default."""
        text = self._query.get(name, "")
        return min(float(text), most) if _NUMBER.fullmatch(text) else default

    async def count_body(self) -> int:
        """Read the body away and count it."""
        count, more = 0, True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                break
            count += len(event.get("body", b""))
            more = event.get("more_body", False)
        return count

    async def send(self, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        length = [(b"content-length", str(len(body)).encode())] if status >= 200 and status != 204 else []
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
        await self._send({"type": "http.response.body", "body": b"" if self.method == "HEAD" else body})

    async def send_json(self, value: object) -> None:
        await self.send(200, msgspec.json.encode(value) + b"\n", (_JSON, _NO_STORE))

    async def stream(self, kind: tuple[bytes, bytes], parts: AsyncIterator[bytes]) -> None:
        """Send parts as they come, without a length."""
        await self._send({"type": "http.response.start", "status": 200, "headers": [kind, _NO_STORE]})
        if self.method != "HEAD":
            async for part in parts:
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})


def principal_of(headers: list[tuple[str, str]]) -> dict[str, object] | None:
    """Decode `X-MS-CLIENT-PRINCIPAL` (easy-auth reference 6.1), None where it is absent or no such thing."""
    value = next((value for name, value in headers if name == "x-ms-client-principal"), None)
    try:
        return decode_object(b64decode(value, validate=True)) if value else None
    except (ValueError, NotStrictJson):
        return None


def whoami(headers: list[tuple[str, str]]) -> dict[str, object]:
    """Say who is signed in, as far as the headers tell; `principal` is None for nobody."""
    known = dict(headers)
    return {
        "name": known.get("x-ms-client-principal-name"),
        "id": known.get("x-ms-client-principal-id"),
        "idp": known.get("x-ms-client-principal-idp"),
        "principal": principal_of(headers),
        "tokens": sorted(name for name in known if name.startswith("x-ms-token-")),
    }


def _claims(principal: dict[str, object] | None) -> list[dict[str, object]]:
    claims = (principal or {}).get("claims")
    if not isinstance(claims, list):
        return []
    return [cast("dict[str, object]", one) for one in cast("list[object]", claims) if isinstance(one, dict)]


def _shown(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Give the headers with tokens, cookies and credentials shortened."""
    return [(name, _shortened(value) if _is_secret(name) else value) for name, value in headers]


def _is_secret(name: str) -> bool:
    token = name.startswith("x-ms-token-") and not name.endswith("-expires-on")
    return token or name in {"authorization", "cookie", "x-zumo-auth"}


def _shortened(value: str) -> str:
    return value if len(value) <= SHOWN else f"{value[:SHOWN]}… ({len(value)} characters)"


def _readable(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


async def _events(call: _Call) -> AsyncIterator[bytes]:
    """Give server-sent events, `count` of them, `interval` seconds apart."""
    interval = call.number("interval", 1.0, _MAX_SECONDS)
    for number in range(1, int(call.number("count", 5, _MAX_EVENTS)) + 1):
        yield f"id: {number}\ndata: {call.header('x-ms-client-principal-name') or 'nobody'} {number}\n\n".encode()
        await asyncio.sleep(interval)


async def _bytes(call: _Call) -> AsyncIterator[bytes]:
    """Give `count` bytes."""
    left = int(call.number("count", 1024, MAX_BYTES))
    while left > 0:
        yield _CHUNK[:left]
        left -= len(_CHUNK)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
