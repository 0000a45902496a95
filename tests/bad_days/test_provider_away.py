"""The provider is down: what is known of its keys carries on, over restarts too; with nothing known it is 503."""

import pytest

from doorward.base.clock import FrozenClock
from tests.support.emulators import RunningEmulator
from tests.support.houses import NOW, pretend_entra, running_house
from tests.support.processes import CLOCK, mint, prepare, serving
from tests.support.programs import free_port

HOUR = 3600.0


async def _token_of_a_provider_that_is_gone(clock: FrozenClock) -> tuple[RunningEmulator, str]:
    """Give a pretend Entra that has stopped, and a token that it made."""
    async with pretend_entra(clock) as entra:
        return entra, mint(entra, "jane@contoso.com")


async def test_known_keys_carry_on(database_url: str) -> None:
    """With the provider down people sign in by the keys that are known; an unknown key is a refusal, not an outage."""
    clock = FrozenClock(NOW)
    async with pretend_entra(clock) as entra, running_house(database_url, emulator=entra, clock=clock) as house:
        assert (await house.sign_in()).status == 200
        async with running_house(database_url, emulator=entra, clock=clock, seed=b"second") as replica:
            assert (await replica.sign_in()).status == 200
    async with running_house(database_url, emulator=entra, clock=clock, seed=b"third") as restarted:
        await restarted.back.provider_keys.adopt_kept()
        assert (await restarted.sign_in()).status == 200
        clock.advance(20 * HOUR)
        assert (await restarted.sign_in()).status == 200, "stale keys are better than none"
        unknown = await restarted.sign_in(fault="unpublished_key")
        assert (unknown.status, unknown.code) == (401, "invalid_token")


async def test_without_any_keys_it_is_503(sqlite_url: str) -> None:
    """A service that never saw a key answers 503 with Retry-After, never a bypass; and recovers by itself."""
    clock = FrozenClock(NOW)
    gone, token = await _token_of_a_provider_that_is_gone(clock)
    async with running_house(sqlite_url, emulator=gone, clock=clock) as house:
        before = await house.dump()
        answer = await house.caller.login(token)
        assert (answer.status, answer.code) == (503, "keys_unavailable")
        assert answer.json()["message"] == "Signing keys are temporarily unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        assert await house.dump() == before
        assert (await house.caller.login("x")).code == "invalid_token", "what needs no key is judged all the same"
        async with pretend_entra(clock, gone.port):
            clock.advance(60)
            await house.back.provider_keys.refresh_all()
            assert (await house.caller.login(token)).status == 200


async def test_rotation_at_the_provider_is_followed(sqlite_url: str) -> None:
    """A token under a new key is good at once: the unknown name makes one fetch."""
    async with running_house(sqlite_url) as house:
        assert (await house.sign_in()).status == 200
        house.clock.advance(60)
        assert (await house.sign_in(rotate_key=True)).status == 200
        assert (await house.sign_in()).status == 200


async def test_a_flood_of_unknown_keys_is_one_fetch(sqlite_url: str) -> None:
    """Within the cooldown strangers' key names cause no further fetch, and good tokens are not held up."""
    async with running_house(sqlite_url) as house:
        house.clock.advance(60)
        answers = [await house.sign_in(fault="unpublished_key") for _ in range(5)]
        assert {answer.code for answer in answers} == {"invalid_token"}
        assert sum(known.forced_refreshes for known in house.back.provider_keys.status().values()) <= 2
        assert (await house.sign_in()).status == 200


@pytest.mark.parametrize("keys_are_kept", [True, False])
async def test_a_restart_during_an_outage(sqlite_url: str, keys_are_kept: bool) -> None:  # noqa: FBT001 - a table's column
    """A process started while the provider is down is ready with the keys in the database, and not without any."""
    await prepare(sqlite_url)
    port = free_port()
    async with pretend_entra(CLOCK, port) as entra:
        token = mint(entra, "jane@contoso.com")
        if keys_are_kept:
            async with serving(sqlite_url, entra.url) as process:
                assert (await process.caller.login(token)).status == 200
    async with serving(sqlite_url, entra.url, wait="/livez") as process:
        if keys_are_kept:
            await process.wait_for("/readyz")
            assert (await process.caller.login(token)).status == 200
            return
        assert await process.reasons() == ["keys_unavailable"]
        answer = await process.caller.login(token)
        assert (answer.status, answer.code) == (503, "keys_unavailable")
        async with pretend_entra(CLOCK, port):
            await process.wait_for("/readyz")
            assert (await process.caller.login(token)).status == 200
