"""EasyAuth around ASGI applications: lifespans, WebSockets, bodies, frameworks, and what the application sees."""

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import websockets
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from doorward.asgi import EasyAuth
from doorward.config.findings import SettingsRejected
from doorward.inbound.door import Receive, Scope, Send
from tests.support.app_servers import live, showing_asgi, uvicorn_serving
from tests.support.django_site import DJANGO
from tests.support.realms import MOZILLA, OVER_TLS, SITE, Answer, PortDoor, Realm, realm, request, send_raw

Message = MutableMapping[str, Any]


async def pinging(scope: Scope, receive: Receive, send: Send) -> None:
    """Echo over a WebSocket; show requests."""
    if scope["type"] != "websocket":
        await showing_asgi(scope, receive, send)
        return
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    named = dict(scope["headers"]).get(b"x-ms-client-principal-name", b"nobody").decode()
    await send({"type": "websocket.send", "text": f"{scope['scheme']} {named}"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def saying_yes(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer whoever gets here."""
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


def spoken(*messages: Message) -> tuple[Receive, Send, list[Message]]:
    """Give a server that says `messages`, and what it is told."""
    waiting, told = list(messages), list[Message]()

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        told.append(message)

    return receive, send, told


# --- the life of the process ---------------------------------------------------------------------------------------


START, STOP = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}


async def test_the_house_lives_around_the_application(sqlite_url: str) -> None:
    """It is open before the application starts, and closed only after the application has ended."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(f"begins, open: {door._here is not None}")
        await live(receive, send)
        seen.append(f"ended, open: {door._here is not None}")

    async with realm(sqlite_url) as one:
        door = EasyAuth(app, config=one.settings)
        receive, send, told = spoken(START, STOP)
        await door({"type": "lifespan"}, receive, send)
    assert seen == ["begins, open: True", "ended, open: False"]
    assert [message["type"] for message in told] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_an_application_need_not_know_lifespans(sqlite_url: str) -> None:
    """One that says so by an exception, as Django does, is served all the same."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise ValueError("only HTTP")
        await showing_asgi(scope, receive, send)

    async with realm(sqlite_url) as one:
        with uvicorn_serving(EasyAuth(app, config=one.settings)) as port:
            assert (await PortDoor(port).ask("GET", "/", one.cookie)).told == one.told
        receive, send, told = spoken(START, STOP)
        await EasyAuth(app, config=one.settings)({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in told] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_an_application_that_does_not_start_is_told_of(sqlite_url: str) -> None:
    """Its refusal reaches the server in its own words, and nothing of ours stays open."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "not today"})

    async with realm(sqlite_url) as one:
        door = EasyAuth(app, config=one.settings)
        receive, send, told = spoken(START)
        await door({"type": "lifespan"}, receive, send)
    assert told == [{"type": "lifespan.startup.failed", "message": "not today"}]
    assert door._here is None


async def test_an_application_that_ends_early_is_outlived(sqlite_url: str) -> None:
    """Who leaves the lifespan before its end does not end the house before its end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        raise RuntimeError("gone")

    async with realm(sqlite_url) as one:
        receive, send, told = spoken(START, STOP)
        await EasyAuth(app, config=one.settings)({"type": "lifespan"}, receive, send)
    assert [message["type"] for message in told] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_house_that_cannot_open_lets_nobody_in(sqlite_url: str) -> None:
    """Without its database the server is told to end; one without lifespan answers 503, and never asks the app."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody may get here")

    async with realm(sqlite_url) as one:
        away = replace(one.settings.database, url="sqlite:////nowhere/at/all/doorward.db")
        door = EasyAuth(app, config=replace(one.settings, database=away))
        receive, send, told = spoken(START)
        await door({"type": "lifespan"}, receive, send)
        assert told[0]["type"] == "lifespan.startup.failed"
        assert "database_unreachable" in told[0]["message"]
        with uvicorn_serving(door, lifespan="off") as port:
            assert (await PortDoor(port).ask("GET", "/public/a")).status == 503
        receive, send, told = spoken({"type": "websocket.connect"})
        await door({"type": "websocket", "path": "/public/a", "headers": []}, receive, send)
        assert told == [{"type": "websocket.close", "code": 1008}]


async def test_unknown_protocols_let_nobody_in(sqlite_url: str) -> None:
    """What is neither HTTP nor WebSocket is not asked about, so it does not pass."""
    async with realm(sqlite_url) as one:
        receive, send, _ = spoken()
        with pytest.raises(ValueError, match="not known"):
            await EasyAuth(showing_asgi, config=one.settings)({"type": "webtransport"}, receive, send)


# --- WebSockets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "path", "status"),
    [
        ({"User-Agent": "wscat"}, "/", 401),
        ({"Cookie": "<cookie>", "Origin": "https://evil.example"}, "/", 403),
        ({"Authorization": "Bearer a.b.c"}, "/public/a", 401),
        ({"Cookie": "<cookie>", "Origin": SITE}, "/.auth/me", 404),
    ],
)
async def test_sockets_are_refused_before_they_open(
    sqlite_url: str, lines: dict[str, str], path: str, status: int
) -> None:
    """A handshake is a request like any other, and what may not pass gets an answer in place of a socket."""
    async with realm(sqlite_url) as one:
        with (
            uvicorn_serving(EasyAuth(pinging, config=one.settings)) as port,
            pytest.raises(websockets.exceptions.InvalidStatus) as refused,
        ):
            await _connect(one, port, path, lines)
    assert refused.value.response.status_code == status


async def test_sockets_of_whoever_may_pass_open(sqlite_url: str) -> None:
    """The application's socket knows who opened it, and goes on from there."""
    async with realm(sqlite_url) as one:
        with uvicorn_serving(EasyAuth(pinging, config=one.settings)) as port:
            known = await _connect(one, port, "/", {"Cookie": "<cookie>", "Origin": SITE})
            assert await known.recv() == "wss jane@contoso.com"
            await known.send("hello")
            assert await known.recv() == "hello"
            await known.close()
            nobody = await _connect(one, port, "/public/a", {"X-MS-CLIENT-PRINCIPAL-NAME": "forged"})
            assert await nobody.recv() == "wss nobody"
            await nobody.close()


async def _connect(one: Realm, port: int, path: str, lines: dict[str, str]) -> websockets.ClientConnection:
    lines = {name: value.replace("<cookie>", one.cookie.partition(": ")[2]) for name, value in lines.items()}
    lines = {"User-Agent": MOZILLA.partition(": ")[2], "X-Forwarded-Proto": "https"} | lines
    agent = lines.pop("User-Agent")
    address = f"ws://127.0.0.1:{port}{path}"
    return await websockets.connect(address, additional_headers=lines, user_agent_header=agent)


@pytest.mark.parametrize(("lines", "code"), [([], 3000), ([(b"cookie", b"<cookie>")], 3003)])
async def test_servers_without_answers_to_handshakes_close(
    sqlite_url: str, lines: list[tuple[bytes, bytes]], code: int
) -> None:
    """Where the server cannot answer a handshake, the socket is closed before it was accepted, with a code of its own.

    A handshake over HTTP/2 has no Upgrade, and its Origin counts all the same.
    """
    async with realm(sqlite_url) as one:
        cookie = one.cookie.partition(": ")[2].encode()
        headers = [(name, value.replace(b"<cookie>", cookie)) for name, value in lines]
        headers += [(b"origin", b"https://evil.example"), (b"x-forwarded-proto", b"https")]
        headers += [(b"user-agent", b"Mozilla/5.0")] if lines else []
        scope = {"type": "websocket", "path": "/", "headers": headers, "scheme": "ws", "client": ["127.0.0.1", 1]}
        receive, send, told = spoken({"type": "websocket.connect"})
        door = EasyAuth(pinging, config=one.settings)
        await door(scope, receive, send)
        door.close()
    assert told == [{"type": "websocket.close", "code": code}]


# --- bodies --------------------------------------------------------------------------------------------------------


async def test_bodies_stream_through(sqlite_url: str) -> None:
    """What the client sends reaches the application piece by piece, and so does what comes back."""
    pieces: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await live(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        more = True
        while more:
            message = await receive()
            pieces.append(len(message["body"]))
            more = message["more_body"]
            await send({"type": "http.response.body", "body": b"%d " % len(message["body"]), "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    size = 30_000_000
    async with realm(sqlite_url) as one:
        with uvicorn_serving(EasyAuth(app, config=one.settings)) as port:
            answer = await PortDoor(port).ask("POST", "/", one.bearer, body=bytes(size))
    assert sum(int(piece) for piece in answer.body.split()) == sum(pieces) == size
    assert max(pieces) < size // 10


async def test_our_own_addresses_limit_bodies(sqlite_url: str) -> None:
    """What is too much for our own addresses is 413 and not read; the application's own limits are its own."""
    async with realm(sqlite_url) as one:
        with uvicorn_serving(EasyAuth(showing_asgi, config=one.settings)) as port:
            door = PortDoor(port)
            assert (await door.ask("POST", "/.auth/login/aad", body=bytes(1_500_000))).status == 413
            sent = request("POST", "/.auth/login/aad", *OVER_TLS, "Transfer-Encoding: chunked", "Expect: none")
            sent = sent.replace(b"Content-Length: 0\r\n", b"") + b"100000\r\n" + bytes(0x100000)
            assert Answer.read(await send_raw(port, sent)).status == 413


# --- what is seen --------------------------------------------------------------------------------------------------


async def test_the_whole_way_in_and_out(database_url: str) -> None:
    """Somebody signs in at the door itself, is known there, and is nobody after signing out."""
    async with realm(database_url) as one:
        with uvicorn_serving(EasyAuth(showing_asgi, config=one.settings)) as port:
            browser = await replace(one, port=port).signed_in("john")
            me = json.loads((await browser.get("/.auth/me")).body)
            assert [entry["user_id"] for entry in me] == ["john@contoso.com"]
            assert (await browser.get("/.auth/logout")).status == 302
            assert (await browser.get("/.auth/me")).status == 401


async def test_forwarded_headers_count_from_trusted_proxies_alone(sqlite_url: str) -> None:
    """The application sees scheme and address that a trusted proxy names, and nothing of what a stranger says."""
    said = ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: evil.example", "Forwarded: for=203.0.113.9",
            "X-Real-IP: 203.0.113.9", "X_Forwarded_For: 203.0.113.9")  # fmt: skip
    async with realm(sqlite_url) as one:
        with uvicorn_serving(EasyAuth(showing_asgi, config=one.settings)) as port:
            trusted = (await PortDoor(port).ask("GET", "/public/a", *said[:1])).shown
        stranger = replace(one.settings, server=replace(one.settings.server, trusted_proxies=()))
        with uvicorn_serving(EasyAuth(showing_asgi, config=stranger)) as port:
            plain = await PortDoor(port).ask("GET", "/public/a", *said)
    assert (trusted["scheme"], trusted["client"][0]) == ("https", "203.0.113.9")
    assert dict(trusted["headers"])["x-forwarded-for"] == "203.0.113.9"
    assert (plain.status, plain.header("location")) == (301, f"{SITE}/public/a")


async def test_strangers_say_nothing_about_the_way(sqlite_url: str) -> None:
    """Where plain HTTP is served, forwarded headers of a stranger do not reach the application."""
    said = ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: evil.example", "Forwarded: for=203.0.113.9",
            "X-Real-IP: 203.0.113.9", "X-Forwarded-Proto: https")  # fmt: skip
    async with realm(sqlite_url) as one:
        server = replace(one.settings.server, trusted_proxies=(), public_url="http://localhost:8080")
        plan = one.settings.auth.plan
        assert plan is not None
        auth = replace(one.settings.auth, plan=replace(plan, require_https=False))
        with uvicorn_serving(EasyAuth(showing_asgi, config=replace(one.settings, server=server, auth=auth))) as port:
            shown = (await PortDoor(port, lines=()).ask("GET", "/public/a", *said)).shown
    assert (shown["scheme"], shown["client"][0]) == ("http", "127.0.0.1")
    assert not [name for name, _ in shown["headers"] if "forwarded" in name or "real" in name]


async def test_servers_may_believe_proxies_themselves(sqlite_url: str) -> None:
    """What uvicorn makes of a proxy's headers counts as it stands: the scheme, and who the client is."""
    said = ("X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.9")
    async with realm(sqlite_url) as one:
        settings = replace(one.settings, server=replace(one.settings.server, trusted_proxies=()))
        with uvicorn_serving(EasyAuth(showing_asgi, config=settings), proxy_headers=True) as port:
            answer = await PortDoor(port, lines=said).ask("GET", "/", one.cookie)
    assert answer.told == one.told
    assert (answer.shown["scheme"], answer.shown["client"][0]) == ("https", "203.0.113.9")


async def test_switched_off_it_asks_nobody(sqlite_url: str) -> None:
    """With platform.enabled = false everybody passes as nobody, whatever they make up; our addresses are 404."""
    async with realm(sqlite_url) as one:
        plan = one.settings.auth.plan
        assert plan is not None
        auth = replace(one.settings.auth, plan=replace(plan, enabled=False))
        with uvicorn_serving(EasyAuth(showing_asgi, config=replace(one.settings, auth=auth))) as port:
            door = PortDoor(port)
            answer = await door.ask("POST", "/", one.cookie, "X-MS-CLIENT-PRINCIPAL-NAME: forged", body=b"x")
            assert (answer.status, answer.told) == (200, [])
            assert (await door.ask("GET", "/.auth/me", one.cookie)).status == 404


async def test_every_answer_has_one_id(sqlite_url: str) -> None:
    """The id is the one that the application was told, and that of its own is not repeated."""
    async with realm(sqlite_url) as one:
        with uvicorn_serving(EasyAuth(showing_asgi, config=one.settings)) as port:
            answer = await PortDoor(port).ask("GET", "/", one.cookie)
            refused = await PortDoor(port).ask("GET", "/")
    ids = [value for name, value in answer.headers if name == "x-request-id"]
    assert ids == [dict(answer.shown["headers"])["x-request-id"]]
    assert len([name for name, _ in refused.headers if name == "x-request-id"]) == 1


async def test_a_rewritten_path_is_the_one_that_is_judged(sqlite_url: str) -> None:
    """Where something before us changes the path, what counts is what the application will see."""

    async def rewriting(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["path"] = scope["path"].replace("/public/", "/secret/")
        await door(scope, receive, send)

    async with realm(sqlite_url) as one:
        door = EasyAuth(showing_asgi, config=one.settings)
        with uvicorn_serving(rewriting) as port:
            assert (await PortDoor(port).ask("GET", "/public/a")).status == 401


async def test_servers_need_not_tell_what_was_sent(sqlite_url: str) -> None:
    """Without the optional members of a scope the path is judged as the application sees it."""
    async with realm(sqlite_url) as one:
        door = EasyAuth(saying_yes, config=one.settings)
        for path, status in (("/public/a", 200), ("/public/../a", 401), ("/public/a\n", 400)):
            receive, send, told = spoken({"type": "http.request"})
            scope = {"type": "http", "method": "GET", "path": path, "headers": [], "scheme": "https"}
            await door(scope, receive, send)
            assert told[0]["status"] == status, path
        door.close()


@pytest.mark.parametrize("method", ["TRACE"])
async def test_some_methods_never_pass(sqlite_url: str, method: str) -> None:
    """TRACE would show a script what its browser keeps from it."""
    async with realm(sqlite_url) as one:
        with uvicorn_serving(EasyAuth(showing_asgi, config=one.settings)) as port:
            assert (await PortDoor(port).ask(method, "/", one.bearer)).status == 405


# --- frameworks ----------------------------------------------------------------------------------------------------


async def _who(request: Request) -> JSONResponse:
    body = await request.body()
    return JSONResponse([request.headers.get("x-ms-client-principal-name"), request.url.scheme, len(body)])


def _framework(name: str, one: Realm) -> Any:
    """Give an application of a framework behind the door, in the way its users write it."""
    if name == "starlette":
        inner = Starlette(routes=[Route("/who", _who, methods=["GET", "POST"])])
        routes = [Route("/who", _who, methods=["GET", "POST"]), Mount("/sub", inner)]
        return Starlette(routes=routes, middleware=[Middleware(EasyAuth, config=one.settings)])
    if name == "fastapi":
        app = FastAPI()
        app.add_middleware(EasyAuth, config=one.settings)
        app.add_api_route("/who", _who, methods=["GET", "POST"])
        app.mount("/sub", Starlette(routes=[Route("/who", _who, methods=["GET", "POST"])]))
        return app
    return EasyAuth(DJANGO.asgi(), config=one.settings)


@pytest.mark.parametrize("name", ["starlette", "fastapi", "django"])
async def test_frameworks_stand_behind_the_door(sqlite_url: str, name: str) -> None:
    """Applications of the usual frameworks learn who asks, under https, and get whole bodies."""
    async with realm(sqlite_url) as one:
        with uvicorn_serving(_framework(name, one)) as port:
            door = PortDoor(port)
            for path in ("/who", "/sub/who"):
                posted = await door.ask("POST", path, one.bearer, body=bytes(100_000))
                assert json.loads(posted.body) == ["jane@contoso.com", "https", 100_000]
            assert (await door.ask("GET", "/who")).status == 401
            assert (await door.ask("GET", "/who", MOZILLA)).status == 302
            assert (await door.ask("GET", "/.auth/me", one.cookie)).status == 200


async def test_loops_come_and_go(sqlite_url: str) -> None:
    """Without a lifespan each request may come in an event loop of its own, as in the tests of applications."""
    async with realm(sqlite_url) as one:
        door = EasyAuth(showing_asgi, config=one.settings)

        async def ask() -> dict[str, Any]:
            receive, send, told = spoken({"type": "http.request", "body": b"x"})
            headers = [(b"cookie", one.cookie.partition(": ")[2].encode()), (b"x-forwarded-proto", b"https")]
            scope = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"",
                     "headers": headers, "client": ("127.0.0.1", 1), "scheme": "http"}  # fmt: skip
            await door(scope, receive, send)
            return json.loads(told[1]["body"])

        for _ in range(3):
            shown = await asyncio.to_thread(lambda: asyncio.run(ask()))
            assert ["x-ms-client-principal-name", "jane@contoso.com"] in shown["headers"]
        door.close()


# --- settings ------------------------------------------------------------------------------------------------------


def test_the_settings_are_those_of_serve(tmp_path: Path) -> None:
    """A file is read as `doorward serve` reads it, and what serve refuses is refused when the application is made."""
    file = tmp_path / "doorward.toml"
    file.write_text('[server]\npublic_url = "https://a.example"\n[auth.platform]\nenabled = false\n')
    EasyAuth(showing_asgi, config=str(file))
    EasyAuth(showing_asgi, config=file)
    file.write_text("[auth.platform]\nenabled = false\n[server]\nlisten_on = 1\n")
    with pytest.raises(SettingsRejected, match="listen_on"):
        EasyAuth(showing_asgi, config=file)
