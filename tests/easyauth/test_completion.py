import asyncio
import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlencode

import pytest

from doorward.config.auth_plan import AuthPlan
from tests.support.sign_in import Browser, Entrance, Got, entrance

APP = "app://easyauth.callback"
PARTNER = "https://partner.example"
LISTED = (APP, PARTNER, "https://other.example/signed-in", "com.example.app:/back")
DONE = "/.auth/login/done"
USER_ID = re.compile(r"sid:[0-9a-f]{32}")


def listed(plan: AuthPlan) -> AuthPlan:
    """Let browsers be sent to an application and to two other sites."""
    return replace(plan, allowed_targets=LISTED)


async def come_back(it: Entrance, browser: Browser, provider: str = "aad", **asked: str) -> Got:
    """Sign Jane in by an address with these parameters."""
    begun = await browser.get(f"/.auth/login/{provider}?{urlencode(asked)}")
    assert begun.status == 302, begun
    return await browser.bring(it.provider.consent(begun.location))


def handed(address: str, target: str, name: str) -> Any:
    """Give what an address that leads to `target` carries under this name in its fragment, and nowhere else."""
    page, _, fragment = address.partition("#")
    assert page == target
    found = re.fullmatch(rf"{name}=([A-Za-z0-9%._~-]+)", fragment)
    assert found, address
    return unquote(found[1])


async def user_of(it: Entrance, token: str) -> str | None:
    """Give whom the gate sees behind a session token."""
    visit = it.parts.trust.visit(
        method="GET", path="/", query="", raw_headers=((b"x-zumo-auth", token.encode()),), peer="", scheme="http"
    )
    session = (await it.parts.gate.recognise(visit)).session
    return None if session is None else session.user_id


# --- the ordinary course -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ({"session_mode": "token"}, DONE),
        ({"session_mode": "token", "post_login_redirect_uri": "/page?x=1"}, "/page?x=1"),
        ({"session_mode": "token", "post_login_redirect_uri": "http://app.test/page"}, "http://app.test/page"),
        ({"session_mode": "token", "post_login_redirect_url": f"{PARTNER}/a"}, f"{PARTNER}/a"),
        ({"post_login_redirect_uri": APP}, APP),
        ({"post_login_redirect_uri": f"{APP}?tab=1", "session_mode": "token"}, f"{APP}?tab=1"),
        ({"post_login_redirect_uri": "com.example.app:/back"}, "com.example.app:/back"),
    ],
)
async def test_the_token_is_in_the_fragment(sqlite_url: str, asked: dict[str, str], target: str) -> None:
    """Token mode, asked for or by the target's scheme, ends at the target with the JSON, and without any cookie."""
    async with entrance(sqlite_url, turn=listed) as it:
        browser = it.browser()
        done = await come_back(it, browser, **asked)
        assert done.status == 302
        answer = json.loads(handed(done.location, target, "token"))
        assert list(answer) == ["authenticationToken", "user"]
        assert list(answer["user"]) == ["userId"]
        assert USER_ID.fullmatch(answer["user"]["userId"])
        assert await user_of(it, answer["authenticationToken"]) == "jane@contoso.com"
        assert not browser.cookies
        assert done.header("cache-control") == "no-store"
        assert len(await it.audited("session.started")) == 1


async def test_a_cookie_session_stays_beside_a_token(sqlite_url: str) -> None:
    """A sign-in by token neither replaces nor ends the session that the browser has."""
    async with entrance(sqlite_url, turn=listed) as it:
        browser = it.browser()
        await it.sign_in_as(browser, "aad")
        before = browser.session
        assert before
        await come_back(it, browser, session_mode="token")
        assert browser.session == before
        assert await it.parts.desk.find(before) is not None


async def test_a_target_keeps_the_fragment_it_has(sqlite_url: str) -> None:
    """A client that gave a fragment of its own finds it again, and the token behind it."""
    async with entrance(sqlite_url, turn=listed) as it:
        done = await come_back(it, it.browser(), post_login_redirect_uri=f"{APP}#tab=2")
        assert done.location.startswith(f"{APP}#tab=2&token=%7B%22authenticationToken%22")


async def test_cookie_mode_may_be_asked_for(sqlite_url: str) -> None:
    """`session_mode=cookie` is the ordinary sign-in, for an application's scheme as well."""
    async with entrance(sqlite_url, turn=listed) as it:
        browser = it.browser()
        done = await come_back(it, browser, session_mode="cookie", post_login_redirect_uri=APP)
        assert done.location == APP
        assert browser.session


async def test_an_expired_sign_in_begins_again_as_it_was(sqlite_url: str) -> None:
    """Whoever took too long signs in anew, and still ends with a token for the app."""
    async with entrance(sqlite_url, turn=listed) as it:
        browser = it.browser()
        begun = await browser.get(f"/.auth/login/aad?{urlencode({'post_login_redirect_uri': APP})}")
        comeback = it.provider.consent(begun.location)
        it.clock.advance(301)
        again = await browser.bring(comeback)
        assert again.status == 302
        it.provider.claims |= {"iat": it.clock.now(), "nbf": it.clock.now(), "exp": it.clock.now() + 3600}
        done = await browser.bring(it.provider.consent(again.location))
        assert json.loads(handed(done.location, APP, "token"))["authenticationToken"]


# --- native apps with a code challenge -----------------------------------------------------------------------------

VERIFIER = base64.b64encode(bytes(range(200, 232))).decode()
"""As App Service's own clients make it: padded base64, here with `+` and `/` in it."""
URL_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def challenge(verifier: str, *, plain: bool) -> str:
    """Give the challenge of a verifier, in plain base64 with padding or in base64url without."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.b64encode(digest).decode() if plain else base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def code_for(it: Entrance, verifier: str = VERIFIER, **more: str) -> str:
    """Sign Jane in for a native app, and give the code that came back to it."""
    asked = {
        "session_mode": "token",
        "code_challenge": challenge(verifier, plain=True),
        "code_challenge_method": "S256",
        "post_login_redirect_uri": APP,
    }
    done = await come_back(it, it.browser(), **{**asked, **more})
    assert done.status == 302
    return handed(done.location, APP, "authorization_code")


async def redeem(it: Entrance, code: str, verifier: str = VERIFIER, provider: str = "aad") -> Got:
    """Ask for the token that a code stands for."""
    asked = urlencode({"authorization_code": code, "code_verifier": verifier})
    return await it.browser().get(f"/.auth/login/{provider}/token?{asked}")


@pytest.mark.parametrize("encoding", ["base64", "base64url"])
@pytest.mark.parametrize("verifier", [VERIFIER, URL_VERIFIER, "~" * 43, "." * 128])
async def test_a_native_app_redeems_its_code(database_url: str, verifier: str, encoding: str) -> None:
    """Whichever encoding verifier and challenge have, the app gets the JSON; before that there is no session."""
    async with entrance(database_url, turn=listed) as it:
        code = await code_for(it, verifier, code_challenge=challenge(verifier, plain=encoding == "base64"))
        assert not await it.audited("session.started")
        assert not await it.parts.desk.list_living(None, it.clock.now())
        got = await redeem(it, code, verifier)
        assert (got.status, got.header("content-type")) == (200, "application/json; charset=utf-8")
        assert got.header("cache-control") == "no-store"
        assert not got.cookies()
        answer = json.loads(got.body)
        assert list(answer) == ["authenticationToken", "user"]
        assert USER_ID.fullmatch(answer["user"]["userId"])
        assert await user_of(it, answer["authenticationToken"]) == "jane@contoso.com"
        assert len(await it.audited("session.started")) == 1


async def test_a_code_counts_once(database_url: str) -> None:
    """Shown a second time it is nothing, and of twenty who show it at once one gets a token."""
    async with entrance(database_url, turn=listed) as it:
        code = await code_for(it)
        statuses = [got.status for got in await asyncio.gather(*(redeem(it, code) for _ in range(20)))]
        assert sorted(statuses) == [200, *[401] * 19]
        assert (await redeem(it, code)).code == "authorization_code_refused"
        assert len(await it.parts.desk.list_living(None, it.clock.now())) == 1


@pytest.mark.parametrize(
    "verifier", [URL_VERIFIER, VERIFIER[:42], VERIFIER[:-1] + "A", VERIFIER + " ", "ä" * 50, "a" * 129]
)
async def test_a_wrong_verifier_uses_the_code_up(sqlite_url: str, verifier: str) -> None:
    """There is one guess, and after it the right verifier comes too late; the refusal is in the trail."""
    async with entrance(sqlite_url, turn=listed) as it:
        code = await code_for(it)
        assert (await redeem(it, code, verifier)).status == 401
        assert (await redeem(it, code)).code == "authorization_code_refused"
        assert {record["code"] for record in await it.audited("sign_in.refused")} == {"authorization_code_refused"}
        assert not await it.parts.desk.list_living(None, it.clock.now())


async def test_a_short_verifier_is_none_even_where_it_fits(sqlite_url: str) -> None:
    """Whoever began with a verifier that can be guessed is not let in with it (RFC 7636 section 4.1)."""
    async with entrance(sqlite_url, turn=listed) as it:
        code = await code_for(it, "a" * 42)
        assert (await redeem(it, code, "a" * 42)).code == "authorization_code_refused"


async def test_a_code_lives_two_minutes(sqlite_url: str) -> None:
    """Just before that it counts, then no more."""
    async with entrance(sqlite_url, turn=listed) as it:
        early, late = await code_for(it), await code_for(it)
        it.clock.advance(119)
        assert (await redeem(it, early)).status == 200
        it.clock.advance(1)
        assert (await redeem(it, late)).code == "authorization_code_refused"


async def test_a_code_is_of_its_provider(sqlite_url: str) -> None:
    """At the address of another provider it is refused."""
    async with entrance(sqlite_url, "aad", "google", turn=listed) as it:
        code = await code_for(it)
        assert (await redeem(it, code, provider="google")).code == "authorization_code_refused"


@pytest.mark.parametrize("left_out", ["authorization_code", "code_verifier"])
async def test_without_one_of_both_nothing_is_used_up(sqlite_url: str, left_out: str) -> None:
    """A request that lacks something is malformed, as is one that says something twice, and the code still counts."""
    async with entrance(sqlite_url, turn=listed) as it:
        code = await code_for(it)
        asked = {"authorization_code": code, "code_verifier": VERIFIER}
        kept = {name: value for name, value in asked.items() if name != left_out}
        for query in (urlencode(kept), urlencode({**kept, left_out: ""}), f"{urlencode(asked)}&{left_out}=x"):
            got = await it.browser().get(f"/.auth/login/aad/token?{query}")
            assert (got.status, got.code) == (400, "sign_in_malformed")
        head = await it.browser().get(f"/.auth/login/aad/token?{urlencode(asked)}", method="HEAD")
        assert head.status == 405
        assert (await redeem(it, code)).status == 200


@pytest.mark.parametrize(
    "asked",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"code_challenge": ""},
        {"code_challenge": "abc"},
        {"code_challenge": challenge(VERIFIER, plain=True)[:-1] + "!"},
        {"code_challenge": challenge(VERIFIER, plain=False) + "AAAA"},
        {"code_challenge": challenge(VERIFIER, plain=True).replace("=", "") + "=="},
        {"code_challenge": VERIFIER * 3},
        {"session_mode": "cookie"},
        {"session_mode": "TOKEN"},
        {"completion_type": "postMessage", "completion_origin": PARTNER},
    ],
)
async def test_a_bad_challenge_is_refused_at_once(sqlite_url: str, asked: dict[str, str]) -> None:
    """What could not be redeemed safely is not begun: S256 alone, 32 bytes, and no cookie or popup beside it."""
    right = {
        "session_mode": "token",
        "code_challenge": challenge(VERIFIER, plain=True),
        "code_challenge_method": "S256",
        "post_login_redirect_uri": APP,
    }
    async with entrance(sqlite_url, turn=listed) as it:
        got = await it.browser().get(f"/.auth/login/aad?{urlencode({**right, **asked})}")
        assert (got.status, got.code) == (400, "sign_in_malformed")
        assert not got.cookies()
