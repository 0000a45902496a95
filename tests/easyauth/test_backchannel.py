import asyncio
import json
from typing import Any

import pytest

from tests.support.canaries import keep_secret
from tests.support.sign_in import CLIENT_ID, NOW, Browser, Entrance, Got, entrance, signer

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def logout_token(it: Entrance, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """Write a logout token as a provider does; None takes a claim out."""
    usual: dict[str, object] = {
        "iss": it.provider.url,
        "aud": CLIENT_ID,
        "iat": int(it.clock.now()),
        "exp": int(it.clock.now()) + 120,
        "jti": "message-1",
        "events": {EVENT: {}},
    }
    written = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return keep_secret(
        it.provider.key.sign(
            {"typ": "logout+jwt", "alg": "RS256", "kid": it.provider.key.kid, **(header or {})}, written
        )
    )


async def tell(it: Entrance, token: str, provider: str = "contoso") -> Got:
    """Bring a logout token, as a provider's server does."""
    return await it.browser().post(f"/.auth/logout/backchannel/{provider}", [("logout_token", token)])


async def signed_in(it: Entrance, person: str = "jane", provider: str = "contoso", **claims: Any) -> Browser:
    """Sign somebody in in a browser of their own."""
    browser = it.browser()
    begun = await browser.get(f"/.auth/login/{provider}")
    await browser.bring(it.provider.consent(begun.location, person, **claims))
    assert browser.session
    return browser


async def is_in(it: Entrance, browser: Browser) -> bool:
    """Say whether a browser's session lives, as every process sees it."""
    assert browser.session
    return await it.parts.desk.find(browser.session) is not None


@pytest.mark.parametrize("provider", ["aad", "contoso"])
async def test_a_person_is_signed_out_everywhere(database_url: str, provider: str) -> None:
    """By `sub` every session of the person ends, in every browser and by token, and nobody else's; it is audited."""
    async with entrance(database_url, "aad", "contoso") as it:
        at_home, at_work = [await signed_in(it, provider=provider) for _ in range(2)]
        joe = await signed_in(it, "joe", provider)
        begun = await it.browser().get(f"/.auth/login/{provider}?session_mode=token")
        assert begun.status == 302
        got = await tell(it, logout_token(it, sub="sub-jane"), provider)
        assert (got.status, got.body, got.header("cache-control")) == (200, "", "no-store")
        assert [await is_in(it, browser) for browser in (at_home, at_work, joe)] == [False, False, True]
        ended = await it.audited("session.ended")
        assert [record["detail"] for record in ended] == [f"{provider}:sub-jane signed out at the provider"] * 2
        assert {record["client_id"] for record in ended} == {CLIENT_ID}


async def test_one_session_at_the_provider_ends(database_url: str) -> None:
    """By `sid` the sessions begun in that one end; with `sub` beside it also those begun in none that is known."""
    async with entrance(database_url, "contoso") as it:
        first, again = [await signed_in(it, sid="s-1") for _ in range(2)]
        other, unknown = await signed_in(it, sid="s-2"), await signed_in(it)
        assert (await tell(it, logout_token(it, sid="s-1", jti="1"))).status == 200
        assert [await is_in(it, one) for one in (first, again, other, unknown)] == [False, False, True, True]
        assert (await tell(it, logout_token(it, sub="sub-jane", sid="s-1", jti="2"))).status == 200
        assert [await is_in(it, one) for one in (other, unknown)] == [True, False]


async def test_the_session_of_one_person_is_not_ended_in_anothers_name(sqlite_url: str) -> None:
    """A `sid` that belongs to somebody else than `sub` ends nothing, and the same words at another provider neither."""
    async with entrance(sqlite_url, "aad", "contoso") as it:
        jane, joe = await signed_in(it, sid="s-1"), await signed_in(it, "joe", sid="s-2")
        assert (await tell(it, logout_token(it, sub="sub-joe", sid="s-1", jti="1"))).status == 200
        assert (await tell(it, logout_token(it, sub="sub-jane", jti="2"), "aad")).status == 200
        assert [await is_in(it, one) for one in (jane, joe)] == [True, True]


async def test_a_message_counts_once(database_url: str) -> None:
    """Of twenty copies one is believed, and who signs in again is not signed out by another copy."""
    async with entrance(database_url, "contoso") as it:
        token = logout_token(it, sub="sub-jane")
        statuses = [got.status for got in await asyncio.gather(*(tell(it, token) for _ in range(20)))]
        assert sorted(statuses) == [200, *[400] * 19]
        jane = await signed_in(it)
        got = await tell(it, token)
        assert json.loads(got.body) == {
            "error": "invalid_request",
            "error_description": "The logout token is not acceptable",
            "error_code": "logout_token_refused",
        }
        assert await is_in(it, jane)


REFUSED: dict[str, dict[str, Any]] = {
    "nobody": {"sub": None},
    "empty sub": {"sub": ""},
    "sub is no text": {"sub": 7},
    "sid is no text": {"sid": ["s-1"]},
    "endless sid": {"sid": "s" * 256},
    "no event": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "events are a list": {"events": [EVENT]},
    "the event is no object": {"events": {EVENT: True}},
    "a nonce": {"nonce": "n"},
    "an empty nonce": {"nonce": ""},
    "no jti": {"jti": None},
    "no iat": {"iat": None},
    "iat ahead": {"iat": int(NOW) + 61},
    "iat long ago": {"iat": int(NOW) - 86_401},
    "no exp": {"exp": None},
    "expired": {"exp": int(NOW) - 60},
    "another issuer": {"iss": "https://evil.example"},
    "another audience": {"aud": "99999999-aaaa-4aaa-8aaa-000000000002"},
    "no audience": {"aud": []},
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_good_logout_token_ends_nothing(sqlite_url: str, case: str) -> None:
    """Every claim that could be wrong: 400, the session lives, and the refusal is in the trail."""
    async with entrance(sqlite_url, "contoso") as it:
        jane = await signed_in(it, sid="s-1")
        got = await tell(it, logout_token(it, None, **{"sub": "sub-jane", **REFUSED[case]}))
        assert (got.status, json.loads(got.body)["error_code"]) == (400, "logout_token_refused")
        assert await is_in(it, jane)
        (record,) = await it.audited("sign_out.refused")
        assert record["code"] == "logout_token_refused"


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"typ": "at+jwt"}, {"kid": "other"}, {"crit": ["x"]}]
)
async def test_headers_of_other_tokens_are_refused(sqlite_url: str, header: dict[str, object]) -> None:
    """An unsigned token, one of another algorithm or kind, or of a key that nobody published."""
    async with entrance(sqlite_url, "contoso") as it:
        jane = await signed_in(it)
        got = await tell(it, logout_token(it, header, sub="sub-jane"))
        assert got.status == 400
        assert await is_in(it, jane)


async def test_a_strangers_signature_ends_nothing(sqlite_url: str) -> None:
    """Another key under the same id."""
    async with entrance(sqlite_url, "contoso") as it:
        jane = await signed_in(it)
        it.provider.key = signer(1)
        got = await tell(it, logout_token(it, {"kid": signer().kid}, sub="sub-jane"))
        assert got.status == 400
        assert await is_in(it, jane)


async def test_an_id_token_is_no_logout_token_nor_the_reverse(sqlite_url: str) -> None:
    """The id_token that signed Jane in does not sign her out, and a logout token signs nobody in."""
    async with entrance(sqlite_url, "aad", "contoso") as it:
        browser = it.browser()
        begun = await browser.get("/.auth/login/aad")
        comeback = it.provider.consent(begun.location)
        await browser.bring(comeback)
        assert (await tell(it, comeback.value("id_token"), "aad")).status == 400
        assert await is_in(it, browser)
        for kind in ("JWT", "logout+jwt"):
            other = it.browser()
            begun = await other.get("/.auth/login/aad")
            nonce = begun.location.partition("nonce=")[2].partition("&")[0]
            token = logout_token(it, {"typ": kind}, sub="sub-joe", nonce=nonce)
            await other.bring(it.provider.consent(begun.location).changed(id_token=token))
            assert other.session is None


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        ([], ""),
        ([("logout_token", "")], ""),
        ([("logout_token", "a"), ("logout_token", "b")], ""),
        ([("logout_token", "not a token")], ""),
        ([("logout_token", "TOKEN")], "Content-Type: application/json"),
    ],
)
async def test_only_a_form_with_one_token_is_heard(sqlite_url: str, pairs: list[tuple[str, str]], line: str) -> None:
    """Anything else is 400; what came by another method is 405."""
    async with entrance(sqlite_url, "contoso") as it:
        path = "/.auth/logout/backchannel/contoso"
        if line:
            got = await it.browser().get(path, line, method="POST", body=b"logout_token=" + logout_token(it).encode())
        else:
            got = await it.browser().post(path, pairs)
        assert (got.status, json.loads(got.body)["error_code"]) == (400, "logout_token_refused")
        assert (await it.browser().get(path)).status == 405


async def test_providers_that_tell_of_nothing_have_no_door(sqlite_url: str) -> None:
    """Only aad and custom OpenID Connect providers do."""
    async with entrance(sqlite_url, "google", "github") as it:
        for provider in ("google", "github", "contoso"):
            assert (await tell(it, logout_token(it, sub="sub-jane"), provider)).status == 404
