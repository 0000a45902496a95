"""The emulator over HTTP: one ASGI application for all pretend providers.

It signs in whoever asks, so it answers this machine alone: a peer on another address is refused, and so is a request
whose Host is not a loopback name with the emulator's own port (a page on the web whose name was rebound to 127.0.0.1
sends its own). No answer carries a CORS header, and forms are taken from its own pages alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.loopback import is_loopback_host
from doorward.emulator import pages_of_ours
from doorward.emulator.api import Api, refused
from doorward.emulator.clients import Client, Clients
from doorward.emulator.people import PEOPLE, Person, directory
from doorward.emulator.pretend import Pretend, Spot
from doorward.emulator.providers import pretend_providers
from doorward.emulator.stage import set_stage
from doorward.emulator.web import Ask, Refused, Reply, json_reply
from doorward.protocol.parameters import BadMessage, Pairs, read_form, read_parameters

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 64 * 1024
REQUEST_ID_BYTES = 16


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
        people_file: Path | None = None,
        clients: Iterable[Client] = (),
        custom: Iterable[str] = ("contoso",),
    ) -> None:
        """Pretend at `base_url`, an `http:` address on loopback with a port.

        `keys` is the directory of the signing keys and refresh tokens, None for those that end with the process.
        `people_file` holds the people from the first change on; until then they are `people`. `clients` are the
        applications, `custom` the names of the OpenID Connect providers beside the known ones. Raises `ValueError` for
        an address that is not this machine's.
        """
        parts = urlsplit(base_url)
        if parts.scheme != "http" or not is_loopback_host(parts.hostname or "") or parts.port is None or parts.path:
            raise ValueError("the emulator's address must be http: on loopback, with a port and without a path")
        self._port = parts.port
        self._entropy = entropy
        self._stage = set_stage(base_url, directory(people, people_file), clock, entropy, keys, Clients(clients))
        self._pretend: dict[str, Pretend] = {one.name: one for one in pretend_providers(self._stage, custom)}
        self._api = Api(self._stage, self._pretend, self._at_doors)

    def pretending(self, provider: str) -> Pretend:
        """Give the pretend provider with an alias; raises the emulator's `BadMessage` where there is none."""
        return self._api.pretending(provider)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"cannot serve {scope['type']}")
        try:
            self._refuse_strangers(scope)
            reply = self._answer(await _read(scope, receive))
        except Refused as refusal:
            reply = refusal.reply
        if reply.delay:
            await asyncio.sleep(reply.delay)
        request_id = self._entropy.draw(REQUEST_ID_BYTES).hex()
        await _send(send, reply, request_id, with_body=scope["method"] != "HEAD")

    def _refuse_strangers(self, scope: Scope) -> None:
        peer = cast("tuple[str, int] | None", scope.get("client"))
        if peer is None or not is_loopback_host(peer[0]):
            raise refused(403, "the emulator answers this machine only")
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_own_host(hosts[0]):
            raise refused(403, f"Host must be localhost or 127.0.0.1 with port {self._port}")

    def _is_own_host(self, host: str) -> bool:
        name, _, port = host.rpartition(":")
        return is_loopback_host(name) and port == str(self._port)

    def _answer(self, ask: Ask) -> Reply:
        reply = self._api.answer(ask) or pages_of_ours.answer(self._stage, self._pretend, ask)
        if reply is not None:
            return reply
        document = next((found for p in self._pretend.values() if (found := p.document(ask.path)) is not None), None)
        if document is None:
            return self._at_doors(ask)
        if ask.method not in ("GET", "HEAD"):
            raise refused(405, "use GET", allow="GET, HEAD")
        return json_reply(document)

    def _at_doors(self, ask: Ask) -> Reply:
        """Answer as a provider at one of its doors, and note it in the log; raises `Refused`."""
        for one in self._pretend.values():
            spot = one.door(ask.path)
            if spot is not None:
                try:
                    reply = one.answer(ask, spot)
                except Refused as refusal:
                    self._note(one, spot, ask, refusal.reply)
                    raise
                self._note(one, spot, ask, reply)
                return reply
        raise refused(404, "nothing is published here")

    def _note(self, provider: Pretend, spot: Spot, ask: Ask, reply: Reply) -> None:
        self._stage.traffic.note(
            provider=provider.name,
            endpoint=spot.door,
            method=ask.method,
            path=ask.path,
            asked=_parameters(ask),
            status=reply.status,
            answered=reply.told,
            note=reply.note,
        )


def _parameters(ask: Ask) -> Pairs:
    """Give all parameters of a request for the log, as far as they can be read."""
    try:
        return (*read_parameters(ask.query), *(read_form(ask.body) if ask.is_form else ()))
    except BadMessage:
        return ()


async def _read(scope: Scope, receive: Receive) -> Ask:
    body, more = b"", scope["method"] not in ("GET", "HEAD")
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
        if len(body) > MAX_BODY:
            raise refused(413, "the request is too long")
    return Ask(
        method=scope["method"],
        path=scope["path"],
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
    )


async def _send(send: Send, reply: Reply, request_id: str, *, with_body: bool) -> None:
    headers = [
        *reply.headers,
        (b"content-length", str(len(reply.body)).encode()),
        (b"x-request-id", request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body if with_body else b""})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return
