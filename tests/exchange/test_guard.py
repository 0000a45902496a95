from typing import Any

import pytest

from doorward.exchange.metadata import PATH as METADATA
from tests.support.asking import INTROSPECT, JWKS, LOGIN, LOGOUT, ME, REFRESH, REVOKE
from tests.support.described import PREFIX
from tests.support.houses import running_house

TOKEN = f"{PREFIX}/oauth2/token"
CLOSED = {LOGIN: "POST", REFRESH: "POST", ME: "GET", LOGOUT: "POST", TOKEN: "POST", INTROSPECT: "POST", REVOKE: "POST"}
OPEN = dict.fromkeys((JWKS, f"{PREFIX}/openapi.json", f"{PREFIX}/docs", METADATA), "GET")
HTTPS: dict[str, Any] = {"server__public_url": "https://id.example.com"}
BEHIND: dict[str, Any] = {**HTTPS, "server__trusted_proxies": ["127.0.0.1/32"]}
KEY = "the-subscription-key-of-a-test-0123456789"
WITH_KEY: dict[str, Any] = {"token_service__subscription_key": KEY}
TOLD = ("X-Forwarded-Proto", "https")


@pytest.mark.parametrize("sent", [
    [],
    [TOLD],
    [("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "127.0.0.1")],
    [("Forwarded", "proto=https")],
    [("X-Forwarded-Ssl", "on")],
    [("Front-End-Https", "on")],
])  # fmt: skip
async def test_plain_http_is_refused_everywhere(sqlite_url: str, sent: list[tuple[str, str]]) -> None:
    """Where the address is https:, the service refuses plain requests and redirects what lies outside of it."""
    async with running_house(sqlite_url, register=False, **HTTPS) as house:
        paths = {**CLOSED, **OPEN, "/auth-service/nope": "GET"}
        for path, method in paths.items():
            answer = await house.caller.ask(method, path, headers=sent)
            if path == METADATA:
                site = house.settings.server.public_url
                assert (answer.status, answer.headers["location"]) == (301, f"{site}{path}")
            else:
                assert (answer.status, answer.code) == (403, "https_required"), path
                assert "location" not in answer.headers


async def test_a_trusted_proxy_is_believed(sqlite_url: str) -> None:
    """A proxy in the list says by which way the client came; what it does not say is taken as it is."""
    async with running_house(sqlite_url, **BEHIND) as house:
        good = await house.caller.login(house.mint(), headers=[TOLD])
        reached = {path: await house.caller.ask("GET", path, headers=[TOLD]) for path in OPEN}
        plain = [
            await house.caller.login(house.mint(), headers=headers)
            for headers in ([], [("X-Forwarded-Proto", "http")], [("X-Forwarded-Proto", "gopher")])
        ]
    assert good.status == 200, good
    assert {answer.status for answer in reached.values()} == {200}
    assert {(answer.status, answer.code) for answer in plain} == {(403, "https_required")}


async def test_plain_http_serves_where_the_address_is_plain(sqlite_url: str) -> None:
    """On http: addresses, which are on loopback alone, nothing is demanded."""
    async with running_house(sqlite_url, register=False) as house:
        assert {(await house.caller.ask("GET", path)).status for path in OPEN} == {200}


@pytest.mark.parametrize("sent", [[], [""], ["x"], [KEY + "x"], [KEY[:-1]], [KEY.upper()], ["é"]], ids=repr)
async def test_the_subscription_key_locks_what_is_closed(sqlite_url: str, sent: list[str]) -> None:
    """Without the key, and with any other, closed endpoints are 401 and say which header is wanted; open ones serve."""
    headers = [("Ocp-Apim-Subscription-Key", value) for value in sent]
    async with running_house(sqlite_url, register=False, **WITH_KEY) as house:
        for path, method in CLOSED.items():
            answer = await house.caller.ask(method, path, headers=headers)
            assert (answer.status, answer.code) == (401, "invalid_subscription_key"), path
            assert answer.headers["www-authenticate"].startswith("AzureApiManagementKey ")
            assert 'name="Ocp-Apim-Subscription-Key"' in answer.headers["www-authenticate"]
            assert KEY.encode() not in answer.body
        for path in OPEN:
            assert (await house.caller.ask("GET", path, headers=headers)).status == 200


async def test_with_the_key_everything_is_as_without(sqlite_url: str) -> None:
    """The key opens, and is no credential: what an endpoint wants of its own it still wants."""
    async with running_house(sqlite_url, **WITH_KEY) as house:
        header = ("Ocp-Apim-Subscription-Key", KEY)
        login = await house.caller.login(house.mint(), headers=[header])
        me = await house.caller.ask("GET", ME, headers=[header])
        introspection = await house.caller.ask("POST", INTROSPECT, headers=[header])
    assert login.status == 200
    assert [(me.status, me.code), (introspection.status, introspection.code)] == [
        (401, "authentication_required"),
        (401, "invalid_client"),
    ]


async def test_over_plain_http_nobody_learns_whether_a_key_is_good(sqlite_url: str) -> None:
    """The way is looked at before the key, so a key that was sent readably opens and tells nothing."""
    async with running_house(sqlite_url, register=False, **HTTPS, **WITH_KEY) as house:
        answers = [
            await house.caller.ask("GET", ME, headers=[("Ocp-Apim-Subscription-Key", key)]) for key in (KEY, "wrong")
        ]
    assert {(answer.status, answer.code) for answer in answers} == {(403, "https_required")}
