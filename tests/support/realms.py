"""A whole sign-in for doors to stand in: one database, one provider, one person who is signed in, real time.

Every door of a test works on the same database, so the same cookie opens all of them. The service itself runs in the
test's event loop, as the reverse proxy and as what other proxies ask; behind it stands an application that shows what
it got.
"""

import asyncio
import json
import re
import ssl
from base64 import b64decode
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.config.loading import Options, load
from doorward.config.settings import Settings
from doorward.gateway.listener import PublicListener
from doorward.house import build_front, new_metrics, open_back_office
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply, Route
from doorward.inbound.listen import Listener, bind
from tests.support import peers
from tests.support.canaries import canary, keep_secret
from tests.support.houses import _answering, prepare_database
from tests.support.serving import serving
from tests.support.sign_in import CLIENT_ID, Browser, Provider

HOST = "app.example.com"
SITE = f"https://{HOST}"
LOGIN = f"{SITE}/.auth/login/aad?post_login_redirect_uri="
MOZILLA = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)"
EXCLUDED = ["/public/*", "/health"]
SECRET = "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET"
OVER_TLS = ("X-Forwarded-Proto: https",)


@dataclass(frozen=True)
class Answer:
    """A response as it came: status, headers by lower-case name in order, body without chunks."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def read(cls, raw: bytes) -> "Answer":
        """Read one whole response of a connection that has ended; hints before it are passed over."""
        head, _, body = raw.partition(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 1"):
            head, _, body = body.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        if ("transfer-encoding", "chunked") in headers:
            body = _unchunked(body)
        return cls(int(first.split(" ")[1]), headers, body)

    def header(self, name: str) -> str | None:
        """Give the first header of a name."""
        return next((value for known, value in self.headers if known == name), None)

    @property
    def shown(self) -> dict[str, Any]:
        """Give what the application got, as it says."""
        return json.loads(self.body)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Give what the application was told of the caller, in every spelling an identity header could have."""
        return sorted((name, value) for name, value in self.shown["headers"] if re.match(r"x[^a-z0-9]ms", name))


def _unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        whole, body = whole + body[:length], body[length + 2 :]
        if not length:
            break
    return whole


async def send_raw(port: int, sent: bytes, *, tls: bool = False) -> bytes:
    """Send bytes on a connection of their own, and give what comes back until it is closed."""
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=HOST if tls else None
    )
    writer.write(sent)
    try:
        return await reader.read()
    finally:
        writer.close()


def request(method: str, path: str, *lines: str, body: bytes = b"", host: str = HOST) -> bytes:
    """Write a request that ends its connection."""
    length = [f"Content-Length: {len(body)}"] if body or method in {"POST", "PUT"} else []
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines, *length]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class Realm:
    """A service at work, the provider behind it, and somebody who is signed in.

    `port` is the service's, `app_port` that of the application; `told` is what an application is told of who is signed
    in, `told_of_bearer` of whose bearer comes, sorted, with lower-case names.
    """

    settings: Settings
    provider: Provider
    port: int
    app_port: int
    cookie: str = ""
    bearer: str = ""
    told: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    told_of_bearer: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    tls: bool = False

    async def exchange(self, sent: bytes) -> bytes:
        """Ask the service, for a `Browser`."""
        return await send_raw(self.port, sent, tls=self.tls)

    def browser(self) -> Browser:
        """Give a browser without cookies, at the service's own door."""
        who: Any = self
        return Browser(who, lines=(MOZILLA, *OVER_TLS), host=HOST)

    async def signed_in(self, person: str = "jane", **claims: object) -> Browser:
        """Give the browser of somebody who has just signed in."""
        browser = self.browser()
        begun = await browser.get("/.auth/login/aad")
        comeback = self.provider.consent(begun.location, person, **times(), **claims)
        assert (await browser.bring(comeback, "Origin: null")).status == 302
        assert browser.session
        keep_secret(browser.session)
        return browser

    def bearer_of(self, person: str = "jane", **claims: object) -> str:
        """Give an id_token of the provider as a bearer."""
        known: dict[str, object] = {"iss": self.provider.url, "aud": CLIENT_ID, "sub": f"sub-{person}", **times()}
        known |= {"email": f"{person}@contoso.com", "oid": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"}
        return keep_secret(self.provider.id_token({**known, **claims}))


def times() -> dict[str, object]:
    """Give the claims of time of a token that was made now."""
    now = int(SystemClock().now())
    return {"iat": now, "nbf": now - 5, "exp": now + 3600}


def settings_of(database_url: str, provider_url: str, **given: object) -> Settings:
    """Give settings of `serve` for a site behind trusted proxies on this machine; `given` with `__` for the point."""
    action = given.pop("action", "RedirectToLoginPage")
    tree: dict[str, Any] = {
        "globalValidation": {"unauthenticatedClientAction": action, "excludedPaths": EXCLUDED},
        "identityProviders": {
            "azureActiveDirectory": {
                "registration": {
                    "openIdIssuer": provider_url, "clientId": CLIENT_ID, "clientSecretSettingName": SECRET,
                },
            }
        },
    }  # fmt: skip
    presets: dict[str, object] = {
        "server.public_url": SITE,
        "server.trusted_proxies": ["127.0.0.1/32"],
        "database.url": database_url,
        "secrets.encryption_key": "e1" * 32,
        "secrets.signing_key": "51" * 32,
        **{name.replace("__", "."): value for name, value in given.items()},
    }
    return load(Options(presets=presets, auth_tree=tree, environment={SECRET: canary("realm-client-secret")}))


async def show(visit: Visit, body: bytes) -> Reply:
    """Answer as an application that shows what it got; `/401` answers with a refusal of its own."""
    got = [(name.decode(), value.decode("latin-1")) for name, value in visit.raw_headers]
    shown = {"method": visit.method, "path": visit.path, "query": visit.query, "headers": got, "body": body.decode()}
    return Reply(401 if visit.path == "/401" else 200, json.dumps(shown).encode())


@asynccontextmanager
async def realm(database_url: str, **given: object) -> AsyncGenerator[Realm]:
    """Run the service with its provider and its application, and sign jane in."""
    provider = Provider()
    provider.gate.set()
    everything = [Route(method="*", path="/*", handler=show, max_body=1 << 20)]
    async with AsyncExitStack() as stack:
        provider.url = f"http://127.0.0.1:{await stack.enter_async_context(peers.listening(provider.talk))}"
        application = await stack.enter_async_context(serving(everything, trusted=["127.0.0.1"]))
        upstream = {"app__upstream": f"http://127.0.0.1:{application.port}"}
        settings = settings_of(database_url, provider.url, **given)
        await prepare_database(database_url)
        service = settings_of(database_url, provider.url, **given, **upstream)
        back = await stack.enter_async_context(open_back_office(service, SystemClock(), SystemEntropy()))
        await back.load_ring()
        await back.load_registrations()
        front = build_front(back, service, new_metrics(back.clock))
        stack.push_async_callback(front.finish)
        listening = bind("127.0.0.1:0")
        listener = Listener(name="public", socket=listening, connect=PublicListener(front.site).connect)
        await stack.enter_async_context(_answering(listener, back.clock))
        one = Realm(settings, provider, listening.getsockname()[1], application.port)
        await _sign_in(one)
        yield one


async def _sign_in(one: Realm) -> None:
    browser = await one.signed_in()
    one.cookie = "Cookie: " + "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    one.bearer = f"Authorization: Bearer {one.bearer_of()}"
    one.told, one.told_of_bearer = [await _told(one, line) for line in (one.cookie, one.bearer)]
    principal = json.loads(b64decode(dict(one.told)["x-ms-client-principal"]))
    assert principal["auth_typ"] == "aad"


async def _told(one: Realm, credential: str) -> list[tuple[str, str]]:
    answer = Answer.read(await send_raw(one.port, request("GET", "/", credential, MOZILLA, *OVER_TLS)))
    assert answer.status == 200, answer
    return answer.told


class DoorAtWork(Protocol):
    """A door with an application behind it."""

    async def ask(self, method: str, path: str, *lines: str, body: bytes = b"") -> Answer:
        """Send a request as a client of the site would."""
        ...


@dataclass
class PortDoor:
    """A door at a port of this machine; `lines` go with each request."""

    port: int
    lines: tuple[str, ...] = OVER_TLS
    tls: bool = False

    async def ask(self, method: str, path: str, *lines: str, body: bytes = b"") -> Answer:
        """Send a request on a connection of its own."""
        return Answer.read(
            await send_raw(self.port, request(method, path, *self.lines, *lines, body=body), tls=self.tls)
        )


def login_address(target: str) -> str:
    """Give the address at which somebody signs in who asked for `target`."""
    return LOGIN + quote(target, safe="")
