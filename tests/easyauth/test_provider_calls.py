import hmac
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from doorward.identity.claims import EMAIL, GIVEN_NAME, SURNAME, first_value
from doorward.identity.person import Identity
from tests.support import peers
from tests.support.canaries import canary
from tests.support.sign_in import CLIENT_ID, NOW, Asked, Browser, Entrance, Provider, entrance, query_of

JANE: dict[str, object] = {"id": "4711", "name": "Jane Doe", "email": "jane@contoso.com"}
DAY = 86400


class Graph(Provider):
    """A provider that demands `appsecret_proof`, and exchanges tokens of hours for tokens of weeks."""

    longer: bytes = b""

    def answer_asked(self, asked: Asked) -> bytes | None:
        """Answer what only Graph is asked."""
        if asked.path == "/token" and asked.form.get("grant_type") == "fb_exchange_token":
            return self.longer or peers.answer(b'{"access_token": "longer", "expires_in": 5183944}')
        if asked.path == "/user":
            secret, token = canary("client-secret-facebook"), asked.headers["authorization"].removeprefix("Bearer ")
            proof = hmac.new(secret.encode(), token.encode(), "sha256").hexdigest()
            if asked.query.get("appsecret_proof") != proof:
                return peers.answer(b'{"error": {"message": "proof"}}', status="400 Bad Request")
        return None


async def sign_in(it: Entrance, browser: Browser, name: str, **changes: str | None) -> Identity:
    """Sign Jane in; `changes` are made to what she brings back."""
    it.provider.profile.update(JANE)
    begun = await browser.get(f"/.auth/login/{name}")
    done = await browser.bring(it.provider.consent(begun.location).changed(**changes))
    assert done.status == 302, done
    session = await it.parts.desk.find(browser.session or "")
    assert session is not None
    return session.identity


# --- facebook ------------------------------------------------------------------------------------------------------


async def test_graph_gets_a_proof_of_the_secret(sqlite_url: str) -> None:
    """Calls of Graph carry `appsecret_proof` and name the fields; the token keeps its sixty days."""
    graph = Graph()
    graph.tokens = {"expires_in": 60 * DAY, "id_token": None, "refresh_token": None}
    async with entrance(sqlite_url, "facebook", provider=graph) as it:
        identity = await sign_in(it, it.browser(), "facebook")
        assert (identity.user_id, identity.subject) == ("jane@contoso.com", "4711")
        assert identity.tokens.expires_on == int(NOW + 60 * DAY) * 10_000_000
        (asked,) = graph.requests("/user")
        assert asked.query["fields"] == "id,name,email,link,first_name,last_name,gender,locale,timezone,birthday"
        assert len(graph.requests("/token")) == 1


async def test_a_token_of_hours_is_exchanged_for_one_of_weeks(sqlite_url: str) -> None:
    """A short-lived token is lengthened by `fb_exchange_token`, with the application's own proof."""
    async with entrance(sqlite_url, "facebook", provider=Graph()) as it:
        identity = await sign_in(it, it.browser(), "facebook")
        assert identity.tokens.access_token == "longer"
        assert identity.tokens.expires_on == int(NOW + 5183944) * 10_000_000
        asked = it.provider.requests("/token")[1]
        assert asked.form == {
            "grant_type": "fb_exchange_token",
            "client_id": CLIENT_ID,
            "client_secret": canary("client-secret-facebook"),
            "fb_exchange_token": canary("access-sub-jane"),
        }


@pytest.mark.parametrize(
    "longer",
    [
        peers.answer(b'{"error": "no"}', status="400 Bad Request"),
        peers.answer(b"nonsense"),
        peers.answer(b"", status="503 Away"),
    ],
)
async def test_where_that_fails_the_short_one_is_kept(sqlite_url: str, longer: bytes) -> None:
    """Nobody is kept out because a token could not be lengthened."""
    graph = Graph()
    graph.longer = longer
    async with entrance(sqlite_url, "facebook", provider=graph) as it:
        identity = await sign_in(it, it.browser(), "facebook")
        assert identity.tokens.access_token == canary("access-sub-jane")


async def test_graphs_own_errors_are_refusals(sqlite_url: str) -> None:
    """Graph's error is an object with words in it; a code that it takes back is 401, not an outage."""
    async with entrance(sqlite_url, "facebook", provider=Graph()) as it:
        browser = it.browser()
        begun = await browser.get("/.auth/login/facebook")
        error = {"message": "This authorization code has been used.", "type": "OAuthException", "code": 100}
        it.provider.answers["/token"] = peers.answer(json.dumps({"error": error}).encode(), status="400 Bad Request")
        got = await browser.bring(it.provider.consent(begun.location))
        assert (got.status, got.code, browser.session) == (401, "code_refused", None)
        (record,) = await it.audited("sign_in.refused")
        assert "OAuthException" in record["detail"]


# --- microsoftaccount ------------------------------------------------------------------------------------------------


async def test_live_gives_a_profile_and_an_authentication_token(sqlite_url: str) -> None:
    """Scope `wl.basic`, the profile's claims, and `authentication_token` beside the access token."""
    provider = Provider()
    provider.tokens = {"authentication_token": canary("authentication-token"), "id_token": None}
    async with entrance(sqlite_url, "microsoftaccount", provider=provider) as it:
        begun = await it.browser().get("/.auth/login/microsoftaccount")
        assert query_of(begun.location)["scope"] == ["wl.basic"]
        assert "nonce%3D" in begun.location
        provider.profile["emails"] = {"preferred": "jane@outlook.com", "account": "jane@outlook.com"}
        identity = await sign_in(it, it.browser(), "microsoftaccount")
        assert (identity.user_id, identity.subject) == ("jane@outlook.com", "4711")
        assert identity.tokens.authentication_token == canary("authentication-token")
        assert identity.tokens.access_token == canary("access-sub-jane")
        assert identity.tokens.refresh_token == canary("refresh-sub-jane")


# --- apple -----------------------------------------------------------------------------------------------------------

USER = {"name": {"firstName": "Jane", "lastName": "Doe"}, "email": "evil@contoso.com"}


def apple(url: str, *scopes: str) -> Any:
    """Serve our endpoints with Apple."""
    return entrance(url, "apple", plans={"apple": {"scopes": scopes}})


async def test_apple_answers_by_a_form_where_scopes_are_asked_for(sqlite_url: str) -> None:
    """With scopes `response_mode=form_post`, without them a plain redirect."""
    async with apple(sqlite_url, "name", "email") as it:
        assert query_of((await it.browser().get("/.auth/login/apple")).location)["response_mode"] == ["form_post"]
        identity = await sign_in(it, it.browser(), "apple")
        assert identity.tokens.id_token
    async with apple(f"{sqlite_url}-2") as it:
        query = parse_qs(urlsplit((await it.browser().get("/.auth/login/apple")).location).query)
        assert "response_mode" not in query
        assert "scope" not in query


async def test_apple_tells_the_name_once(sqlite_url: str) -> None:
    """The name comes beside the code of the first sign-in, not at later ones, and no address is taken there."""
    async with apple(sqlite_url, "name", "email") as it:
        it.provider.claims["name"] = None
        first = await sign_in(it, it.browser(), "apple", user=json.dumps(USER))
        assert [first_value(first.claims, typ) for typ in (GIVEN_NAME, SURNAME, "name", EMAIL)] == [
            "Jane", "Doe", "Jane Doe", "jane@contoso.com",
        ]  # fmt: skip
        later = await sign_in(it, it.browser(), "apple")
        assert first_value(later.claims, GIVEN_NAME) is None
        assert later.user_id == first.user_id == "jane@contoso.com"


@pytest.mark.parametrize(
    "user",
    [
        "",
        "{",
        "[]",
        '{"name": "Jane"}',
        '{"name": {"firstName": 5, "lastName": ["Doe"]}}',
        '{"name": {}, "name": {"firstName": "x"}}',
        '{"sub": "evil", "name": null}',
    ],
)
async def test_a_name_that_is_none_is_left_out(sqlite_url: str, user: str) -> None:
    """Whatever else stands in that field signs nobody out, and nothing of it becomes a claim."""
    async with apple(sqlite_url, "name") as it:
        it.provider.claims["name"] = None
        identity = await sign_in(it, it.browser(), "apple", user=user)
        assert identity.subject == "sub-jane"
        assert {first_value(identity.claims, typ) for typ in (GIVEN_NAME, SURNAME, "name")} == {None}


async def test_what_is_signed_goes_before_what_is_told(sqlite_url: str) -> None:
    """A name in the id_token is not replaced by the browser's, and control characters do not come in with it."""
    async with apple(sqlite_url, "name") as it:
        told = {"name": {"firstName": "Ja\u202ene\n", "lastName": "x" * 1000}}
        identity = await sign_in(it, it.browser(), "apple", user=json.dumps(told))
        assert first_value(identity.claims, "name") == "Jane"
        assert first_value(identity.claims, GIVEN_NAME) == "Jane"
        assert len(first_value(identity.claims, SURNAME) or "") < 300
