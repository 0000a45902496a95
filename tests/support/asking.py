"""A client that asks a server one thing on a connection of its own, and reads the answer as it comes.

Speaks HTTP/1.1 over a plain socket, so that nothing stands between a test and the bytes of an answer.
"""

import asyncio
import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

LOGIN = "/auth-service/api/v2/sso/microsoft/azure-token-login"
REFRESH = "/auth-service/api/v2/users/refresh-access-token"
ME = "/auth-service/api/v2/users/me"
LOGOUT = "/auth-service/api/v2/users/logout"
INTROSPECT = "/auth-service/oauth2/introspect"
REVOKE = "/auth-service/oauth2/revoke"
JWKS = "/auth-service/oauth2/jwks"
FORM = "application/x-www-form-urlencoded"

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: status, headers by lower-case name, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Give the body as JSON."""
        return json.loads(self.body)

    @property
    def data(self) -> dict[str, Any]:
        """Give `data` of the envelope."""
        return self.json()["data"]

    @property
    def code(self) -> str | None:
        """Give our error code, in the envelope or beside OAuth's, or None for a success."""
        body = self.json()
        error = body.get("error")
        return body.get("error_code") if isinstance(error, str) else (error or {}).get("code")


async def ask(
    port: int, method: str, path: str, *, body: bytes = b"", headers: Headers = (), half: bool = False
) -> Answer:
    """Send one request to 127.0.0.1 and give its answer; `half` closes the sending side at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        if body or method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(body)}")
        writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        if half:
            writer.write_eof()
        return read_answer(await reader.read())
    finally:
        writer.close()


def read_answer(raw: bytes) -> Answer:
    """Read one whole answer; raises `ConnectionError` when there is none."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator:
        raise ConnectionError("no answer")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return Answer(int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}, body)


def bearer(token: str) -> tuple[str, str]:
    """Give the header of a bearer token."""
    return "Authorization", f"Bearer {token}"


def basic(client_id: str, secret: str) -> tuple[str, str]:
    """Give the header of a client."""
    return "Authorization", f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks one token service, at a port of 127.0.0.1, what its clients ask."""

    port: int

    async def ask(self, method: str, path: str, *, body: bytes = b"", headers: Headers = ()) -> Answer:
        """Send any request."""
        return await ask(self.port, method, path, body=body, headers=headers)

    async def post_json(self, path: str, document: object, *, headers: Headers = ()) -> Answer:
        """Send a JSON document."""
        kind = ("Content-Type", "application/json")
        return await self.ask("POST", path, body=json.dumps(document).encode(), headers=[kind, *headers])

    async def login(self, token: str, email: str = "jane@contoso.com", *, headers: Headers = (), **more: Any) -> Answer:
        """Exchange an id_token."""
        return await self.post_json(LOGIN, {"email": email, "azure_ad_token": token, **more}, headers=headers)

    async def refresh(self, access_token: str) -> Answer:
        """Refresh a pair."""
        return await self.ask("POST", REFRESH, headers=[bearer(access_token)])

    async def me(self, access_token: str) -> Answer:
        """Ask who the bearer is."""
        return await self.ask("GET", ME, headers=[bearer(access_token)])

    async def logout(self, access_token: str, document: object = None) -> Answer:
        """End the bearer's family."""
        if document is None:
            return await self.ask("POST", LOGOUT, headers=[bearer(access_token)])
        return await self.post_json(LOGOUT, document, headers=[bearer(access_token)])

    async def form(self, path: str, *headers: tuple[str, str], **fields: str) -> Answer:
        """Send a form."""
        kind = ("Content-Type", FORM)
        return await self.ask("POST", path, body=urlencode(fields).encode(), headers=[kind, *headers])

    async def introspect(self, client: tuple[str, str], token: str) -> dict[str, Any]:
        """Give what introspection says of a token."""
        answer = await self.form(INTROSPECT, basic(*client), token=token)
        assert answer.status == 200, answer
        return answer.json()
