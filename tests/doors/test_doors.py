"""One table of requests through every door: who gets to the application, what it is told, what everybody else gets."""

import json
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import pytest

from doorward.asgi import EasyAuth as AsgiEasyAuth
from doorward.identity.admission import Action
from doorward.wsgi import EasyAuth as WsgiEasyAuth
from tests.doors.scenarios import BEARER, COOKIE, MIXED, UNKNOWN, Scenario, scenarios
from tests.support import canaries
from tests.support.app_servers import (
    flask_site,
    showing_asgi,
    showing_wsgi,
    uvicorn_serving,
    werkzeug_serving,
    wsgi_serving,
)
from tests.support.nginx import nginx
from tests.support.proxies import caddy, envoy, haproxy
from tests.support.realms import MOZILLA, Answer, DoorAtWork, PortDoor, Realm, login_address, realm
from tests.support.traefik import traefik

ACTIONS: tuple[Action, ...] = get_args(Action)


@dataclass
class Checked:
    """A program that asks `/.auth/check` as a reverse proxy would, and says what it would do."""

    port: int

    async def ask(self, method: str, path: str, *lines: str, body: bytes = b"") -> Answer:
        """Ask about a request."""
        described = (f"X-Original-Method: {method}", f"X-Original-URL: https://app.example.com{path}")
        ours = tuple(line for line in lines if not line.startswith("X-Original-"))
        answer = await PortDoor(self.port).ask("GET", "/.auth/check", *ours, *described)
        if answer.status == 401 and answer.header("location"):
            return Answer(302, answer.headers, b"")
        if answer.status != 200:
            return answer
        path, _, query = path.partition("?")
        shown = {"method": method, "path": path, "query": query, "body": body.decode(), "headers": answer.headers}
        return Answer(200, answer.headers, json.dumps(shown).encode())


@asynccontextmanager
async def listener(one: Realm) -> AsyncGenerator[DoorAtWork]:
    yield PortDoor(one.port)


@asynccontextmanager
async def check(one: Realm) -> AsyncGenerator[DoorAtWork]:
    yield Checked(one.port)


@asynccontextmanager
async def asgi(one: Realm) -> AsyncGenerator[DoorAtWork]:
    with uvicorn_serving(AsgiEasyAuth(showing_asgi, config=one.settings)) as port:
        yield PortDoor(port)


@asynccontextmanager
async def asgi_without_lifespan(one: Realm) -> AsyncGenerator[DoorAtWork]:
    app = AsgiEasyAuth(showing_asgi, config=one.settings)
    with uvicorn_serving(app, lifespan="off") as port:
        yield PortDoor(port)
    app.close()


@asynccontextmanager
async def wsgi(one: Realm) -> AsyncGenerator[DoorAtWork]:
    app = WsgiEasyAuth(showing_wsgi, config=one.settings)
    with wsgi_serving(app) as port:
        yield PortDoor(port)
    app.close()


@asynccontextmanager
async def flask(one: Realm) -> AsyncGenerator[DoorAtWork]:
    app = WsgiEasyAuth(flask_site(), config=one.settings)
    with werkzeug_serving(app) as port:
        yield PortDoor(port)
    app.close()


def proxied(run: Callable[..., AbstractAsyncContextManager[int]]) -> "Making":
    """Give the door of a reverse proxy of other people, which speaks TLS."""

    @asynccontextmanager
    async def making(one: Realm) -> AsyncGenerator[DoorAtWork]:
        place = canaries.unscanned(uuid.uuid4().hex)
        async with run(place, doorward=one.port, application=one.app_port) as port:
            yield PortDoor(port, lines=(), tls=True)

    return making


@asynccontextmanager
async def nginx_alone(place: Path, *, doorward: int, application: int) -> AsyncGenerator[int]:
    async with nginx(place, doorward=doorward, application=application) as (_, tls):
        yield tls


@asynccontextmanager
async def like_traefik(one: Realm) -> AsyncGenerator[DoorAtWork]:
    async with traefik(doorward=one.port, application=one.app_port) as port:
        yield PortDoor(port, lines=())


Making = Callable[[Realm], AbstractAsyncContextManager[DoorAtWork]]
DOORS: dict[str, Making] = {
    "listener": listener,
    "check": check,
    "asgi": asgi,
    "asgi without lifespan": asgi_without_lifespan,
    "wsgi": wsgi,
    "wsgi by werkzeug": flask,
    "nginx": proxied(nginx_alone),
    "caddy": proxied(caddy),
    "haproxy": proxied(haproxy),
    "envoy": proxied(envoy),
    "traefik": like_traefik,
}
# Traefik can take a header away by its name alone, and no cookie out of a header.
WITH_COOKIES = {"traefik"}
# nginx overwrites the names that its configuration lists, and knows no pattern of names.
BEYOND = {("nginx", UNKNOWN), ("traefik", MIXED)}
FORWARD_AUTH = {"check", "nginx", "caddy", "haproxy", "envoy", "traefik"}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("name", DOORS)
async def test_every_door_holds_the_table(sqlite_url: str, name: str, action: Action) -> None:
    """Each request comes to what the table says, at each door, under each action; nothing else is seen or told."""
    async with realm(sqlite_url, action=action) as one, DOORS[name](one) as door:
        held = Held(one, door, {404: 403} if name in FORWARD_AUTH else {}, hides_cookies=name not in WITH_COOKIES)
        for row in scenarios(action):
            if (name, row.says) not in BEYOND:
                await held.hold(row)
    assert not held.wrong


@dataclass
class Held:
    """A door that is held to the table; `says` are the statuses that it puts in place of others."""

    one: Realm
    door: DoorAtWork
    says: dict[int, int]
    hides_cookies: bool
    wrong: list[str] = field(default_factory=list[str])

    async def hold(self, row: Scenario) -> None:
        """Ask, and note what is wrong."""
        known = {COOKIE: self.one.cookie, BEARER: self.one.bearer}
        lines = [known.get(line, line) for line in row.lines]
        answer = await self.door.ask(row.method, row.path, *lines, body=row.body)
        found = self._outcome(row, answer)
        due = self.says.get(row.comes_to, row.comes_to) if isinstance(row.comes_to, int) else row.comes_to
        if found != due:
            self.wrong.append(f"{row.says}: {found} in place of {due}: {answer}")

    def _outcome(self, row: Scenario, answer: Answer) -> int | str:
        if answer.status == 302:
            return self._sign_in(row, answer)
        if answer.status != 200:
            is_challenged = bool(answer.header("www-authenticate"))
            return answer.status if is_challenged is (answer.status == 401) else f"{answer.status}, challenge?"
        shown = answer.shown
        query = row.path.partition("?")[2]
        if (shown["method"], shown["query"], shown["body"]) != (row.method, query, row.body.decode()):
            return "another request"
        if "forged" in str(shown) or (self.hides_cookies and "AppServiceAuthSession" in str(shown)):
            return "what nobody may see"
        if not answer.told:
            return "as nobody"
        due = self.one.told_of_bearer if BEARER in row.lines else self.one.told
        return "as jane" if answer.told == due else f"told {answer.told}"

    def _sign_in(self, row: Scenario, answer: Answer) -> str:
        location = answer.header("location") or ""
        if location == login_address(row.path):
            return "sign-in"
        has_nonce = any(name == "set-cookie" and value.startswith("Nonce") for name, value in answer.headers)
        return "sign-in" if location.startswith(f"{self.one.provider.url}/authorize?") and has_nonce else location


@pytest.mark.parametrize("name", sorted(DOORS.keys() - {"check"} - WITH_COOKIES))
async def test_our_cookies_stay_ours(sqlite_url: str, name: str) -> None:
    """The application sees every cookie of its own, in order, and none of ours."""
    async with realm(sqlite_url) as one, DOORS[name](one) as door:
        _, _, session = one.cookie.partition(": ")
        mixed = f"Cookie: a=b; {session}; Nonce=x; c=d; Nonce.0a1b2c3d=y; RedirectCount=1.ab; e=f"
        shown = (await door.ask("GET", "/", mixed, MOZILLA)).shown
        alone = (await door.ask("GET", "/", one.cookie, MOZILLA)).shown
    assert [value for known, value in shown["headers"] if known == "cookie"] == ["a=b; c=d; e=f"]
    assert [value for known, value in alone["headers"] if known == "cookie"] in ([], [""])
