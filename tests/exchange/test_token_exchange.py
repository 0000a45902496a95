"""The RFC 8693 door: the same exchange in OAuth's words, with no extra power."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from doorward.accounts.organizations import set_organization_enabled
from doorward.accounts.users import NewUser, add_user
from tests.support.asking import FORM, Answer
from tests.support.houses import JANE, ORIGIN, House, running_house

TOKEN = "/auth-service/oauth2/token"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
KINDS = "urn:ietf:params:oauth:token-type:"
WEEK = 7 * 24 * 3600


async def _exchange(house: House, token: str | None, **fields: str | None) -> Answer:
    form: dict[str, str | None] = {
        "grant_type": GRANT,
        "subject_token_type": f"{KINDS}id_token",
        "subject_token": token,
        **fields,
    }
    return await house.caller.form(TOKEN, **{name: value for name, value in form.items() if value is not None})


@pytest.mark.parametrize("kind", ["id_token", "jwt"])
async def test_success_has_the_members_of_rfc_8693(database_url: str, kind: str) -> None:
    """Both tokens come, the JWT as access_token, and they are as good as those of the other door."""
    async with running_house(database_url) as house:
        answer = await _exchange(house, house.mint(), subject_token_type=KINDS + kind)
        body = answer.json()
        assert answer.status == 200
        assert {name: body[name] for name in ("issued_token_type", "token_type", "expires_in")} == {
            "issued_token_type": f"{KINDS}access_token",
            "token_type": "Bearer",
            "expires_in": WEEK,
        }
        assert set(body) == {"access_token", "ejento_access_token", "issued_token_type", "token_type", "expires_in"}
        assert re.fullmatch("[0-9a-f]{64}", body["ejento_access_token"])
        assert answer.headers["cache-control"] == "no-store"
        assert (await house.caller.me(body["access_token"])).data["email"] == JANE
        assert await house.is_active(body["ejento_access_token"])


async def test_both_doors_open_to_one_account(database_url: str) -> None:
    """A person is the same through either door, and the first candidate of the token is the address."""
    async with running_house(database_url) as house:
        await _exchange(house, house.mint())
        access, _ = await house.pair()
        assert (await house.caller.me(access)).data["id"] == 1
        assert len(await house.rows("SELECT id FROM users")) == 1


REQUESTS: dict[str, tuple[dict[str, str | None], str]] = {
    "another grant": ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    "no grant": ({"grant_type": None}, "invalid_request"),
    "another kind": ({"subject_token_type": f"{KINDS}access_token"}, "invalid_request"),
    "no kind": ({"subject_token_type": None}, "invalid_request"),
    "no token": ({"subject_token": None}, "invalid_request"),
    "scope": ({"scope": "all"}, "invalid_request"),
    "actor": ({"actor_token": "x", "actor_token_type": f"{KINDS}jwt"}, "invalid_request"),
    "audience": ({"audience": "https://api.example.com"}, "invalid_target"),
    "resource": ({"resource": "https://api.example.com"}, "invalid_target"),
}


async def test_requests_that_are_not_for_this_door(sqlite_url: str) -> None:
    """What is asked for beyond the exchange is refused in OAuth's words, and nothing is created."""
    async with running_house(sqlite_url) as house:
        before = await house.dump()
        answers = {name: await _exchange(house, house.mint(), **fields) for name, (fields, _) in REQUESTS.items()}
        assert await house.dump() == before
    said = {name: (answer.status, answer.json()["error"]) for name, answer in answers.items()}
    assert said == {name: (400, error) for name, (_, error) in REQUESTS.items()}


async def test_a_repeated_parameter_and_another_body(sqlite_url: str) -> None:
    """A parameter given twice, or JSON, is invalid_request."""
    async with running_house(sqlite_url) as house:
        once = urlencode({"grant_type": GRANT, "subject_token_type": f"{KINDS}id_token", "subject_token": house.mint()})
        for body, kind in ((f"{once}&subject_token=x", FORM), (once, "application/json"), ("", FORM)):
            answer = await house.caller.ask("POST", TOKEN, body=body.encode(), headers=[("Content-Type", kind)])
            assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"expired": True}, "token_expired"),
    "audience": ({"fault": "wrong_audience"}, "audience_mismatch"),
    "forged": ({"fault": "unpublished_key"}, "invalid_token"),
    "access token": ({"kind": "access_token"}, "invalid_token"),
    "issuer": ({"claims": {"iss": "https://evil.example/"}}, "issuer_mismatch"),
    "tenant": ({"email": "lena@fabrikam.com"}, "tenant_not_allowed"),
    "guest": ({"email": "gia@fabrikam.com"}, "guest_not_allowed"),
    "no address": ({"without": ("preferred_username", "email")}, "email_mismatch"),
    "waiting account": ({"email": "omar@contoso.com"}, "account_exists"),
}


async def test_refusals_of_the_token_or_the_account(database_url: str) -> None:
    """Every refusal is 400 invalid_request with our code beside it, and changes nothing."""
    async with running_house(database_url) as house:
        new = NewUser(email="omar@contoso.com", full_name=None, organization_id=1, role="user", verified=False)
        await add_user(house.back.store, new, house.now, ORIGIN)
        before = await house.dump()
        answers = {name: await _exchange(house, house.mint(**how)) for name, (how, _) in REFUSALS.items()}
        assert await house.dump() == before
        said = {name: (a.status, a.json()["error"], a.code) for name, a in answers.items()}
        assert said == {name: (400, "invalid_request", code) for name, (_, code) in REFUSALS.items()}
        assert len(await house.audit("exchange.failed")) == len(REFUSALS)
        await set_organization_enabled(house.back.store, 1, house.now, ORIGIN, enabled=False)
        suspended = await _exchange(house, house.mint())
        assert (suspended.status, suspended.code) == (400, "organization_disabled")


async def test_transport_errors_keep_their_status(sqlite_url: str) -> None:
    """413, 429 and 405 are what they are at every door."""
    limits: dict[str, Any] = {"rate_limits__enabled": True, "rate_limits__failures": 2}
    async with running_house(sqlite_url, **limits) as house:
        assert (await _exchange(house, "x" * 70_000)).status == 413
        assert (await house.caller.ask("GET", TOKEN)).status == 405
        assert [(await _exchange(house, "x")).status for _ in range(3)] == [400, 400, 429]
        limited = await house.caller.login(house.mint())
        assert limited.status == 429, "both doors share one count"
        assert "retry-after" in limited.headers


async def test_authorization_is_not_looked_at(sqlite_url: str) -> None:
    """The door is public; a header that is sent anyway neither helps nor hurts."""
    async with running_house(sqlite_url) as house:
        fields = {"grant_type": GRANT, "subject_token_type": f"{KINDS}id_token", "subject_token": house.mint()}
        for header in (("Authorization", "Basic eDp5"), ("Authorization", "Bearer x")):
            assert (await house.caller.form(TOKEN, header, **fields)).status == 200
