"""`/.auth/refresh` over real HTTP, against a provider that does whatever a test tells it."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from doorward.base.entropy import SeededEntropy
from doorward.easyauth.refresh import asking_providers
from doorward.sessions.flight import Flights
from tests.support import peers
from tests.support.callers import Reception, reception, without_token_store
from tests.support.canaries import canary
from tests.support.sign_in import NOW, Browser, Got

EIGHT_HOURS = 8 * 3600
GRACE = 72 * 3600


async def me(browser: Browser) -> dict[str, Any]:
    """Give what somebody is told about themselves."""
    (entry,) = json.loads((await browser.get("/.auth/me")).body)
    return entry


def refreshes(desk: Reception) -> int:
    """Count how often the provider was asked for new tokens."""
    asked = desk.entrance.provider.requests("/token")
    return sum(one.form["grant_type"] == "refresh_token" for one in asked)


def refused(code: str, status: str = "400 Bad Request") -> bytes:
    """Give a token endpoint's refusal."""
    return peers.answer(json.dumps({"error": code}).encode(), status=status)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("provider", ["aad", "google", "contoso"])
async def test_new_tokens_show_at_once(sqlite_url: str, provider: str, method: str) -> None:
    """A refresh gives a session token and the cookie again; `/.auth/me` shows the new tokens and the same claims."""
    async with reception(sqlite_url, provider) as desk:
        browser = await desk.signed_in(provider)
        before, cookie = await me(browser), browser.session
        desk.entrance.clock.advance(60)
        got = await browser.get("/.auth/refresh", method=method)
        after = await me(browser)
        old = replace(browser, cookies={"AppServiceAuthSession": cookie or ""})
        assert await me(old) == after
    assert got.status == 200
    assert got.header("content-type") == "application/json; charset=utf-8"
    assert got.header("cache-control") == "no-store"
    answer = json.loads(got.body)
    assert list(answer) == ["authenticationToken", "user"]
    assert answer["user"]["userId"].startswith("sid:")
    assert after["access_token"] == canary("access-again")
    assert after["refresh_token"] == canary("refresh-again")
    assert after["user_claims"] == before["user_claims"]
    assert after["expires_on"] == "2027-01-15T09:00:59.0000000Z"
    assert browser.session is not None
    assert browser.session.startswith(f"{cookie}.")
    assert "expires=Fri, 15 Jan 2027 16:01:00 GMT" in got.cookies()["AppServiceAuthSession"]


async def test_a_session_token_is_refreshed_without_a_cookie(sqlite_url: str) -> None:
    """Who comes with a session token gets a new one, with a later expiry, and no cookie."""
    async with reception(sqlite_url) as desk:
        first = json.loads((await (await desk.signed_in()).get("/.auth/refresh")).body)["authenticationToken"]
        desk.entrance.clock.advance(1800)
        got = await desk.nobody(f"X-ZUMO-AUTH: {first}").get("/.auth/refresh")
        second = json.loads(got.body)["authenticationToken"]
        read = [desk.tokens.read(token.encode(), NOW + 1800).expires_at for token in (first, second)]
        for token in (first, second):
            assert (await desk.nobody(f"X-ZUMO-AUTH: {token}").get("/.auth/me")).status == 200
    assert got.status == 200
    assert got.cookies() == {}
    assert read == [NOW + 3599, NOW + 1800 + 3599]


@pytest.mark.parametrize(("provider", "status", "code"), [
    ("facebook", 400, "refresh_not_supported"), ("aad", 403, "no_refresh_token"), ("github", 403, "no_refresh_token"),
])  # fmt: skip
async def test_what_cannot_be_refreshed(sqlite_url: str, provider: str, status: int, code: str) -> None:
    """A provider without refresh tokens is 400, one that gave none at sign-in 403; the provider is not asked."""
    async with reception(sqlite_url, provider) as desk:
        desk.entrance.provider.tokens["refresh_token"] = None
        desk.entrance.provider.profile = {"id": 7, "login": "jane", "name": "Jane"}
        browser = await desk.signed_in(provider)
        before = await me(browser)
        got = await browser.get("/.auth/refresh")
        assert (got.status, got.code) == (status, code)
        assert refreshes(desk) == 0
        assert await me(browser) == before


@pytest.mark.parametrize(("answer", "status", "code"), [
    (refused("invalid_grant"), 403, "refresh_refused"),
    (refused("interaction_required", "401 Unauthorized"), 403, "refresh_refused"),
    (peers.answer(b"<html>busy</html>", status="503 Service Unavailable"), 502, "provider_unavailable"),
    (peers.answer(b"{}"), 502, "provider_unavailable"),
    (peers.answer(b'{"access_token": 7}'), 502, "provider_unavailable"),
    (peers.answer(b"x" * 3_000_000), 502, "provider_unavailable"),
    (b"nonsense\r\n\r\n", 502, "provider_unavailable"),
])  # fmt: skip
async def test_a_refresh_that_fails_keeps_the_tokens(sqlite_url: str, answer: bytes, status: int, code: str) -> None:
    """Whatever the provider answers instead of tokens, the session stays as it was, and the next refresh may work."""
    async with reception(sqlite_url) as desk:
        browser = await desk.signed_in()
        before, cookie = await me(browser), browser.session
        desk.entrance.provider.answers["/token"] = answer
        got = await browser.get("/.auth/refresh")
        assert (got.status, got.code) == (status, code)
        assert got.cookies() == {}
        assert browser.session == cookie
        assert await me(browser) == before
        del desk.entrance.provider.answers["/token"]
        assert (await browser.get("/.auth/refresh")).status == 200


async def test_another_persons_id_token_is_ignored(sqlite_url: str) -> None:
    """An id_token of another subject changes nothing of who somebody is, and neither does a renamed one."""
    async with reception(sqlite_url) as desk:
        browser = await desk.signed_in()
        before = await me(browser)
        provider = desk.entrance.provider
        known: dict[str, object] = {
            "iss": provider.url, "aud": desk.entrance.parts.plan.providers["aad"].client_id, "iat": int(NOW),
            "exp": int(NOW) + 3600, "name": "Mallory",
        }  # fmt: skip
        provider.tokens["id_token"] = provider.id_token({**known, "sub": "sub-mallory"})
        assert (await browser.get("/.auth/refresh")).status == 200
        after = await me(browser)
        assert (after["id_token"], after["user_claims"]) == (before["id_token"], before["user_claims"])
        provider.tokens["id_token"] = fresh = provider.id_token({**known, "sub": "sub-jane"})
        assert (await browser.get("/.auth/refresh")).status == 200
        after = await me(browser)
        assert (after["id_token"], after["user_claims"]) == (fresh, before["user_claims"])


async def test_a_refresh_token_that_does_not_come_back_is_kept(sqlite_url: str) -> None:
    """Google gives no new refresh token: the old one stays and works again."""
    async with reception(sqlite_url, "google") as desk:
        browser = await desk.signed_in("google")
        desk.entrance.provider.tokens["refresh_token"] = None
        for _ in range(2):
            desk.entrance.provider.answers["/token"] = peers.answer(b'{"access_token": "next", "token_type": "Bearer"}')
            assert (await browser.get("/.auth/refresh")).status == 200
        presented = {one.form.get("refresh_token") for one in desk.entrance.provider.requests("/token")[1:]}
        assert presented == {(await me(browser))["refresh_token"]}


async def test_parallel_calls_are_one_call(sqlite_url: str) -> None:
    """Twenty calls at one moment ask the provider once, and all get tokens and cookies that work."""
    async with reception(sqlite_url) as desk:
        browser = await desk.signed_in()
        clients = [replace(browser, cookies=dict(browser.cookies)) for _ in range(20)]
        desk.entrance.provider.gate.clear()
        calls = [asyncio.create_task(client.get("/.auth/refresh")) for client in clients]
        for _ in range(5000):
            if refreshes(desk):
                break
            await asyncio.sleep(0.001)
        desk.entrance.provider.gate.set()
        answers: list[Got] = await asyncio.gather(*calls)
        assert [answer.status for answer in answers] == [200] * 20
        assert refreshes(desk) == 1
        for client in clients:
            assert (await me(client))["access_token"] == canary("access-again")


async def test_an_expired_cookie_may_be_refreshed_for_a_while(sqlite_url: str) -> None:
    """For 72 hours after its end a cookie still gets a refresh, though nothing else; then it is nobody's."""
    async with reception(sqlite_url) as desk:
        browser, late = await desk.signed_in(), await desk.signed_in()
        desk.entrance.clock.advance(EIGHT_HOURS + GRACE - 1)
        assert (await browser.get("/.auth/me")).status == 401
        assert (await browser.get("/.auth/refresh")).status == 200
        assert (await browser.get("/.auth/me")).status == 200
        desk.entrance.clock.advance(1)
        got = await late.get("/.auth/refresh")
        assert (got.status, got.code) == (401, "sign_in_required")


@pytest.mark.parametrize(("line", "code"), [
    ("X-Nothing: 1", "sign_in_required"), ("Cookie: AppServiceAuthSession=x", "sign_in_required"),
    ("X-ZUMO-AUTH: x", "invalid_session_token"),
])  # fmt: skip
async def test_nobody_refreshes_nothing(sqlite_url: str, line: str, code: str) -> None:
    """Without a good credential it is 401."""
    async with reception(sqlite_url) as desk:
        got = await desk.nobody(line).get("/.auth/refresh")
        assert (got.status, got.code) == (401, code)


async def test_looking_changes_nothing(sqlite_url: str) -> None:
    """HEAD is 405: it would use up a refresh token without anybody seeing what came of it."""
    async with reception(sqlite_url) as desk:
        assert (await (await desk.signed_in()).get("/.auth/refresh", method="HEAD")).status == 405
        assert refreshes(desk) == 0


async def test_without_a_token_store_nothing_is_refreshed(sqlite_url: str) -> None:
    """With the token store off it is 404, signed in or not."""
    async with reception(sqlite_url, turn=without_token_store) as desk:
        for client in (await desk.signed_in(), desk.nobody()):
            assert (await client.get("/.auth/refresh")).status == 404


async def test_in_2016_a_refresh_brings_the_refresh_token_to_light(sqlite_url: str) -> None:
    """In the profile 2016 `/.auth/me` shows a refresh token only after a refresh, and none of aad's access tokens."""
    async with reception(sqlite_url, profile="2016") as desk:
        browser = await desk.signed_in()
        before = await me(browser)
        assert (await browser.get("/.auth/refresh")).status == 200
        after = await me(browser)
    assert "refresh_token" not in before
    assert after["refresh_token"] == canary("refresh-again")
    assert not {"access_token", "expires_on"} & (before.keys() | after.keys())


async def test_a_provider_that_was_taken_out_is_not_asked(sqlite_url: str) -> None:
    """Who signed in at a provider that is no longer configured cannot refresh there."""
    async with reception(sqlite_url, "aad", "google") as desk:
        browser = await desk.signed_in("google")
        parts = desk.entrance.parts
        session = await parts.desk.find(browser.session or "")
        assert session is not None
        fewer = replace(parts, plan=replace(parts.plan, providers={}))
        flights = Flights(
            parts.desk, desk.entrance.store, desk.entrance.clock, SeededEntropy(), asking_providers(fewer)
        )
        with pytest.raises(Exception, match="not_found"):
            await flights.fly(session)
        assert refreshes(desk) == 0
