import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from doorward.config.auth_plan import AuthPlan
from tests.support import peers
from tests.support.canaries import canary
from tests.support.sign_in import Browser, Entrance, Got, entrance, query_of
from tests.support.twitter import CONSUMER_KEY, SmallTwitter, parameters_of

JANE: dict[str, Any] = {"id": 38, "id_str": "38", "name": "Jane Doe", "screen_name": "jane", "verified": True}
JOHN: dict[str, Any] = {"id": 39, "id_str": "39", "name": "John Doe", "screen_name": "john"}


def small() -> SmallTwitter:
    """Make a small X that knows two people."""
    return SmallTwitter(secret=canary("client-secret-twitter"), people={"jane": JANE, "john": JOHN})


def x(url: str, provider: SmallTwitter | None = None, **how: Any) -> Any:
    """Serve our endpoints with X."""
    return entrance(url, "twitter", provider=provider or small(), plans={"twitter": {"client_id": CONSUMER_KEY}}, **how)


def twitter_of(it: Entrance) -> SmallTwitter:
    """Give the provider."""
    assert isinstance(it.provider, SmallTwitter)
    return it.provider


async def begin(it: Entrance, browser: Browser, name: str = "twitter", target: str = "/a?b=c") -> str:
    """Begin a sign-in, and give the address of the provider."""
    begun = await browser.get(f"/.auth/login/{name}?post_login_redirect_uri={target.replace('?', '%3F')}")
    assert begun.status == 302, begun
    return begun.location


async def come_back(browser: Browser, address: str) -> Got:
    """Follow the provider's redirect."""
    parts = urlsplit(address)
    return await browser.get(f"{parts.path}?{parts.query}")


@pytest.mark.parametrize("name", ["twitter", "x"])
async def test_somebody_signs_in_at_x(database_url: str, name: str) -> None:
    """Request token, approval, access token, profile: signed each time, the session has both halves of the token."""
    async with x(database_url) as it:
        browser, provider = it.browser(), twitter_of(it)
        address = await begin(it, browser, name)
        assert address == f"{it.provider.url}/oauth/authenticate?oauth_token=request-0"
        done = await come_back(browser, provider.approve(address))
        assert (done.status, done.location) == (302, "/a?b=c")
        assert list(browser.cookies) == ["AppServiceAuthSession"]
        session = await it.parts.desk.find(browser.session or "")
        assert session is not None
        identity = session.identity
        assert (identity.provider, identity.user_id, identity.subject) == ("twitter", "jane", "38")
        tokens = identity.tokens
        assert (tokens.access_token, tokens.access_token_secret) == (canary("access-jane"), canary("secret-jane"))
        assert (tokens.expires_on, tokens.id_token, tokens.refresh_token) == (None, None, None)
        (record,) = await it.audited("session.started")
        assert (record["client_id"], record["detail"]) == (CONSUMER_KEY, "twitter:38")


async def test_the_callback_address_carries_state_and_nonce(sqlite_url: str) -> None:
    """The provider is told the callback of its own name, with a state in which the nonce rides, doubly encoded."""
    async with x(sqlite_url) as it:
        await begin(it, it.browser(), "x")
        (asked,) = it.provider.requests("/oauth/request_token")
        callback = parameters_of(asked.headers["authorization"])["oauth_callback"]
        assert callback.startswith(
            "http://app.test/.auth/login/twitter/callback?state=redir%3D%252Fa%253Fb%253Dc%26nonce%3D"
        )
        assert (asked.method, asked.form, asked.headers["content-length"]) == ("POST", {}, "0")


async def test_every_call_has_a_nonce_of_its_own(sqlite_url: str) -> None:
    """Three calls of a sign-in, three nonces; the small X refuses one that comes twice."""
    async with x(sqlite_url) as it:
        browser, provider = it.browser(), twitter_of(it)
        await come_back(browser, provider.approve(await begin(it, browser)))
        assert len(provider.nonces) == len(provider.asked) == 3


def spoiled(address: str, **changes: str) -> str:
    """Give a callback address with parameters changed, or taken out by an empty text."""
    found = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()} | changes
    kept = urlencode({name: value for name, value in found.items() if value})
    return f"{address.partition('?')[0]}?{kept}"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"oauth_token": "request-9"}, "sign_in_not_begun"),
        ({"oauth_token": ""}, "callback_empty"),
        ({"oauth_verifier": ""}, "callback_empty"),
        ({"oauth_verifier": "verifier-9"}, "code_refused"),
        ({"state": ""}, "sign_in_not_begun"),
        ({"state": "redir=%2Fa%3Fb%3Dc"}, "sign_in_not_begun"),
        ({"denied": "request-0"}, "provider_declined"),
    ],
)
async def test_a_tampered_answer_makes_no_session(sqlite_url: str, changes: dict[str, str], code: str) -> None:
    """Another request token, none, another verifier, another state, or a no: 401 and no session."""
    async with x(sqlite_url) as it:
        browser = it.browser()
        address = twitter_of(it).approve(await begin(it, browser))
        got = await come_back(browser, spoiled(address, **changes))
        assert (got.status, got.code, browser.session) == (401, code, None)
        assert await it.audited("sign_in.refused")


async def test_an_answer_counts_once(sqlite_url: str) -> None:
    """The same verifier a second time is 401, in this browser and in any other."""
    async with x(sqlite_url) as it:
        browser = it.browser()
        address = twitter_of(it).approve(await begin(it, browser))
        kept = dict(browser.cookies)
        assert (await come_back(browser, address)).status == 302
        again = it.browser()
        again.cookies = kept
        for other, code in ((again, "sign_in_used"), (it.browser(), "sign_in_not_begun")):
            got = await come_back(other, address)
            assert (got.status, got.code, other.session) == (401, code, None)


async def test_a_request_token_belongs_to_one_browser(sqlite_url: str) -> None:
    """Session fixation: an attacker's approved request token in a victim's browser signs nobody in."""
    async with x(sqlite_url) as it:
        attacker, victim = it.browser(), it.browser()
        slipped = twitter_of(it).approve(await begin(it, attacker), "john")
        own = twitter_of(it).approve(await begin(it, victim))
        theirs = {name: values[0] for name, values in parse_qs(urlsplit(slipped).query).items()}
        mixed = spoiled(own, oauth_token=theirs["oauth_token"], oauth_verifier=theirs["oauth_verifier"])
        got = await come_back(victim, mixed)
        assert (got.status, got.code, victim.session) == (401, "sign_in_not_begun", None)


async def test_two_tabs_do_not_disturb_each_other(sqlite_url: str) -> None:
    """Each tab has its own request token with its own secret, and both come to a session."""
    async with x(sqlite_url) as it:
        browser, provider = it.browser(), twitter_of(it)
        first, second = await begin(it, browser, target="/one"), await begin(it, browser, target="/two")
        for address, target in ((first, "/one"), (second, "/two")):
            done = await come_back(browser, provider.approve(address))
            assert (done.status, done.location) == (302, target)


async def test_without_validation_the_request_token_still_belongs_to_the_browser(sqlite_url: str) -> None:
    """`validateNonce = false` leaves the nonce out, not the secret of the request token, which only the cookie has."""
    async with x(sqlite_url, turn=without_validation) as it:
        browser = it.browser()
        address = twitter_of(it).approve(await begin(it, browser))
        assert (await come_back(it.browser(), address)).code == "sign_in_not_begun"
        assert (await come_back(browser, address)).status == 302


def without_validation(plan: AuthPlan) -> AuthPlan:
    """Switch `validateNonce` off."""
    return replace(plan, validate_nonce=False)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        ({"oauth_callback_confirmed": "false"}, 502, "request_token_refused"),
        ({"oauth_callback_confirmed": ""}, 502, "request_token_refused"),
        ({"oauth_token": ""}, 502, "provider_unavailable"),
        ({"oauth_token_secret": ""}, 502, "provider_unavailable"),
    ],
)
async def test_a_request_token_that_is_none(sqlite_url: str, answer: dict[str, str], status: int, code: str) -> None:
    """Nobody is sent to a provider that gave no request token, or did not confirm the callback."""
    provider = small()
    provider.request_answer = answer
    async with x(sqlite_url, provider) as it:
        got = await it.browser().get("/.auth/login/twitter")
        assert (got.status, got.code) == (status, code)


async def test_a_wrong_consumer_secret_is_told_at_the_beginning(sqlite_url: str) -> None:
    """Where the provider refuses our signature the sign-in does not begin, and nothing of the provider is quoted."""
    provider = small()
    provider.secret = "another"
    async with x(sqlite_url, provider) as it:
        got = await it.browser().get("/.auth/login/twitter")
        assert (got.status, got.code) == (502, "request_token_refused")
        assert "authenticate you" not in got.body


@pytest.mark.parametrize(
    ("path", "reply", "status", "code"),
    [
        ("/oauth/access_token", peers.answer(b"{}"), 502, "provider_unavailable"),
        ("/oauth/access_token", peers.answer(b"oauth_token=a"), 502, "provider_unavailable"),
        ("/oauth/access_token", peers.answer(b"", status="429 Too Many"), 502, "provider_unavailable"),
        ("/oauth/access_token", peers.answer(b"", status="503 Away"), 502, "provider_unavailable"),
        ("/verify", peers.answer(b"", status="401 No"), 401, "nobody_known"),
        ("/verify", peers.answer(b"", status="429 Too Many"), 502, "provider_unavailable"),
        ("/verify", peers.answer(b"[]"), 502, "provider_unavailable"),
        ("/verify", peers.answer(b'{"id_str": 5.5}'), 401, "nobody_known"),
        ("/verify", peers.answer(b'{"id_str": "1", "id_str": "2"}'), 502, "provider_unavailable"),
    ],
)
async def test_a_provider_that_answers_nonsense(
    sqlite_url: str, path: str, reply: bytes, status: int, code: str
) -> None:
    """Whatever goes wrong behind the callback ends without a session, and says whose fault it is."""
    async with x(sqlite_url) as it:
        browser = it.browser()
        address = twitter_of(it).approve(await begin(it, browser))
        it.provider.answers[path] = reply
        got = await come_back(browser, address)
        assert (got.status, got.code, browser.session) == (status, code, None)


async def test_an_expired_sign_in_begins_again(sqlite_url: str) -> None:
    """After five minutes the browser gets a new request token, on the way to the same target."""
    async with x(sqlite_url) as it:
        browser = it.browser()
        address = twitter_of(it).approve(await begin(it, browser))
        it.clock.advance(301)
        again = await come_back(browser, address)
        assert (again.status, browser.session) == (302, None)
        assert query_of(again.location)["oauth_token"] == ["request-1"]
        done = await come_back(browser, twitter_of(it).approve(again.location))
        assert (done.status, done.location) == (302, "/a?b=c")


async def test_of_a_hundred_replays_at_once_one_counts(sqlite_url: str) -> None:
    """The nonce is used up before the verifier is: of many callbacks at once one becomes a session."""
    async with x(sqlite_url) as it:
        browser = it.browser()
        address = twitter_of(it).approve(await begin(it, browser))
        copies = [it.browser() for _ in range(20)]
        for copy in copies:
            copy.cookies = dict(browser.cookies)
        got = await asyncio.gather(*(come_back(copy, address) for copy in copies))
        assert sorted(one.status for one in got) == [302, *[401] * 19]
        assert len(it.provider.requests("/oauth/access_token")) == 1
