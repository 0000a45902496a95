from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError
from doorward.base.refusals_sign_in import CODE_REFUSED
from doorward.easyauth.records import MOST_A_SECOND, SignInRecords
from doorward.store import audit, open_store
from tests.support.sign_in import NOW, Provider, plan_of
from tests.support.visits import visit


async def test_a_flood_of_refusals_does_not_fill_the_trail(sqlite_url: str) -> None:
    """Fifty a second are recorded; what is over is counted, and the next second begins anew."""
    store, clock, dropped = await open_store(sqlite_url, auto_migrate=True), FrozenClock(NOW), list[int]()
    records = SignInRecords(store, clock, lambda: dropped.append(1))
    plan, refusal = (
        plan_of(Provider(url="http://127.0.0.1:1"), "aad"),
        DoorwardError(CODE_REFUSED, error="invalid\ngrant"),
    )
    try:
        for _ in range(MOST_A_SECOND + 20):
            await records.refused(visit(), plan, refusal)
        assert len(dropped) == 20
        clock.advance(1)
        await records.refused(visit(), plan, refusal)
        rows = await store.read(lambda cursor: cursor.all(audit.SINCE_OF_EVENT, 0.0, "sign_in.refused"))
        assert len(rows) == MOST_A_SECOND + 1
        record = dict(zip(audit.COLUMNS, rows[0], strict=True))
        assert (record["code"], record["detail"]) == ("code_refused", "aad: invalid grant")
    finally:
        await store.close()


async def test_a_database_away_keeps_nobody_from_being_refused(sqlite_url: str) -> None:
    """The refusal is answered all the same, and counted as not recorded."""
    store, dropped = await open_store(sqlite_url, auto_migrate=True), list[int]()
    records = SignInRecords(store, FrozenClock(NOW), lambda: dropped.append(1))
    await store.close()
    plan = plan_of(Provider(url="http://127.0.0.1:1"), "aad")
    await records.refused(visit(), plan, DoorwardError(CODE_REFUSED))
    assert dropped == [1]
