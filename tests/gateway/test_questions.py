"""Questions of a proxy that need not be read again: nobody can tell the answers from others."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from doorward.base.entropy import SystemEntropy
from doorward.gateway.check import Check
from doorward.gateway.porter import Porter
from doorward.identity.admission import Action, AdmissionRules, Allow
from doorward.identity.visit import Trust, Visit
from tests.gateway.test_check import CHALLENGE, SITE, begin_nothing
from tests.support.gates import HandMadeCaller, HandMadeGate
from tests.support.gateways import answering_proxies
from tests.support.serving import Answer, serving

QUESTION = (
    "GET /.auth/check?cookie=1 HTTP/1.1\r\nHost: app.example.com\r\nX-Original-Method: GET\r\n"
    f"X-Original-URL: {SITE}/a?b\r\nX-Forwarded-For: 192.0.2.7\r\nX-Request-ID: first\r\n"
    "Cookie: a=b; AppServiceAuthSession=jane; Nonce=n; c=d\r\n\r\n"
)
_DATE = re.compile(rb"date: [^\r]*")


class CountingGate(HandMadeGate):
    """Counts who was recognised by reading, and who by memory."""

    read = 0
    again = 0

    def recognise_now(self, visit: Visit) -> HandMadeCaller | None:
        """Count, and read."""
        self.read += 1
        return super().recognise_now(visit)

    def recognise_again(self, key: bytes, site: str | None) -> Allow | None:
        """Count who passes."""
        allow = super().recognise_again(key, site)
        self.again += allow is not None
        return allow


@dataclass
class Proxy:
    """A reverse proxy that asks on one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gate: CountingGate

    async def ask(self, question: str = QUESTION) -> bytes:
        """Ask, and give the answer."""
        self.writer.write(question.encode("latin-1"))
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        return _DATE.sub(b"date", head + await self.reader.readexactly(int(length[1]) if length else 0))


@asynccontextmanager
async def proxy(action: Action = "Return401", *, trusted: str = "127.0.0.1") -> AsyncGenerator[Proxy]:
    """Serve the check alone, and connect a proxy to it."""
    gate = CountingGate()
    rules = AdmissionRules(enabled=True, action=action, provider="aad", providers=1, excluded_paths=("/public/*",))

    trust = Trust(entropy=SystemEntropy(), public_url=SITE, trusted_proxies=[trusted])
    porter = Porter(rules, trust, gate=gate, begin=begin_nothing, challenge=lambda _visit, _site: CHALLENGE)
    check = Check(porter, trust)
    async with (
        serving(check.routes(), public=answering_proxies(check), trusted=[trusted]) as server,
        asyncio.timeout(10),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield Proxy(reader, writer, gate)
        finally:
            writer.close()


async def test_a_known_question_is_not_read() -> None:
    """From the third time on it is answered by memory, with the same bytes but for the id."""
    async with proxy() as nginx:
        answers = [await nginx.ask(QUESTION.replace("first", f"id-{number}")) for number in range(4)]
        assert nginx.gate.again == 2
        other = await nginx.ask(QUESTION.replace("/a?b", "/other").replace("first", "id"))
        assert nginx.gate.again == 2
        assert await nginx.ask(QUESTION.replace("/a?b", "/other").replace("first", "id")) == other
        assert nginx.gate.again == 3
    for number, answer in enumerate(answers):
        assert answer.replace(b"id-%d" % number, b"id") == other
    headers = Answer.read(other).headers
    assert headers["x-doorward-cookie"] == "a=b; c=d"
    assert headers["x-ms-client-principal-name"] == "jane@contoso.com"


async def test_whoever_left_does_not_pass_by_memory() -> None:
    """A caller whom memory does not have any more is looked up, and refused."""
    async with proxy() as nginx:
        for _ in range(3):
            assert (await nginx.ask()).startswith(b"HTTP/1.1 200 ")
        nginx.gate.known = {}
        assert (await nginx.ask()).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_only_a_get_is_remembered(method: str) -> None:
    """What may change something depends on where it was sent from: a forged request is refused each time."""
    forged = QUESTION.replace("Method: GET", f"Method: {method}")
    forged = forged.replace("Cookie", "Origin: https://evil.example\r\nUser-Agent: Mozilla/5.0\r\nCookie")
    async with proxy() as nginx:
        await nginx.ask()
        for _ in range(5):
            status = b"200" if method in {"HEAD", "OPTIONS"} else b"403"
            assert (await nginx.ask(forged)).startswith(b"HTTP/1.1 %b " % status)
        assert nginx.gate.again == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Original-Method: GET\r\n", ""),
        ("X-Original-Method: GET", "X-Original-Method: "),
        ("X-Original-Method: GET", "X-Original-Method: G T"),
        ("X-Original-Method: GET", "X-Original-Method: GET\r\nX-Original-Method: GET"),
        ("X-Original-Method: GET", "X-Original-Method: GET\r\nX-Forwarded-Method: GET"),
        ("X-Original-URL", "X-Forwarded-Uri"),
    ],
)
async def test_what_is_not_told_clearly_is_refused_each_time(old: str, new: str) -> None:
    """A question that describes no request is 403 however often it comes, also about an address that is known."""
    async with proxy() as nginx:
        await nginx.ask()
        for _ in range(4):
            assert (await nginx.ask(QUESTION.replace(old, new))).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("address", [" {}", "{} ", "\t{}", "{}\t "])
async def test_space_around_an_address_hides_no_host(address: str) -> None:
    """An address with white space around it is read each time: where it begins is not plain."""
    spaced = QUESTION.replace(f"{SITE}/a?b", address.format(f"{SITE}/a?b"))
    async with proxy() as nginx:
        for _ in range(4):
            assert (await nginx.ask(spaced)).startswith(b"HTTP/1.1 200 ")
        assert (nginx.gate.read, nginx.gate.again) == (4, 0)


async def test_proxies_of_two_kinds_are_both_known() -> None:
    """Each proxy spells its headers in its own way, and what one does changes nothing for the other."""
    other = QUESTION.replace("X-Request-ID", "x-request-id")
    without = QUESTION.replace("X-Request-ID: first\r\n", "")
    async with proxy() as nginx:
        for _ in range(3):
            for question in (QUESTION, other, without):
                assert (await nginx.ask(question)).startswith(b"HTTP/1.1 200 ")
        assert (nginx.gate.read, nginx.gate.again) == (6, 3)


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("jane", "nobody", 401),
        ("a=b", "a=c", 200),
        (f"{SITE}/a?b", f"{SITE}/%0a", 403),
        (f"{SITE}/a?b", f"{SITE}/a b", 403),
        (f"{SITE}/a?b", "https://elsewhere.example/a?b", 200),
        (f"{SITE}/a?b", f"{SITE}/a?b\r\nX-Original-URL: {SITE}/", 403),
        (f"{SITE}/a?b", f"{SITE}/a?b\r\nX-Forwarded-Uri: /", 403),
        (f"{SITE}/a?b", "/a?b", 200),
        ("X-Original-Method: GET", "X-Original-Method: POST", 200),
        ("X-Original-URL", "X-Original-Url", 200),
        ("X-Original-URL: ", "X-Original-URL:", 200),
        ("GET /", "HEAD /", 200),
        ("GET /", "POST /", 200),
        ("192.0.2.7", "192.0.2.8", 200),
        ("cookie=1", "cookie=0", 200),
        ("first", "not an id", 200),
        ("first", "a" * 129, 200),
        ("Cookie", "Authorization: Bearer bad\r\nCookie", 401),
        ("Cookie", "Upgrade: websocket\r\nCookie", 200),
        ("\r\n\r\n", "\r\nX: y\r\n\r\n", 200),
    ],
)
async def test_nothing_else_is_taken_for_it(old: str, new: str, status: int) -> None:
    """Whatever else differs, the question is read as if none had come before."""
    async with proxy() as nginx:
        for _ in range(3):
            await nginx.ask()
        assert (nginx.gate.read, nginx.gate.again) == (2, 1)
        answer = await nginx.ask(QUESTION.replace(old, new, 1))
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert nginx.gate.again == 1


async def test_an_id_of_ours_where_none_is_told() -> None:
    """A question without an id, or with one that is none, gets a new one each time."""
    async with proxy() as nginx:
        asked = QUESTION.replace("X-Request-ID: first\r\n", "")
        ids = {Answer.read(await nginx.ask(asked)).headers["x-request-id"] for _ in range(5)}
        assert nginx.gate.again == 3
    assert len(ids) == 5


async def test_addresses_of_two_hosts_are_kept_apart() -> None:
    """An address that is known at one host says nothing about the same question at another."""
    other = QUESTION.replace(f"{SITE}/a?b", "https://elsewhere/x")
    async with proxy() as nginx:
        for _ in range(3):
            await nginx.ask()
        assert nginx.gate.again == 1
        for _ in range(3):
            await nginx.ask(other)
        assert nginx.gate.again == 1


async def test_strangers_are_not_remembered() -> None:
    """Who may not ask is refused each time."""
    async with proxy(trusted="10.0.0.1") as nginx:
        for _ in range(4):
            assert (await nginx.ask()).startswith(b"HTTP/1.1 403 ")
        assert (nginx.gate.read, nginx.gate.again) == (0, 0)


async def test_an_open_path_says_nothing_of_others() -> None:
    """Nobody in particular is asked about each time, where the address decides."""
    anonymous = QUESTION.replace("AppServiceAuthSession=jane; ", "").replace("/a?b", "/public/a")
    async with proxy() as nginx:
        for _ in range(4):
            assert (await nginx.ask(anonymous)).startswith(b"HTTP/1.1 200 ")
        assert (await nginx.ask(anonymous.replace("/public/a", "/a"))).startswith(b"HTTP/1.1 401 ")
    async with proxy("AllowAnonymous") as nginx:
        answers = {await nginx.ask(anonymous) for _ in range(4)}
        assert nginx.gate.read == 2
    assert len(answers) == 1


async def test_cookies_are_told_to_who_asks_for_them() -> None:
    """The application's cookies come with the answer where the question says so, without ours."""
    async with proxy() as nginx:
        without = Answer.read(await nginx.ask(QUESTION.replace("?cookie=1", "")))
        ours_alone = Answer.read(await nginx.ask(QUESTION.replace("a=b; ", "").replace("; c=d", "")))
    assert "x-doorward-cookie" not in without.headers
    assert "x-doorward-cookie" not in ours_alone.headers
