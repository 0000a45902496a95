"""Refreshing over HTTP, in both modes: what is given, what still holds, and what ends a family."""

import asyncio
from typing import Any

import pytest

from doorward.accounts.organizations import set_organization_enabled
from doorward.accounts.registrations import set_registration_enabled, set_tenants
from doorward.accounts.users import set_user_enabled
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM
from tests.support.houses import ORIGIN, House, running_house

DAY = 24 * 3600.0
STRICT: dict[str, Any] = {"token_service__refresh_rotation": "strict", "token_service__refresh_grace": "10s"}
MODES = pytest.mark.parametrize("mode", [{}, STRICT], ids=["off", "strict"])


async def _next(house: House, access: str) -> tuple[str, str]:
    answer = await house.caller.refresh(access)
    assert answer.status == 200, answer
    return answer.data["access_token"], answer.data["ejento_access_token"]


@MODES
async def test_refresh_gives_a_new_pair(database_url: str, mode: dict[str, Any]) -> None:
    """A refresh replaces both tokens, says so in the contract's words, and both new ones hold."""
    async with running_house(database_url, **mode) as house:
        old = await house.pair()
        answer = await house.caller.refresh(old[0])
        body = answer.json()
        new = answer.data["access_token"], answer.data["ejento_access_token"]
        assert (answer.status, body["success"], body["message"]) == (200, True, "Token refreshed successfully")
        assert list(body["data"]) == ["access_token", "ejento_access_token", "token_type"]
        assert answer.data["token_type"] == "bearer"
        assert answer.headers["cache-control"] == "no-store"
        assert not set(old) & set(new)
        assert [await house.is_active(token) for token in new] == [True, True]
        (record,) = await house.audit("token.refreshed")
        assert (record["user_id"], record["client_id"], record["tid"]) == (1, DEV_CLIENT_ID, CONTOSO)


async def test_without_rotation_old_pairs_stay_good(database_url: str) -> None:
    """In mode off a pair is good until its own end, however often it was refreshed; several processes may share it."""
    async with running_house(database_url) as house:
        first = await house.pair()
        house.clock.advance(DAY)
        others = [await _next(house, first[0]) for _ in range(3)]
        others.append(await _next(house, others[0][0]))
        house.clock.advance(DAY)
        assert all([await house.is_active(token) for pair in (first, *others) for token in pair])
        house.clock.advance(5 * DAY)
        assert not await house.is_active(first[0])
        assert (await house.caller.refresh(first[0])).code == "invalid_access_token"
        assert await house.is_active(others[0][0])


async def test_strict_rotation_retires_the_old_pair_after_the_grace(database_url: str) -> None:
    """Within the grace the old pair still serves; after it, neither of its tokens does."""
    async with running_house(database_url, **STRICT) as house:
        old = await house.pair()
        new = await _next(house, old[0])
        house.clock.advance(9.9)
        assert [await house.is_active(token) for token in (*old, *new)] == [True] * 4
        assert (await house.caller.me(old[0])).status == 200
        house.clock.advance(0.2)
        assert [await house.is_active(token) for token in (*old, *new)] == [False, False, True, True]
        assert (await house.caller.me(old[0])).code == "invalid_access_token"
        assert (await house.caller.me(new[0])).status == 200, "asking with an old token is no reuse"


async def test_within_the_grace_a_second_refresh_gets_the_same_generation(database_url: str) -> None:
    """Parallel tabs and lost answers are normal: nobody is logged out, and all pairs of the generation work."""
    async with running_house(database_url, **STRICT) as house:
        old = await house.pair()
        pairs = [await _next(house, old[0]) for _ in range(3)]
        generations = await house.rows("SELECT generation FROM pairs")
        assert generations == [(1,), (2,), (2,), (2,)]
        assert all([await house.is_active(token) for pair in pairs for token in pair])
        # Each of them may go on, until one has: then the others are the generation before.
        house.clock.advance(60)
        await _next(house, pairs[2][0])
        await _next(house, pairs[0][0])
        assert await house.audit("token.reuse_detected") == []


@pytest.mark.parametrize("how", ["after the grace", "two generations back"])
async def test_reuse_ends_the_family(database_url: str, how: str) -> None:
    """A retired generation that is used again is theft until proven otherwise: nobody keeps a token of the family."""
    async with running_house(database_url, **STRICT) as house:
        first = await house.pair()
        elsewhere = await house.pair()
        second = await _next(house, first[0])
        third = await _next(house, second[0]) if how == "two generations back" else second
        house.clock.advance(0 if how == "two generations back" else 10)
        assert (await house.caller.refresh(first[0])).code == "invalid_access_token"
        for token in (*first, *second, *third):
            assert not await house.is_active(token)
        assert (await house.caller.refresh(third[0])).code == "invalid_access_token"
        assert len(await house.audit("token.reuse_detected")) == 1
        assert await house.is_active(elsewhere[0])


@MODES
async def test_no_token_outlives_its_family(database_url: str, mode: dict[str, Any]) -> None:
    """Lifetimes are cut at the family's end, and then only a new sign-in helps."""
    async with running_house(database_url, token_service__family_lifetime="10d", **mode) as house:
        access, _ = await house.pair()
        begun = house.now
        house.clock.advance(6 * DAY)
        access, platform = await _next(house, access)
        client = await house.resource_server()
        ends = [(await house.caller.introspect(client, token))["exp"] for token in (access, platform)]
        assert ends == [int(begun + 10 * DAY)] * 2
        house.clock.advance(4 * DAY - 0.5)
        assert (await house.caller.refresh(access)).status == 200
        house.clock.advance(0.5)
        assert (await house.caller.refresh(access)).code == "invalid_access_token"
        assert not await house.is_active(platform)
        assert (await house.sign_in()).status == 200


@MODES
async def test_what_is_checked_again_at_every_refresh(database_url: str, mode: dict[str, Any]) -> None:
    """User, organization, registration and tenant must still hold, or a leaver would refresh for ever."""
    async with running_house(database_url, **mode) as house:
        access, _ = await house.pair()
        store, now = house.back.store, house.now

        async def refused() -> str | None:
            await house.back.load_registrations()
            before = await house.dump("audit")
            code = (await house.caller.refresh(access)).code
            assert await house.dump("audit") == before
            return code

        await set_user_enabled(store, 1, now, ORIGIN, enabled=False)
        assert await refused() == "user_disabled"
        await set_user_enabled(store, 1, now, ORIGIN, enabled=True)
        await set_organization_enabled(store, 1, now, ORIGIN, enabled=False)
        assert await refused() == "organization_disabled"
        await set_organization_enabled(store, 1, now, ORIGIN, enabled=True)
        await set_registration_enabled(store, DEV_CLIENT_ID, now, ORIGIN, enabled=False)
        assert await refused() == "audience_mismatch"
        await set_registration_enabled(store, DEV_CLIENT_ID, now, ORIGIN, enabled=True)
        await house.run_sql("DELETE FROM registration_domains")
        await house.run_sql("DELETE FROM registration_organizations")
        await set_tenants(store, DEV_CLIENT_ID, (FABRIKAM,), now, ORIGIN)
        assert await refused() == "tenant_not_allowed"
        await house.run_sql("UPDATE registrations SET refresh = 0")
        await set_tenants(store, DEV_CLIENT_ID, (CONTOSO,), now, ORIGIN)
        assert await refused() == "refresh_not_allowed"
        await house.run_sql("UPDATE registrations SET refresh = 1")
        await house.back.load_registrations()
        assert (await house.caller.refresh(access)).status == 200


@MODES
async def test_a_registration_without_refresh(database_url: str, mode: dict[str, Any]) -> None:
    """With --no-refresh the tokens work and cannot be renewed."""
    async with running_house(database_url, register=False, **mode) as house:
        await house.register(refresh=False)
        access, _ = await house.pair()
        answer = await house.caller.refresh(access)
        assert (answer.status, answer.code) == (403, "refresh_not_allowed")
        assert answer.json()["message"] == "Refresh is not allowed"
        assert (await house.caller.me(access)).status == 200


@MODES
async def test_parallel_refreshes_all_succeed(database_url: str, mode: dict[str, Any]) -> None:
    """Twenty refreshes of one pair at one moment give twenty working pairs and one next generation."""
    async with running_house(database_url, **mode) as house:
        access, _ = await house.pair()
        answers = await asyncio.gather(*(house.caller.refresh(access) for _ in range(20)))
        assert [answer.status for answer in answers] == [200] * 20
        assert len({answer.data["access_token"] for answer in answers}) == 20
        assert await house.rows("SELECT generation FROM families") == [(2,)]
        assert all([await house.is_active(answer.data["access_token"]) for answer in answers])


async def test_a_body_sent_with_a_refresh_is_not_looked_at(sqlite_url: str) -> None:
    """The endpoint takes no body; one that is sent changes nothing."""
    async with running_house(sqlite_url) as house:
        access, _ = await house.pair()
        headers = [("Authorization", f"Bearer {access}"), ("Content-Type", "application/json")]
        path = "/auth-service/api/v2/users/refresh-access-token"
        for body in (b"", b"{}", b"not json"):
            assert (await house.caller.ask("POST", path, body=body, headers=headers)).status == 200
