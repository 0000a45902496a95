"""The emulator's own interface for scripts and tests, below `/_emulator`, in JSON.

Mints tokens, signs people in without a browser, sets faults, registers applications, and shows people and log. Takes
`application/json` alone, which no page may send elsewhere without asking.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec

from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.emulator.choosing import FAULTS_HEADER, PERSON_HEADER
from doorward.emulator.clients import Client
from doorward.emulator.faults import FAULTS, check_faults
from doorward.emulator.messages import (
    AUTHORIZE_PATH,
    CLIENTS_PATH,
    FAULTS_PATH,
    LOG_PATH,
    MINT_PATH,
    PEOPLE_PATH,
    AuthorizeAs,
    Authorized,
    BadMessage,
    MintRequest,
    MintResponse,
    Refusal,
    SetFaults,
)
from doorward.emulator.people import Person
from doorward.emulator.pretend import Pretend
from doorward.emulator.stage import Stage
from doorward.emulator.web import Ask, Refused, Reply, json_reply

T = TypeVar("T")
Answer: TypeAlias = Callable[[Ask], Reply]


def refused(status: int, message: str, allow: str = "") -> Refused:
    """Refuse in JSON."""
    reply = json_reply(Refusal(message=message).to_json(), status, note=message)
    return Refused(reply.with_headers((b"allow", allow.encode())) if allow else reply)


class Api:
    """The interface over what the providers share. `serve` answers as the providers do, for signing in."""

    def __init__(self, stage: Stage, pretend: Mapping[str, Pretend], serve: Answer) -> None:
        """Serve for these providers."""
        self._stage = stage
        self._pretend = pretend
        self._serve = serve
        self._table: dict[str, dict[str, Answer]] = {
            MINT_PATH: {"POST": self._mint},
            AUTHORIZE_PATH: {"POST": self._authorize},
            PEOPLE_PATH: {"GET": self._people, "POST": self._put_person},
            CLIENTS_PATH: {"GET": self._clients, "POST": self._add_client},
            FAULTS_PATH: {"GET": self._faults, "POST": self._set_faults},
            LOG_PATH: {"GET": self._log},
        }

    def answer(self, ask: Ask) -> Reply | None:
        """Answer below `/_emulator`, else None; raises `Refused`."""
        methods = self._table.get(ask.path)
        if methods is None:
            return None
        handler = methods.get("GET" if ask.method == "HEAD" else ask.method)
        if handler is None:
            allow = ", ".join(["GET, HEAD" if name == "GET" else name for name in methods])
            raise refused(405, f"use {' or '.join(methods)}", allow)
        if ask.method == "POST" and ask.media_type != "application/json":
            raise refused(415, "Content-Type must be application/json")
        try:
            return handler(ask)
        except BadMessage as error:
            raise refused(400, str(error)) from error

    def pretending(self, provider: str) -> Pretend:
        """Give a pretend provider; raises `BadMessage` where there is none of that alias."""
        if provider not in self._pretend:
            raise BadMessage(f"no pretend provider {provider!r}; there are: {', '.join(self._pretend)}")
        return self._pretend[provider]

    def _mint(self, ask: Ask) -> Reply:
        request = MintRequest.from_json(ask.body)
        token, _, secret = self.pretending(request.provider).mint(request).partition(" ")
        return json_reply(MintResponse(token=token, secret=secret).to_json())

    def _authorize(self, ask: Ask) -> Reply:
        wish = AuthorizeAs.from_json(ask.body)
        try:
            parts = urlsplit(wish.url)
        except ValueError as error:
            raise BadMessage(f"not an address: {wish.url!r}") from error
        check_faults(wish.faults)
        headers = ((PERSON_HEADER, wish.email), (FAULTS_HEADER, ",".join(wish.faults)))
        reply = self._serve(Ask(method="GET", path=parts.path, query=parts.query, headers=headers))
        if reply.posts_to:
            return json_reply(Authorized(method="POST", url=reply.posts_to, fields=dict(reply.told)).to_json())
        if reply.status == 302:
            return json_reply(Authorized(method="GET", url=dict(reply.headers)[b"location"].decode()).to_json())
        raise BadMessage(reply.note or f"status {reply.status}")

    def _people(self, ask: Ask) -> Reply:
        del ask
        return json_reply({"people": self._stage.people.all()})

    def _put_person(self, ask: Ask) -> Reply:
        person = _converted(ask.body, Person)
        self._stage.people.put(person)
        return json_reply(person, 201)

    def _clients(self, ask: Ask) -> Reply:
        del ask
        clients = [client for name in self._pretend for client in self._stage.clients.of(name)]
        return json_reply({"clients": [msgspec.structs.replace(client, client_secret="") for client in clients]})

    def _add_client(self, ask: Ask) -> Reply:
        client = _converted(ask.body, Client)
        self.pretending(client.provider)
        if not client.client_id:
            raise BadMessage("client_id is empty")
        self._stage.clients.add(client)
        return json_reply(msgspec.structs.replace(client, client_secret=""), 201)

    def _faults(self, ask: Ask) -> Reply:
        del ask
        return json_reply({"known": FAULTS, "set": self._stage.switches.show()})

    def _set_faults(self, ask: Ask) -> Reply:
        wish = SetFaults.from_json(ask.body)
        self.pretending(wish.provider)
        if (wish.count is not None and wish.count < 1) or (wish.slow_seconds is not None and wish.slow_seconds < 0):
            raise BadMessage("count must be at least 1, and slow_seconds at least 0")
        key = f"{wish.provider}/refresh" if wish.at_refresh else wish.provider
        self._stage.switches.set(key, wish.faults, wish.count)
        if wish.slow_seconds is not None:
            self._stage.switches.slow_seconds = wish.slow_seconds
        return json_reply({"set": self._stage.switches.show()})

    def _log(self, ask: Ask) -> Reply:
        del ask
        return json_reply({"entries": self._stage.traffic.entries()})


def _converted(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.convert(decode_object(body), kind)
    except (NotStrictJson, msgspec.ValidationError) as error:
        raise BadMessage(str(error)) from error
