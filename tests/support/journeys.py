"""Journeys through `doorward dev`: the program as a process, and a browser without a screen in front of it.

The browser keeps one jar for each host, as real ones do: cookies do not tell ports apart. It follows redirects, and
posts the forms that pages post by themselves.
"""

import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from doorward.emulator.messages import MINT_PATH, MintRequest
from doorward.protocol.easyauth import SESSION_COOKIE
from doorward.testing.caller import Response, call
from tests.support.canaries import keep_secret
from tests.support.programs import Program, free_ports, start_doorward

JANE = "jane@contoso.com"
MOZILLA = "Mozilla/5.0 (X11; Linux x86_64)"
_INPUT = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_ACTION = re.compile(r'<form (?:id="again" )?method="post" action="([^"]*)">')
_MOST_STEPS = 12


@dataclass(frozen=True)
class Landing:
    """Where a journey ended: the address, the answer there, and every address on the way."""

    url: str
    answer: Response
    way: tuple[str, ...]

    @property
    def code(self) -> str:
        """Give the code of a refusal, from the page or from JSON."""
        found = re.search(r"Code <code>([a-z_]+)</code>", self.answer.text)
        return found.group(1) if found else self.answer.json()["error"]["code"]


@dataclass
class Tab:
    """A browser without a screen; `headers` go with each of its requests."""

    headers: Mapping[str, str] = field(default_factory=lambda: {"User-Agent": MOZILLA, "Accept": "text/html"})
    jars: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        """Send one request and keep the cookies that come back."""
        jar = self.jars.setdefault(urlsplit(url).hostname or "", {})
        sent = {**self.headers, **(headers or {})}
        if jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        got = call(method, url, sent, body)
        for line in got.set_cookies:
            for name, morsel in SimpleCookie(line).items():
                jar.pop(name, None)
                if not morsel["expires"].startswith("Thu, 01 Jan 1970"):
                    jar[name] = morsel.value
        return got

    def go(self, url: str, headers: Mapping[str, str] | None = None) -> Landing:
        """Open an address and follow wherever it leads; `headers` go along on the whole way."""
        method, body, way, more = "GET", None, [url], dict(headers or {})
        for _ in range(_MOST_STEPS):
            got = self.ask(method, way[-1], more, body)
            inputs, actions = _INPUT.findall(got.text), _ACTION.findall(got.text)
            if got.status_code in {302, 303}:
                way.append(urljoin(way[-1], got.headers["location"]))
                method, body, more = "GET", None, dict(headers or {})
            elif got.status_code == 200 and "form_post" not in way[-1] and not (inputs and actions):
                return Landing(way[-1], got, tuple(way))
            elif inputs and len(actions) == 1:
                parts = urlsplit(way[-1])
                more |= {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Origin": f"{parts.scheme}://{parts.netloc}",
                }
                way.append(urljoin(way[-1], unescape(actions[0])))
                method, body = "POST", urlencode([(unescape(name), unescape(value)) for name, value in inputs]).encode()
            else:
                return Landing(way[-1], got, tuple(way))
        raise AssertionError(f"led on and on: {way}")

    def session_of(self, host: str = "127.0.0.1") -> str:
        """Give the session cookie."""
        return keep_secret(self.jars[host][SESSION_COOKIE])


@dataclass(frozen=True)
class Dev:
    """A running `doorward dev`: its public address and that of the pretend providers."""

    program: Program
    site: str
    emulator: str
    prefix: str = "/.auth"

    def sign_in(
        self,
        tab: Tab,
        provider: str,
        *,
        person: str = JANE,
        faults: Sequence[str] = (),
        target: str = "/api/whoami",
        more: Mapping[str, str] | None = None,
    ) -> Landing:
        """Sign in with a provider and go where that leads; without `person` nobody is chosen on the provider's page."""
        query = urlencode({"post_login_redirect_uri": target, **(more or {})})
        chosen = {"X-Emulator-Person": person, "X-Emulator-Faults": ", ".join(faults)} if person else {}
        return tab.go(f"{self.site}{self.prefix}/login/{provider}?{query}", chosen)

    def post_json(self, tab: Tab, path: str, value: object) -> Response:
        """Post JSON to the service."""
        kind = {"Content-Type": "application/json", "Accept": "application/json"}
        return tab.ask("POST", self.site + path, kind, json.dumps(value).encode())

    def tell(self, path: str, value: object) -> Any:
        """Tell the pretend providers something."""
        got = call("POST", self.emulator + path, {"Content-Type": "application/json"}, json.dumps(value).encode())
        assert got.status_code == 200, got
        return got.json()

    def minted(self, provider: str, kind: str = "id_token", **how: Any) -> dict[str, str]:
        """Have a token minted, and give what was told."""
        wish = MintRequest(provider=provider, kind=kind, email=JANE, **how)  # pyright: ignore[reportArgumentType] - one of the two kinds
        told = self.tell(MINT_PATH, json.loads(wish.to_json()))
        for value in told.values():
            keep_secret(value)
        return told


@contextmanager
def running_dev(
    directory: Path, *arguments: str, prefix: str = "/.auth", env: Mapping[str, str] | None = None
) -> Generator[Dev]:
    """Run `doorward dev` on free ports, with its data in `directory`, until the `with` statement ends."""
    port = free_ports(4)
    command = ("dev", "--port", str(port), *arguments)
    with start_doorward(*command, cwd=directory, env=env, prints_secrets=True) as program:
        program.wait_for_url(f"http://127.0.0.1:{port + 1}/readyz")
        program.wait_until(lambda: program.stdout.count("-" * 100) == 2, "the whole box")
        yield Dev(program, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 2}", prefix)
