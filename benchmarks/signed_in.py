"""People who are signed in already: a configuration with Easy Auth, their sessions in the database, their cookies.

Sessions are made by the service's own code, as a sign-in leaves them; only the provider is spared. The provider is
GitHub, which publishes no keys that the service would want to fetch.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from benchmarks.crowd import Person
from doorward.base.clock import SystemClock
from doorward.config.loading import Options, load
from doorward.house import open_back_office
from doorward.identity.claims import Claim
from doorward.identity.person import Identity, ProviderTokens, ticks
from doorward.sessions.desk import SessionDesk
from doorward.sessions.presenting import Presenter
from doorward.sessions.rules import rules_of

COOKIE = "AppServiceAuthSession"
HOST = "localhost"
_AT_ONCE = 200
_CONFIG = """
[server]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin}"
public_url = "http://{host}"
trusted_proxies = [{trusted}]
access_log = false
workers = {workers}

[database]
url = "{url}"

[secrets]
encryption_key = "b3a1c5d7e9f1032547698badcfe0123456789abcdef0123456789abcdef01234"
signing_key = "a4b2c6d8eaf2132547698badcfe0123456789abcdef0123456789abcdef01235"

[easyauth]
allowed_domains = ["contoso.com"]

[auth.platform]
enabled = {enabled}

[auth.globalValidation]
requireAuthentication = true
unauthenticatedClientAction = "RedirectToLoginPage"
redirectToProvider = "github"

[auth.httpSettings]
requireHttps = false

[auth.identityProviders.gitHub.registration]
clientId = "github-id"
clientSecretSettingName = "GITHUB_SECRET"

[auth.login.tokenStore]
enabled = true

{app}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How the service is to run; `upstream` is the application behind it, None where it stands behind a proxy."""

    port: int
    url: str
    upstream: str | None = None
    workers: int = 1
    enabled: bool = True

    def write(self, directory: Path) -> Path:
        """Write the configuration and give its file."""
        file = directory / f"doorward-{self.port}.toml"
        app = "" if self.upstream is None else f'[app]\nupstream = ["{self.upstream}"]\n'
        values = {
            "port": self.port,
            "admin": self.port + 1,
            "host": HOST,
            "url": self.url,
            "trusted": '"127.0.0.1/32"' if self.upstream is None else "",
            "workers": self.workers,
            "enabled": str(self.enabled).lower(),
            "app": app,
        }
        file.write_text(_CONFIG.format_map(values))
        return file


ENVIRONMENT = {"GITHUB_SECRET": "made-up-secret-of-the-benchmark"}


def sign_in(file: Path, people: range) -> list[str]:
    """Sign people in by the configuration in `file`; gives the value of each one's cookie."""
    return asyncio.run(_sign_in(file, people))


async def _sign_in(file: Path, people: range) -> list[str]:
    settings = load(Options(purpose="serve", config=str(file), environment=ENVIRONMENT))
    plan = settings.auth.plan
    if plan is None:
        raise RuntimeError("the configuration has no auth tree")
    async with open_back_office(settings) as back:
        await back.load_ring()
        presenter = Presenter(plan, profile=settings.easyauth.profile, redact=False, with_refresh_token=False)
        desk = SessionDesk(
            back.store,
            back.clock,
            back.entropy,
            sealer=back.secrets.session_sealer(),
            rules=rules_of(plan, settings.easyauth.store_grace),
            present=presenter,
        )
        cookies: list[str] = []
        for first in range(people.start, people.stop, _AT_ONCE):
            share = range(first, min(first + _AT_ONCE, people.stop))
            begun = await asyncio.gather(*(desk.start(identity_of(number), back.clock.now()) for number in share))
            cookies += [cookie for cookie, _ in begun]
        return cookies


def identity_of(number: int) -> Identity:
    """Give what GitHub says of somebody: as many claims as it really sends, and a token of its length."""
    person = Person(number)
    claims = {
        "urn:github:login": f"person-{number}",
        "urn:github:name": person.name,
        "urn:github:url": f"https://api.github.com/users/person-{number}",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier": str(10_000_000 + number),
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name": f"person-{number}",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": person.email,
        "urn:github:avatar_url": f"https://avatars.githubusercontent.com/u/{10_000_000 + number}?v=4",
        "urn:github:type": "User",
    }
    return Identity(
        provider="github",
        user_id=person.email,
        subject=str(10_000_000 + number),
        principal_id=person.oid,
        name_typ="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        claims=tuple(Claim(typ, val) for typ, val in claims.items()),
        tokens=ProviderTokens(
            access_token=f"gho_{person.platform_token[:36]}", expires_on=ticks(SystemClock().now() + 8 * 3600)
        ),
    )


def browser_request(cookie: str, path: str = "/") -> bytes:
    """Write a GET as a browser does: 16 headers, about 2.2 KB with its cookies."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in browser_headers(cookie).items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


def brief_request(cookie: str) -> bytes:
    """Write a GET with the session cookie and nothing else."""
    return f"GET / HTTP/1.1\r\nHost: {HOST}\r\nCookie: {COOKIE}={cookie}\r\n\r\n".encode()


def check_request(cookie: str) -> bytes:
    """Write the question of a proxy about such a request, as deploy/nginx has it."""
    asked = {
        "X-Original-Method": "GET",
        "X-Original-URL": f"http://{HOST}/",
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": HOST,
        "X-Request-ID": "0123456789abcdef0123456789abcdef",
    }
    headers = {**browser_headers(cookie), **asked}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != "Connection")
    return f"GET /.auth/check HTTP/1.1\r\n{lines}\r\n".encode()


def browser_headers(cookie: str, name: str = COOKIE) -> dict[str, str]:
    """Give the headers of that request, with the session cookie among those of the application.

    `name` is that of another service's cookie.
    """
    return {
        "Host": HOST,
        "Connection": "keep-alive",
        "Cache-Control": "max-age=0",
        "sec-ch-ua": '"Chromium";v="141", "Not?A_Brand";v="8"',
        "sec-ch-ua-mobile": "?0",
        "sec-ch-ua-platform": '"Linux"',
        "Upgrade-Insecure-Requests": "1",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 "
        "Safari/537.36",
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
        "Sec-Fetch-Site": "same-origin",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Referer": f"http://{HOST}/somewhere/else",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Accept-Language": "en-GB,en;q=0.9",
        "Cookie": f"theme=dark; {name}={cookie}; _app={'x' * 1300}",
    }
