"""What is swept, and what stays."""

from typing import Any

from doorward.accounts.audit import record
from doorward.accounts.sweep import sweep
from tests.support.houses import ORIGIN, House, running_house

DAY = 86400.0


async def _trail(house: House) -> int:
    return (await house.rows("SELECT count(*) FROM audit WHERE event = 'exchange.failed'"))[0][0]


async def _pairs(house: House) -> int:
    return (await house.rows("SELECT count(*) FROM pairs"))[0][0]


async def test_old_records_go(database_url: str) -> None:
    """Records of the audit trail stay for as long as is asked for, with 0 for ever."""
    async with running_house(database_url) as house:
        store, now = house.back.store, house.now
        await store.append([record("exchange.failed", now - 3 * DAY, ORIGIN)] * 1100)
        await store.append([record("exchange.failed", now - DAY, ORIGIN)] * 3)
        await sweep(store, now, 0)
        await sweep(store, now, 4 * DAY)
        assert await _trail(house) == 1103
        assert await sweep(store, now, 2 * DAY) == 1100
        assert await _trail(house) == 3
        assert (await house.sign_in()).status == 200


async def test_the_setting_is_400_days(sqlite_url: str) -> None:
    """Unless the settings say otherwise, the trail is kept for 400 days."""
    async with running_house(sqlite_url) as house:
        assert house.settings.audit.retention == 400 * DAY
    async with running_house(sqlite_url, audit__retention="0s") as house:
        assert house.settings.audit.retention == 0


async def test_expired_pairs_go_before_their_family(database_url: str) -> None:
    """A pair is deleted a day after both its tokens have expired; its family, and younger pairs, stay."""
    lifetimes: dict[str, Any] = {
        "token_service__access_token_lifetime": "1d",
        "token_service__platform_token_lifetime": "2d",
    }
    async with running_house(database_url, **lifetimes) as house:
        access, _ = await house.pair()
        for _ in range(3):
            house.clock.advance(0.9 * DAY)
            access = (await house.caller.refresh(access)).data["access_token"]
        assert await _pairs(house) == 4
        await sweep(house.back.store, house.now, 0)
        assert await _pairs(house) == 4
        house.clock.advance(0.4 * DAY)
        assert await sweep(house.back.store, house.now, 0) == 1
        assert await _pairs(house) == 3
        answer = await house.caller.refresh(access)
        assert answer.status == 200
        house.clock.advance(10 * DAY)
        await sweep(house.back.store, house.now, 0)
        assert await _pairs(house) == 0
        assert await house.rows("SELECT generation FROM families") == [(5,)]
