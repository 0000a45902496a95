import asyncio
import html
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from doorward.base.errors import ErrorRow
from doorward.base.refusals_gateway import PERSON_NOT_ADMITTED
from doorward.base.secret import Secret
from doorward.config.auth_plan import AuthPlan
from doorward.protocol.id_token import half_hash as made_half_hash
from tests.support import peers
from tests.support.canaries import canary, keep_secret
from tests.support.other_keys import OTHERS, other_signer
from tests.support.postgres import PostgresServer
from tests.support.sign_in import CLIENT_ID, NOW, Browser, Comeback, Entrance, Got, entrance, query_of, signer

EVERY = ("aad", "google", "github", "contoso")
JANE = {"id": 4711, "login": "jane", "name": "Jane Doe", "email": "jane@contoso.com"}


async def begin(it: Entrance, browser: Browser, provider: str = "aad", target: str = "/", **claims: Any) -> Comeback:
    """Begin a sign-in and let Jane consent."""
    it.provider.profile.update(JANE)
    begun = await browser.get(f"/.auth/login/{provider}?{urlencode({'post_login_redirect_uri': target})}")
    assert begun.status == 302, begun
    return it.provider.consent(begun.location, **claims)


def assert_refused(got: Got, browser: Browser, status: int, code: str) -> None:
    """Hold an answer to be this refusal, and the browser to be without a session."""
    assert (got.status, got.code) == (status, code)
    assert browser.session is None
    assert "AppServiceAuthSession" not in got.cookies()


async def identity_of(it: Entrance, browser: Browser) -> Any:
    """Give the identity of the browser's session."""
    assert browser.session is not None
    session = await it.parts.desk.find(browser.session)
    assert session is not None
    return session.identity


# --- the ordinary course -------------------------------------------------------------------------------------------


async def test_somebody_signs_in_at_entra_by_the_hybrid_flow(database_url: str) -> None:
    """Authorize, form_post, code: afterwards the browser has a session, is where it wanted to be, and keeps no rest."""
    async with entrance(database_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser, target="/a?b=c", tid="x")
        assert "Nonce" in browser.cookies
        done = await browser.bring(comeback)
        assert (done.status, done.location) == (302, "/a?b=c")
        assert done.header("cache-control") == "no-store"
        assert list(browser.cookies) == ["AppServiceAuthSession"]
        assert done.cookies()["Nonce"] == "Nonce=deleted; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT"
        identity = await identity_of(it, browser)
        assert identity.user_id == "jane@contoso.com"
        (record,) = await it.audited("session.started")
        assert (record["client_id"], record["detail"]) == (CLIENT_ID, "aad:sub-jane")


async def test_claims_are_those_of_the_front_channel(sqlite_url: str) -> None:
    """In the hybrid flow the claims and the id_token are what the browser brought, the other tokens the endpoint's."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser)
        await browser.bring(comeback)
        identity = await identity_of(it, browser)
        types = [claim.typ for claim in identity.claims]
        assert "c_hash" in types
        assert "at_hash" not in types
        assert identity.tokens.id_token == comeback.value("id_token")
        assert identity.tokens.access_token == canary("access-sub-jane")
        assert identity.tokens.refresh_token == canary("refresh-sub-jane")
        assert identity.tokens.expires_on == int((NOW + 3599) * 10_000_000)


@pytest.mark.parametrize("provider", EVERY)
async def test_every_provider_signs_people_in(sqlite_url: str, provider: str) -> None:
    """Whatever differs between providers is data: each comes to a session with its own name for the person."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        done = await browser.bring(await begin(it, browser, provider, target="/welcome"))
        assert (done.status, done.location) == (302, "/welcome")
        identity = await identity_of(it, browser)
        assert identity.provider == provider
        assert identity.subject == ("4711" if provider == "github" else "sub-jane")
        assert bool(identity.tokens.id_token) is (provider != "github")
        (asked,) = it.provider.requests("/token")
        assert asked.form == {
            "grant_type": "authorization_code",
            "code": asked.form["code"],
            "redirect_uri": f"http://app.test/.auth/login/{provider}/callback",
            "client_id": CLIENT_ID,
            "client_secret": canary(f"client-secret-{provider}"),
        }
        profiles = [asked.headers["authorization"] for asked in it.provider.requests("/user")]
        assert profiles == ([f"Bearer {canary('access-sub-jane')}"] if provider == "github" else [])


async def test_without_a_secret_there_is_an_id_token_alone(sqlite_url: str) -> None:
    """Without a client secret aad gives no code and no access token, and nobody asks the token endpoint."""
    async with entrance(sqlite_url, "aad", plans={"aad": {"client_secret": Secret("")}}) as it:
        browser = it.browser()
        comeback = await begin(it, browser)
        assert [name for name, _ in comeback.pairs] == ["id_token", "state"]
        assert (await browser.bring(comeback)).status == 302
        tokens = (await identity_of(it, browser)).tokens
        assert (tokens.access_token, tokens.refresh_token, tokens.expires_on) == (None, None, None)
        assert tokens.id_token == comeback.value("id_token")
        assert not it.provider.requests("/token")


async def test_a_form_encoded_token_answer_is_understood(sqlite_url: str) -> None:
    """GitHub answers as a form unless it is asked for JSON, and some answer so in any case."""
    async with entrance(sqlite_url, "github") as it:
        browser = it.browser()
        comeback = await begin(it, browser, "github")
        body = urlencode({"access_token": canary("form"), "token_type": "bearer", "scope": ""}).encode()
        it.provider.answers["/token"] = peers.answer(body, content_type="application/x-www-form-urlencoded")
        assert (await browser.bring(comeback)).status == 302
        assert (await identity_of(it, browser)).tokens.access_token == canary("form")


async def test_a_second_sign_in_ends_the_first_session(sqlite_url: str) -> None:
    """No fixation: a sign-in begins under a cookie that nobody knew before, and the old one is worth nothing."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        await it.sign_in_as(browser, "aad", "jane")
        before = browser.session or ""
        await it.sign_in_as(browser, "aad", "john")
        assert browser.session != before
        assert await it.parts.desk.find(before) is None
        assert (await identity_of(it, browser)).subject == "sub-john"


async def test_a_planted_session_cookie_is_replaced(sqlite_url: str) -> None:
    """What stood in the browser before, further chunks included, does not become part of the session."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        browser.cookies |= {"AppServiceAuthSession": "planted", "AppServiceAuthSession1": "more"}
        done = await browser.bring(await begin(it, browser))
        assert browser.session != "planted"
        assert "AppServiceAuthSession1" not in browser.cookies
        assert "1970" in done.cookies()["AppServiceAuthSession1"]


# --- whose sign-in it is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", EVERY)
async def test_one_browser_cannot_bring_what_another_began(sqlite_url: str, provider: str) -> None:
    """Crossed callbacks: nobody gets a session of the other's, and who began can still finish."""
    async with entrance(sqlite_url, *EVERY) as it:
        jane, mallory = it.browser(), it.browser()
        janes, mallorys = await begin(it, jane, provider), await begin(it, mallory, provider, person="mallory")
        assert_refused(await jane.bring(mallorys), jane, 401, "sign_in_not_begun")
        assert_refused(await mallory.bring(janes), mallory, 401, "sign_in_not_begun")
        late = provider == "contoso"  # there the code was spent before the nonce could be seen
        assert (await jane.bring(await begin(it, jane, provider) if late else janes)).status == 302
        assert (await identity_of(it, jane)).subject in {"sub-jane", "4711"}


@pytest.mark.parametrize("provider", EVERY)
async def test_without_the_cookie_nothing_comes_back(sqlite_url: str, provider: str) -> None:
    """A stolen answer is worth nothing in a browser that began nothing."""
    async with entrance(sqlite_url, *EVERY) as it:
        comeback, thief = await begin(it, it.browser(), provider), it.browser()
        assert_refused(await thief.bring(comeback), thief, 401, "sign_in_not_begun")
        assert not it.provider.requests("/token")


@pytest.mark.parametrize("provider", EVERY)
async def test_an_answer_counts_once(database_url: str, provider: str) -> None:
    """A replayed answer is refused even with the cookies of the time, and with a fresh code at hand."""
    async with entrance(database_url, *EVERY) as it:
        browser, twin = it.browser(), it.browser()
        comeback = await begin(it, browser, provider)
        twin.cookies = dict(browser.cookies)
        assert (await browser.bring(comeback)).status == 302
        known = it.provider.codes | {}
        it.provider.codes.update(known)
        got = await twin.bring(comeback)
        assert_refused(got, twin, 401, "code_refused" if provider == "contoso" else "sign_in_used")


async def test_a_replayed_nonce_with_a_fresh_code_is_refused(sqlite_url: str) -> None:
    """Where the nonce shows only behind the code, it is used up all the same before a session begins."""
    async with entrance(sqlite_url, "contoso") as it:
        browser, twin = it.browser(), it.browser()
        begun = await browser.get("/.auth/login/contoso?post_login_redirect_uri=/")
        twin.cookies = dict(browser.cookies)
        assert (await browser.bring(it.provider.consent(begun.location))).status == 302
        assert_refused(await twin.bring(it.provider.consent(begun.location)), twin, 401, "sign_in_used")


@pytest.mark.parametrize("provider", EVERY)
async def test_parallel_replays_make_one_session(sqlite_url: str, provider: str) -> None:
    """However many copies of one answer come at the same moment, one of them is let in at most."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        comeback = await begin(it, browser, provider)
        twins = [it.browser() for _ in range(8)]
        for twin in twins:
            twin.cookies = dict(browser.cookies)
        answers = await asyncio.gather(*(twin.bring(comeback) for twin in twins))
        assert sorted(answer.status for answer in answers) == [302] + [401] * 7


@pytest.mark.parametrize("provider", EVERY)
async def test_tabs_do_not_disturb_each_other(sqlite_url: str, provider: str) -> None:
    """Three sign-ins of one browser end in any order, each where it was going."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        tabs = [await begin(it, browser, provider, target=f"/tab{number}") for number in range(3)]
        for number in (1, 0, 2):
            done = await browser.bring(tabs[number])
            assert (done.status, done.location) == (302, f"/tab{number}")


@pytest.mark.parametrize("provider", EVERY)
async def test_a_state_that_was_not_sent_is_refused(sqlite_url: str, provider: str) -> None:
    """Another target in the state, a nonce of somebody's choice, or no state at all: no session."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        comeback = await begin(it, browser, provider)
        state = comeback.value("state")
        for forged in ("redir=%2Fevil", "redir=https%3A%2F%2Fevil.example", state + "&x=1", "redir", ""):
            assert_refused(await browser.bring(comeback.changed(state=forged)), browser, 401, "sign_in_not_begun")
        assert_refused(await browser.bring(comeback.changed(state=None)), browser, 401, "sign_in_not_begun")


async def test_a_sign_in_at_one_provider_is_none_at_another(sqlite_url: str) -> None:
    """An answer that is brought to another provider's callback belongs to nothing there."""
    async with entrance(sqlite_url, "google", "github") as it:
        browser = it.browser()
        comeback = await begin(it, browser, "google")
        moved = replace(comeback, redirect_uri=comeback.redirect_uri.replace("google", "github"))
        assert_refused(await browser.bring(moved), browser, 401, "sign_in_not_begun")


# --- the nonce's time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", EVERY)
async def test_an_expired_sign_in_begins_again_with_the_same_target(sqlite_url: str, provider: str) -> None:
    """Five minutes later there is no session, but another sign-in that leads to the same page."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        comeback = await begin(it, browser, provider, target="/deep?x=1")
        it.clock.advance(301)
        again = await browser.bring(comeback)
        assert (again.status, browser.session) == (302, None)
        assert again.location.startswith(f"{it.provider.url}/authorize?")
        assert query_of(again.location)["state"][0].startswith("redir=%2Fdeep%3Fx%3D1")
        assert not it.provider.requests("/token")
        it.provider.claims = {"iat": int(NOW) + 301, "exp": int(NOW) + 4000}
        done = await browser.bring(it.provider.consent(again.location))
        assert (done.status, done.location) == (302, "/deep?x=1")
        assert list(browser.cookies) == ["AppServiceAuthSession"]


async def test_five_expired_sign_ins_in_a_row_are_the_end(sqlite_url: str) -> None:
    """Who is too slow again and again is told so, in place of going round for ever."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser)
        for _ in range(5):
            it.clock.advance(301)
            again = await browser.bring(comeback)
            assert (again.status, browser.session) == (302, None)
            comeback = it.provider.consent(again.location)
        it.clock.advance(301)
        assert_refused(await browser.bring(comeback), browser, 401, "redirect_loop")


async def test_unchecked_nonces_are_the_operators_choice(sqlite_url: str) -> None:
    """With `validateNonce` off an answer counts without its cookie, and still leads to a page of this site only."""

    def unchecked(plan: AuthPlan) -> AuthPlan:
        return replace(plan, validate_nonce=False)

    async with entrance(sqlite_url, "aad", turn=unchecked) as it:
        comeback, other = await begin(it, it.browser(), target="/there"), it.browser()
        evil = comeback.changed(state="redir=https%3A%2F%2Fevil.example%2F")
        done = await other.bring(comeback)
        assert (done.status, done.location) == (302, "/there")
        assert not it.provider.codes
        assert_refused(await it.browser().bring(evil), it.browser(), 401, "code_refused")
        fresh = (await begin(it, it.browser())).changed(state="redir=https%3A%2F%2Fevil.example%2F")
        assert (await it.browser().bring(fresh)).location == "/.auth/login/complete"


# --- what the provider says ----------------------------------------------------------------------------------------

SPOILT: list[tuple[str, dict[str, object], dict[str, object]]] = [
    ("issuer", {"iss": "https://evil.example"}, {}),
    ("issuer absent", {"iss": None}, {}),
    ("audience", {"aud": "somebody-else"}, {}),
    ("two audiences without a party", {"aud": [CLIENT_ID, "somebody-else"]}, {}),
    ("another party", {"azp": "somebody-else"}, {}),
    ("expired", {"exp": int(NOW) - 61}, {}),
    ("from the future", {"iat": int(NOW) + 400, "nbf": int(NOW) + 400}, {}),
    ("exp as text", {"exp": str(int(NOW) + 3600)}, {}),
    ("no subject", {"sub": None}, {}),
    ("subject of another type", {"sub": 1}, {}),
    ("another code's hash", {"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, {}),
    ("no code hash", {"c_hash": None}, {}),
    ("alg none", {}, {"alg": "none"}),
    ("alg HS256", {}, {"alg": "HS256"}),
    ("alg RS512", {}, {"alg": "RS512"}),
    ("unknown crit", {}, {"crit": ["x"]}),
    ("its own key", {}, {"jku": "https://evil.example/keys"}),
    ("unknown key", {}, {"kid": "nobody"}),
]


@pytest.mark.parametrize(("claims", "header"), [row[1:] for row in SPOILT], ids=[row[0] for row in SPOILT])
async def test_a_spoilt_id_token_is_refused(
    sqlite_url: str, claims: dict[str, object], header: dict[str, object]
) -> None:
    """Issuer, audience, times, hashes and algorithm are held to their rules, and the code is not even redeemed."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        it.provider.claims, it.provider.header = claims, header
        got = await browser.bring(await begin(it, browser))
        assert_refused(got, browser, 401, "id_token_refused")
        assert not it.provider.requests("/token")
        (record,) = await it.audited("sign_in.refused")
        assert record["code"] == "id_token_refused"


@pytest.mark.parametrize("provider", ["google", "contoso"])
@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://evil.example"}, {"aud": "x"}, {"exp": int(NOW) - 61}, {"at_hash": "AAAA"}, {"sub": ""}],
    ids=["issuer", "audience", "expired", "access token hash", "subject"],
)
async def test_the_token_endpoints_id_token_is_held_to_the_rules(
    sqlite_url: str, provider: str, claims: dict[str, object]
) -> None:
    """What came straight from the provider is checked like what came by the browser."""
    async with entrance(sqlite_url, "google", "contoso") as it:
        browser = it.browser()
        it.provider.claims = claims
        assert_refused(await browser.bring(await begin(it, browser, provider)), browser, 401, "id_token_refused")


@pytest.mark.parametrize("provider", ["aad", "contoso"])
@pytest.mark.parametrize("nonce", [None, "", "3ca45c180c4145a2b9fc4353ca0cb959_20270115080500"])
async def test_a_nonce_of_nobody_is_refused(sqlite_url: str, provider: str, nonce: str | None) -> None:
    """An id_token without the nonce that was sent, or with another, was not made for this sign-in."""
    async with entrance(sqlite_url, "aad", "contoso") as it:
        browser = it.browser()
        it.provider.claims = {"nonce": nonce}
        assert_refused(await browser.bring(await begin(it, browser, provider)), browser, 401, "sign_in_not_begun")


async def test_an_old_id_token_of_somebody_cannot_be_brought(sqlite_url: str) -> None:
    """Where the nonce travels in the state, an id_token that was once given out is no answer: the code is."""
    async with entrance(sqlite_url, "google") as it:
        mallory, known = it.browser(), {"iss": it.provider.url, "aud": CLIENT_ID, "iat": int(NOW), "exp": int(NOW) + 60}
        stolen = it.provider.id_token({**known, "sub": "sub-jane", "email": "jane@contoso.com"})
        comeback = await begin(it, mallory, "google", person="mallory")
        assert_refused(
            await mallory.bring(comeback.changed(code=None, id_token=stolen)), mallory, 401, "callback_empty"
        )
        again = await begin(it, mallory, "google", person="mallory")
        assert (await mallory.bring(again.changed(id_token=stolen))).status == 302
        assert (await identity_of(it, mallory)).subject == "sub-mallory"


@pytest.mark.parametrize("provider", ["google", "contoso"])
async def test_an_answer_of_another_issuer_is_refused(sqlite_url: str, provider: str) -> None:
    """A provider that says who it is must be the one that was asked (RFC 9207)."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        comeback = await begin(it, browser, provider)
        got = await browser.bring(comeback.changed(iss="https://evil.example"))
        assert_refused(got, browser, 401, "id_token_refused")
        assert not it.provider.requests("/token")
        fine = (await begin(it, browser, provider)).changed(iss=it.provider.url)
        assert (await browser.bring(fine)).status == 302


async def test_a_forged_signature_is_refused(sqlite_url: str) -> None:
    """A token that names the provider's key but was signed by another is nobody's."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        it.provider.key, it.provider.header = signer(1), {"kid": signer().kid}
        assert_refused(await browser.bring(await begin(it, browser)), browser, 401, "id_token_refused")


async def test_a_code_of_another_sign_in_cannot_be_slipped_in(sqlite_url: str) -> None:
    """The id_token vouches for its own code alone (c_hash)."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        mallorys, janes = await begin(it, it.browser(), person="mallory"), await begin(it, browser)
        got = await browser.bring(janes.changed(code=mallorys.value("code")))
        assert_refused(got, browser, 401, "id_token_refused")


async def test_front_and_back_channel_speak_of_one_person(sqlite_url: str) -> None:
    """A token endpoint that answers for somebody else ends the sign-in."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser)
        it.provider.claims = {"sub": "sub-mallory"}
        assert_refused(await browser.bring(comeback), browser, 401, "id_token_refused")


@pytest.mark.parametrize(
    ("claims", "refused"),
    [({"oid": "oid-mallory"}, True), ({"nonce": "0" * 32 + "_20270115080500"}, True), ({"nonce": None}, False)],
)
async def test_front_and_back_channel_speak_of_one_sign_in(
    sqlite_url: str, claims: dict[str, object], *, refused: bool
) -> None:
    """The token endpoint's id_token names the same object, and our nonce where it names one."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser, oid="oid-jane")
        it.provider.claims = claims
        got = await browser.bring(comeback)
        if refused:
            assert_refused(got, browser, 401, "id_token_refused")
        else:
            assert browser.session


async def test_a_code_that_was_asked_for_has_to_come(sqlite_url: str) -> None:
    """An answer without the code that was asked for begins no session, since it would be one without tokens."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser)
        assert_refused(await browser.bring(comeback.changed(code=None)), browser, 401, "callback_empty")
        begun = await browser.get("/.auth/login/aad?response_type=id_token")
        await browser.bring(it.provider.consent(begun.location))
        assert browser.session


@pytest.mark.parametrize("provider", EVERY)
async def test_only_bearers_are_taken_from_a_token_endpoint(sqlite_url: str, provider: str) -> None:
    """A token of a type that nobody here can use is none (RFC 6749 section 7.1)."""
    async with entrance(sqlite_url, *EVERY) as it:
        it.provider.tokens = {"token_type": "mac"}
        browser = it.browser()
        got = await browser.bring(await begin(it, browser, provider))
        assert_refused(got, browser, 502, "provider_unavailable")
        for token_type in ("bearer", "BEARER", None):
            it.provider.tokens = {"token_type": token_type}
            browser = it.browser()
            await browser.bring(await begin(it, browser, provider))
            assert browser.session


@pytest.mark.parametrize("provider", EVERY)
async def test_a_code_that_was_used_is_refused(sqlite_url: str, provider: str) -> None:
    """The provider's refusal of a code is a refusal of the sign-in."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        comeback = await begin(it, browser, provider)
        it.provider.codes.clear()
        assert_refused(await browser.bring(comeback), browser, 401, "code_refused")


@pytest.mark.parametrize("provider", EVERY)
async def test_an_error_of_the_provider_ends_the_sign_in(sqlite_url: str, provider: str) -> None:
    """Consent denied: 401 with a code of ours, the provider's word in the trail, and the nonce is used up."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        comeback = await begin(it, browser, provider)
        denied = comeback.changed(
            error="access_denied", error_description="the person said no", code=None, id_token=None
        )
        twin = it.browser()
        twin.cookies = dict(browser.cookies)
        assert_refused(await browser.bring(denied), browser, 401, "provider_declined")
        assert not browser.cookies
        (record,) = await it.audited("sign_in.refused")
        assert "access_denied" in record["detail"]
        got = await twin.bring(comeback)
        assert_refused(got, twin, 401, "sign_in_used")


@pytest.mark.parametrize("provider", EVERY)
async def test_an_answer_with_nothing_in_it_is_refused(sqlite_url: str, provider: str) -> None:
    """Neither code nor id_token: nothing to find anybody by."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        comeback = (await begin(it, browser, provider)).changed(code=None, id_token=None)
        assert_refused(await browser.bring(comeback), browser, 401, "callback_empty")


@pytest.mark.parametrize("name", ["state", "code", "id_token", "error", "anything"])
@pytest.mark.parametrize("provider", ["aad", "google"])
async def test_a_repeated_parameter_is_refused(sqlite_url: str, provider: str, name: str) -> None:
    """Whoever checks the first of two may be followed by one who believes the second."""
    async with entrance(sqlite_url, *EVERY) as it:
        browser = it.browser()
        comeback = await begin(it, browser, provider)
        twice = replace(comeback, pairs=[*comeback.pairs, (name, "x"), (name, "x")])
        assert_refused(await browser.bring(twice), browser, 400, "callback_malformed")
        assert (await browser.bring(comeback)).status == 302


async def test_only_a_form_is_read_from_a_body(sqlite_url: str) -> None:
    """JSON, text without a type, broken escapes and bytes beyond ASCII are no answer of a provider."""
    async with entrance(sqlite_url, "aad") as it:
        browser, path = it.browser(), "/.auth/login/aad/callback"
        comeback = await begin(it, browser)
        body = urlencode(comeback.pairs).encode()
        form = "Content-Type: application/x-www-form-urlencoded"
        for line, sent in (
            ("Content-Type: application/json", json.dumps(dict(comeback.pairs)).encode()),
            ("Content-Type: text/plain", body),
            ("X-None: 1", body),
            (form, body + b"&x=%zz"),
            (form, body + b"&x=\xff"),
            (form, body + b"&x=%ff"),
        ):
            got = await browser.get(path, line, method="POST", body=sent)
            assert_refused(got, browser, 400, "callback_malformed")
        assert (await browser.get(path, form, method="POST", body=b"x" * 70_000)).status == 413
        assert (await browser.bring(comeback)).status == 302


async def test_head_uses_up_no_nonce(sqlite_url: str) -> None:
    """Whatever looks at an address before a person does must not spend their sign-in."""
    async with entrance(sqlite_url, "google") as it:
        browser = it.browser()
        comeback = await begin(it, browser, "google")
        got = await browser.get(f"/.auth/login/google/callback?{urlencode(comeback.pairs)}", method="HEAD")
        assert got.status == 405
        assert (await browser.bring(comeback)).status == 302


# --- providers that are unwell -------------------------------------------------------------------------------------

UNWELL = [
    peers.answer(b"", status="500 Oops"),
    peers.answer(b"<html>busy</html>", status="503 Busy", content_type="text/html"),
    peers.answer(b"<html>hello</html>", content_type="text/html"),
    peers.answer(b"{}"),
    peers.answer(b"[]"),
    peers.answer(b"nonsense"),
    peers.answer(b'{"access_token": 1}'),
    peers.answer(b'{"access_token": "a", "access_token": "b"}'),
    peers.answer(b'{"access_token": "a", "expires_in": "soon"}'),
    peers.answer(b"", status="429 Slow down"),
    peers.answer(b"", status="302 Found", more="Location: http://127.0.0.1:1/\r\n"),
    peers.answer(b" " * 300_000),
    b"",
]


@pytest.mark.parametrize("reply", UNWELL, ids=range(len(UNWELL)))
async def test_an_unwell_token_endpoint_signs_nobody_in(sqlite_url: str, reply: bytes) -> None:
    """5xx, pages, nonsense, redirects, floods: 502 with a code, never a stack, never a session."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser)
        it.provider.answers["/token"] = reply or b"\r\n"
        assert_refused(await browser.bring(comeback), browser, 502, "provider_unavailable")


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (peers.answer(b"{}", status="401 Unauthorized"), 401, "nobody_known"),
        (peers.answer(b'{"login": "jane"}'), 401, "nobody_known"),
        (peers.answer(b'{"id": null, "name": "Jane"}'), 401, "nobody_known"),
        (peers.answer(b"[]"), 502, "provider_unavailable"),
        (peers.answer(b"", status="500 Oops"), 502, "provider_unavailable"),
    ],
)
async def test_a_profile_that_names_nobody_is_refused(sqlite_url: str, reply: bytes, status: int, code: str) -> None:
    """Without an identifier there is nobody to sign in."""
    async with entrance(sqlite_url, "github") as it:
        browser = it.browser()
        comeback = await begin(it, browser, "github")
        it.provider.answers["/user"] = reply
        assert_refused(await browser.bring(comeback), browser, status, code)


async def test_a_slow_provider_is_given_up_on(sqlite_url: str) -> None:
    """Who waits for a provider that does not answer gets a page with a code."""
    async with entrance(sqlite_url, "github", call_timeout=0.2) as it:
        browser = it.browser()
        comeback = await begin(it, browser, "github")
        it.provider.gate.clear()
        assert_refused(await browser.bring(comeback), browser, 502, "provider_unavailable")


async def test_keys_that_cannot_be_had_sign_nobody_in(sqlite_url: str) -> None:
    """Without the provider's keys nothing it signed is believed."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        it.provider.answers["/keys"] = peers.answer(b"", status="500 Oops")
        got = await browser.bring(await begin(it, browser))
        assert_refused(got, browser, 503, "keys_unavailable")
        assert "retry-after" in dict(got.headers)


def nobody_admitted(_plan: object, _raw: object, _identity: object) -> ErrorRow:
    """Refuse everybody."""
    return PERSON_NOT_ADMITTED


async def test_a_database_away_signs_nobody_in(postgres_url: str, postgres_server: PostgresServer) -> None:
    """503, no session, and the sign-in is not lost: once the database is back the same answer counts."""
    name = postgres_url.rpartition("/")[2]
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our own name
    async with entrance(postgres_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser)
        await asyncio.to_thread(postgres_server.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await asyncio.to_thread(postgres_server.execute, end)
        try:
            assert_refused(await browser.bring(comeback), browser, 503, "store_unavailable")
            assert "Nonce" in browser.cookies
        finally:
            await asyncio.to_thread(postgres_server.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        while (done := await browser.bring(comeback)).status == 503:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.02)
        assert done.status == 302
        assert not it.provider.codes


# --- who may pass, and what people see -----------------------------------------------------------------------------


async def test_who_may_not_pass_is_told_as_whom_they_came(sqlite_url: str) -> None:
    """403 with the account's name on the page, a way to take another account, a record, and no session."""
    async with entrance(sqlite_url, "aad", judge=nobody_admitted) as it:
        browser = it.browser("Accept: text/html")
        got = await browser.bring(await begin(it, browser, name="<b>Jane</b>", target="/a"))
        assert (got.status, browser.session) == (403, None)
        assert "www-authenticate" not in dict(got.headers)
        assert "jane@contoso.com" in got.body
        assert "<b>" not in got.body
        link = html.unescape(re.findall(r'href="([^"]+)"', got.body)[0])
        assert link == "/.auth/login/aad?post_login_redirect_uri=%2Fa&prompt=select_account"
        (record,) = await it.audited("sign_in.refused")
        assert (record["code"], record["detail"]) == (PERSON_NOT_ADMITTED.code, "aad: aad:sub-jane")
        assert not await it.audited("session.started")


async def test_a_page_of_refusal_shows_nothing_that_was_sent(sqlite_url: str) -> None:
    """A provider's words, or an attacker's in its name, are for the log; the page has a code and a way to try again."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser("Accept: text/html,*/*")
        got = await browser.get("/.auth/login/aad/callback?error=EVILWORD&error_description=CALL+555&state=x")
        assert got.status == 401
        assert "EVILWORD" not in got.body
        assert "CALL" not in got.body
        assert 'href="/.auth/login/aad"' in got.body
        assert "sign_in_not_begun" in got.body
        assert got.header("www-authenticate").startswith('Bearer realm="app.test" authorization_uri="http')
        assert "default-src 'none'" in got.header("content-security-policy")
        assert got.header("cache-control") == "no-store"


async def test_codes_and_tokens_stay_out_of_the_trail(sqlite_url: str) -> None:
    """What is recorded of a refusal names the check; the run's search for secrets does the rest."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        it.provider.claims = {"aud": "other"}
        comeback = await begin(it, browser)
        keep_secret(comeback.value("id_token"))
        await browser.bring(comeback)
        (record,) = await it.audited("sign_in.refused")
        assert record["detail"].startswith("aad: audience, aud is neither")


# --- forms from another site on plain HTTP -------------------------------------------------------------------------


async def test_a_form_without_its_cookie_is_sent_once_more(sqlite_url: str) -> None:
    """On http a browser keeps our cookie back from another site's form; our page sends it again, and then it counts."""
    async with entrance(sqlite_url, "aad") as it:
        browser = it.browser()
        comeback = await begin(it, browser)
        without = it.browser("Sec-Fetch-Site: cross-site")
        page = await without.bring(comeback)
        assert (page.status, without.session) == (200, None)
        fields = re.findall(r'name="([^"]+)" value="([^"]*)"', page.body)
        assert [(name, html.unescape(value)) for name, value in fields] == comeback.pairs
        assert 'action="/.auth/login/aad/callback"' in page.body
        assert "form-action" not in page.header("content-security-policy")
        assert (await browser.bring(comeback, "Sec-Fetch-Site: same-origin")).status == 302


async def test_a_form_is_not_sent_round_in_circles(sqlite_url: str) -> None:
    """From our own page without the cookie, or on https where the cookie would have come, it is simply refused."""
    async with entrance(sqlite_url, "aad") as it:
        comeback, browser = await begin(it, it.browser()), it.browser("Sec-Fetch-Site: same-origin")
        assert_refused(await browser.bring(comeback), browser, 401, "sign_in_not_begun")
    async with entrance(sqlite_url, "aad", site="https://app.test") as it:
        comeback, browser = await begin(it, it.browser()), it.browser("Sec-Fetch-Site: cross-site")
        assert_refused(await browser.bring(comeback), browser, 401, "sign_in_not_begun")


# --- many at once --------------------------------------------------------------------------------------------------


async def test_two_hundred_people_at_once_are_not_mixed_up(database_url: str) -> None:
    """Each of two hundred parallel sign-ins ends in a session of its own person."""
    async with entrance(database_url, "aad", "contoso") as it:
        browsers = [it.browser() for _ in range(200)]

        async def go(number: int) -> str:
            provider = ("aad", "contoso")[number % 2]
            done = await it.sign_in_as(browsers[number], provider, f"person{number}", f"/{number}")
            assert (done.status, done.location) == (302, f"/{number}")
            return (await identity_of(it, browsers[number])).subject

        subjects = await asyncio.gather(*(go(number) for number in range(200)))
        assert subjects == [f"sub-person{number}" for number in range(200)]


# --- other algorithms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", OTHERS)
async def test_a_custom_provider_may_sign_by_another_algorithm(sqlite_url: str, algorithm: str) -> None:
    """Sign-in at a custom provider with any algorithm of public keys, `at_hash` by its own hash included."""
    async with entrance(sqlite_url, "contoso") as it:
        made = other_signer(algorithm)
        it.provider.answers["/keys"] = peers.answer(json.dumps({"keys": [made.jwk()]}).encode())
        it.provider.key = made  # pyright: ignore[reportAttributeAccessIssue] - it signs as the other does
        it.provider.claims["at_hash"] = made_half_hash(canary("access-sub-jane"), algorithm)
        browser = it.browser()
        assert (await browser.bring(await begin(it, browser, "contoso"))).status == 302
        assert browser.session is not None


@pytest.mark.parametrize("provider", ["aad", "google", "apple"])
async def test_the_others_sign_by_rs256_alone(sqlite_url: str, provider: str) -> None:
    """A provider that is known to sign RS256 signs nobody in by ES256, published key or not."""
    async with entrance(sqlite_url, provider) as it:
        made = other_signer("ES256")
        jwks = {"keys": [made.jwk(), signer().jwk()]}
        it.provider.answers["/keys"] = peers.answer(json.dumps(jwks).encode())
        it.provider.key = made  # pyright: ignore[reportAttributeAccessIssue] - it signs as the other does
        browser = it.browser()
        got = await browser.bring(await begin(it, browser, provider))
        assert_refused(got, browser, 401, "id_token_refused")
