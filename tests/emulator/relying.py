"""An application that signs people in at the emulator, and the browser in front of it, over requests."""

import asyncio
import re
from collections.abc import Mapping
from html import unescape
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import jwt
import requests

from doorward.emulator.clients import Client
from doorward.emulator.settings import clients_of

SITE = "http://127.0.0.1:8080"
CLIENTS: dict[str, Client] = {client.provider: client for client in clients_of([SITE])}
AUTHORIZE = {
    "aad": "/common/oauth2/v2.0/authorize",
    "aad1": "/common/oauth2/authorize",
    "google": "/google/o/oauth2/v2/auth",
    "github": "/github/login/oauth/authorize",
    "contoso": "/oidc/contoso/authorize",
}
OTHERS = {
    "facebook": ("/facebook/dialog/oauth", "/facebook/graph/oauth/access_token"),
    "microsoftaccount": ("/live/oauth20_authorize.srf", "/live/oauth20_token.srf"),
    "apple": ("/apple/auth/authorize", "/apple/auth/token"),
}
TOKEN = {
    "aad": "/common/oauth2/v2.0/token",
    "aad1": "/common/oauth2/token",
    "google": "/google/token",
    "github": "/github/login/oauth/access_token",
    "contoso": "/oidc/contoso/token",
}
LOGOUT = {
    "aad": "/common/oauth2/v2.0/logout",
    "aad1": "/common/oauth2/logout",
    "google": "/google/logout",
    "github": "/github/logout",
    "contoso": "/oidc/contoso/logout",
}
JANE = "jane@contoso.com"
_INPUT = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_ACTION = re.compile(r'<form method="post" action="([^"]*)">')


def authorize_at(provider: str) -> str:
    """Give where a provider signs people in."""
    return AUTHORIZE.get(provider) or OTHERS[provider][0]


def token_at(provider: str) -> str:
    """Give where a provider gives tokens."""
    return TOKEN.get(provider) or OTHERS[provider][1]


def alias(provider: str) -> str:
    """Give the provider of a set of doors."""
    return provider.removesuffix("1")


class RelyingParty:
    """Speaks to the emulator at `url`; what a browser keeps, it keeps."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.browser = requests.Session()
        self.browser.trust_env = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def request(self, provider: str, **changes: Any) -> dict[str, str]:
        """Give the parameters of a good authorization request; None takes one away."""
        good: dict[str, Any] = {
            "response_type": "code",
            "client_id": CLIENTS[alias(provider)].client_id,
            "redirect_uri": self.callback(provider),
            "scope": "openid profile email",
            "state": "redir=%2F",
            "nonce": "n-1",
        }
        return {name: value for name, value in (good | changes).items() if value is not None}

    def callback(self, provider: str) -> str:
        """Give the registered address."""
        return f"{SITE}/.auth/login/{alias(provider)}/callback"

    async def get(self, address: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """Get an address without following redirects."""
        return await asyncio.to_thread(
            self.browser.get, urljoin(self.url, address), headers=headers, allow_redirects=False, timeout=30
        )

    async def post(self, address: str, form: Mapping[str, str] | str | None = None, **more: Any) -> requests.Response:
        """Post a form without following redirects."""
        return await asyncio.to_thread(
            self.browser.post, urljoin(self.url, address), data=form, allow_redirects=False, timeout=30, **more
        )

    async def begin(self, provider: str, headers: Mapping[str, str] | None = None, **changes: Any) -> requests.Response:
        """Send the browser to the provider."""
        return await self.get(f"{authorize_at(provider)}?{urlencode(self.request(provider, **changes))}", headers)

    async def sign_in(self, provider: str, email: str = JANE, faults: str = "", **changes: Any) -> dict[str, str]:
        """Sign in as a script does, and give what came back to the application."""
        headers = {"X-Emulator-Person": email, "X-Emulator-Faults": faults}
        return returned(await self.begin(provider, headers, **changes))

    async def redeem(self, provider: str, code: str | None, /, **changes: Any) -> requests.Response:
        """Redeem a code; None takes a parameter away."""
        client = CLIENTS[alias(provider)]
        good: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback(provider),
            "client_id": client.client_id,
            "client_secret": client.client_secret,
        }
        form = {name: value for name, value in (good | changes).items() if value is not None}
        return await self.post(token_at(provider), form, headers={"Accept": "application/json"})

    async def refresh(self, provider: str, token: str, /, **changes: Any) -> requests.Response:
        """Refresh."""
        more: dict[str, Any] = {
            "grant_type": "refresh_token", "refresh_token": token, "code": None, "redirect_uri": None,
        }  # fmt: skip
        return await self.redeem(provider, "", **(more | changes))

    async def tokens(self, provider: str, email: str = JANE, faults: str = "", **changes: Any) -> dict[str, Any]:
        """Sign in and redeem; gives the tokens."""
        back = await self.sign_in(provider, email, faults, **changes)
        answer = await self.redeem(provider, back["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()


def returned(answer: requests.Response) -> dict[str, str]:
    """Give the parameters that go back to the application, by redirect or by a form; asserts that they do."""
    if answer.status_code == 302:
        parts = urlsplit(answer.headers["Location"])
        assert f"{parts.scheme}://{parts.netloc}" == SITE
        assert not (parts.query and parts.fragment)
        return {**dict(parse_qsl(parts.query or parts.fragment)), "": "#" if parts.fragment else "?"}
    assert answer.status_code == 200, answer.text
    (action,) = _ACTION.findall(answer.text)
    assert unescape(action).startswith(SITE)
    return {unescape(name): unescape(value) for name, value in _INPUT.findall(answer.text)} | {"": "form"}


def claims_of(token: str) -> dict[str, Any]:
    """Read a token's claims without looking at its signature."""
    return jwt.decode(token, options={"verify_signature": False})
