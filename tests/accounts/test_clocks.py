"""Clocks that are wrong: replicas that differ, a clock that steps back or leaps ahead, a leeway that is changed."""

import time
from typing import Any

import pytest

from doorward.accounts.sign_in import KEEP_SEEN
from doorward.accounts.sweep import PATIENCE, Broom, sweep
from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError
from doorward.store import open_store
from doorward.store.common_time import CommonTime
from tests.support.houses import NOW, House, running_house, settings_for

DAY = 86400.0


class SteppingClock(FrozenClock):
    """A clock whose wall time can be set while its monotonic time goes on."""

    wrong = 0.0

    def now(self) -> float:
        """Give the time, wrong as it was set."""
        return super().now() + self.wrong


async def test_a_token_counts_before_its_issuer_s_time_has_come(database_url: str) -> None:
    """A clock that steps back after an exchange, or a replica that is behind, refuses nobody."""
    async with running_house(database_url) as house:
        access, platform = await house.pair()
        house.clock.advance(-299)
        assert (await house.caller.me(access)).status == 200
        assert await house.is_active(platform)
        assert (await house.caller.refresh(access)).status == 200
        house.clock.advance(-2)
        assert (await house.caller.me(access)).status == 401


async def test_replicas_with_other_clocks_share_the_grace(database_url: str) -> None:
    """A parallel refresh at a replica 12 s ahead is within a grace of 10 s; after it, it is a reuse there too."""
    strict: dict[str, Any] = {"token_service__refresh_rotation": "strict"}
    async with running_house(database_url, **strict) as one:
        ahead = FrozenClock(NOW + 12)
        public = one.settings.server.public_url
        async with running_house(
            database_url, emulator=one.emulator, clock=ahead, seed=b"two", server__public_url=public, **strict
        ) as two:
            for house in (one, two):
                await house.back.common_time.measure()
            access, _ = await one.pair()
            first = await one.caller.refresh(access)
            second = await two.caller.refresh(access)
            assert (first.status, second.status) == (200, 200)
            assert (await one.caller.me(first.data["access_token"])).status == 200
            assert await one.audit("token.reuse_detected") == []
            ahead.advance(11)
            assert (await two.caller.refresh(access)).status == 401
            assert len(await one.audit("token.reuse_detected")) == 1


async def test_a_clock_that_is_right_is_not_touched(database_url: str) -> None:
    """Where the difference is less than a second, times are exactly this machine's; a greater one is measured."""
    store = await open_store(database_url, auto_migrate=True)
    try:
        clock = SteppingClock(time.time())
        shared = CommonTime(store, clock)
        await shared.measure()
        assert shared.of(5.0) == 5.0
        clock.wrong = 100.0
        await shared.measure()
        assert shared.of(1100.0) == pytest.approx(1000.0, abs=30)
        clock.wrong = time.time() - FrozenClock.now(clock)
        await shared.measure()
        assert shared.of(5.0) == 5.0
    finally:
        await store.close()


async def _families(house: House) -> int:
    return len(await house.rows("SELECT id FROM families"))


async def test_a_machine_that_starts_with_a_clock_far_ahead_sweeps_nothing(database_url: str) -> None:
    """A clock 32 days ahead of the newest record is not followed for a day; then the service may have been down."""
    async with running_house(database_url) as house:
        await house.pair()
        house.clock.advance(32 * DAY)
        broom = Broom(house.back.store, house.clock, house.back.common_time)
        await house.sign_in()  # what this clock has dated itself proves nothing
        for _ in range(3):
            house.clock.advance(300)
            assert await broom.sweep(0) == 0
        assert await _families(house) == 2
        house.clock.advance(PATIENCE)
        await broom.sweep(0)
        assert await _families(house) == 1


async def test_a_clock_that_leaps_ahead_sweeps_nothing(database_url: str) -> None:
    """A leap of the wall clock against the monotonic one stops sweeping for a day; a right clock sweeps at once."""
    clock = SteppingClock(NOW)
    async with running_house(database_url, clock=clock) as house:
        await house.pair()
        clock.advance(1)
        broom = Broom(house.back.store, clock, house.back.common_time)
        await broom.sweep(0)
        clock.wrong = 32 * DAY
        for _ in range(3):
            clock.advance(300)
            assert await broom.sweep(0) == 0
        assert await _families(house) == 1
        clock.wrong = 0.0
        clock.advance(PATIENCE)
        await broom.sweep(0)
        assert await _families(house) == 1


async def test_the_earlier_of_two_clocks_sweeps(database_url: str) -> None:
    """Where the database's clock shows less than the process's, nothing is deleted that lives by it."""
    clock = FrozenClock(time.time())
    async with running_house(database_url, clock=clock) as house:
        await house.pair()
        clock.advance(1)
        broom = Broom(house.back.store, clock, house.back.common_time)
        await broom.sweep(0)
        clock.advance(32 * DAY)
        await house.back.common_time.measure()
        await broom.sweep(0)
        assert await _families(house) == 1


async def test_a_longer_leeway_does_not_make_used_tokens_new(database_url: str) -> None:
    """In reject mode a used token stays known for the longest leeway, whatever is set when it is used."""
    short: dict[str, Any] = {"token_service__replay": "reject", "token_service__leeway": "1s"}
    async with running_house(database_url, **short) as house:
        token = house.mint()
        assert (await house.caller.login(token)).status == 200
        ((expires_at,),) = await house.rows("SELECT expires_at FROM seen_tokens")
        house.clock.advance(expires_at - house.now - 61)
        await sweep(house.back.store, house.now, 0)
        long: dict[str, Any] = {**short, "token_service__leeway": "300s"}
        async with running_house(
            database_url, emulator=house.emulator, clock=house.clock, seed=b"two", **long
        ) as again:
            assert (await again.caller.login(token)).code == "token_replayed"


def test_no_leeway_is_longer_than_used_tokens_are_kept() -> None:
    """What the settings allow is less than what is kept."""
    longest = settings_for("sqlite:///x.db", "http://127.0.0.1:1", 1, token_service__leeway="300s")
    assert longest.token_service.leeway < KEEP_SEEN
    with pytest.raises(DoorwardError):
        settings_for("sqlite:///x.db", "http://127.0.0.1:1", 1, token_service__leeway="301s")
