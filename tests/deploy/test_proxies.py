"""deploy/caddy, deploy/haproxy, deploy/envoy with the real programs: what tests/doors does not ask of every door."""

import asyncio
import re
import ssl
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from doorward.providers import ALL
from tests.support import canaries
from tests.support.programs import free_port
from tests.support.proxies import DEPLOY, caddy, envoy, haproxy
from tests.support.realms import HOST, MOZILLA, SITE, PortDoor, Realm, login_address, realm, request, times
from tests.support.traefik import traefik

Run = Callable[..., AbstractAsyncContextManager[int]]
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
PROXIES: dict[str, Run] = {"caddy": caddy, "haproxy": haproxy, "envoy": envoy}


@asynccontextmanager
async def behind(name: str, one: Realm, **ports: int) -> AsyncGenerator[PortDoor]:
    """Put a proxy before the service and its application; `ports` changes which those are."""
    given = {"doorward": one.port, "application": one.app_port, **ports}
    place = canaries.unscanned(uuid.uuid4().hex)
    async with PROXIES[name](place, **given) as port:
        yield PortDoor(port, lines=(), tls=True)


@pytest.mark.parametrize("name", PROXIES)
async def test_nobody_passes_while_doorward_cannot_be_asked(sqlite_url: str, name: str) -> None:
    """Not even to an open path: the client hears that something is broken."""
    async with realm(sqlite_url, action="AllowAnonymous") as one, behind(name, one, doorward=free_port()) as door:
        for path, lines in (("/", (one.cookie,)), ("/public/a", ()), ("/.auth/me", (one.cookie,))):
            assert (await door.ask("GET", path, *lines)).status in {502, 503}


@pytest.mark.parametrize("name", PROXIES)
async def test_people_sign_in_and_out_behind_it(sqlite_url: str, name: str) -> None:
    """The whole way: sent to sign in, at the provider, back to what was asked for, known there, and out again."""
    async with realm(sqlite_url) as one, behind(name, one) as door:
        browser = replace(one, port=door.port, tls=True).browser()
        sent = await browser.get("/page?x=y")
        assert (sent.status, sent.location) == (302, login_address("/page?x=y"))
        begun = await browser.get(sent.location.removeprefix(SITE))
        assert begun.location.startswith(f"{one.provider.url}/authorize?")
        comeback = one.provider.consent(begun.location, "jane", **times())
        back = await browser.bring(comeback, "Origin: null")
        assert (back.status, back.location) == (302, "/page?x=y")
        assert "x-ms-client-principal" in (await browser.get(back.location)).body
        assert (await browser.get("/.auth/logout")).status == 302
        assert (await browser.get("/page?x=y")).location == sent.location


@pytest.mark.parametrize("name", PROXIES)
async def test_nobody_asks_the_question_from_outside(sqlite_url: str, name: str) -> None:
    """The check is 404 for clients, however they describe what they want to know."""
    described = ("X-Original-Method: GET", f"X-Original-URL: {SITE}/", "X-Forwarded-Method: GET", "X-Forwarded-Uri: /")
    async with realm(sqlite_url) as one, behind(name, one) as door:
        for path in ("/.auth/check", "/.auth/check/", "/.auth/check?redirect=1", "/.auth/%63heck", "/.auth//check"):
            for lines in (described[:2], described[2:], ()):
                answer = await door.ask("GET", path, one.cookie, *lines)
                assert answer.status == 404, (path, answer)
                assert not [known for known, _ in answer.headers if known.startswith("x-ms")]


@pytest.mark.parametrize("name", PROXIES)
async def test_strangers_say_nothing_about_the_way(sqlite_url: str, name: str) -> None:
    """What a client says about itself, its host or its request changes nothing, and does not reach the application."""
    said = ("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http",
            "X-Forwarded-Method: OPTIONS", "X-Forwarded-Uri: /public/a", "Forwarded: host=evil.example")  # fmt: skip
    async with realm(sqlite_url) as one, behind(name, one) as door:
        sent = await door.ask("GET", "/a", MOZILLA, *said)
        assert (sent.status, sent.header("location")) == (302, login_address("/a"))
        begun = await door.ask("GET", "/.auth/login/aad", MOZILLA, *said)
        assert "redirect_uri=https%3A%2F%2Fapp.example.com%2F" in (begun.header("location") or "")
        shown = (await door.ask("GET", "/a", one.cookie, *said)).shown
    assert "evil" not in str(shown)
    known = dict(shown["headers"])
    assert (known["x-forwarded-proto"], known["host"]) == ("https", HOST)
    assert known["x-forwarded-for"].rpartition(",")[2].strip() != "203.0.113.9"


@pytest.mark.parametrize("name", PROXIES)
async def test_long_identities_and_bodies_fit(sqlite_url: str, name: str) -> None:
    """Somebody in many groups is not refused by the proxy, and neither is an upload."""
    groups = [f"{number:08x}-bbbb-4ccc-8ddd-eeeeeeeeeeee" for number in range(150)]
    async with realm(sqlite_url) as one, behind(name, one) as door:
        browser = await one.signed_in("john", groups=groups)
        cookie = f"Cookie: AppServiceAuthSession={browser.session}"
        answer = await door.ask("PUT", "/a", cookie, body=b"x" * 1_000_000)
    assert answer.status == 200, answer
    assert len(answer.shown["body"]) == 1_000_000
    told = dict(answer.told)
    assert len(told["x-ms-client-principal"]) > 10_000
    assert len(told["x-ms-token-aad-id-token"]) > 8_000


@pytest.mark.parametrize("name", PROXIES)
async def test_the_answers_of_the_application_are_its_own(sqlite_url: str, name: str) -> None:
    """A 401 of the application is not taken for one of the check, and the path is what was asked for."""
    async with realm(sqlite_url) as one, behind(name, one) as door:
        answer = await door.ask("GET", "/401", one.cookie, MOZILLA)
        odd = (await door.ask("GET", "/a//b/;c%2fd?q=%2f&r=/../", one.cookie)).shown
        dotted = (await door.ask("GET", "/a/../b", one.cookie)).shown
    assert (answer.status, answer.header("location"), answer.shown["path"]) == (401, None, "/401")
    assert (odd["path"], odd["query"]) == ("/a//b/;c%2fd", "q=%2f&r=/../")
    assert dotted["path"] == "/a/../b"


@pytest.mark.parametrize("name", PROXIES)
async def test_sockets_are_asked_about(sqlite_url: str, name: str) -> None:
    """A WebSocket of another site's page is refused; one of our own page reaches the application as an upgrade."""
    heads: list[bytes] = []

    async def application(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + ACCEPT
            + b"\r\n\r\nhello"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(application, "127.0.0.1", 0)
    lines = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", MOZILLA)
    port = server.sockets[0].getsockname()[1]
    async with server, realm(sqlite_url) as one, behind(name, one, application=port) as door:
        for origin, status in (("https://evil.example", b"403"), (SITE, b"101")):
            sent = request("GET", "/", *lines, one.cookie, f"Origin: {origin}")
            sent = sent.replace(b"Connection: close", b"Connection: Upgrade")
            raw = await _first(door.port, sent)
            assert raw.split(b" ")[1] == status, raw
    assert len(heads) == 1
    assert b"jane@contoso.com" in heads[0]


async def _first(port: int, sent: bytes) -> bytes:
    """Give the head of the answer on a connection that need not end."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=HOST)
    writer.write(sent)
    try:
        async with asyncio.timeout(20):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


async def test_traefik_keeps_the_question_to_itself(sqlite_url: str) -> None:
    """The check is not reached from outside: its path is the application's, and asked about."""
    async with realm(sqlite_url) as one, traefik(doorward=one.port, application=one.app_port) as port:
        door = PortDoor(port, lines=())
        answer = await door.ask("GET", "/.auth/check", "X-Forwarded-Method: GET", "X-Forwarded-Uri: /public/a", MOZILLA)
        assert (answer.status, answer.header("location")) == (302, login_address("/.auth/check"))
        assert (await door.ask("GET", "/.auth/check", one.cookie)).shown["path"] == "/.auth/check"


@pytest.mark.parametrize("file", ["caddy/Caddyfile", "traefik/dynamic.toml"])
def test_every_token_header_stands_in_the_file(file: str) -> None:
    """Where a proxy knows no pattern of names, every header that we may write is listed, for every provider we know."""
    text = (DEPLOY / file).read_text()
    kinds = {f"X-MS-TOKEN-{spec.name}-{kind}".upper() for spec in ALL.values() for kind in spec.tokens}
    for name in (kind.replace("_", "-") for kind in kinds):
        spelled = name.replace("-", "_") if file.startswith("traefik") else name
        assert re.search(rf"^\s*{re.escape(spelled)}( = \"\")?$", text, re.MULTILINE), spelled


def test_configurations_say_what_they_need() -> None:
    """Each says which settings of Doorward it counts on, and marks what has to be changed."""
    for file in ("caddy/Caddyfile", "haproxy/haproxy.cfg", "envoy/envoy.yaml", "traefik/dynamic.toml"):
        text = Path(DEPLOY / file).read_text()
        for words in ("trusted_proxies", "public_url", "CHANGE", "excludedPaths"):
            assert words in text, (file, words)
