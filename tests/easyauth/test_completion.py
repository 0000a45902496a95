import asyncio
import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals_gateway import PERSON_NOT_ADMITTED
from doorward.config.auth_plan import AuthPlan
from doorward.easyauth.completion import Completion, to_target
from doorward.easyauth.ending import Ending
from doorward.easyauth.popups import failure_envelope, success_envelope
from doorward.pages import render
from tests.support import peers
from tests.support.sessions import person
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


# --- refusals ------------------------------------------------------------------------------------------------------


async def come_back_refused(it: Entrance, browser: Browser, **asked: str) -> Got:
    """Begin a sign-in that the provider then refuses."""
    begun = await browser.get(f"/.auth/login/aad?{urlencode(asked)}")
    said = it.provider.consent(begun.location).changed(code=None, id_token=None, error="access_denied")
    return await browser.bring(said)


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ({"session_mode": "token"}, DONE),
        ({"post_login_redirect_uri": APP}, APP),
        ({"session_mode": "token", "post_login_redirect_uri": f"{PARTNER}/a"}, f"{PARTNER}/a"),
    ],
)
async def test_the_target_is_told_why_not(sqlite_url: str, asked: dict[str, str], target: str) -> None:
    """A refusal goes where the token would have gone, in our own words, and the sign-in leaves the browser."""
    async with entrance(sqlite_url, turn=listed) as it:
        browser = it.browser()
        done = await come_back_refused(it, browser, **asked)
        assert done.status == 302
        assert handed(done.location, target, "error") == "The identity provider did not sign you in"
        assert not browser.cookies
        (record,) = await it.audited("sign_in.refused")
        assert record["code"] == "provider_declined"


def nobody_admitted(*_about: object) -> ErrorRow:
    """Refuse everybody."""
    return PERSON_NOT_ADMITTED


async def test_who_may_not_in_is_told_at_the_target(sqlite_url: str) -> None:
    """The policy holds for tokens and for codes as it does for cookies."""
    async with entrance(sqlite_url, turn=listed, judge=nobody_admitted) as it:
        for more in ({}, {"code_challenge": challenge(VERIFIER, plain=True), "code_challenge_method": "S256"}):
            done = await come_back(it, it.browser(), post_login_redirect_uri=APP, **more)
            assert handed(done.location, APP, "error") == PERSON_NOT_ADMITTED.message
        assert not await it.parts.desk.list_living(None, it.clock.now())


async def test_a_provider_that_is_away_is_told_to_the_app(sqlite_url: str) -> None:
    """Before anybody was sent to the provider as well: the app waits for its own address."""
    async with entrance(sqlite_url, "contoso", turn=listed) as it:
        it.provider.answers["/.well-known/openid-configuration"] = peers.answer(b"{}", status="503 Away")
        got = await it.browser().get(f"/.auth/login/contoso?{urlencode({'post_login_redirect_uri': APP})}")
        assert got.status == 302
        assert handed(got.location, APP, "error") == "The identity provider cannot be reached"
        assert (await it.browser().get("/.auth/login/contoso")).status == 502


@pytest.mark.parametrize(
    "target",
    [
        "app://evil.callback",
        "evil://easyauth.callback",
        "app://easyauth.callback.evil",
        "app://user@easyauth.callback",
        "app:easyauth.callback",
        "javascript://easyauth.callback",
        "https://evil.example",
        "https://partner.example.evil.example/",
        "https://partner.example:444/",
        "https://other.example/signed-in-elsewhere",
        "https://other.example/signed-in/../evil",
        "//partner.example",
        "data:text/html,x",
        f"{APP}\\@evil",
    ],
)
async def test_nobody_else_is_a_target(sqlite_url: str, target: str) -> None:
    """What is not listed is refused at the beginning, with and without a challenge, and nothing goes there."""
    proof = {"code_challenge": challenge(VERIFIER, plain=True), "code_challenge_method": "S256"}
    async with entrance(sqlite_url, turn=listed) as it:
        for more in ({}, proof):
            asked = {"session_mode": "token", "post_login_redirect_uri": target, **more}
            got = await it.browser().get(f"/.auth/login/aad?{urlencode(asked)}")
            assert (got.status, got.code) == (400, "redirect_target_not_allowed")
            assert "location" not in dict(got.headers)


async def test_a_target_cannot_be_swapped_on_the_way(sqlite_url: str) -> None:
    """The state is compared with what was sealed: another target in it, even a listed one, ends without a token."""
    async with entrance(sqlite_url, "aad", "github", turn=listed) as it:
        it.provider.profile.update({"id": 4711, "login": "jane", "name": "Jane"})
        for provider in ("aad", "github"):
            browser = it.browser()
            begun = await browser.get(f"/.auth/login/{provider}?{urlencode({'post_login_redirect_uri': APP})}")
            comeback = it.provider.consent(begun.location)
            state = comeback.value("state").replace(quote(APP, safe=""), quote(f"{PARTNER}/a", safe=""))
            assert state != comeback.value("state")
            got = await browser.bring(comeback.changed(state=state))
            assert (got.status, got.code) == (401, "sign_in_not_begun")
        assert not await it.parts.desk.list_living(None, it.clock.now())


async def test_another_browser_gets_no_token(sqlite_url: str) -> None:
    """Without the cookie of the browser that began it there is no token, and no redirect to the app either."""
    async with entrance(sqlite_url, turn=listed) as it:
        begun = await it.browser().get(f"/.auth/login/aad?{urlencode({'post_login_redirect_uri': APP})}")
        got = await it.browser().bring(it.provider.consent(begun.location))
        assert (got.status, got.code) == (401, "sign_in_not_begun")


async def test_a_callback_that_comes_again_gives_no_second_token(sqlite_url: str) -> None:
    """The nonce was used; the app is told so, and no second session is begun."""
    async with entrance(sqlite_url, turn=listed) as it:
        browser = it.browser()
        begun = await browser.get(f"/.auth/login/aad?{urlencode({'post_login_redirect_uri': APP})}")
        cookies, comeback = dict(browser.cookies), it.provider.consent(begun.location)
        assert "token=" in (await browser.bring(comeback)).location
        browser.cookies.update(cookies)
        again = await browser.bring(comeback)
        assert handed(again.location, APP, "error") == "This sign-in was finished before"
        assert len(await it.parts.desk.list_living(None, it.clock.now())) == 1


async def test_a_target_that_is_listed_no_more_gets_nothing(sqlite_url: str) -> None:
    """Whatever was taken out of the list between beginning and end, the token stays with us."""
    async with entrance(sqlite_url, turn=listed) as it, entrance(sqlite_url) as unlisted:
        browser = it.browser()
        begun = await browser.get(f"/.auth/login/aad?{urlencode({'post_login_redirect_uri': APP})}")
        unlisted.provider.url = it.provider.url
        comeback = it.provider.consent(begun.location).changed(code=None, id_token=None, error="access_denied")
        got = await Browser(unlisted.serving, cookies=dict(browser.cookies)).bring(comeback)
        assert handed(got.location, DONE, "error")


# --- popups --------------------------------------------------------------------------------------------------------

ORIGINS_REFUSED = (
    "",
    "*",
    "null",
    "https://evil.example",
    "https://partner.example.evil.example",
    "https://sub.partner.example",
    "http://partner.example",
    "https://partner.example:8443",
    "https://partner.example:443",
    "https://partner.example/",
    "https://partner.example/a",
    "https://partner.example?a",
    "https://partner.example#a",
    "https://PARTNER.example",
    "https://user@partner.example",
    "https://partner.example\\@evil.example",
    "https://partner.example, https://evil.example",
    "https://partner.example https://evil.example",
    "https://other.example",
    "https://other.example/signed-in",
    "//partner.example",
    "partner.example",
    "app://easyauth.callback",
    "/",
    "http://app.test/",
    "http://app.test:80",
    "https://app.test",
    "https://" + "a" * 250 + ".example",
)


@pytest.mark.parametrize("origin", ORIGINS_REFUSED)
async def test_only_this_site_and_listed_origins_hear_of_it(sqlite_url: str, origin: str) -> None:
    """No window is opened, and no receiver served, for any origin that is not exactly one of ours or of the list."""
    async with entrance(sqlite_url, turn=listed) as it:
        for way in ("postMessage", "iframe"):
            asked = {"session_mode": "token", "completion_type": way, "completion_origin": origin}
            got = await it.browser().get(f"/.auth/login/aad?{urlencode(asked)}")
            assert (got.status, got.code) == (400, "completion_origin_not_allowed")
        got = await it.browser().get(f"/.auth/login/iframereceiver?{urlencode({'completion_origin': origin})}")
        assert (got.status, got.code) == (400, "completion_origin_not_allowed")


@pytest.mark.parametrize("origin", ["http://app.test", PARTNER, "https://partner.test:8443", "http://[::1]:3000"])
async def test_the_window_names_the_origin_exactly(sqlite_url: str, origin: str) -> None:
    """The page of the popup holds the envelope and the one origin it is for; the receiver may be framed by it alone."""

    def more(plan: AuthPlan) -> AuthPlan:
        return replace(plan, allowed_targets=(*LISTED, "https://Partner.test:8443/", "http://[::1]:3000"))

    async with entrance(sqlite_url, turn=more) as it:
        browser = it.browser()
        done = await come_back(it, browser, completion_type="postMessage", completion_origin=origin)
        assert done.status == 200
        told = attributes_of(done.body, "over")
        assert (told["data-origin"], told["data-way"]) == (origin, "postMessage")
        envelope = json.loads(told["data-envelope"])
        assert list(envelope) == ["type", "oauth"]
        assert await user_of(it, envelope["oauth"]["authenticationToken"]) == "jane@contoso.com"
        assert not browser.cookies
        assert "frame-ancestors 'none'" in done.header("content-security-policy")
        assert "script-src 'sha256-" in done.header("content-security-policy")
        assert done.header("cache-control") == "no-store"
        receiver = await browser.get(f"/.auth/login/iframereceiver?{urlencode({'completion_origin': origin})}")
        assert f"frame-ancestors {origin};" in receiver.header("content-security-policy")
        assert "x-frame-options" not in dict(receiver.headers)
        assert attributes_of(receiver.body, "relay")["data-origin"] == origin


@pytest.mark.parametrize("way", ["postmessage", "POSTMESSAGE", "redirect", "iframe,postMessage"])
async def test_another_way_of_completion_is_none(sqlite_url: str, way: str) -> None:
    """Two are known."""
    async with entrance(sqlite_url, turn=listed) as it:
        asked = {"completion_type": way, "completion_origin": PARTNER}
        got = await it.browser().get(f"/.auth/login/aad?{urlencode(asked)}")
        assert (got.status, got.code) == (400, "sign_in_malformed")


async def test_a_popup_that_failed_says_so_in_its_status(sqlite_url: str) -> None:
    """Its page has the status, the challenge and the code of the refusal, and the envelope has its message."""
    async with entrance(sqlite_url, turn=listed) as it:
        browser = it.browser()
        got = await come_back_refused(it, browser, completion_type="iframe", completion_origin=PARTNER)
        assert got.status == 401
        assert got.header("www-authenticate").startswith('Bearer realm="app.test"')
        told = attributes_of(got.body, "over")
        assert told["data-way"] == "iframe"
        assert json.loads(told["data-envelope"]) == {
            "type": "LoginCompleted",
            "error": "The identity provider did not sign you in",
        }
        assert "provider_declined" in got.body
        assert not browser.cookies


async def test_an_origin_that_is_listed_no_more_hears_nothing(sqlite_url: str) -> None:
    """Between beginning and end an origin was taken out of the list: the page of the refusal speaks to nobody."""
    async with entrance(sqlite_url, turn=listed) as it:
        ending = Ending(mode="token", completion_type="postMessage", completion_origin="https://gone.example")
        visit = it.parts.trust.visit(method="GET", path="/", query="", raw_headers=(), peer="", scheme="http")
        completion = Completion(it.parts)
        reply = completion.refuse(visit, ending, "/", DoorwardError(PERSON_NOT_ADMITTED))
        assert (reply.status, json.loads(reply.body)["error"]["code"]) == (400, "completion_origin_not_allowed")
        plan = it.parts.plan.providers["aad"]
        with pytest.raises(DoorwardError) as refused:
            await completion.hand_over(visit, plan, person(), ending, "/")
        assert refused.value.code == "completion_origin_not_allowed"
        assert not await it.parts.desk.list_living(None, it.clock.now())


class _Attributes(HTMLParser):
    """Reads a page as a browser does, and keeps the attributes of the element with one id."""

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.wanted = wanted
        self.found: list[dict[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        attributes = {name: value or "" for name, value in attrs}
        if attributes.get("id") == self.wanted:
            self.found.append(attributes)


def attributes_of(page: str, element: str) -> dict[str, str]:
    """Give the attributes of the one element with this id."""
    reader = _Attributes(element)
    reader.feed(page)
    (found,) = reader.found
    return found


@given(st.text(max_size=200), st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=4))
def test_an_envelope_comes_through_the_page_whole(message: str, oauth: dict[str, str]) -> None:
    """Whatever stands in it, a browser's reader finds exactly the envelope in the attribute, and no other element."""
    for envelope, meant in (
        (failure_envelope(message), {"type": "LoginCompleted", "error": message}),
        (success_envelope(json.dumps(oauth).encode()), {"type": "LoginCompleted", "oauth": oauth}),
    ):
        page = render(
            "popup.html", script="", title="t", envelope=envelope.decode(), origin=PARTNER, way="iframe", code="",
            request_id="",
        ).decode()  # fmt: skip
        told = attributes_of(page, "over")
        assert json.loads(told["data-envelope"]) == meant
        assert (told["data-origin"], told["data-way"]) == (PARTNER, "iframe")


@given(st.text(), st.sampled_from(["app://easyauth.callback", "/a?b=c", "/a#tab=1", "https://partner.example/#"]))
def test_a_value_comes_through_a_fragment_whole(value: str, target: str) -> None:
    """Whatever it holds, it ends nothing early: the address stays the target's, and decoding gives the value back."""
    ((_, location), *_) = to_target(target, "token", value.encode("utf-8", "replace").decode()).headers
    page, _, fragment = location.decode().partition("#")
    assert page == target.partition("#")[0]
    name, _, written = fragment.rpartition("&")[2].partition("=")
    assert name == "token"
    assert unquote(written) == value.encode("utf-8", "replace").decode()
    assert not re.search(r"[^\x21-\x7e]", location.decode())
