"""Who am I, and goodbye: `users/me` and `users/logout`, and what every bearer must be."""

import pytest

from doorward.accounts.organizations import set_organization_enabled
from doorward.accounts.registrations import remove_registration, set_registration_enabled, set_tenants
from doorward.accounts.users import delete_user, set_user_enabled, sign_out_user
from doorward.emulator.people import DEV_CLIENT_ID, FABRIKAM
from tests.support.asking import LOGOUT, ME, REFRESH, Answer, bearer
from tests.support.houses import ORIGIN, House, running_house

DAY = 24 * 3600.0
ENDPOINTS = (("GET", ME), ("POST", REFRESH), ("POST", LOGOUT))
NEEDED = 'Bearer realm="auth-service"'
MISUSED = f'{NEEDED}, error="invalid_request"'
INVALID = f'{NEEDED}, error="invalid_token", error_description="Access token is invalid or expired"'


async def test_me_gives_the_caller(database_url: str) -> None:
    """`users/me` gives id, address in the token's spelling, name, organization and role, and nothing else."""
    async with running_house(database_url) as house:
        access, _ = await house.pair(claims={"preferred_username": "Jane@Contoso.com"}, name="Jane von Doe")
        answer = await house.caller.me(access)
        head = await house.caller.ask("HEAD", ME, headers=[bearer(access)])
    assert answer.status == 200
    assert answer.json() == {
        "success": True,
        "message": "User retrieved successfully",
        "data": {
            "id": 1,
            "email": "Jane@Contoso.com",
            "full_name": "Jane von Doe",
            "organization_id": 1,
            "role": "user",
        },
    }
    assert answer.headers["cache-control"] == "no-store"
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(("sent", "challenge", "status"), [
    ([], NEEDED, 401),
    ([("Authorization", "Basic eDp5")], NEEDED, 401),
    ([("Authorization", "Bearer")], INVALID, 401),
    ([("Authorization", "Bearer ")], INVALID, 401),
    ([("Authorization", "Bearer x")], INVALID, 401),
    ([("Authorization", "bearer a.b.c")], INVALID, 401),
    ([("Authorization", "Bearer " + "a" * 64)], INVALID, 401),
    ([("Authorization", "Bearer \xe9")], INVALID, 401),
    ([("Authorization", "Bearer " + "x" * 9000)], INVALID, 401),
    ([("Authorization", "Bearer a"), ("Authorization", "Bearer a")], MISUSED, 400),
])  # fmt: skip
async def test_bad_credentials(sqlite_url: str, sent: list[tuple[str, str]], challenge: str, status: int) -> None:
    """No bearer, a bad one and two are each told apart, the same at every endpoint."""
    async with running_house(sqlite_url, register=False) as house:
        answers = [await house.caller.ask(method, path, headers=sent) for method, path in ENDPOINTS]
    code = {MISUSED: "malformed_request", NEEDED: "authentication_required", INVALID: "invalid_access_token"}[challenge]
    for answer in answers:
        assert (answer.status, answer.code, answer.headers.get("www-authenticate")) == (status, code, challenge)
        assert answer.json()["message"] == answer.json()["detail"]


async def test_the_scheme_is_read_without_case(sqlite_url: str) -> None:
    """`bearer` and `BEARER` are the same scheme (RFC 9110 section 11.1)."""
    async with running_house(sqlite_url) as house:
        access, _ = await house.pair()
        answers = [
            await house.caller.ask("GET", ME, headers=[("Authorization", f"{scheme} {access}")])
            for scheme in ("bearer", "BEARER", "Bearer ")
        ]
    assert [answer.status for answer in answers] == [200, 200, 200]


async def _everywhere(house: House, token: str) -> set[tuple[int, str | None]]:
    answers: list[Answer] = [
        await house.caller.ask(method, path, headers=[bearer(token)]) for method, path in ENDPOINTS
    ]
    return {(answer.status, answer.code) for answer in answers}


async def test_the_wrong_kind_of_token_is_refused(database_url: str) -> None:
    """The platform token and the id_token are no access tokens; nor is an access token an id_token."""
    async with running_house(database_url) as house:
        access, platform = await house.pair()
        assert await _everywhere(house, platform) == {(401, "invalid_access_token")}
        assert await _everywhere(house, house.mint()) == {(401, "invalid_access_token")}
        assert (await house.caller.login(access)).code == "invalid_token"
        assert (await house.caller.login(platform)).code == "invalid_token"


async def test_tokens_in_the_query_are_not_credentials(sqlite_url: str) -> None:
    """A token in an address would stand in every log on the way (RFC 6750 section 5.3)."""
    async with running_house(sqlite_url) as house:
        access, _ = await house.pair()
        assert (await house.caller.ask("GET", f"{ME}?access_token={access}")).code == "authentication_required"


async def test_expired_tokens_are_refused(database_url: str) -> None:
    """A token is good until the second before its end, and then nowhere."""
    async with running_house(database_url) as house:
        access, _ = await house.pair()
        house.clock.advance(7 * DAY - 1)
        assert (await house.caller.me(access)).status == 200
        house.clock.advance(1)
        assert await _everywhere(house, access) == {(401, "invalid_access_token")}


async def test_logout_ends_the_family_and_no_other(database_url: str) -> None:
    """Logging out ends the pair, what it was refreshed from and to, and leaves other sign-ins of the user alone."""
    async with running_house(database_url) as house:
        first, platform = await house.pair()
        second = (await house.caller.refresh(first)).data["access_token"]
        elsewhere, _ = await house.pair()
        answer = await house.caller.logout(second)
        assert (answer.status, answer.json()) == (
            200,
            {"success": True, "message": "Logged out successfully", "data": None},
        )
        for dead in (first, second):
            assert await _everywhere(house, dead) == {(401, "invalid_access_token")}
        assert not await house.is_active(platform)
        assert (await house.caller.me(elsewhere)).status == 200
        assert [record["user_id"] for record in await house.audit("token.revoked")] == [1]


async def test_logout_everywhere_ends_every_family_of_the_user(database_url: str) -> None:
    """`{"all": true}` ends all of the caller's families and nobody else's."""
    async with running_house(database_url) as house:
        mine = [await house.pair() for _ in range(3)]
        other, _ = await house.pair("omar@contoso.com")
        assert (await house.caller.logout(mine[0][0], {"all": True})).status == 200
        assert not any([await house.is_active(token) for pair in mine for token in pair])
        assert (await house.caller.me(other)).status == 200


@pytest.mark.parametrize(("body", "status"), [
    (b"", 200),
    (b"{}", 200),
    (b'{"all":false}', 200),
    (b'{"all":null}', 200),
    (b'{"all":"true"}', 422),
    (b'{"all":1}', 422),
    (b"[]", 422),
    (b"{", 422),
])  # fmt: skip
async def test_bodies_of_a_logout(sqlite_url: str, body: bytes, status: int) -> None:
    """The body is optional and strict; a refused logout ends nothing."""
    async with running_house(sqlite_url) as house:
        access, _ = await house.pair()
        other, _ = await house.pair()
        headers = [bearer(access), ("Content-Type", "application/json")]
        answer = await house.caller.ask("POST", LOGOUT, body=body, headers=headers)
        assert answer.status == status
        assert (await house.caller.me(access)).status == (200 if status == 422 else 401)
        assert (await house.caller.me(other)).status == 200


async def test_a_bad_bearer_beats_a_bad_body(sqlite_url: str) -> None:
    """Nothing is said about a body to somebody who may not send one."""
    async with running_house(sqlite_url) as house:
        headers = [bearer("x"), ("Content-Type", "application/json")]
        assert (await house.caller.ask("POST", LOGOUT, body=b"{", headers=headers)).code == "invalid_access_token"


async def test_what_me_says_of_the_suspended(database_url: str) -> None:
    """A token outlives neither its user, nor its organization, nor its registration, nor a sign-out."""
    async with running_house(database_url) as house:
        access, _ = await house.pair()
        store, now = house.back.store, house.now
        seen: list[str | None] = []
        for enabled in (False, True):
            await set_user_enabled(store, 1, now, ORIGIN, enabled=enabled)
            seen.append((await house.caller.me(access)).code if not enabled else None)
            await set_organization_enabled(store, 1, now, ORIGIN, enabled=enabled)
            seen.append((await house.caller.me(access)).code if not enabled else None)
        assert seen == ["user_disabled", "user_disabled", None, None]
        await set_organization_enabled(store, 1, now, ORIGIN, enabled=False)
        assert (await house.caller.me(access)).code == "organization_disabled"
        await set_organization_enabled(store, 1, now, ORIGIN, enabled=True)
        await set_registration_enabled(store, DEV_CLIENT_ID, now, ORIGIN, enabled=False)
        await house.back.load_registrations()
        assert (await house.caller.me(access)).code == "audience_mismatch"
        await set_registration_enabled(store, DEV_CLIENT_ID, now, ORIGIN, enabled=True)
        await house.back.load_registrations()
        assert (await house.caller.me(access)).status == 200
        await sign_out_user(store, 1, now, ORIGIN)
        assert (await house.caller.me(access)).code == "invalid_access_token"


async def test_a_deleted_user_takes_the_tokens_along(database_url: str) -> None:
    """After deletion no token of the user is known, and signing in again makes a new account."""
    async with running_house(database_url) as house:
        access, platform = await house.pair()
        await delete_user(house.back.store, 1, house.now, ORIGIN)
        assert (await house.caller.me(access)).code == "invalid_access_token"
        assert not await house.is_active(platform)
        assert await house.rows("SELECT id FROM families") == await house.rows("SELECT id FROM pairs") == []
        again, _ = await house.pair()
        assert (await house.caller.me(again)).data["id"] == 2


async def test_me_asks_for_the_tenant(database_url: str) -> None:
    """When the registration no longer admits the tenant, `users/me` says so, as a refresh does."""
    async with running_house(database_url) as house:
        access, _ = await house.pair()
        await house.run_sql("DELETE FROM registration_domains")
        await house.run_sql("DELETE FROM registration_organizations")
        await set_tenants(house.back.store, DEV_CLIENT_ID, (FABRIKAM,), house.now, ORIGIN)
        await house.back.load_registrations()
        for answer in (await house.caller.me(access), await house.caller.refresh(access)):
            assert (answer.status, answer.code) == (403, "tenant_not_allowed")


async def test_a_client_id_in_another_cloud_is_another_application(database_url: str) -> None:
    """Tokens that came through one cloud count for nothing when their client ID is registered for another."""
    async with running_house(database_url) as house:
        access, platform = await house.pair()
        await house.run_sql("UPDATE registrations SET cloud = 'china'")
        await house.back.load_registrations()
        for answer in (await house.caller.me(access), await house.caller.refresh(access)):
            assert (answer.status, answer.code) == (401, "audience_mismatch")
        assert not await house.is_active(access)
        assert not await house.is_active(platform)


async def test_removing_a_registration_ends_refresh_and_me(database_url: str) -> None:
    """After `registrations remove` the audience of old tokens matches no more."""
    async with running_house(database_url) as house:
        access, platform = await house.pair()
        await remove_registration(house.back.store, DEV_CLIENT_ID, house.now, ORIGIN)
        assert (await house.caller.refresh(access)).code == "audience_mismatch", "before this process has heard of it"
        await house.back.load_registrations()
        assert (await house.caller.refresh(access)).code == "audience_mismatch"
        assert not await house.is_active(platform)
        assert not await house.is_active(access)


async def test_an_exchange_in_the_moment_of_a_removal_is_not_revived(database_url: str) -> None:
    """What is issued by a process that has not heard of the removal counts no more, even when the ID is added again."""
    async with running_house(database_url) as house:
        await remove_registration(house.back.store, DEV_CLIENT_ID, house.now, ORIGIN)
        access, platform = await house.pair()
        await house.back.load_registrations()
        assert (await house.caller.me(access)).code == "audience_mismatch"
        await house.register()
        assert (await house.caller.me(access)).code == "audience_mismatch"
        assert (await house.caller.refresh(access)).code == "audience_mismatch"
        assert not await house.is_active(access)
        assert not await house.is_active(platform)
        assert all([await house.is_active(token) for token in await house.pair()])
