"""A small HTTP client for tests: it speaks to this machine only, and sends what makes a request a pretend person's.

It follows no redirect, keeps no cookie but the one of a session, knows no proxy, and hands over what came, whatever the
status: a test wants to look at it.
"""

import json
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from doorward.base.frozen import frozen
from doorward.base.loopback import is_loopback_host
from doorward.protocol.easyauth import SESSION_COOKIE

TIMEOUT = 30.0
_AUTH_SERVICE = "/auth-service/"


class TokenPair(NamedTuple):
    """What the exchange gives: the JWT for `/auth-service`, and the opaque token for the platform's own APIs."""

    access_token: str
    platform_token: str


@frozen
class Response:
    """What came back; header names are lower-case. `set_cookies` are the values of every Set-Cookie."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    set_cookies: tuple[str, ...] = ()

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
        cookies = tuple(response.headers.get_all("Set-Cookie", []))
        content = response.read()
        return Response(status_code=response.status, headers=received, content=content, set_cookies=cookies)
    finally:
        connection.close()


class Client:
    """Sends requests as nobody; a path is one of `base_url`, a whole address may name any port of this machine."""

    def __init__(self, base_url: str) -> None:
        """Send requests to `base_url`, an origin."""
        self.base_url = base_url

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Response:
        """Send a GET."""
        return self.request("GET", url, headers)

    def post(self, url: str, headers: Mapping[str, str] | None = None, *, json: object = None) -> Response:
        """Send a POST, with `json` as its body unless that is None."""
        return self.request("POST", url, headers, json=json)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, *, json: object = None
    ) -> Response:
        """Send a request; `headers` count more than what is sent by itself. Raises as `call` does."""
        whole = urljoin(self.base_url, url)
        sent = self._own_headers(whole)
        content = None
        if json is not None:
            sent["Content-Type"], content = "application/json", encode(json)
        return call(method, whole, sent | dict(headers or {}), content)

    def _own_headers(self, url: str) -> dict[str, str]:
        """Give what goes with a request to an address without anybody asking."""
        del url
        return {}


class SignedInClient(Client):
    """Sends requests as a pretend person, to each door with the credential that is meant for it.

    Paths below `/auth-service` get the `access_token` (token-exchange reference 1.10), every other path of `base_url`
    the session cookie of the gateway, and other addresses, such as that of the app under test, the opaque platform
    token. The person signs in when a credential is first needed.
    """

    def __init__(
        self,
        base_url: str,
        tokens: TokenPair | Callable[[], TokenPair],
        session: Callable[[], str] | None = None,
        identity: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        """Send `tokens`, or those that it gives when they are wanted, and the session cookie that `session` gives.

        Without `session` the gateway's paths get the platform token. `identity` gives the headers that the gateway
        hands an app for a session cookie.
        """
        super().__init__(base_url)
        self._tokens = tokens
        self._session = session
        self._identity = identity
        self._cookie: str | None = None

    @property
    def tokens(self) -> TokenPair:
        """Give the platform tokens of the person, who signs in with the exchange where that has not happened."""
        if not isinstance(self._tokens, TokenPair):
            self._tokens = self._tokens()
        return self._tokens

    @property
    def headers(self) -> dict[str, str]:
        """Give the header that makes a request to an API that of the person, by the platform token."""
        return {"Authorization": f"Bearer {self.tokens.platform_token}"}

    @property
    def session_cookie(self) -> str:
        """Give the value of the cookie `AppServiceAuthSession`, for browsers and other clients of the gateway."""
        if self._session is None:
            raise LookupError("this client has no session at the gateway")
        if self._cookie is None:
            self._cookie = self._session()
        return self._cookie

    @property
    def session_headers(self) -> dict[str, str]:
        """Give the header that makes a request to the gateway that of the person, for clients of one's own."""
        return {"Cookie": f"{SESSION_COOKIE}={self.session_cookie}"}

    @property
    def identity_headers(self) -> dict[str, str]:
        """Give the `X-MS-*` headers that the app gets for the person, for test clients that go past the gateway."""
        if self._identity is None:
            raise LookupError("this client has no session at the gateway")
        return dict(self._identity(self.session_cookie))

    def _own_headers(self, url: str) -> dict[str, str]:
        is_ours = url.startswith(f"{self.base_url}/")
        if is_ours and urlsplit(url).path.startswith(_AUTH_SERVICE):
            return {"Authorization": f"Bearer {self.tokens.access_token}"}
        return self.session_headers if is_ours and self._session is not None else self.headers


def encode(value: object) -> bytes:
    """Write JSON as a body."""
    return json.dumps(value).encode()
