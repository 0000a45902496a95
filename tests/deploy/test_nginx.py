"""deploy/nginx with the real nginx: who gets to the application, what it is told, what everybody else is answered."""

import asyncio
import json
import re
import ssl
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from doorward.base.entropy import SeededEntropy
from doorward.easyauth import api
from doorward.easyauth.login import SignIn
from doorward.gateway.check import Check
from doorward.gateway.porter import Porter
from doorward.identity.admission import Action, AdmissionRules
from doorward.identity.person import ProviderTokens
from doorward.identity.principal import principal_of
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Reply, Route
from doorward.providers import ALL
from tests.support import canaries
from tests.support.gates import IDENTITY, JANE, HandMadeGate
from tests.support.gateways import answering_proxies
from tests.support.nginx import DEPLOYED, HOST, nginx
from tests.support.serving import Answer, serving
from tests.support.sign_in import Browser, entrance

SITE = f"https://{HOST}"
MOZILLA = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)"
COOKIE = "Cookie: AppServiceAuthSession=jane"
CHALLENGE = 'Bearer realm="app.example.com"'


async def begin_nothing(_visit: Visit, _site: str, _provider: str | None) -> Reply:
    raise AssertionError("forward-auth begins no sign-in")


async def show(visit: Visit, body: bytes) -> Reply:
    """Answer as an application that shows what it got; `/401` and `/slow` answer in their own way."""
    got = [(name.decode(), value.decode("latin-1")) for name, value in visit.raw_headers]
    shown = {"method": visit.method, "path": visit.path, "query": visit.query, "headers": got, "body": body.decode()}
    return Reply(401 if visit.path == "/401" else 200, json.dumps(shown).encode())


async def sign_in(visit: Visit, _body: bytes) -> Reply:
    cookies = ((b"set-cookie", f"Nonce.{number:08x}={'x' * 3000}; path=/".encode()) for number in range(5))
    return Reply(302, b"", ((b"location", b"https://id.example/" + b"x" * 3000), *cookies))


@dataclass
class Fronted:
    """nginx at work, and what stands behind it."""

    plain: int
    tls: int
    gate: HandMadeGate

    async def exchange(self, sent: bytes) -> bytes:
        """Send bytes over TLS, and give everything that comes back."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", self.tls, ssl=context, server_hostname=HOST)
        writer.write(sent)
        try:
            return await reader.read()
        finally:
            writer.close()

    async def ask(self, path: str, *lines: str, method: str = "GET", body: bytes = b"") -> Answer:
        """Ask nginx, with further header lines."""
        length = [f"Content-Length: {len(body)}"] if body else []
        head = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Connection: close", *lines, *length]
        return Answer.read(await self.exchange("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body))

    async def shown(self, path: str, *lines: str, **more: Any) -> dict[str, Any]:
        """Give what the application got."""
        answer = await self.ask(path, *lines, **more)
        assert answer.status in {200, 401}, answer
        return _unchunked(answer)


def _unchunked(answer: Answer) -> dict[str, Any]:
    return json.loads(re.sub(rb"^[0-9a-f]+\r\n|\r\n0\r\n\r\n$", b"", answer.body))


def named(shown: dict[str, Any], name: str) -> list[str]:
    return [value for known, value in shown["headers"] if known == name.lower()]


@asynccontextmanager
async def fronted(
    place: Path,
    action: Action = "RedirectToLoginPage",
    gate: HandMadeGate | None = None,
    *,
    remembers: bool = False,
) -> AsyncGenerator[Fronted]:
    """Put nginx before a check with a hand-made gate, and before an application."""
    gate = gate or HandMadeGate()
    rules = AdmissionRules(enabled=True, action=action, provider="aad", providers=1, excluded_paths=("/public/*",))
    trust = Trust(entropy=SeededEntropy(), public_url=SITE, trusted_proxies=["127.0.0.1"])
    porter = Porter(rules, trust, gate=gate, begin=begin_nothing, challenge=lambda _visit, _site: CHALLENGE.encode())
    check = Check(porter, trust)
    doors = [*check.routes(), Route(method="GET", path="/.auth/login/aad", handler=sign_in)]
    everything = [Route(method="*", path="/*", handler=show, max_body=1 << 20)]
    async with (
        serving(doors, trusted=["127.0.0.1"], public=answering_proxies(check)) as doorward,
        serving(everything, trusted=["127.0.0.1"]) as application,
        nginx(place, doorward=doorward.port, application=application.port, remembers=remembers) as (plain, tls),
    ):
        yield Fronted(plain, tls, gate)


LOGIN = f"{SITE}/.auth/login/aad?post_login_redirect_uri="
FOREIGN_FORM = ("Origin: https://evil.example", COOKIE, MOZILLA)


@pytest.mark.parametrize(
    ("method", "path", "lines", "status", "location"),
    [
        ("GET", "/", (COOKIE, MOZILLA), 200, None),
        ("GET", "/a//b/../c;d?e=f", (COOKIE, MOZILLA), 200, None),
        ("POST", "/form", (COOKIE, MOZILLA, f"Origin: {SITE}"), 200, None),
        ("DELETE", "/thing", ("Authorization: Bearer good",), 200, None),
        ("GET", "/public/a", (), 200, None),
        ("GET", "/", (MOZILLA,), 302, f"{LOGIN}%2F"),
        ("GET", "/a?b=c&d", (MOZILLA,), 302, f"{LOGIN}%2Fa%3Fb%3Dc%26d"),
        ("GET", "/public/../secret", (MOZILLA,), 302, f"{LOGIN}%2Fpublic%2F..%2Fsecret"),
        ("GET", "/public/%2e%2e/secret", (MOZILLA,), 302, f"{LOGIN}%2Fpublic%2F%252e%252e%2Fsecret"),
        ("GET", "/public//secret", (MOZILLA,), 302, f"{LOGIN}%2Fpublic%2F%2Fsecret"),
        ("GET", "/public;/secret", (MOZILLA,), 302, f"{LOGIN}%2Fpublic%3B%2Fsecret"),
        ("GET", "/", ("Cookie: AppServiceAuthSession=nobody", MOZILLA), 302, f"{LOGIN}%2F"),
        ("GET", "/", (), 401, None),
        ("GET", "/", ("User-Agent: curl/8",), 401, None),
        ("POST", "/", (MOZILLA,), 401, None),
        ("GET", "/", ("Authorization: Bearer bad", COOKIE, MOZILLA), 401, None),
        ("GET", "/public/a", ("Authorization: Bearer bad",), 401, None),
        ("POST", "/form", FOREIGN_FORM, 403, None),
        ("GET", "/form", FOREIGN_FORM, 200, None),
        ("GET", "/", (*FOREIGN_FORM, "Upgrade: websocket"), 403, None),
        ("GET", "/", (MOZILLA, "X-Original-URL: /public/a", "X-Original-Method: GET"), 302, f"{LOGIN}%2F"),
        ("GET", "/", (MOZILLA, "X-Forwarded-Uri: /public/a", "X-Forwarded-Method: GET"), 302, f"{LOGIN}%2F"),
        ("GET", "/", (MOZILLA, "X-Forwarded-Host: evil.example"), 302, f"{LOGIN}%2F"),
        ("GET", "/.auth/check", (COOKIE,), 404, None),
        ("GET", "/.auth/check/a", (COOKIE, "X-Original-URL: /", "X-Original-Method: GET"), 404, None),
        ("GET", "/.auth/login/aad", (), 302, "https://id.example/" + "x" * 3000),
    ],
)
async def test_nginx_lets_through_who_may_pass(
    tmp_path: Path, method: str, path: str, lines: tuple[str, ...], status: int, location: str | None
) -> None:
    """One table of requests, each with what nginx answers; nothing that a client sends changes what is judged."""
    async with fronted(tmp_path) as front:
        answer = await front.ask(path, *lines, method=method, body=b"x" if method == "POST" else b"")
    assert (answer.status, answer.headers.get("location")) == (status, location)
    if status != 302:  # nginx leaves the challenge in its redirect as well, where nobody looks at it
        assert answer.headers.get("www-authenticate") == (CHALLENGE if status == 401 else None)


async def test_the_application_is_told_who_it_is(tmp_path: Path) -> None:
    """The headers of the principal arrive as they are, and whatever a client made up does not."""
    forged = [
        f"{name}: forged" for name in ("X-MS-CLIENT-PRINCIPAL", "x-ms-client-principal-id", "X-MS-TOKEN-AAD-ID-TOKEN")
    ]
    spelled = ["X_MS_CLIENT_PRINCIPAL: forged", "X.MS.CLIENT.PRINCIPAL: forged", "X-MS-TOKEN-GOOGLE-ID-TOKEN: forged"]
    async with fronted(tmp_path) as front:
        known = await front.shown("/a", COOKIE, *forged, *spelled)
        nobody = await front.shown("/public/a", *forged, *spelled)
    identity = [(name, value) for name, value in known["headers"] if re.match("x.ms", name)]
    assert sorted(identity) == sorted((name.decode().lower(), value.decode()) for name, value in JANE.headers)
    assert not [name for name, _ in nobody["headers"] if re.match("x.ms", name)]
    assert "forged" not in str(known)


async def test_the_request_arrives_as_it_was_judged(tmp_path: Path) -> None:
    """Method, path, query and body reach the application byte for byte; our cookies do not."""
    path = "/a//b/../c;d%2fe"
    cookies = "Cookie: a=b; AppServiceAuthSession=jane; Nonce=x; c=d; Nonce.0a1b2c3d=y; RedirectCount=1.ab; e=f"
    async with fronted(tmp_path) as front:
        shown = await front.shown(f"{path}?q=%2f&r", cookies, f"Origin: {SITE}", MOZILLA, method="PUT", body=b"text")
        alone = await front.shown("/", COOKIE)
    assert (shown["method"], shown["path"], shown["query"], shown["body"]) == ("PUT", path, "q=%2f&r", "text")
    assert named(shown, "cookie") == ["a=b; c=d; e=f"]
    assert named(alone, "cookie") == []
    assert (named(shown, "host"), named(shown, "x-forwarded-proto")) == ([HOST], ["https"])


async def test_the_answers_of_the_application_are_its_own(tmp_path: Path) -> None:
    """A 401 of the application is not taken for one of the check."""
    async with fronted(tmp_path) as front:
        answer = await front.ask("/401", COOKIE, MOZILLA)
    assert (answer.status, _unchunked(answer)["path"]) == (401, "/401")


@pytest.mark.parametrize(("action", "status"), [("Return401", 401), ("Return403", 403), ("Return404", 403)])
async def test_actions_have_statuses_that_nginx_understands(tmp_path: Path, action: Action, status: int) -> None:
    """No action becomes a 500."""
    async with fronted(tmp_path, action) as front:
        assert (await front.ask("/", MOZILLA)).status == status
        assert (await front.ask("/", COOKIE)).status == 200


async def test_nobody_passes_what_cannot_be_asked(tmp_path: Path) -> None:
    """A store that is away is 403; without Doorward nginx refuses everybody."""
    async with fronted(tmp_path, "AllowAnonymous", HandMadeGate(away=True)) as front:
        assert (await front.ask("/", "Cookie: AppServiceAuthSession=slow")).status == 403
    async with serving([]) as application, nginx(tmp_path, doorward=1, application=application.port) as (plain, tls):
        assert (await Fronted(plain, tls, HandMadeGate()).ask("/public/a", COOKIE)).status == 500


async def test_an_answer_may_be_remembered_for_a_second() -> None:
    """With cache.conf somebody known is asked about once for many parts of a page, and again a second later.

    What may change something is asked about each time, and that nobody may see one path opens no other.
    """
    slow = "Cookie: AppServiceAuthSession=slow-jane"
    place = canaries.unscanned(uuid.uuid4().hex)  # as root, nginx works as another user and must get to what it keeps
    async with fronted(place, remembers=True) as front:
        for number in range(8):
            shown = await front.shown(f"/part/{number}", slow, MOZILLA)
            assert named(shown, "x-ms-client-principal-name") == ["jane@contoso.com"]
        assert front.gate.asked <= 3, "a second may have passed on a slow machine"
        asked = front.gate.asked
        for _ in range(3):
            assert (await front.ask("/form", slow, MOZILLA, f"Origin: {SITE}", method="POST", body=b"x")).status == 200
            assert (await front.ask("/form", *FOREIGN_FORM, method="POST", body=b"x")).status == 403
        assert front.gate.asked == asked + 3
        assert (await front.ask("/a%0ab", slow, MOZILLA)).status == 403
        for _ in range(3):
            assert (await front.ask("/public/a")).status == 200
            assert (await front.ask("/secret")).status == 401
            assert (await front.ask("/secret", slow, "Authorization: Bearer bad")).status == 401
        asked = front.gate.asked
        async with asyncio.timeout(10):
            while front.gate.asked == asked:
                assert (await front.ask("/again", slow, MOZILLA)).status == 200


async def test_long_tokens_fit(tmp_path: Path) -> None:
    """Somebody with tokens of many kilobytes is not refused by nginx."""
    tokens = ProviderTokens(id_token="i" * 9000, access_token="a" * 9000, refresh_token="r" * 9000)
    principal = principal_of(
        replace_tokens(tokens), token_kinds=ALL["aad"].tokens, with_tokens=True, with_refresh_token=True
    )
    async with fronted(tmp_path, gate=HandMadeGate(known={"jane": principal})) as front:
        shown = await front.shown("/", COOKIE)
    assert [len(value) for name, value in shown["headers"] if name.startswith("x-ms-token")] == [9000] * 3


def replace_tokens(tokens: ProviderTokens) -> Any:
    """Give the identity of the tests with other tokens."""
    return msgspec.structs.replace(IDENTITY, tokens=tokens)


async def test_people_sign_in_and_out_behind_nginx(tmp_path: Path, sqlite_url: str) -> None:
    """The whole way: sent to sign in, at the provider, back to what was asked for, known there, and out again."""
    trust = Trust(entropy=SeededEntropy(), public_url=SITE, trusted_proxies=["127.0.0.1"])
    rules = AdmissionRules(enabled=True, action="RedirectToLoginPage", provider="aad", providers=1)
    everything = [Route(method="*", path="/*", handler=show)]
    async with entrance(sqlite_url, "aad", site=SITE) as one:
        parts = replace(one.parts, trust=trust)
        sign_in = SignIn(parts)
        porter = Porter(
            rules, trust, gate=parts.gate, begin=sign_in.begin_automatically, challenge=lambda _visit, _site: None
        )
        doors = [*api.routes(parts, sign_in), *Check(porter, trust).routes()]
        async with (
            serving(doors, trusted=["127.0.0.1"]) as doorward,
            serving(everything, trusted=["127.0.0.1"]) as application,
            nginx(tmp_path, doorward=doorward.port, application=application.port) as (plain, tls),
        ):
            front: Any = Fronted(plain, tls, HandMadeGate())
            browser = Browser(front, lines=(MOZILLA,))
            sent = await browser.get("/page?x=y")
            assert (sent.status, sent.location) == (302, f"{LOGIN}%2Fpage%3Fx%3Dy")
            begun = await browser.get(sent.location.removeprefix(SITE))
            assert begun.location.startswith(one.provider.url)
            back = await browser.bring(one.provider.consent(begun.location, "jane"))
            assert (back.status, back.location) == (302, "/page?x=y")
            assert "x-ms-client-principal" in (await browser.get(back.location)).body
            assert (await browser.get("/.auth/logout")).status == 302
            assert (await browser.get("/page?x=y")).location == sent.location


async def test_plain_requests_are_sent_to_https(tmp_path: Path) -> None:
    """Nothing is served in plain HTTP."""
    async with fronted(tmp_path) as front:
        reader, writer = await asyncio.open_connection("127.0.0.1", front.plain)
        writer.write(f"GET /a?b HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        answer = Answer.read(await reader.read())
        writer.close()
    assert (answer.status, answer.headers["location"]) == (301, f"{SITE}/a?b")


def test_every_token_header_stands_in_the_file() -> None:
    """A header that we may write is overwritten by nginx, for every provider that we know."""
    text = (DEPLOYED / "protect.conf").read_text()
    kinds = {
        f"X-MS-TOKEN-{spec.name}-{kind}".upper().replace("_", "-") for spec in ALL.values() for kind in spec.tokens
    }
    names = {name.decode() for name, _ in JANE.headers} | kinds
    for name in names:
        header = name.lower().replace("-", "_")
        variable = header.removeprefix("x_ms_").removeprefix("token_")
        assert f"auth_request_set $dw_{variable} $upstream_http_{header};\n" in text
        assert f"proxy_set_header {name} $dw_{variable};\n" in text
