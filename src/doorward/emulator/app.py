"""The emulator over HTTP: one ASGI application for all pretend providers.

It mints a token for whoever asks, so it answers this machine alone: a peer on another address is refused, and so is a
request whose Host is not a loopback name with the emulator's own port (a page on the web whose name was rebound to
127.0.0.1 sends its own). No answer carries a CORS header, and only `application/json` is read, which no page may send
elsewhere without asking.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import msgspec

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.loopback import is_loopback_host
from doorward.emulator.aad import PretendEntra
from doorward.emulator.messages import MINT_PATH, PEOPLE_PATH, BadMessage, MintRequest, MintResponse, Refusal
from doorward.emulator.people import PEOPLE, Person, directory
from doorward.emulator.pretend import Pretend

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 64 * 1024
REQUEST_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is sent back."""

    status: int
    body: bytes
    allow: str = ""


class _Refused(Exception):
    """The request is refused."""

    def __init__(self, status: int, message: str, allow: str = "") -> None:
        super().__init__(message)
        self.answer = _Answer(status, Refusal(message=message).to_json(), allow)


class EmulatorApp:
    """The pretend providers as an ASGI application; the one who serves it must not believe forwarded headers."""

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        entropy: Entropy,
        *,
        keys: Path | None = None,
        people: tuple[Person, ...] = PEOPLE,
    ) -> None:
        """Pretend at `base_url`, an `http:` address on loopback with a port.

        `keys` is the directory of the signing keys, None for keys that end with the process. Raises `ValueError` for
        an address that is not this machine's.
        """
        parts = urlsplit(base_url)
        if parts.scheme != "http" or not is_loopback_host(parts.hostname or "") or parts.port is None or parts.path:
            raise ValueError("the emulator's address must be http: on loopback, with a port and without a path")
        known = directory(people)
        self._port = parts.port
        self._entropy = entropy
        self._people = people
        self._pretend: dict[str, Pretend] = {
            pretend.name: pretend for pretend in (PretendEntra(base_url, known, clock, entropy, keys),)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"cannot serve {scope['type']}")
        try:
            self._refuse_strangers(scope)
            answer = await self._answer(scope, receive)
        except _Refused as refused:
            answer = refused.answer
        request_id = self._entropy.draw(REQUEST_ID_BYTES).hex()
        await _send(send, answer, request_id, with_body=scope["method"] != "HEAD")

    def _refuse_strangers(self, scope: Scope) -> None:
        peer = cast("tuple[str, int] | None", scope.get("client"))
        if peer is None or not is_loopback_host(peer[0]):
            raise _Refused(403, "the emulator answers this machine only")
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_own_host(hosts[0]):
            raise _Refused(403, f"Host must be localhost or 127.0.0.1 with port {self._port}")

    def _is_own_host(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        return is_loopback_host(name) and port == str(self._port)

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        path, method = cast("str", scope["path"]), cast("str", scope["method"])
        if path == MINT_PATH:
            if method != "POST":
                raise _Refused(405, "use POST", allow="POST")
            return self._mint(await _json_body(scope, receive))
        document = self._document(path)
        if document is None:
            raise _Refused(404, "nothing is published here")
        if method not in ("GET", "HEAD"):
            raise _Refused(405, "use GET", allow="GET, HEAD")
        return _Answer(200, msgspec.json.encode(document))

    def _document(self, path: str) -> Mapping[str, object] | None:
        if path == PEOPLE_PATH:
            return {"people": self._people}
        return next((found for p in self._pretend.values() if (found := p.document(path)) is not None), None)

    def _mint(self, body: bytes) -> _Answer:
        try:
            request = MintRequest.from_json(body)
            token = self._pretending(request.provider).mint(request)
        except BadMessage as error:
            raise _Refused(400, str(error)) from error
        return _Answer(200, MintResponse(token=token).to_json())

    def _pretending(self, provider: str) -> Pretend:
        if provider not in self._pretend:
            raise BadMessage(f"no pretend provider {provider!r}; there are: {', '.join(self._pretend)}")
        return self._pretend[provider]


async def _json_body(scope: Scope, receive: Receive) -> bytes:
    types = [value for name, value in scope["headers"] if name == b"content-type"]
    if len(types) != 1 or types[0].partition(b";")[0].strip().lower() != b"application/json":
        raise _Refused(415, "Content-Type must be application/json")
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
        if len(body) > MAX_BODY:
            raise _Refused(413, "the request is too long")
    return body


async def _send(send: Send, answer: _Answer, request_id: str, *, with_body: bool) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", request_id.encode()),
    ]
    if answer.allow:
        headers.append((b"allow", answer.allow.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if with_body else b""})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
