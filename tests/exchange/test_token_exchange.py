from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from joserfc import jwt as witness
from joserfc.jwk import KeySet

from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID
from doorward.exchange.token_exchange import ACCESS_TOKEN, GRANT, SUBJECT_TYPES
from tests.support.asking import FORM, JWKS, Answer, bearer
from tests.support.described import PREFIX
from tests.support.houses import JANE, House, running_house

TOKEN = f"{PREFIX}/oauth2/token"
WEEK = 7 * 24 * 3600
KIND = ("Content-Type", FORM)
OTHER_OID = "aaaaaaaa-0000-4000-8000-00000000000b"


async def _exchange(house: House, token: str, *more: tuple[str, str], **changes: str | None) -> Answer:
    """Bring a token; a change to None leaves the parameter out, and `more` are added as they stand."""
    form = {"grant_type": GRANT, "subject_token_type": SUBJECT_TYPES[0], "subject_token": token, **changes}
    pairs = [(name, value) for name, value in form.items() if value is not None]
    return await house.caller.ask("POST", TOKEN, body=urlencode([*pairs, *more]).encode(), headers=[KIND])


@pytest.mark.parametrize("kind", SUBJECT_TYPES)
async def test_success(database_url: str, kind: str) -> None:
    """The members of RFC 8693 section 2.2.1, and the opaque token under its name; both tokens hold."""
    async with running_house(database_url) as house:
        answer = await _exchange(house, house.mint(), subject_token_type=kind)
        body = answer.json()
        me = await house.caller.me(body["access_token"])
        client = await house.resource_server()
        told = [await house.caller.introspect(client, body[n]) for n in ("access_token", "ejento_access_token")]
    assert answer.status == 200
    assert list(body) == ["access_token", "issued_token_type", "token_type", "expires_in", "ejento_access_token"]
    assert (body["issued_token_type"], body["token_type"], body["expires_in"]) == (ACCESS_TOKEN, "Bearer", WEEK)
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert me.data["email"] == JANE
    assert [(t["active"], t["client_id"], t["aud"]) for t in told] == [
        (True, DEV_CLIENT_ID, "auth-service"),
        (True, DEV_CLIENT_ID, "platform"),
    ]


async def test_both_doors_lead_to_one_account(database_url: str) -> None:
    """Whichever door came first, there is one user, and the audit trail tells of both alike."""
    async with running_house(database_url) as house:
        standard = await _exchange(house, house.mint())
        contract = await house.sign_in()
        assert (standard.status, contract.status) == (200, 200)
        assert len(await house.rows("SELECT id FROM users")) == 1
        audited = await house.audit("exchange.succeeded")
        told = [(record["tid"], record["client_id"], record["user_id"]) for record in audited]
        assert told == [(CONTOSO, DEV_CLIENT_ID, 1)] * 2


async def test_the_address_is_the_first_that_the_token_vouches_for(sqlite_url: str) -> None:
    """There is no email field: a parameter of that name is as unknown as any other, and the token's own counts."""
    async with running_house(sqlite_url) as house:
        token = house.mint(claims={"preferred_username": "Jane@Contoso.com"})
        more = {"email": "omar@contoso.com", "full_name": "X", "auto_create": "false", "organization_id": "9"}
        body = (await _exchange(house, token, **more)).json()
        me = await house.caller.me(body["access_token"])
        old = await _exchange(house, house.mint("omar@contoso.com", version="1.0"))
        upn = await house.caller.me(old.json()["access_token"])
    assert (me.data["email"], me.data["full_name"], me.data["organization_id"]) == ("Jane@Contoso.com", "Jane Doe", 1)
    assert upn.data["email"] == "omar@contoso.com"


REFUSED: dict[str, tuple[dict[str, str | None], list[tuple[str, str]], str]] = {
    "no grant": ({"grant_type": None}, [], "invalid_request"),
    "an empty grant": ({"grant_type": ""}, [], "invalid_request"),
    "another grant": ({"grant_type": "client_credentials"}, [], "unsupported_grant_type"),
    "a grant in another case": ({"grant_type": GRANT.upper()}, [], "unsupported_grant_type"),
    "no token": ({"subject_token": None}, [], "invalid_request"),
    "an empty token": ({"subject_token": ""}, [], "invalid_request"),
    "no token type": ({"subject_token_type": None}, [], "invalid_request"),
    "an access token": ({"subject_token_type": ACCESS_TOKEN}, [], "invalid_request"),
    "an assertion": ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, [], "invalid_request"),
    "a refresh token wanted": (
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, [], "invalid_request",
    ),
    "an audience": ({}, [("audience", "platform")], "invalid_target"),
    "a resource": ({}, [("resource", "https://api.example.com")], "invalid_target"),
    "a scope": ({}, [("scope", "openid")], "invalid_request"),
    "an actor": ({}, [("actor_token", "x")], "invalid_request"),
    "an actor's type": ({}, [("actor_token_type", ACCESS_TOKEN)], "invalid_request"),
    "a grant twice": ({}, [("grant_type", GRANT)], "invalid_request"),
    "a token twice": ({}, [("subject_token", "x")], "invalid_request"),
    "an audience twice": ({}, [("audience", "a"), ("audience", "b")], "invalid_request"),
    "an unknown one twice": ({}, [("x", "1"), ("x", "2")], "invalid_request"),
}  # fmt: skip


async def test_parameters_that_are_refused(database_url: str) -> None:
    """What is missing, repeated or not supported is 400 in OAuth's words, and leaves nothing behind."""
    async with running_house(database_url) as house:
        before, token = await house.dump(), house.mint()
        answers = {name: await _exchange(house, token, *more, **ch) for name, (ch, more, _) in REFUSED.items()}
        assert await house.dump() == before
        assert (await _exchange(house, token)).status == 200
    said = {name: (a.status, a.json()["error"], a.json()["error_code"]) for name, a in answers.items()}
    assert said == {name: (400, error, error) for name, (_, _, error) in REFUSED.items()}


async def test_empty_parameters_count_as_absent(sqlite_url: str) -> None:
    """RFC 6749 section 3.1: sent without a value is not sent; what is unknown is ignored."""
    async with running_house(sqlite_url) as house:
        empty = [(n, "") for n in ("audience", "resource", "scope", "actor_token", "requested_token_type")]
        answer = await _exchange(house, house.mint(), *empty, ("unknown", "1"))
        wanted = await _exchange(house, house.mint(email="omar@contoso.com"), requested_token_type=ACCESS_TOKEN)
    assert (answer.status, wanted.status) == (200, 200)


@pytest.mark.parametrize(("body", "kind"), [
    (b"", FORM),
    (b"%ff=1", FORM),
    (b"\xff", FORM),
    (b"&".join(b"p%d=1" % n for n in range(40)), FORM),
    (b'{"grant_type": "x"}', "application/json"),
    (b"grant_type=x", "text/plain"),
    (b"grant_type=x", None),
])  # fmt: skip
async def test_what_is_no_form(sqlite_url: str, body: bytes, kind: str | None) -> None:
    """Anything but a form is `invalid_request`."""
    async with running_house(sqlite_url, register=False) as house:
        headers = [("Content-Type", kind)] if kind else []
        answer = await house.caller.ask("POST", TOKEN, body=body, headers=headers)
    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")


async def test_refusals_of_token_and_account_are_one_error(database_url: str) -> None:
    """Whatever is wrong with token or account is 400 `invalid_request`, with our code and words beside it."""
    async with running_house(database_url) as house:
        await house.pair()
        mint = house.mint
        cases = {
            "invalid_token": "x",
            "token_expired": mint(expired=True),
            "token_not_yet_valid": mint(fault="not_yet_valid"),
            "audience_mismatch": mint(fault="wrong_audience"),
            "issuer_mismatch": mint(fault="consumer_key"),
            "tenant_not_allowed": mint("lena@fabrikam.com"),
            "guest_not_allowed": mint("gia@fabrikam.com"),
            "identity_conflict": mint(claims={"oid": OTHER_OID}),
        }
        answers = {code: await _exchange(house, token) for code, token in cases.items()}
    for code, answer in answers.items():
        body = answer.json()
        assert (answer.status, body["error"], body["error_code"]) == (400, "invalid_request", code)
        assert list(body) == ["error", "error_description", "error_code", "request_id"]
        assert "www-authenticate" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


async def test_a_registration_without_creation_refuses_the_unknown(sqlite_url: str) -> None:
    """Accounts are created as without `auto_create`; where the registration forbids it, nobody is."""
    async with running_house(sqlite_url, register=False) as house:
        await house.register(auto_create=False)
        answer = await _exchange(house, house.mint())
    assert (answer.status, answer.json()["error"], answer.code) == (400, "invalid_request", "user_not_found")


async def test_limits_of_size_and_rate_keep_their_status(sqlite_url: str) -> None:
    """413 and 429 are what they are at every door, with Retry-After; both doors feed one count."""
    limits: dict[str, Any] = {"rate_limits__enabled": True, "rate_limits__failures": 2}
    async with running_house(sqlite_url, **limits) as house:
        large = await house.caller.ask("POST", TOKEN, body=b"x" * 70_000, headers=[KIND])
        assert (await house.caller.login("x")).status == 401
        assert (await _exchange(house, "x")).status == 400
        limited = await _exchange(house, house.mint())
        other = await house.caller.login(house.mint())
    assert (large.status, large.json()["error"], large.code) == (413, "invalid_request", "payload_too_large")
    assert (limited.status, limited.json()["error"]) == (429, "temporarily_unavailable")
    assert int(limited.headers["retry-after"]) > 0
    assert other.status == 429


async def test_without_any_keys_it_is_unavailable(sqlite_url: str) -> None:
    """503 with Retry-After when no key set could ever be loaded."""
    nowhere: dict[str, Any] = {f"clouds__global__keys_v{n}": f"http://127.0.0.1:1/keys/{n}" for n in (1, 2)}
    async with running_house(sqlite_url, **nowhere) as house:
        answer = await _exchange(house, house.mint())
    assert (answer.status, answer.json()["error"], answer.code) == (503, "temporarily_unavailable", "keys_unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_the_authorization_header_is_not_looked_at(sqlite_url: str) -> None:
    """The token is the credential: a bearer, a client and two headers at once neither help nor hurt."""
    async with running_house(sqlite_url) as house:
        form = {"grant_type": GRANT, "subject_token_type": SUBJECT_TYPES[0]}
        for headers in ([bearer("x")], [bearer("x"), bearer("y")], [("Authorization", "Basic eA==")]):
            house.clock.advance(1)
            body = urlencode({**form, "subject_token": house.mint()}).encode()
            answer = await house.caller.ask("POST", TOKEN, body=body, headers=[KIND, *headers])
            assert answer.status == 200


# --- how the access token is signed --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 renames it; the setting keeps RFC 8037's name
@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_two_witnesses_verify_by_the_published_keys(sqlite_url: str, algorithm: str) -> None:
    """PyJWT and joserfc, who know nothing but the key document, read what the token endpoint gave."""
    async with running_house(sqlite_url, token_service__signing_algorithm=algorithm) as house:
        access = (await _exchange(house, house.mint())).json()["access_token"]
        document = (await house.caller.ask("GET", JWKS)).json()
        issuer = f"{house.settings.server.public_url}{PREFIX}"
    header = jwt.get_unverified_header(access)
    assert (header["alg"], header["typ"]) == (algorithm, "JWT")
    assert all("d" not in key and key["use"] == "sig" and key["alg"] == algorithm for key in document["keys"])
    key = jwt.PyJWKSet.from_dict(document)[header["kid"]]
    claims = jwt.decode(
        access,
        key,
        algorithms=[algorithm],
        audience="auth-service",
        issuer=issuer,
        options={"verify_iat": False, "verify_nbf": False},  # the house's clock is ahead of this machine's
    )
    read = witness.decode(access, KeySet.import_key_set(document), algorithms=[algorithm])
    assert read.claims == claims
    assert (claims["sub"], claims["token_use"]) == ("1", "access")


async def test_another_algorithm_keeps_older_tokens_valid(database_url: str) -> None:
    """Going from HS256 to ES256, on to EdDSA and back signs nobody out, and publishes what still is in use."""
    held: list[str] = []
    clients: dict[str, tuple[str, str]] = {}
    for algorithm, published in (("HS256", []), ("ES256", ["ES256"]), ("EdDSA", ["EdDSA", "ES256"]), ("HS256", None)):
        async with running_house(
            database_url,
            token_service__signing_algorithm=algorithm,
            server__public_url="http://127.0.0.1:1",  # the issuer, the same at every start
            seed=f"start {len(held)}".encode(),
        ) as house:
            house.clients = clients
            for token in held:
                assert await house.is_active(token), algorithm
                assert (await house.caller.me(token)).status == 200
            access, _ = await house.pair()
            held.append(access)
            keys = (await house.caller.ask("GET", JWKS)).json()["keys"]
            assert jwt.get_unverified_header(access)["alg"] == algorithm
            if published is not None:
                assert sorted(key["alg"] for key in keys) == sorted(published)
            assert all(key["kty"] != "oct" for key in keys)
