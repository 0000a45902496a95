"""What resource servers and clients ask about platform tokens: introspection, revocation, public keys, and the JWT."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest

from doorward.accounts.clients import remove_client
from doorward.accounts.organizations import set_organization_enabled
from doorward.accounts.registrations import set_registration_enabled, set_tenants
from doorward.accounts.users import set_user_enabled
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM
from tests.support.asking import FORM, INTROSPECT, JWKS, REVOKE, basic, bearer
from tests.support.houses import JANE, ORIGIN, House, running_house

WEEK = 7 * 24 * 3600
INACTIVE = {"active": False}
BASIC = 'Basic realm="auth-service"'
BAD = pytest.mark.parametrize("bad", ["", "x", "a.b.c", "a" * 64, "é", "\0", "x" * 9000, "eyJhbGciOiJub25lIn0.e30."])


def _key_of(house: House, token: str) -> bytes:
    """Give the secret of the ring that a token's header names."""
    kid = jwt.get_unverified_header(token)["kid"]
    scheme = next(e.key for e in house.back.ring._entries if e.key.kid == kid)
    return scheme.secret


def _read(house: House, token: str) -> dict[str, Any]:
    """Have PyJWT verify a token, by its own rules and at the house's time."""
    return jwt.decode(
        token,
        _key_of(house, token),
        algorithms=["HS256"],
        audience="auth-service",
        issuer=f"{house.settings.server.public_url}/auth-service",
        options={"require": ["exp", "iat", "nbf", "sub", "jti"], "verify_iat": False, "verify_nbf": False},
    )


async def test_an_outside_witness_reads_the_access_token(database_url: str) -> None:
    """PyJWT verifies the JWT with the ring's secret and finds exactly the claims that are promised."""
    async with running_house(database_url) as house:
        access, _ = await house.pair()
        claims, now = _read(house, access), int(house.now)
        (family, user) = (await house.rows("SELECT id, user_id FROM families"))[0]
        (pair,) = (await house.rows("SELECT id FROM pairs"))[0]
    assert claims == {
        "iss": f"http://127.0.0.1:{house.caller.port}/auth-service",
        "sub": str(user),
        "aud": "auth-service",
        "client_id": DEV_CLIENT_ID,
        "iat": now,
        "nbf": now,
        "exp": now + WEEK,
        "jti": pair,
        "family_id": family,
        "token_use": "access",
    }
    header = jwt.get_unverified_header(access)
    assert {name: header[name] for name in ("alg", "typ")} == {"alg": "HS256", "typ": "JWT"}
    assert set(header) == {"alg", "typ", "kid"}


@pytest.mark.parametrize("change", [
    {"alg": "none"},
    {"claims": {"aud": "platform"}},
    {"claims": {"iss": "http://evil.example/auth-service"}},
    {"claims": {"token_use": "refresh"}},
    {"claims": {"exp": "soon"}},
    {"claims": {"exp": 1}},
    {"claims": {"nbf": 9_000_000_000}},
    {"claims": {"jti": "01a3185c-5001-72e6-9727-000000000000"}},
    {"header": {"typ": "at+jwt"}},
    {"header": {"kid": "../../etc/passwd"}},
    {"header": {"crit": ["exp"]}},
    {"secret": b"\0" * 32},
    {"secret": b""},
], ids=repr)  # fmt: skip
async def test_forged_access_tokens_are_refused(sqlite_url: str, change: dict[str, Any]) -> None:
    """Whatever is changed about a token, even by somebody who holds the secret, it is 401 and inactive."""
    async with running_house(sqlite_url) as house:
        access, _ = await house.pair()
        claims = {**_read(house, access), **change.get("claims", {})}
        header = {**jwt.get_unverified_header(access), **change.get("header", {})}
        if change.get("alg") == "none":
            forged = jwt.encode(claims, "", algorithm="none", headers=header | {"alg": "none"})
        else:
            forged = _signed(claims, header, change.get("secret", _key_of(house, access)))
        assert (await house.caller.me(forged)).code == "invalid_access_token"
        assert not await house.is_active(forged)
        assert (await house.caller.me(access)).status == 200


def _signed(claims: dict[str, Any], header: dict[str, Any], secret: bytes) -> str:
    """Sign anything with HS256, even where PyJWT would refuse to."""

    def part(value: object) -> str:
        raw = json.dumps(value, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    signing_input = f"{part(header)}.{part(claims)}"
    signature = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_other_spellings_of_a_token_are_other_tokens(sqlite_url: str) -> None:
    """White space, padding, another case or trailing bits make a token another one (reference 2.6)."""
    async with running_house(sqlite_url) as house:
        access, platform = await house.pair()
        last = access[-1]
        neighbour = chr(ord(last) + 1) if last.isalnum() and (chr(ord(last) + 1)).isalnum() else "A"
        for spelling in (f"{access}=", f" {access}", f"{access}\n", f"{access}.x", access[:-1] + neighbour):
            assert not await house.is_active(spelling), spelling
        for spelling in (platform.upper(), f"{platform}0", f" {platform}"):
            assert not await house.is_active(spelling), spelling


@pytest.mark.parametrize("lifetimes", [("7d", "7d", "30d"), ("1h", "2h", "30d"), ("7d", "7d", "1d")], ids="-".join)
async def test_lifetimes_are_those_of_the_settings(sqlite_url: str, lifetimes: tuple[str, str, str]) -> None:
    """Each kind of token has its own lifetime, and none goes beyond the family's."""
    units = {"d": 86400, "h": 3600}
    access_life, platform_life, family_life = (int(text[:-1]) * units[text[-1]] for text in lifetimes)
    given: dict[str, Any] = {
        "token_service__access_token_lifetime": lifetimes[0],
        "token_service__platform_token_lifetime": lifetimes[1],
        "token_service__family_lifetime": lifetimes[2],
    }
    async with running_house(sqlite_url, **given) as house:
        access, platform = await house.pair()
        client = await house.resource_server()
        ends = [(await house.caller.introspect(client, token))["exp"] for token in (access, platform)]
        assert ends == [int(house.now) + min(life, family_life) for life in (access_life, platform_life)]
        assert _read(house, access)["exp"] == ends[0]
        house.clock.advance(min(access_life, family_life))
        assert (await house.caller.me(access)).status == 401
        assert await house.is_active(platform) == (min(platform_life, family_life) > min(access_life, family_life))


# --- introspection (RFC 7662) --------------------------------------------------------------------------------------


async def test_introspection_describes_both_kinds(database_url: str) -> None:
    """An authenticated resource server is told whose a token is, for the JWT and for the opaque token."""
    async with running_house(database_url) as house:
        pair = await house.pair()
        client, now = await house.resource_server(), int(house.now)
        said = [await house.caller.introspect(client, token) for token in pair]
        hinted = await house.caller.form(INTROSPECT, basic(*client), token=pair[1], token_type_hint="refresh_token")
        assert hinted.json() == said[1]
        assert hinted.headers["cache-control"] == "no-store"
    expected = {
        "active": True,
        "iss": f"http://127.0.0.1:{house.caller.port}/auth-service",
        "sub": "1",
        "client_id": DEV_CLIENT_ID,
        "username": JANE,
        "token_type": "bearer",
        "iat": now,
        "exp": now + WEEK,
    }
    assert said == [{**expected, "aud": "auth-service"}, {**expected, "aud": "platform"}]
    assert all(type(said[0][name]) is int for name in ("iat", "exp"))


@BAD
async def test_anything_not_valid_is_inactive_and_nothing_else(sqlite_url: str, bad: str) -> None:
    """What is no living token is answered with one member, whatever it looks like; nothing at all is 400."""
    async with running_house(sqlite_url, register=False) as house:
        client = await house.resource_server()
        answer = await house.caller.form(INTROSPECT, basic(*client), token=bad)
        assert (answer.status, answer.json()) == (200, INACTIVE) if bad else (400, answer.json())
        assert bad or answer.json()["error"] == "invalid_request"


async def test_only_a_client_may_introspect(database_url: str) -> None:
    """Without a client's id and secret there is no answer, not even for the token's owner."""
    async with running_house(database_url) as house:
        access, platform = await house.pair()
        client_id, secret = await house.resource_server()
        attempts = [
            [],
            [basic(client_id, "wrong")],
            [basic("nobody", secret)],
            [basic(client_id, "")],
            [basic("", "")],
            [basic("\0", secret)],
            [("Authorization", "Basic !!!")],
            [("Authorization", "Basic")],
            [bearer(access)],
        ]
        for headers in attempts:
            answer = await house.caller.form(INTROSPECT, *headers, token=platform)
            assert (answer.status, answer.json()["error"]) == (401, "invalid_client"), headers
            assert answer.headers["www-authenticate"] == BASIC
        await remove_client(house.back.store, client_id, house.now, ORIGIN)
        assert (await house.caller.form(INTROSPECT, basic(client_id, secret), token=platform)).status == 401


@pytest.mark.parametrize(("body", "kind"), [
    (b"", FORM),
    (b"token=", FORM),
    (b"token=a&token=b", FORM),
    (b"token=%ff", FORM),
    (b"other=x", FORM),
    (b'{"token":"x"}', "application/json"),
    (b"&".join(b"a%d=1" % n for n in range(99)), FORM),
])  # fmt: skip
async def test_malformed_forms(sqlite_url: str, body: bytes, kind: str) -> None:
    """A parameter that is missing, empty or repeated, or another kind of body, is OAuth's invalid_request."""
    async with running_house(sqlite_url, register=False) as house:
        headers = [basic(*await house.resource_server()), ("Content-Type", kind)]
        answers = [await house.caller.ask("POST", path, body=body, headers=headers) for path in (INTROSPECT, REVOKE)]
    assert [(a.status, a.json()["error"], a.code) for a in answers] == [(400, "invalid_request", "invalid_request")] * 2


async def test_tokens_of_the_suspended_are_inactive(database_url: str) -> None:
    """A disabled user, organization or registration, or a tenant taken away, makes both kinds inactive at once."""
    async with running_house(database_url) as house:
        pair = await house.pair()
        store, now = house.back.store, house.now

        async def active() -> list[bool]:
            await house.back.load_registrations()
            return [await house.is_active(token) for token in pair]

        for enabled in (False, True):
            await set_user_enabled(store, 1, now, ORIGIN, enabled=enabled)
            assert await active() == [enabled] * 2
        for enabled in (False, True):
            await set_organization_enabled(store, 1, now, ORIGIN, enabled=enabled)
            assert await active() == [enabled] * 2
        for enabled in (False, True):
            await set_registration_enabled(store, DEV_CLIENT_ID, now, ORIGIN, enabled=enabled)
            assert await active() == [enabled] * 2
        await house.run_sql("DELETE FROM registration_domains")
        await house.run_sql("DELETE FROM registration_organizations")
        for tenant in (FABRIKAM, CONTOSO):
            await set_tenants(store, DEV_CLIENT_ID, (tenant,), now, ORIGIN)
            assert await active() == [tenant == CONTOSO] * 2


# --- revocation (RFC 7009) -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1], ids=["access token", "platform token"])
@pytest.mark.parametrize("caller", ["bearer", "client"])
async def test_a_revoked_token_takes_its_pair_along(database_url: str, which: int, caller: str) -> None:
    """Either token named, both die; pairs made before or after it in the same family go on."""
    async with running_house(database_url) as house:
        first = await house.pair()
        answer = await house.caller.refresh(first[0])
        second = answer.data["access_token"], answer.data["ejento_access_token"]
        who = bearer(second[0]) if caller == "bearer" else basic(*await house.resource_server())
        answers = [await house.caller.form(REVOKE, who, token=first[which]) for _ in range(2)]
        assert [(a.status, a.json()) for a in answers] == [(200, {})] * 2
        assert [await house.is_active(token) for token in (*first, *second)] == [False, False, True, True]
        assert (await house.caller.refresh(first[0])).code == "invalid_access_token"
        assert len(await house.audit("token.revoked")) == 1


async def test_a_bearer_may_revoke_itself(sqlite_url: str) -> None:
    """The token that authenticates may be the one that dies."""
    async with running_house(sqlite_url) as house:
        access, platform = await house.pair()
        assert (await house.caller.form(REVOKE, bearer(access), token=access)).status == 200
        assert not await house.is_active(platform)
        assert (await house.caller.form(REVOKE, bearer(access), token=access)).code == "invalid_access_token"


async def test_a_bearer_may_not_revoke_what_belongs_to_others(database_url: str) -> None:
    """Somebody else's token stays, and the answer does not say so."""
    async with running_house(database_url) as house:
        mine, _ = await house.pair()
        theirs = await house.pair("omar@contoso.com")
        for token in (*theirs, "a" * 64, "x"):
            answer = await house.caller.form(REVOKE, bearer(mine), token=token)
            assert (answer.status, answer.json()) == (200, {})
        assert [await house.is_active(token) for token in theirs] == [True, True]


async def test_revoking_needs_a_caller(sqlite_url: str) -> None:
    """Nobody, a bad bearer and a bad client are 401; nothing is revoked."""
    async with running_house(sqlite_url) as house:
        access, platform = await house.pair()
        client_id, _ = await house.resource_server()
        cases: list[tuple[list[tuple[str, str]], str]] = [
            ([], "authentication_required"),
            ([("Authorization", "Digest x")], "authentication_required"),
            ([bearer("x")], "invalid_access_token"),
            ([bearer(platform)], "invalid_access_token"),
            ([basic(client_id, "wrong")], "invalid_client"),
        ]
        for headers, code in cases:
            answer = await house.caller.form(REVOKE, *headers, token=access)
            assert (answer.status, answer.code) == (401, code)
            assert "www-authenticate" in answer.headers
        assert await house.is_active(access)


# --- the ring ------------------------------------------------------------------------------------------------------


async def test_rotation_signs_nobody_out(database_url: str) -> None:
    """After a rotation new tokens bear the new key's name, and old ones hold until their own end."""
    async with running_house(database_url) as house:
        old = await house.pair()
        entry = await house.back.ring.rotate()
        new = await house.pair()
        assert jwt.get_unverified_header(new[0])["kid"] == entry.key.kid
        assert jwt.get_unverified_header(old[0])["kid"] != entry.key.kid
        assert all([await house.is_active(token) for token in (*old, *new)])
        refreshed = await house.caller.refresh(old[0])
        assert jwt.get_unverified_header(refreshed.data["access_token"])["kid"] == entry.key.kid


async def test_another_replica_takes_notice_of_a_rotation(database_url: str) -> None:
    """A token under a key that another process has just made is good at once, without waiting for anything."""
    async with (
        running_house(database_url) as here,
        running_house(database_url, emulator=here.emulator, clock=here.clock, seed=b"second") as there,
    ):
        await here.back.ring.rotate()
        here.clock.advance(1)
        access, platform = await here.pair()
        assert _read(here, access)
        assert (await there.caller.introspect(await there.resource_server(), platform))["active"]
        assert await there.back.ring.open(access)


async def test_no_public_keys_while_signing_is_symmetric(sqlite_url: str) -> None:
    """HS256 has nothing to publish."""
    async with running_house(sqlite_url, register=False) as house:
        answer = await house.caller.ask("GET", JWKS)
    assert (answer.status, answer.json()) == (200, {"keys": []})


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_asymmetric_signing_publishes_its_keys(sqlite_url: str, algorithm: str) -> None:
    """With an asymmetric algorithm anybody can verify an access token by the published keys."""
    async with running_house(sqlite_url, token_service__signing_algorithm=algorithm) as house:
        access, _ = await house.pair()
        keys = jwt.PyJWKSet.from_dict((await house.caller.ask("GET", JWKS)).json())
        key = keys[jwt.get_unverified_header(access)["kid"]]
        claims = jwt.decode(
            access,
            key,
            algorithms=[algorithm],
            audience="auth-service",
            options={"verify_iat": False, "verify_nbf": False},
        )
    assert claims["sub"] == "1"
