from typing import Any

import pytest

from tests.support.asking import LOGIN
from tests.support.houses import running_house

SITE = "https://id.example.com"
HTTPS: dict[str, Any] = {"server__public_url": SITE, "server__additional_hosts": ["other.example.com"]}
BEHIND: dict[str, Any] = {**HTTPS, "server__trusted_proxies": ["127.0.0.1/32"]}
ELSEWHERE = [("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https"), ("X-Original-URL", "/evil")]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path",
    ["/", "/foo", "/foo/b%20r?a=1&b=%2F", "//evil.example/x", "/auth-services", "/@evil.example", "/.well-known/x"],
)
async def test_a_plain_question_is_sent_to_the_public_address(sqlite_url: str, method: str, path: str) -> None:
    """Path and query stay, the origin is that of the settings, and no header of a stranger changes it."""
    async with running_house(sqlite_url, register=False, **HTTPS) as house:
        answer = await house.caller.ask(method, path, headers=ELSEWHERE)
    assert (answer.status, answer.headers["location"]) == (301, f"{SITE}{path}")
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_whatever_else_is_plain_is_refused(sqlite_url: str, method: str) -> None:
    """What was sent has been readable on the way, and sending it again would not mend that."""
    async with running_house(sqlite_url, register=False, **HTTPS) as house:
        answer = await house.caller.ask(method, "/foo")
    assert (answer.status, answer.code) == (403, "https_required")
    assert "location" not in answer.headers


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("path", [LOGIN, "/auth-service", "/auth-service/nowhere"])
async def test_the_token_service_is_never_redirected(sqlite_url: str, path: str, *, enabled: bool) -> None:
    """Below its prefix a plain request is refused, whether or not the service is on."""
    given: dict[str, Any] = {**HTTPS, "token_service__enabled": enabled}
    async with running_house(sqlite_url, register=False, **given) as house:
        answer = await house.caller.ask("GET", path)
    assert answer.status in ({403, 404, 405} if enabled else {403})
    assert "location" not in answer.headers


async def test_over_https_there_is_nothing(sqlite_url: str) -> None:
    """Behind a proxy that vouches for HTTPS, and on http: addresses, every other path is 404."""
    async with running_house(sqlite_url, register=False, **BEHIND) as house:
        secure = await house.caller.ask("GET", "/foo", headers=[("X-Forwarded-Proto", "https")])
        plain = await house.caller.ask("GET", "/foo", headers=[("X-Forwarded-Proto", "http")])
    assert (secure.status, secure.code, plain.status) == (404, "not_found", 301)


async def test_on_a_plain_address_there_is_nothing(sqlite_url: str) -> None:
    """Where the public address is http: every other path is 404."""
    async with running_house(sqlite_url, register=False) as house:
        assert (await house.caller.ask("GET", "/foo")).status == 404
