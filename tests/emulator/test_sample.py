import asyncio
import json
import socket
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
import requests
import uvicorn

from doorward.emulator.sample import SampleApp

PRINCIPAL = {
    "auth_typ": "aad",
    "claims": [{"typ": "name", "val": "<b>Jane</b>"}, {"typ": "groups", "val": "g1"}],
    "name_typ": "name",
    "role_typ": "roles",
}
TOKEN = "a-token-that-is-long-enough-to-be-shortened"
SIGNED_IN = {
    "X-MS-CLIENT-PRINCIPAL": b64encode(json.dumps(PRINCIPAL).encode()).decode(),
    "X-MS-CLIENT-PRINCIPAL-NAME": "jané@contoso.com".encode(),
    "X-MS-CLIENT-PRINCIPAL-ID": "oid-1",
    "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    "X-MS-TOKEN-AAD-ACCESS-TOKEN": TOKEN,
    "X-MS-TOKEN-AAD-EXPIRES-ON": "2026-01-01T00:00:00.0000000Z",
    "Cookie": f"other={TOKEN}",
}


@asynccontextmanager
async def running_sample() -> AsyncGenerator[str]:
    """Serve the sample application at a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(SampleApp(), log_config=None, lifespan="on", ws="none"))
        serving = asyncio.create_task(server.serve([listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@pytest_asyncio.fixture
async def sample() -> AsyncGenerator[str]:
    """Give the address of a running sample application."""
    async with running_sample() as url:
        yield url


async def ask(method: str, url: str, **more: Any) -> requests.Response:
    """Ask it something."""
    return await asyncio.to_thread(requests.request, method, url, timeout=30, **more)


@pytest.mark.parametrize("path", ["/", "/public"])
async def test_it_shows_who_is_signed_in(sample: str, path: str) -> None:
    """Name, provider, claims and headers stand on the page, escaped, tokens shortened."""
    page = (await ask("GET", sample + path, headers=SIGNED_IN)).content.decode()
    assert "jané@contoso.com" in page
    assert "&lt;b&gt;Jane&lt;/b&gt;" in page
    assert "<b>Jane" not in page
    assert TOKEN not in page
    assert f"{TOKEN[:12]}… ({len(TOKEN)} characters)" in page
    assert "2026-01-01T00:00:00.0000000Z" in page
    assert 'href="/.auth/logout' in page


async def test_it_offers_to_sign_in(sample: str) -> None:
    """Anonymous, there is a link for each provider, and none to sign out."""
    answer = await ask("GET", sample)
    for alias in ("aad", "google", "github", "contoso"):
        assert f'href="/.auth/login/{alias}?post_login_redirect_uri=%2F' in answer.text
    assert "Nobody is signed in" in answer.text
    assert "/.auth/logout" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_it_tells_a_script_who_is_there(sample: str) -> None:
    """The same as JSON; of tokens the names alone."""
    known = (await ask("GET", f"{sample}/api/whoami", headers=SIGNED_IN)).json()
    assert (known["name"], known["id"], known["idp"]) == ("jané@contoso.com", "oid-1", "aad")
    assert known["principal"] == PRINCIPAL
    assert known["tokens"] == ["x-ms-token-aad-access-token", "x-ms-token-aad-expires-on"]
    nobody = (await ask("GET", f"{sample}/api/whoami")).json()
    assert (nobody["principal"], nobody["name"], nobody["tokens"]) == (None, None, [])


@pytest.mark.parametrize("value", ["", "!", "e30", b64encode(b"[]").decode(), b64encode(b'{"claims": 1}').decode()])
async def test_a_broken_principal_breaks_nothing(sample: str, value: str) -> None:
    """What cannot be decoded is shown as it came."""
    assert (await ask("GET", sample, headers={"X-MS-CLIENT-PRINCIPAL": value})).status_code == 200
    assert (await ask("GET", f"{sample}/api/whoami", headers={"X-MS-CLIENT-PRINCIPAL": value})).status_code == 200


async def test_it_shows_every_header(sample: str) -> None:
    """For tests of what a gateway forwards: names, order, and credentials shortened."""
    headers = {"X-Thing": "1", "Authorization": f"Bearer {TOKEN}"}
    shown = (await ask("PUT", f"{sample}/api/headers", headers=headers)).json()
    assert shown["method"] == "PUT"
    assert ["x-thing", "1"] in shown["headers"]
    assert TOKEN not in json.dumps(shown)


async def test_it_counts_what_is_uploaded(sample: str) -> None:
    """Every byte, none kept."""
    size = 3_000_000
    assert (await ask("POST", f"{sample}/upload", data=b"x" * size)).json() == {"bytes": size}
    assert (await ask("POST", f"{sample}/upload")).json() == {"bytes": 0}


async def test_it_streams(sample: str) -> None:
    """Server-sent events one after the other, and as many bytes as are asked for."""
    events = await ask("GET", f"{sample}/events?count=3&interval=0", headers=SIGNED_IN)
    assert events.headers["Content-Type"] == "text/event-stream"
    assert events.content.count(b"\n\n") == 3
    assert "Content-Length" not in events.headers
    for count in (0, 1, 100_001):
        assert len((await ask("GET", f"{sample}/bytes?count={count}")).content) == count
    assert (await ask("HEAD", f"{sample}/bytes?count=9")).content == b""
    assert len((await ask("GET", f"{sample}/bytes?count=-1")).content) == 1024


async def test_it_answers_with_any_status(sample: str) -> None:
    """For tests of what a gateway passes on."""
    for code in (204, 404, 503):
        assert (await ask("GET", f"{sample}/status?code={code}")).status_code == code
    assert (await ask("GET", f"{sample}/nowhere")).status_code == 404
