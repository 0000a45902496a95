"""A small HTTP client for tests: it speaks to this machine only, and sends a pretend person's tokens.

It knows no redirects, cookies or proxies, and hands over what came, whatever the status: a test wants to look at it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from doorward.base.loopback import is_loopback_host

TIMEOUT = 30.0
_AUTH_SERVICE = "/auth-service/"


class TokenPair(NamedTuple):
    """What the exchange gives: the JWT for `/auth-service`, and the opaque token for the platform's own APIs."""

    access_token: str
    platform_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back; header names are lower-case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """Give the body as UTF-8 text."""
        return self.content.decode()

    def json(self) -> Any:
        """Give the body as what its JSON says; raises `ValueError` when it is none."""
        return json.loads(self.content)


def call(method: str, url: str, headers: Mapping[str, str] | None = None, content: bytes | None = None) -> Response:
    """Send one request to an `http:` address of this machine and give the answer.

    Raises `ValueError` for an address elsewhere, `OSError` or `http.client.HTTPException` when no answer comes.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not is_loopback_host(parts.hostname or ""):
        raise ValueError(f"a test speaks to this machine only, not to {parts.scheme}://{parts.hostname}")
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, content, dict(headers or {}))
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Response(status_code=response.status, headers=received, content=response.read())
    finally:
        connection.close()


class SignedInClient:
    """Sends requests as a pretend person.

    Paths below `/auth-service` get the `access_token`, everything else the opaque platform token, as the contract has
    it (token-exchange reference 1.10). A path is one of `base_url`; a whole address may name any port of this machine,
    such as that of the app under test.
    """

    def __init__(self, base_url: str, tokens: TokenPair) -> None:
        """Send `tokens` with every request."""
        self.base_url = base_url
        self.tokens = tokens

    @property
    def headers(self) -> dict[str, str]:
        """Give the header that makes a request to the app under test that of the person, for other test clients."""
        return {"Authorization": f"Bearer {self.tokens.platform_token}"}

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send a GET."""
        return self.request("GET", url, headers)

    def post(self, url: str, headers: Mapping[str, str] | None = None, *, json: object = None) -> Response:
        """Send a POST, with `json` as its body unless that is None."""
        return self.request("POST", url, headers, json=json)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, *, json: object = None
    ) -> Response:
        """Send a request; `headers` count more than the person's. Raises as `call` does."""
        whole = urljoin(self.base_url, url)
        sent = {"Authorization": f"Bearer {self._token_for(whole)}"}
        content = None
        if json is not None:
            sent["Content-Type"], content = "application/json", encode(json)
        return call(method, whole, sent | dict(headers or {}), content)

    def _token_for(self, url: str) -> str:
        is_ours = urlsplit(url).path.startswith(_AUTH_SERVICE) and url.startswith(f"{self.base_url}/")
        return self.tokens.access_token if is_ours else self.tokens.platform_token


def encode(value: object) -> bytes:
    """Write JSON as a body."""
    return json.dumps(value).encode()
