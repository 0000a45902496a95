"""EasyAuth around WSGI applications: threads, forks, bodies, frameworks, and what the application sees."""

import asyncio
import io
import json
import sys
import threading
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from doorward.config.findings import SettingsRejected
from doorward.wsgi import EasyAuth
from tests.support import canaries
from tests.support.app_servers import (
    Environ,
    flask_site,
    showing_wsgi,
    werkzeug_serving,
    wsgi_serving,
)
from tests.support.django_site import DJANGO
from tests.support.programs import Program, free_port
from tests.support.proxies import listening
from tests.support.realms import MOZILLA, SITE, PortDoor, Realm, realm


def call(app: Any, path: str = "/", **more: Any) -> tuple[str, dict[str, str], bytes]:
    """Call an application as a server would that tells no more than it must; gives status, headers, body."""
    told: list[tuple[Any, ...]] = []

    def start_response(*given: Any) -> None:
        told.append(given)

    environ: Environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "SERVER_NAME": "a.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **more,
    }
    body = b"".join(app(environ, start_response))
    status, headers = told[-1][:2]
    return status[:3], {name.lower(): value for name, value in headers}, body


def cookie_of(one: Realm) -> str:
    """Give the cookie of whoever is signed in, as an environ has it."""
    return one.cookie.partition(": ")[2]


# --- what is seen --------------------------------------------------------------------------------------------------


async def test_the_whole_way_in_and_out(database_url: str) -> None:
    """Somebody signs in at the door itself, is known there, and is nobody after signing out."""
    async with realm(database_url) as one:
        app = EasyAuth(showing_wsgi, config=one.settings)
        with wsgi_serving(app) as port:
            browser = await replace(one, port=port).signed_in("john")
            me = json.loads((await browser.get("/.auth/me")).body)
            assert [entry["user_id"] for entry in me] == ["john@contoso.com"]
            assert (await browser.get("/.auth/logout")).status == 302
            assert (await browser.get("/.auth/me")).status == 401
        app.close()


async def test_forwarded_headers_count_from_trusted_proxies_alone(sqlite_url: str) -> None:
    """The application sees scheme and address that a trusted proxy names, and nothing of what a stranger says."""
    said = {"HTTP_X_FORWARDED_FOR": "203.0.113.9", "HTTP_X_FORWARDED_HOST": "evil.example",
            "HTTP_X_REAL_IP": "203.0.113.9", "HTTP_FORWARDED": "for=203.0.113.9",
            "HTTP_X_FORWARDED_PROTO": "https"}  # fmt: skip
    async with realm(sqlite_url) as one:
        app = EasyAuth(showing_wsgi, config=one.settings)
        trusted = {"REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http"}
        near = json.loads((await asyncio.to_thread(call, app, "/public/a", **said, **trusted))[2])
        far = json.loads((await asyncio.to_thread(call, app, "/public/a", **said))[2])
        plain = await asyncio.to_thread(call, app, "/public/a", **said, **{"wsgi.url_scheme": "http"})
        app.close()
    assert (near["scheme"], near["client"][0]) == ("https", "203.0.113.9")
    assert ["x-forwarded-for", "203.0.113.9"] in near["headers"]
    assert (far["scheme"], far["client"][0]) == ("https", "192.0.2.1")
    assert not [name for name, _ in far["headers"] if "forwarded" in name or "real" in name]
    assert (plain[0], plain[1]["location"]) == ("301", f"{SITE}/public/a")


async def test_a_path_is_judged_as_the_application_sees_it(sqlite_url: str) -> None:
    """Where the server tells what was sent, that counts if it is the same path; else what the application sees."""
    async with realm(sqlite_url) as one:
        app = EasyAuth(showing_wsgi, config=one.settings)

        async def status(path: str, **more: Any) -> str:
            return (await asyncio.to_thread(call, app, path, **more))[0]

        assert await status("/public/a") == "200"
        assert await status("/a", SCRIPT_NAME="/public") == "200"
        assert await status("/public/a", SCRIPT_NAME="/x") == "401"
        assert await status("/public/a", RAW_URI="/public/%61?b") == "200"
        assert await status("/public/../a") == "401"
        assert await status("/public/b/a", RAW_URI="/public/b%2Fa") == "401"
        assert await status("/secret", RAW_URI="/public/a") == "401"
        assert await status("/public/a", REQUEST_URI="/secret") == "200"
        assert await status("/public/a\n") == "400"
        assert await status("/public/\u00e4") == "401", "no UTF-8"
        assert await status("") == "401"
        app.close()


async def test_every_answer_has_one_id(sqlite_url: str) -> None:
    """The id is the one that the application was told, and that of its own is not repeated."""
    async with realm(sqlite_url) as one:
        app = EasyAuth(showing_wsgi, config=one.settings)
        with wsgi_serving(app) as port:
            answer = await PortDoor(port).ask("GET", "/", one.cookie)
            refused = await PortDoor(port).ask("GET", "/")
        app.close()
    ids = [value for name, value in answer.headers if name == "x-request-id"]
    assert ids == [dict(answer.shown["headers"])["x-request-id"]]
    assert len([name for name, _ in refused.headers if name == "x-request-id"]) == 1


async def test_answers_to_head_are_empty(sqlite_url: str) -> None:
    """A refusal of HEAD has the length of the page and no page."""
    async with realm(sqlite_url) as one:
        app = EasyAuth(showing_wsgi, config=one.settings)
        status, headers, body = await asyncio.to_thread(call, app, REQUEST_METHOD="HEAD")
        app.close()
    assert (status, body) == ("401", b"")
    assert int(headers["content-length"]) > 0


# --- bodies --------------------------------------------------------------------------------------------------------


async def test_bodies_stream_through(sqlite_url: str) -> None:
    """The application reads what it was sent by itself, and answers in pieces."""
    read: list[int] = []

    def app(environ: Environ, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        while piece := environ["wsgi.input"].read(100_000):
            read.append(len(piece))
            yield b"%d " % len(piece)
            if sum(read) == int(environ["CONTENT_LENGTH"]):
                break

    async with realm(sqlite_url) as one:
        door = EasyAuth(app, config=one.settings)
        with wsgi_serving(door) as port:
            answer = await PortDoor(port).ask("POST", "/", one.bearer, body=bytes(30_000_000))
        door.close()
    assert sum(int(piece) for piece in answer.body.split()) == sum(read) == 30_000_000


class _Broken(io.RawIOBase):
    def read(self, _size: int = -1) -> bytes:
        raise ConnectionResetError


@pytest.mark.parametrize(
    ("status", "more"),
    [
        ("200", {"CONTENT_LENGTH": "<all>", "wsgi.input": "<body>"}),
        ("200", {"wsgi.input": "<body>", "wsgi.input_terminated": True}),
        ("400", {"wsgi.input": "<body>"}),
        ("400", {"CONTENT_LENGTH": "500", "wsgi.input": "<body>"}),
        ("400", {"CONTENT_LENGTH": "5", "wsgi.input": _Broken()}),
        ("413", {"CONTENT_LENGTH": "90000000", "wsgi.input": "<body>"}),
        ("413", {"CONTENT_LENGTH": "many", "wsgi.input": "<body>"}),
        ("413", {"wsgi.input": io.BytesIO(bytes(3_000_000)), "wsgi.input_terminated": True}),
    ],
)
async def test_our_own_addresses_read_bodies_within_limits(sqlite_url: str, status: str, more: dict[str, Any]) -> None:
    """A body that is announced, or whose end the server finds, is read; one too long or unfinished is refused."""
    async with realm(sqlite_url) as one:
        token = one.bearer_of("john", tid="11111111-2222-4333-8444-5555aaaabbbb")
        body = json.dumps({"access_token": token}).encode()
        given = {name: {"<all>": str(len(body)), "<body>": io.BytesIO(body)}.get(str(value), value)
                 for name, value in more.items()}  # fmt: skip
        app = EasyAuth(showing_wsgi, config=one.settings)
        login = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/json", **given}
        answered = await asyncio.to_thread(call, app, "/.auth/login/aad", **login)
        app.close()
    assert answered[0] == status, answered
    assert "connection" not in answered[1]


# --- threads and processes -----------------------------------------------------------------------------------------


async def test_many_threads_at_once(sqlite_url: str) -> None:
    """Threads that ask at the same moment open one house, and each is told of its own caller."""
    before = set(threading.enumerate())  # other tests keep a house of their own open
    opened: list[threading.Thread] = []
    async with realm(sqlite_url) as one:
        people = [await one.signed_in(f"person{number}") for number in range(8)]
        app = EasyAuth(showing_wsgi, config=one.settings)
        wrong: list[object] = []

        def ask(number: int) -> None:
            cookie = f"AppServiceAuthSession={people[number % 8].session}"
            for turn in range(40):
                status, _, body = call(app, HTTP_COOKIE=cookie if turn % 4 else "AppServiceAuthSession=nobody")
                told = dict(json.loads(body)["headers"]).get("x-ms-client-principal-name") if status == "200" else ""
                if told != (f"person{number % 8}@contoso.com" if turn % 4 else ""):
                    wrong.append((status, told))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        opened += [thread for thread in threading.enumerate() if thread.name == "doorward" and thread not in before]
        app.close()
    assert not wrong
    assert len(opened) == 1
    assert not opened[0].is_alive()


async def test_whoever_is_known_needs_no_other_thread(sqlite_url: str) -> None:
    """The second request of somebody is decided in the server's own thread, even while the house can do nothing."""
    async with realm(sqlite_url) as one:
        app = EasyAuth(showing_wsgi, config=one.settings)
        assert (await asyncio.to_thread(call, app, HTTP_COOKIE=cookie_of(one)))[0] == "200"
        is_held, holding = threading.Event(), threading.Event()

        def hold() -> None:
            holding.set()
            is_held.wait(60)

        app._thread.open().loop.call_soon_threadsafe(hold)
        await asyncio.to_thread(holding.wait)
        known = await asyncio.to_thread(call, app, HTTP_COOKIE=cookie_of(one))
        is_held.set()
        assert known[0] == "200"
        app.close()


FORKING = """
import io, json, os, sys
from doorward.wsgi import EasyAuth

def app(environ, start_response):
    start_response("200 OK", [])
    return [environ.get("HTTP_X_MS_CLIENT_PRINCIPAL_NAME", "nobody").encode()]

door = EasyAuth(app, config=sys.argv[1])

def ask():
    told = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "https", "wsgi.input": io.BytesIO(),
               "HTTP_COOKIE": sys.argv[2]}
    body = b"".join(door(environ, lambda *given: told.append(given)))
    return told[0][0] + " " + body.decode()

if sys.argv[3] == "served":
    ask()
for _ in range(2):
    child = os.fork()
    if not child:
        print(os.getpid() != os.getppid(), ask(), flush=True)
        sys.exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("parent", ask(), flush=True)
"""


@pytest.mark.parametrize("before", ["fresh", "served"])
async def test_servers_fork_after_loading(sqlite_url: str, before: str) -> None:
    """Each process of a server that loads the application once opens a house of its own, on the same database."""
    async with realm(sqlite_url) as one:
        home = canaries.scanned(uuid.uuid4().hex)
        config = settings_file(one, home)
        (home / "forking.py").write_text(FORKING)
        secret = {"MICROSOFT_PROVIDER_AUTHENTICATION_SECRET": canaries.canary("realm-client-secret")}
        command = [sys.executable, "-W", "ignore", "forking.py", str(config), cookie_of(one), before]
        with Program(command, cwd=home, env=secret) as program:
            assert await asyncio.to_thread(program.wait) == 0, program.stderr
            assert program.stdout.splitlines() == [
                "True 200 OK jane@contoso.com",
                "True 200 OK jane@contoso.com",
                "parent 200 OK jane@contoso.com",
            ], program.stderr


def settings_file(one: Realm, home: Path) -> Path:
    """Write the settings of a realm as `doorward.toml` and `auth.json`."""
    tree = json.dumps(dict(one.settings.auth.tree or {}))
    (home / "auth.json").write_text(tree)
    config = home / "doorward.toml"
    config.write_text(f"""
[server]
public_url = "{SITE}"
trusted_proxies = ["127.0.0.1/32"]
[auth]
file = "auth.json"
[database]
url = "{one.settings.database.url}"
[secrets]
encryption_key = "{"e1" * 32}"
signing_key = "{"51" * 32}"
""")
    return config


UVICORN = """
from doorward.asgi import EasyAuth

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("HTTP alone")
    name = dict(scope["headers"]).get(b"x-ms-client-principal-name", b"nobody")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    import os
    await send({"type": "http.response.body", "body": name + b" %d" % os.getpid()})

app = EasyAuth(app)
"""


async def test_workers_share_a_database(sqlite_url: str) -> None:
    """Several processes of one server know the same people, and forget who signed out within a second."""
    async with realm(sqlite_url) as one:
        home = canaries.scanned(uuid.uuid4().hex)
        settings_file(one, home)
        (home / "site_of_workers.py").write_text(UVICORN)
        port = free_port()
        env = {"MICROSOFT_PROVIDER_AUTHENTICATION_SECRET": canaries.canary("realm-client-secret"), "PYTHONPATH": "."}
        command = [sys.executable, "-m", "uvicorn", "site_of_workers:app", "--workers", "2", "--no-proxy-headers"]
        with Program([*command, "--port", str(port), "--log-level", "warning"], cwd=home, env=env) as program:
            await listening(port)
            door, seen = PortDoor(port), set[str]()
            async with asyncio.timeout(60):
                while len(seen) < 2:
                    answer = await door.ask("GET", "/", one.cookie)
                    assert answer.body.startswith(b"jane@contoso.com"), answer
                    seen.add(answer.body.decode().split()[1])
            assert (await door.ask("GET", "/.auth/logout", one.cookie, MOZILLA)).status == 302
            loop = asyncio.get_running_loop()
            signed_out, passed = loop.time(), 0.0
            while loop.time() - signed_out < 2:
                if (await door.ask("GET", "/", one.cookie)).status == 200:
                    passed = loop.time() - signed_out
            assert passed < 1
            assert program.stop() in {0, -15}


async def test_a_house_that_cannot_open_is_tried_again(sqlite_url: str) -> None:
    """Without its database everybody is refused with 503; once it is there, the next request is served."""
    async with realm(sqlite_url) as one:
        place = canaries.scanned(uuid.uuid4().hex) / "later"
        database = replace(one.settings.database, url=f"sqlite:///{place}/doorward.db")
        app = EasyAuth(showing_wsgi, config=replace(one.settings, database=database))
        status, headers, _ = await asyncio.to_thread(call, app, "/public/a")
        assert (status, headers["retry-after"]) == ("503", "5")
        place.mkdir()
        assert (await asyncio.to_thread(call, app, "/public/a"))[0] == "200"
        app.close()
        assert (await asyncio.to_thread(call, app, "/public/a"))[0] == "200", "closed, it opens again"
        app.close()


# --- frameworks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flask", "django"])
async def test_frameworks_stand_behind_the_door(sqlite_url: str, name: str) -> None:
    """Applications of the usual frameworks learn who asks, under https, and get whole bodies."""
    async with realm(sqlite_url) as one:
        app = EasyAuth(flask_site() if name == "flask" else DJANGO.wsgi(), config=one.settings)
        with werkzeug_serving(app) as port:
            door = PortDoor(port)
            posted = json.loads((await door.ask("POST", "/who", one.bearer, body=b"x" * 100_000)).body)
            if name == "django":
                assert posted == ["jane@contoso.com", "https", 100_000]
            else:
                assert ["x-ms-client-principal-name", "jane@contoso.com"] in posted["headers"]
                assert (posted["scheme"], len(posted["body"])) == ("https", 100_000)
            assert (await door.ask("GET", "/who")).status == 401
            assert (await door.ask("GET", "/who", MOZILLA)).status == 302
            assert (await door.ask("GET", "/.auth/me", one.cookie)).status == 200
        app.close()


def test_the_settings_are_those_of_serve(tmp_path: Path) -> None:
    """What serve refuses is refused when the application is made."""
    file = tmp_path / "doorward.toml"
    file.write_text("[auth.platform]\nenabled = 3\n")
    with pytest.raises(SettingsRejected, match="enabled"):
        EasyAuth(showing_wsgi, config=file)
