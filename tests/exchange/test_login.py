"""The exchange over HTTP: what it answers, in which words, and what it looks at first."""

import json
import re
from collections.abc import Awaitable, Callable
from itertools import combinations
from typing import Any

import pytest

from doorward.accounts.organizations import add_organization, set_organization_enabled
from doorward.accounts.registrations import remove_registration, set_registration_enabled
from doorward.accounts.tokens import digest_of
from doorward.accounts.users import set_user_enabled
from doorward.base.clock import FrozenClock
from doorward.emulator.aad import cloud_settings
from doorward.emulator.messages import MintRequest
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM
from doorward.exchange.login import origin_of
from doorward.protocol.jose import base64url_decode, base64url_encode
from doorward.store import tokens
from tests.support.asking import LOGIN, ME, Answer, bearer
from tests.support.houses import JANE, NOW, ORIGIN, House, pretend_entra, running_house
from tests.support.visits import visit

OTHER_CLIENT = "0badc0de-1111-4000-8000-00000000bad1"
REQUEST_ID = re.compile(r"[0-9a-f]{32}")


async def test_success_is_the_contract_to_the_byte(database_url: str) -> None:
    """A good exchange answers exactly the documented body, never to be cached."""
    async with running_house(database_url) as house:
        answer = await house.sign_in()
    shape = (
        r'\{"success":true,"message":"Login successful","data":\{"access_token":"(eyJ[\w-]+\.[\w-]+\.[\w-]{43})",'
        r'"ejento_access_token":"([0-9a-f]{64})","token_type":"bearer"\}\}'
    )
    assert answer.status == 200
    assert re.fullmatch(shape, answer.body.decode())
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert REQUEST_ID.fullmatch(answer.headers["x-request-id"])


async def test_platform_token_has_the_configured_name(sqlite_url: str) -> None:
    """`platform_token_name` names the opaque token; everything else stays."""
    async with running_house(sqlite_url, token_service__platform_token_name="acme_token") as house:
        assert list((await house.sign_in()).data) == ["access_token", "acme_token", "token_type"]


async def test_authorization_header_neither_helps_nor_hurts(sqlite_url: str) -> None:
    """Whatever stands in Authorization, only the body's token counts."""
    async with running_house(sqlite_url) as house:
        access, _ = await house.pair()
        sent = [
            [("Authorization", "Bearer x")],
            [("Authorization", "Basic !!")],
            [("Authorization", "")],
            [("Authorization", "a"), ("Authorization", "b")],
            [bearer(access)],
        ]
        good = [(await house.caller.login(house.mint(), headers=headers)).status for headers in sent]
        bad = [(await house.caller.login("x", headers=headers)).code for headers in sent]
    assert (good, bad) == ([200] * 5, ["invalid_token"] * 5)


async def test_version_1_tokens_pass_by_their_upn(sqlite_url: str) -> None:
    """A v1.0 token is accepted as well, and is the same person."""
    async with running_house(sqlite_url) as house:
        assert (await house.sign_in(version="1.0")).status == 200
        assert (await house.sign_in(version="2.0")).status == 200
        assert len(await house.rows("SELECT id FROM users")) == 1


# --- every code, reached by a real request -------------------------------------------------------------------------

Send = Callable[[House], Awaitable[Answer]]


def _minted(email: str = JANE, fields: dict[str, Any] | None = None, **how: Any) -> Send:
    return lambda house: house.sign_in(email, fields=fields, **how)


def _raw(body: bytes, kind: str | None = "application/json") -> Send:
    headers = [("Content-Type", kind)] if kind else []
    return lambda house: house.caller.ask("POST", LOGIN, body=body, headers=headers)


def _tampered(house: House) -> str:
    head, body, signature = house.mint().split(".")
    return ".".join((head, body, ("B" if signature[0] == "A" else "A") + signature[1:]))


REFUSALS: dict[str, tuple[Send, int, str, str]] = {
    "expired": (_minted(expired=True), 401, "token_expired", "Azure AD token has expired"),
    "wrong audience": (_minted(fault="wrong_audience"), 401, "audience_mismatch", "Audience doesn't match"),
    "another address": (
        lambda house: house.caller.login(house.mint(), "omar@contoso.com"),
        403, "email_mismatch", "Token email does not match provided email",
    ),
    "nobody": (_minted(fields={"auto_create": False}), 404, "user_not_found", "User not found"),
    "no token": (_raw(b'{"email":"jane@contoso.com"}'), 422, "validation_error", "Validation Error"),
    "not a token": (lambda house: house.caller.login("x"), 401, "invalid_token", "Azure AD token is invalid"),
    "bad signature": (
        lambda house: house.caller.login(_tampered(house)), 401, "invalid_token", "Azure AD token is invalid",
    ),
    "unknown key": (_minted(fault="unpublished_key"), 401, "invalid_token", "Azure AD token is invalid"),
    "access token": (_minted(kind="access_token"), 401, "invalid_token", "Azure AD token is invalid"),
    "not yet": (_minted(fault="not_yet_valid"), 401, "token_not_yet_valid", "Azure AD token is not yet valid"),
    "look-alike issuer": (
        _minted(claims={"iss": f"https://login.microsoftonline.com.evil.example/{CONTOSO}/v2.0"}),
        401, "issuer_mismatch", "Issuer doesn't match",
    ),
    "consumer key": (_minted(fault="consumer_key"), 401, "issuer_mismatch", "Issuer doesn't match"),
    "another tenant": (_minted("lena@fabrikam.com"), 403, "tenant_not_allowed", "Tenant is not allowed"),
    "personal account": (_minted("sam@outlook.com"), 403, "tenant_not_allowed", "Tenant is not allowed"),
    "guest": (_minted("gia@fabrikam.com"), 403, "guest_not_allowed", "Guest users are not allowed"),
    "unlisted organization": (
        _minted(fields={"organization_id": 2}), 403, "organization_not_allowed", "Organization is not allowed",
    ),
    "suspended organization": (
        _minted(fields={"organization_id": 3}), 403, "organization_disabled", "Organization is disabled",
    ),
    "no such organization": (
        _minted(fields={"organization_id": 9}), 422, "organization_not_found", "Validation Error",
    ),
    "huge organization": (
        _minted(fields={"organization_id": 10**40}), 422, "organization_not_found", "Validation Error",
    ),
    "huge body": (_raw(b" " * 70_000), 413, "payload_too_large", "Request body is too large"),
    "wrong path": (lambda house: house.caller.ask("POST", f"{LOGIN}/"), 404, "not_found", "Not Found"),
    "wrong method": (lambda house: house.caller.ask("GET", LOGIN), 405, "method_not_allowed", "Method Not Allowed"),
}  # fmt: skip


async def test_every_refusal_has_its_status_code_and_words(database_url: str) -> None:
    """Each cause of the contract answers with its own status, code and message, and leaves no row behind."""
    async with running_house(database_url, register=False) as house:
        await _three_organizations(house)
        await house.register(organizations=((1, None), (3, None)), default_organization=1)
        before = await house.dump()
        answers = {name: await send(house) for name, (send, *_) in REFUSALS.items()}
        assert await house.dump() == before
    said = {name: (a.status, a.code, a.json()["message"]) for name, a in answers.items()}
    assert said == {name: tuple(expected) for name, (_, *expected) in REFUSALS.items()}
    for answer in answers.values():
        _check_envelope(answer)


async def _three_organizations(house: House) -> None:
    await add_organization(house.back.store, "Two", 2, house.now, ORIGIN)
    await add_organization(house.back.store, "Three", 3, house.now, ORIGIN)
    await set_organization_enabled(house.back.store, 3, house.now, ORIGIN, enabled=False)


def _check_envelope(answer: Answer) -> None:
    body = answer.json()
    assert list(body) == ["success", "message", "detail", "data", "error"]
    assert (body["success"], body["data"]) == (False, None)
    assert body["error"]["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    if answer.status == 422:
        assert all(set(item) == {"loc", "msg", "type"} and item["loc"][0] == "body" for item in body["detail"])
    else:
        assert body["detail"] == body["message"]
    challenge = f'Bearer realm="auth-service", error="invalid_token", error_description="{body["message"]}"'
    assert answer.headers.get("www-authenticate") == (challenge if answer.status == 401 else None)
    assert answer.headers.get("allow") == ("POST" if answer.status == 405 else None)


async def test_organization_not_found_names_its_field(sqlite_url: str) -> None:
    """An organization that does not exist is said of the field that named it."""
    async with running_house(sqlite_url) as house:
        detail = (await house.sign_in(fields={"organization_id": 9})).json()["detail"]
    assert [item["loc"] for item in detail] == [["body", "organization_id"]]


async def test_states_of_accounts_and_registrations_have_their_codes(database_url: str) -> None:
    """Whoever has been let in before is refused by what has been suspended since, in the fixed order."""
    async with running_house(database_url) as house:
        await house.pair()
        store, now = house.back.store, house.now
        await set_organization_enabled(store, 1, now, ORIGIN, enabled=False)
        seen = [(await house.sign_in()).code]
        await set_user_enabled(store, 1, now, ORIGIN, enabled=False)
        seen.append((await house.sign_in()).code)
        await set_registration_enabled(store, DEV_CLIENT_ID, now, ORIGIN, enabled=False)
        await house.back.load_registrations()
        seen.append((await house.sign_in()).code)
        await remove_registration(store, DEV_CLIENT_ID, now, ORIGIN)
        await house.back.load_registrations()
        seen.append((await house.sign_in()).code)
    assert seen == ["organization_disabled", "user_disabled", "audience_mismatch", "audience_mismatch"]


async def test_a_token_of_another_cloud_is_told_from_a_forgery(sqlite_url: str) -> None:
    """A cloud is a property of the registration: a good token of another cloud is refused as what it is."""
    clock = FrozenClock(NOW)
    async with pretend_entra(clock) as stranger:
        token = stranger.app.pretending("aad").mint(_with_keys_of_its_own())
        known: dict[str, Any] = {
            f"clouds__other__{name}": value for name, value in cloud_settings(stranger.url).items()
        }
        async with running_house(sqlite_url, clock=clock) as house:
            assert (await house.caller.login(token)).code == "invalid_token"
        async with running_house(sqlite_url, clock=clock, **known) as house:
            assert (await house.caller.login(token)).code == "issuer_mismatch"


def _with_keys_of_its_own() -> MintRequest:
    return MintRequest(email=JANE, rotate_key=True, withdraw_keys=True)


# --- the schema ----------------------------------------------------------------------------------------------------

WRONG_FIELDS: dict[str, tuple[bytes, list[tuple[list[str], str]]]] = {
    "both missing": (b"{}", [(["body", "email"], "missing"), (["body", "azure_ad_token"], "missing")]),
    "null": (
        b'{"email":null,"azure_ad_token":null}',
        [(["body", "email"], "string_type"), (["body", "azure_ad_token"], "string_type")],
    ),
    "all wrong": (
        b'{"email":"x","azure_ad_token":1,"full_name":2,"auto_create":"true","organization_id":true}',
        [
            (["body", "email"], "value_error"),
            (["body", "azure_ad_token"], "string_type"),
            (["body", "full_name"], "string_type"),
            (["body", "auto_create"], "bool_type"),
            (["body", "organization_id"], "int_type"),
        ],
    ),
    "organization 0": (b'{"email":"a@b.c","azure_ad_token":"x","organization_id":0}',
                       [(["body", "organization_id"], "value_error")]),
    "organization 1.0": (b'{"email":"a@b.c","azure_ad_token":"x","organization_id":1.0}',
                         [(["body", "organization_id"], "int_type")]),
    "hidden name": ('{"email":"a@b.c","azure_ad_token":"x","full_name":"a\u202eb"}'.encode(),
                    [(["body", "full_name"], "value_error")]),
    "half a surrogate": (b'{"email":"a@b.c","azure_ad_token":"x","full_name":"\\ud800"}', [(["body"], "json_invalid")]),
    "long name": (b'{"email":"a@b.c","azure_ad_token":"x","full_name":"%s"}' % (b"n" * 201),
                  [(["body", "full_name"], "value_error")]),
    "twice": (b'{"email":"a@b.c","email":"a@b.c","azure_ad_token":"x"}', [(["body"], "value_error")]),
    "not JSON": (b"{", [(["body"], "json_invalid")]),
    "NaN": (b'{"email":NaN}', [(["body"], "json_invalid")]),
    "deep": (b"[" * 5000, [(["body"], "json_invalid")]),
    "not UTF-8": (b'{"email":"\xff"}', [(["body"], "json_invalid")]),
    "empty": (b"", [(["body"], "missing")]),
}  # fmt: skip


async def test_validation_names_every_wrong_field_and_repeats_nothing(sqlite_url: str) -> None:
    """A 422 lists each wrong field with place and type, and never what was sent."""
    async with running_house(sqlite_url) as house:
        answers = {name: await _raw(body)(house) for name, (body, _) in WRONG_FIELDS.items()}
    found = {
        name: (answer.status, [(item["loc"], item["type"]) for item in answer.json()["detail"]])
        for name, answer in answers.items()
    }
    lenient = {"half a surrogate"}  # which of two reasons is given is not contract
    assert {n: f for n, f in found.items() if n not in lenient} == {
        name: (422, expected) for name, (_, expected) in WRONG_FIELDS.items() if name not in lenient
    }
    assert all(found[name][0] == 422 for name in lenient)
    for answer in answers.values():
        _check_envelope(answer)


async def test_content_type_must_be_json_and_may_have_parameters(sqlite_url: str) -> None:
    """`application/json` in any spelling passes, everything else is a 422, never a 415."""
    async with running_house(sqlite_url) as house:
        body = json.dumps({"email": JANE, "azure_ad_token": house.mint()}).encode()
        kinds = ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/jsonx", None]
        assert [(await _raw(body, kind)(house)).status for kind in kinds] == [200, 200, 422, 422, 422]


async def test_unknown_fields_are_ignored_and_null_is_absent(sqlite_url: str) -> None:
    """Clients may send more than is known, and null for what they do not mean to say."""
    fields = {"nonsense": [1], "full_name": None, "auto_create": None, "organization_id": None}
    async with running_house(sqlite_url) as house:
        assert (await house.sign_in(fields=fields)).status == 200
        assert house.metrics.snapshot()["doorward_unknown_body_fields"] == [((), [1.0])]


async def test_a_nonce_in_the_body_must_be_that_of_the_token(sqlite_url: str) -> None:
    """A nonce is held to the token's own when it is sent, and ignored when it is not (reference 2.11)."""
    async with running_house(sqlite_url) as house:
        sent = [("n1", "n1"), ("n1", None), ("n1", "N1"), (None, "n1"), (None, None)]
        got = [(await house.sign_in(nonce=own, fields={"nonce": asked})).status for own, asked in sent]
    assert got == [200, 200, 401, 401, 200]


async def test_the_address_is_compared_trimmed_and_folded(sqlite_url: str) -> None:
    """White space and ASCII case do not matter; nothing else is folded away."""
    spellings = ["  JANE@Contoso.COM ", "jane+x@contoso.com", "j.ane@contoso.com", "jane@contoso.com."]
    async with running_house(sqlite_url) as house:
        got = [(await house.caller.login(house.mint(nonce=s), s)).code for s in spellings]
    assert got == [None, "email_mismatch", "email_mismatch", "validation_error"]


async def test_unverified_email_claims_do_not_count(sqlite_url: str) -> None:
    """The `email` claim matches only where it is verified or the tenant owns the domain (reference 2.9)."""
    alias = {"email": "jane@alias.example"}
    async with running_house(sqlite_url) as house:
        unproven = await house.caller.login(house.mint(claims=alias, unverified=True), "jane@alias.example")
        proven = await house.caller.login(house.mint(claims=alias), "jane@alias.example")
        lying = await house.caller.login(house.mint(claims={**alias, "xms_edov": "false"}), "jane@alias.example")
    assert (unproven.code, proven.code, lying.code) == ("email_mismatch", None, "email_mismatch")


# --- the order of checks (reference 1.7) ---------------------------------------------------------------------------

FAULTS: dict[str, dict[str, Any]] = {
    "payload_too_large": {"body": {"padding": "x" * 70_000}},
    "validation_error": {"body": {"full_name": 1}},
    "invalid_token": {"forged": True},
    "token_expired": {"mint": {"expired": True}},
    "issuer_mismatch": {"claims": {"iss": "https://evil.example/"}},
    "audience_mismatch": {"mint": {"audience": OTHER_CLIENT}},
    "kind": {"claims": {"scp": "User.Read"}, "code": "invalid_token"},
    "tenant_not_allowed": {"mint": {"tenant": FABRIKAM}},
    "guest_not_allowed": {"claims": {"acct": 1}},
    "token_replayed": {"seen": True},
    "email_mismatch": {"body": {"email": "omar@contoso.com"}},
    "user_not_found": {"body": {"auto_create": False}},
    "organization_not_allowed": {"body": {"organization_id": 2}},
}


async def test_of_two_faults_the_earlier_one_is_named(database_url: str) -> None:
    """The order of checks is fixed: with any two faults at once, the answer speaks of the first."""
    async with running_house(database_url, token_service__replay="reject") as house:
        await add_organization(house.back.store, "Two", 2, house.now, ORIGIN)
        before = await house.rows("SELECT * FROM users")
        named = {pair: await _refused_for(house, *pair) for pair in combinations(FAULTS, 2)}
        assert await house.rows("SELECT * FROM users") == before == []
    expected = {pair: FAULTS[pair[0]].get("code", pair[0]) for pair in combinations(FAULTS, 2)}
    assert named == expected


async def _refused_for(house: House, *names: str) -> str | None:
    faults = [FAULTS[name] for name in names]
    merged: dict[str, dict[str, Any]] = {
        part: {k: v for fault in faults for k, v in fault.get(part, {}).items()} for part in ("mint", "claims", "body")
    }
    token = house.mint(claims=merged["claims"], **merged["mint"])
    if any("forged" in fault for fault in faults):
        head, payload, signature = token.split(".")
        payload = json.dumps({**json.loads(base64url_decode(payload.encode())), "forged": True}).encode()
        token = ".".join((head, base64url_encode(payload).decode(), signature))
    if any("seen" in fault for fault in faults):
        digest = digest_of(token)
        await house.back.store.append([(tokens.ADD_SEEN, (digest, house.now + 9999))])
    body: dict[str, Any] = {"email": JANE, **merged["body"]}
    answer = await house.caller.login(token, **body)
    return answer.code


# --- replay and limits ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "codes", "audited"), [
    ("off", [None, None], 0),
    ("detect", [None, None], 1),
    ("reject", [None, "token_replayed"], 1),
])  # fmt: skip
async def test_replay_modes(database_url: str, mode: str, codes: list[str | None], audited: int) -> None:
    """A second use of one token passes, is noted, or is refused, as the setting says; a failure burns no token."""
    async with running_house(database_url, token_service__replay=mode) as house:
        token = house.mint()
        assert (await house.caller.login(token, "omar@contoso.com")).code == "email_mismatch"
        assert (await house.caller.login(token, auto_create=False)).code == "user_not_found"
        assert [(await house.caller.login(token)).code for _ in range(2)] == codes
        assert len(await house.audit("token.replayed")) == audited


async def test_refused_exchanges_of_an_address_are_limited(sqlite_url: str) -> None:
    """After so many refusals the address gets 429 for exchanges alone, until the window has moved on."""
    limits: dict[str, Any] = {"rate_limits__enabled": True, "rate_limits__failures": 3, "rate_limits__window": "30s"}
    async with running_house(sqlite_url, **limits) as house:
        access, _ = await house.pair()
        assert [(await house.caller.login("x")).status for _ in range(4)] == [401, 401, 401, 429]
        limited = await house.sign_in()
        assert (limited.status, limited.code, limited.json()["message"]) == (429, "rate_limited", "Too many requests")
        assert 1 <= int(limited.headers["retry-after"]) <= 30
        assert (await house.caller.me(access)).status == 200
        house.clock.advance(31)
        assert (await house.sign_in()).status == 200


async def test_a_flood_that_is_held_back_does_not_fill_the_trail(sqlite_url: str) -> None:
    """Of what is refused for its rate, an address has one record in the window; the others are counted."""
    limits: dict[str, Any] = {"rate_limits__enabled": True, "rate_limits__failures": 2, "rate_limits__window": "30s"}
    async with running_house(sqlite_url, **limits) as house:
        assert [(await house.caller.login("x")).status for _ in range(12)] == [401] * 2 + [429] * 10
        failed = [record["code"] for record in await house.audit("exchange.failed")]
        assert failed == ["invalid_token"] * 2 + ["rate_limited"]
        assert house.metrics.snapshot()["doorward_audit_events_dropped"] == [((), [9.0])]
        house.clock.advance(31)
        assert [(await house.caller.login("x")).status for _ in range(3)] == [401, 401, 429]
        assert [record["code"] for record in await house.audit("exchange.failed")].count("rate_limited") == 2


async def test_a_long_user_agent_is_cut(sqlite_url: str) -> None:
    """Of a header of many kilobytes the trail holds the beginning, cleaned of what could forge a line."""
    async with running_house(sqlite_url) as house:
        agent = ("User-Agent", "\x85" + "é" * 20_000)
        assert (await house.caller.login("x", headers=[agent])).status == 401
        assert [record["user_agent"] for record in await house.audit("exchange.failed")] == ["é" * 256]
    with_agent = visit(agent)
    assert origin_of(with_agent).user_agent == "é" * 256


async def test_exchanges_of_an_identity_are_limited(sqlite_url: str) -> None:
    """An identity is counted after its token was verified, so that nobody else can use up its share."""
    limits: dict[str, Any] = {
        "rate_limits__enabled": True,
        "rate_limits__per_identity": 2,
        "rate_limits__failures": 1000,
    }
    async with running_house(sqlite_url, **limits) as house:
        for _ in range(5):
            assert (await house.caller.login(_tampered(house))).status == 401
        assert [(await house.sign_in()).status for _ in range(3)] == [200, 200, 429]
        assert (await house.sign_in("omar@contoso.com")).status == 200


async def test_a_trusted_proxy_is_never_counted_itself(sqlite_url: str) -> None:
    """Behind a trusted proxy only the client that it names is counted."""
    limits: dict[str, Any] = {
        "rate_limits__enabled": True,
        "rate_limits__failures": 1,
        "server__trusted_proxies": ["127.0.0.1/32"],
    }
    async with running_house(sqlite_url, **limits) as house:
        assert [(await house.caller.login("x")).status for _ in range(3)] == [401, 401, 401]
        of = [("X-Forwarded-For", "203.0.113.9")]
        assert [(await house.caller.login("x", headers=of)).status for _ in range(2)] == [401, 429]
        assert (await house.caller.login("x", headers=[("X-Forwarded-For", "203.0.113.10")])).status == 401


# --- other words and other doors -----------------------------------------------------------------------------------


async def test_problem_details_on_request(sqlite_url: str) -> None:
    """With Accept: application/problem+json the same refusal is an RFC 9457 body."""
    async with running_house(sqlite_url) as house:
        answer = await house.caller.login("x", headers=[("Accept", "application/problem+json")])
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"], body["detail"]) == (401, "invalid_token", "Azure AD token is invalid")
    assert "www-authenticate" in answer.headers


async def test_plain_http_is_refused_where_the_address_is_https(sqlite_url: str) -> None:
    """Where the public address is https:, a plain request is refused, not redirected."""
    async with running_house(sqlite_url, server__public_url="https://id.example.com") as house:
        answer = await house.sign_in()
    assert (answer.status, answer.code) == (403, "https_required")
    assert "location" not in answer.headers


async def test_the_subscription_key_is_an_optional_lock(sqlite_url: str) -> None:
    """With a subscription key set, requests without it are refused before anything is read."""
    async with running_house(sqlite_url, token_service__subscription_key="k" * 40) as house:
        without = await house.sign_in()
        good = await house.caller.login(house.mint(), headers=[("Ocp-Apim-Subscription-Key", "k" * 40)])
    assert (without.status, without.code, good.status) == (401, "invalid_subscription_key", 200)


@pytest.mark.parametrize(("method", "path", "status", "allow"), [
    ("GET", "/auth-service", 404, None),
    ("GET", "/auth-service/nothing", 404, None),
    ("POST", "/auth-service/api/v2/sso/google/azure-token-login", 404, None),
    ("PUT", LOGIN, 405, "POST"),
    ("POST", ME, 405, "GET, HEAD"),
    ("DELETE", "/auth-service/oauth2/introspect", 405, "POST"),
])  # fmt: skip
async def test_unknown_paths_and_methods(sqlite_url: str, method: str, path: str, status: int, allow: str) -> None:
    """Below /auth-service an unknown path is 404 and a wrong method 405, in the words of the place."""
    async with running_house(sqlite_url, register=False) as house:
        answer = await house.caller.ask(method, path)
    assert (answer.status, answer.headers.get("allow")) == (status, allow)
    assert answer.code == ("not_found" if status == 404 else "method_not_allowed")


# --- what is written down ------------------------------------------------------------------------------------------


async def test_audit_of_successes_and_refusals(database_url: str) -> None:
    """Every exchange leaves its record: who, through what, from where, and for a refusal the code."""
    async with running_house(database_url) as house:
        good = await house.sign_in()
        agent = [("User-Agent", "evil\\x1b[31m\tclient")]
        refused = await house.caller.login(house.mint(), "omar@contoso.com", headers=agent)
        unverified = await house.caller.login(_tampered(house))
        events = ("user.created", "organization.assigned", "identity.linked", "exchange.succeeded")
        made = {event: await house.audit(event) for event in events}
        failed = await house.audit("exchange.failed")
    assert {event: len(records) for event, records in made.items()} == dict.fromkeys(events, 1)
    (record,) = made["exchange.succeeded"]
    assert (record["client_id"], record["cloud"], record["tid"]) == (DEV_CLIENT_ID, "global", CONTOSO)
    assert (record["user_id"], record["organization_id"], record["address"]) == (1, 1, "127.0.0.1")
    assert record["request_id"] == good.headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{16}", record["token_digest"])
    assert record["kid"]
    assert [r["code"] for r in failed] == ["email_mismatch", "invalid_token"]
    assert [r["request_id"] for r in failed] == [a.headers["x-request-id"] for a in (refused, unverified)]
    assert failed[0]["oid"]
    assert failed[1]["oid"] is None, "an unverified claim is nobody's"
    assert "\t" not in failed[0]["user_agent"]


async def test_a_flood_of_refusals_cannot_fill_the_trail(sqlite_url: str) -> None:
    """Records of refusals are bounded a second; the rest is counted."""
    async with running_house(sqlite_url) as house:
        for _ in range(60):
            await house.caller.login("x")
        assert len(await house.audit("exchange.failed")) == 50
        assert house.metrics.snapshot()["doorward_audit_events_dropped"] == [((), [10.0])]


async def test_the_commonest_mistake_is_said_in_plain_words_in_the_log(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An access token in place of the id_token is named in the log, with the code, and not in the answer."""
    async with running_house(sqlite_url) as house:
        answer = await house.sign_in(kind="access_token")
    facts = [r.__dict__["facts"] for r in caplog.records if r.getMessage() == "request.refused"]
    assert [fact["code"] for fact in facts] == ["invalid_token"]
    assert "send the id_token" in facts[0]["reason"]
    assert b"access token" not in answer.body
