"""Browser sign-in over real HTTP: a provider that does whatever a test tells it, our own endpoints, and browsers.

The provider knows nothing of our client's code: it reads and writes the wire itself, so that both cannot be wrong in
the same way. It speaks HTTP/1.1 for one request a connection, and everything runs in the test's own event loop.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from doorward.base.clock import FrozenClock
from doorward.base.entropy import Entropy, SeededEntropy
from doorward.base.errors import ErrorRow
from doorward.base.secret import Secret
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.easyauth import api
from doorward.easyauth.backchannel import BackChannel
from doorward.easyauth.client_directed import ClientDirected
from doorward.easyauth.login import SignIn
from doorward.easyauth.oauth1_flow import OAuth1Flow
from doorward.easyauth.parts import Parts
from doorward.easyauth.provider_calls import ClientParts
from doorward.easyauth.provider_client import OAuth2Flow
from doorward.easyauth.records import SignInRecords
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Reply, Route
from doorward.keys.discovery import Discovery
from doorward.keys.kept import StoredDocuments
from doorward.keys.provider_keys import ProviderKeys
from doorward.outbound import Outbound
from doorward.protocol.jose_sign import RsaSigner
from doorward.protocol.sealing import Sealer
from doorward.providers import ALL, custom
from doorward.providers.spec import Endpoints
from doorward.sessions.codes import SignInCodes
from doorward.sessions.desk import SessionDesk
from doorward.sessions.gate import Gate
from doorward.sessions.nonce import Nonces
from doorward.sessions.presenting import Presenter
from doorward.sessions.provider_ends import ProviderEnds
from doorward.sessions.rules import SessionRules
from doorward.sessions.session_token import SessionTokens
from doorward.store import Store, audit, open_store
from tests.support import peers
from tests.support.canaries import canary, keep_secret
from tests.support.serving import Serving, serving

NOW = 1_800_000_000.0
TENANT = "11111111-2222-4333-8444-5555aaaabbbb"
CLIENT_ID = "99999999-aaaa-4aaa-8aaa-000000000001"
SITE = "http://app.test"
Pairs = list[tuple[str, str]]


@cache
def signer(number: int = 0) -> RsaSigner:
    """Give one of a few keys, made once."""
    assert number in range(3)
    return RsaSigner.generate()


@dataclass
class Asked:
    """One request that the provider got: method, path, query, headers in lower case, and the form."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]


@dataclass
class Provider:
    """A provider at `url`: people sign in by `consent`, and codes are redeemed at `/token`.

    What a test may turn: `claims` over those of every id_token, `header` over the header's members, `key` the signing
    key, `profile` for `/user`, `answers` whole answers by path, `gate` which holds all answers while it is closed.
    """

    url: str = ""
    claims: dict[str, object] = field(default_factory=dict[str, object])
    header: dict[str, object] = field(default_factory=dict[str, object])
    key: RsaSigner = field(default_factory=signer)
    profile: dict[str, object] = field(default_factory=dict[str, object])
    tokens: dict[str, object] = field(default_factory=dict[str, object])
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Asked] = field(default_factory=list[Asked])
    codes: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])
    issued: int = 0

    def consent(self, address: str, person: str = "jane", **claims: object) -> "Comeback":
        """Let `person` sign in with what an authorization address asks for, and give what the browser brings back."""
        query = dict(parse_qsl(urlsplit(address).query, strict_parsing=True))
        self.issued += 1
        code = keep_secret(f"code-{self.issued}-{canary(person)}")
        known = {
            "iss": self.url,
            "aud": query["client_id"],
            "sub": f"sub-{person}",
            "iat": int(NOW),
            "nbf": int(NOW),
            "exp": int(NOW) + 3600,
            "name": person.title(),
            "email": f"{person}@contoso.com",
            **({"nonce": query["nonce"]} if "nonce" in query else {}),
            **claims,
        }
        self.codes[code] = {**known, "redirect_uri": query["redirect_uri"]}
        pairs: Pairs = []
        wanted = query.get("response_type", "code").split(" ")
        if "code" in wanted:
            pairs.append(("code", code))
        if "id_token" in wanted:
            pairs.append(("id_token", self.id_token(known, code if "code" in wanted else None)))
        pairs.append(("state", query["state"]))
        return Comeback(query["redirect_uri"], pairs, query.get("response_mode", "query"))

    def id_token(self, known: dict[str, object], code: str | None = None, **more: object) -> str:
        """Sign an id_token."""
        hashed = {} if code is None else {"c_hash": half_hash(code)}
        claims = {
            name: value for name, value in {**known, **hashed, **more, **self.claims}.items() if value is not None
        }
        header = {"typ": "JWT", "alg": "RS256", "kid": self.key.kid, **self.header}
        return self.key.sign(header, claims)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        parts = urlsplit(target)
        query, form = dict(parse_qsl(parts.query)), dict(parse_qsl(body.decode()))
        asked = Asked(method, parts.path, query, headers, form)
        self.asked.append(asked)
        await self.gate.wait()
        writer.write(self.answers.get(parts.path) or self.answer_asked(asked) or self._answer(parts.path, form))
        await writer.drain()

    def answer_asked(self, asked: Asked) -> bytes | None:
        """Answer what only some providers are asked; None where the ordinary answer is due."""

    def _answer(self, path: str, form: dict[str, str]) -> bytes:
        match path:
            case "/.well-known/openid-configuration":
                return peers.answer(json.dumps(self.configuration()).encode())
            case "/keys":
                return peers.answer(json.dumps({"keys": [signer().jwk()]}).encode())
            case "/token":
                return self._token(form)
            case "/user":
                return peers.answer(json.dumps(self.profile).encode())
            case _:
                return peers.answer(b"{}", status="404 Not Found")

    def configuration(self) -> dict[str, object]:
        """Give the discovery document."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/user",
            "end_session_endpoint": f"{self.url}/logout",
        }

    def _token(self, form: dict[str, str]) -> bytes:
        granted: dict[str, object] = {"token_type": "Bearer", "expires_in": 3599}
        if form.get("grant_type") == "refresh_token":
            granted |= {"access_token": canary("access-again"), "refresh_token": canary("refresh-again")}
            return peers.answer(json.dumps({**granted, **self.tokens}).encode())
        known = self.codes.pop(form.get("code", ""), None)
        if known is None or known.pop("redirect_uri") != form.get("redirect_uri"):
            return peers.answer(b'{"error": "invalid_grant", "error_description": "no"}', status="400 Bad Request")
        access_token = canary(f"access-{known['sub']}")
        granted |= {"access_token": access_token, "refresh_token": canary(f"refresh-{known['sub']}")}
        granted["id_token"] = self.id_token(known, at_hash=half_hash(access_token))
        granted = {name: value for name, value in {**granted, **self.tokens}.items() if value is not None}
        return peers.answer(json.dumps(granted).encode())

    def requests(self, path: str) -> list[Asked]:
        """Give the requests to one path."""
        return [asked for asked in self.asked if asked.path == path]


@dataclass(frozen=True)
class Comeback:
    """What a browser brings back from the provider: the redirect URI, the parameters, and by which response_mode."""

    redirect_uri: str
    pairs: Pairs
    mode: str

    def changed(self, **changes: str | None) -> "Comeback":
        """Give it with parameters replaced, or taken out by None."""
        kept = [(name, changes.get(name, value)) for name, value in self.pairs]
        added = [(name, value) for name, value in changes.items() if name not in dict(self.pairs)]
        return replace(self, pairs=[(name, value) for name, value in [*kept, *added] if value is not None])

    def value(self, name: str) -> str:
        """Give one parameter."""
        return dict(self.pairs)[name]


def half_hash(text: str) -> str:
    """Give `c_hash` or `at_hash` under RS256 (OpenID Connect Core 3.3.2.11)."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


@dataclass(frozen=True)
class Got:
    """An answer of ours: status, headers in order by lower-case name, body."""

    status: int
    headers: Pairs
    body: str

    def header(self, name: str) -> str:
        """Give the only header of a name."""
        (value,) = [value for known, value in self.headers if known == name]
        return value

    @property
    def location(self) -> str:
        """Give where it leads to."""
        return self.header("location")

    @property
    def code(self) -> str:
        """Give the code of a refusal."""
        return json.loads(self.body)["error"]["code"]

    def cookies(self) -> dict[str, str]:
        """Give the Set-Cookie headers, whole, by the name of the cookie."""
        return {value.partition("=")[0]: value for name, value in self.headers if name == "set-cookie"}


@dataclass
class Browser:
    """A browser: it keeps cookies, and asks us under one host."""

    serving: Serving
    cookies: dict[str, str] = field(default_factory=dict[str, str])
    lines: tuple[str, ...] = ()
    host: str = "app.test"

    async def get(self, path: str, *lines: str, method: str = "GET", body: bytes = b"") -> Got:
        """Ask us."""
        cookie = [f"Cookie: {'; '.join(f'{k}={v}' for k, v in self.cookies.items())}"] if self.cookies else []
        length = [f"Content-Length: {len(body)}"] if body else []
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: {self.host}",
            "Connection: close",
            *cookie,
            *self.lines,
            *lines,
            *length,
        ]
        raw = await self.serving.exchange("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
        top, _, rest = raw.partition(b"\r\n\r\n")
        first, *told = top.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in told)]
        got = Got(int(first.split(" ")[1]), headers, rest.decode())
        for name, cookie_line in got.cookies().items():
            value = cookie_line.partition("=")[2].partition(";")[0]
            if "expires=Thu, 01 Jan 1970" in cookie_line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return got

    async def post(self, path: str, pairs: Pairs, *lines: str) -> Got:
        """Send a form."""
        kind = "Content-Type: application/x-www-form-urlencoded"
        return await self.get(path, kind, *lines, method="POST", body=urlencode(pairs).encode())

    async def bring(self, comeback: Comeback, *lines: str) -> Got:
        """Bring back what the provider said."""
        path = urlsplit(comeback.redirect_uri).path
        if comeback.mode == "form_post":
            return await self.post(path, comeback.pairs, *lines)
        return await self.get(f"{path}?{urlencode(comeback.pairs)}", *lines)

    @property
    def session(self) -> str | None:
        """Give the session cookie."""
        return self.cookies.get("AppServiceAuthSession")


@dataclass
class Entrance:
    """Our endpoints at work, the provider behind them, and all that they are made of."""

    provider: Provider
    serving: Serving
    parts: Parts
    sign_in: SignIn
    store: Store
    clock: FrozenClock
    keys: ProviderKeys
    discovery: Discovery

    def browser(self, *lines: str) -> Browser:
        """Open a browser without cookies; `lines` go with each of its requests."""
        return Browser(self.serving, lines=lines)

    async def sign_in_as(self, browser: Browser, provider: str, person: str = "jane", target: str = "/") -> Got:
        """Go through a whole sign-in."""
        begun = await browser.get(f"/.auth/login/{provider}?{urlencode({'post_login_redirect_uri': target})}")
        assert begun.status == 302, begun
        return await browser.bring(self.provider.consent(begun.location, person))

    async def audited(self, event: str) -> list[dict[str, Any]]:
        """Give the records of one event."""
        rows = await self.store.read(lambda cursor: cursor.all(audit.SINCE_OF_EVENT, 0.0, event))
        return [dict(zip(audit.COLUMNS, row, strict=True)) for row in rows]


def plan_of(provider: Provider, name: str, **changes: Any) -> ProviderPlan:
    """Give the plan of a provider that is the pretend one."""
    spec = ALL[name] if name in ALL else custom(name)
    endpoints = Endpoints(issuer=provider.url)
    if spec.kind == "oauth2":
        endpoints = Endpoints(
            authorization_endpoint=f"{provider.url}/authorize",
            token_endpoint=f"{provider.url}/token",
            userinfo_endpoint=f"{provider.url}/user",
        )
    if spec.kind == "oauth1":
        endpoints = Endpoints(
            request_token_endpoint=f"{provider.url}/oauth/request_token",
            authorization_endpoint=f"{provider.url}/oauth/authenticate",
            access_token_endpoint=f"{provider.url}/oauth/access_token",
            userinfo_endpoint=f"{provider.url}/verify",
        )
    plan = ProviderPlan(
        name=name,
        spec=spec,
        client_id=CLIENT_ID,
        client_secret=Secret(canary(f"client-secret-{name}")),
        endpoints=endpoints,
    )
    return replace(plan, **changes)


def nobody_refused(_plan: ProviderPlan, _raw: object, _identity: object) -> ErrorRow | None:
    """Let everybody in."""
    return None


Turn = Callable[[AuthPlan], AuthPlan]


@asynccontextmanager
async def entrance(
    database_url: str,
    *names: str,
    turn: Turn = lambda plan: plan,
    judge: Any = nobody_refused,
    judge_posted: Any = nobody_refused,
    site: str = SITE,
    profile: str = "current",
    call_timeout: float = 5.0,
    https_site: str | None = None,
    port: int = 0,
    hosts: tuple[str, ...] = (),
    plans: dict[str, dict[str, Any]] | None = None,
    provider: Provider | None = None,
    entropy: Entropy | None = None,
) -> AsyncGenerator[Entrance]:
    """Serve our endpoints with these providers, all of them the pretend one; `turn` changes the plan."""
    provider, clock, entropy = provider or Provider(), FrozenClock(NOW), entropy or SeededEntropy()
    provider.gate.set()
    async with AsyncExitStack() as stack:
        provider.url = f"http://127.0.0.1:{await stack.enter_async_context(peers.listening(provider.talk))}"
        store = await open_store(database_url, auto_migrate=True)
        stack.push_async_callback(store.close)
        providers = {name: plan_of(provider, name, **(plans or {}).get(name, {})) for name in names or ("aad",)}
        plan = turn(AuthPlan(enabled=True, action="RedirectToLoginPage", providers=providers, require_https=False))
        trust = Trust(entropy=entropy, public_url=site, additional_hosts=hosts)
        outbound = Outbound(None, {}, call_timeout=call_timeout)
        keys = ProviderKeys(outbound, StoredDocuments(store, clock), clock, entropy)
        discovery = Discovery(outbound, StoredDocuments(store, clock), clock, entropy)
        discovery.watch(plan.providers)
        presenter = Presenter(plan, profile=profile, redact=False, with_refresh_token=True)
        rules = SessionRules(cookie_lifetime=plan.cookie_lifetime)
        desk = SessionDesk(store, clock, entropy, sealer=Sealer(bytes(32), "sessions"), rules=rules, present=presenter)
        tokens = SessionTokens(bytes(64), sites=[site], hide_deprecated_sid=False)
        gate = Gate(desk, tokens, presenter, clock)
        client = ClientParts(
            outbound=outbound,
            discovery=discovery,
            keys=keys,
            clock=clock,
            entropy=entropy,
            legacy_claims=True,
            profile=profile,
        )
        flow = OAuth2Flow(client)
        parts = Parts(
            plan=plan,
            profile=profile,
            trust=trust,
            clock=clock,
            flows={"oidc": flow, "oauth2": flow, "oauth1": OAuth1Flow(client)},
            nonces=Nonces(
                store, clock, entropy, sealer=Sealer(bytes(32), "pending sign-ins"), lifetime=plan.nonce_lifetime
            ),
            desk=desk,
            gate=gate,
            tokens=tokens,
            codes=SignInCodes(store, clock, entropy, sealer=Sealer(bytes(32), "sign-in codes")),
            judge=judge,
            records=SignInRecords(store, clock),
        )
        sign_in = SignIn(parts)
        posting = ClientDirected(parts, client, judge_posted)
        told = BackChannel(parts, client, ProviderEnds(store, desk.notices))
        routes = [*api.routes(parts, sign_in, [*posting.routes(), *told.routes()]), *_protected(parts, sign_in)]
        listener = await stack.enter_async_context(
            serving(routes, envelopes=api.envelopes(plan, https_site), port=port)
        )
        yield Entrance(provider, listener, parts, sign_in, store, clock, keys, discovery)


def _protected(parts: Parts, sign_in: SignIn) -> list[Route]:
    """Give protected pages, which say who is there, or begin a sign-in by themselves."""

    async def answer(visit: Visit, _body: bytes) -> Reply:
        session = (await parts.gate.recognise(visit)).session
        if session is not None:
            return Reply(200, f"<title>{session.user_id}</title>".encode(), ((b"content-type", b"text/html"),))
        provider = parts.plan.provider or next(iter(parts.plan.providers))
        return await sign_in.begin_automatically(visit, parts.site(visit), provider)

    return [Route(method="GET", path=path, handler=answer) for path in ("/", "/protected", "/other")]


def query_of(address: str) -> dict[str, list[str]]:
    """Give the parameters of an address."""
    return parse_qs(urlsplit(address).query)
