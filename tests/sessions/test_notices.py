"""Taking notice of what others did, whatever has happened to the numbers in the meantime."""

import asyncio

import pytest

from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError
from doorward.sessions import notices
from doorward.store import Sql, sessions
from tests.support.sessions import NOW, Replica, person


async def test_many_changes_side_by_side_are_all_noticed(one: Replica, two: Replica) -> None:
    """Sign-outs of two replicas at one moment are all noticed, while others are under way."""
    began = await asyncio.gather(*(one.desk.start(person(f"p{number}"), NOW) for number in range(60)))
    for cookie, _ in began:
        assert await two.desk.find(cookie)
    ending = [asyncio.create_task((one, two)[number % 2].desk.end(session.id, NOW))
              for number, (_, session) in enumerate(began)]  # fmt: skip
    while not all(task.done() for task in ending):
        await two.desk.notices.take()
    await two.desk.notices.take()
    assert [two.desk.known(cookie) for cookie, _ in began] == [None] * 60
    rows = await one.store.read(lambda cursor: cursor.all(sessions.CHANGES_AFTER, 0))
    assert [row[0] for row in rows] == list(range(1, 61))


async def test_an_older_database_is_noticed(one: Replica, two: Replica) -> None:
    """When an older copy of the database was put back, everything that was remembered is forgotten."""
    ended = [await one.desk.start(person(f"p{number}"), NOW) for number in range(3)]
    cookie, _ = await one.desk.start(person(), NOW)
    for _, session in ended:
        await one.desk.end(session.id, NOW)
    await two.desk.notices.take()
    assert await two.desk.find(cookie)
    await one.store.write(lambda c: c.run(Sql("UPDATE changes SET version = 1 WHERE kind = $1"), sessions.CHANGE_KIND))
    await one.store.write(lambda c: c.run(Sql("DELETE FROM session_changes WHERE id > $1"), 1))
    await two.desk.notices.take()
    assert two.desk.known(cookie) is None
    _, session = await one.desk.start(person("john"), NOW)
    assert await two.desk.find(cookie)
    await one.desk.end(session.id, NOW)
    await two.desk.notices.take()
    assert two.desk.known(cookie) is not None


async def test_too_many_changes_are_not_told_apart(one: Replica, two: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many changes at once everything is forgotten, and the next reading goes on from there."""
    monkeypatch.setattr(sessions, "MOST_CHANGES", 3)
    cookie, _ = await one.desk.start(person(), NOW)
    assert await two.desk.find(cookie)
    for number in range(4):
        _, session = await one.desk.start(person(f"p{number}"), NOW)
        await one.desk.end(session.id, NOW)
    await two.desk.notices.take()
    assert len(two.desk.memory) == 0
    assert await two.desk.find(cookie)
    await two.desk.notices.take()
    assert two.desk.known(cookie)


async def test_what_was_read_before_a_change_is_not_remembered(one: Replica, two: Replica) -> None:
    """A session that ended between its reading and its remembering is not remembered."""
    cookie, session = await one.desk.start(person(), NOW)
    taken = two.desk.notices.taken
    found = await two.desk.find_caller(cookie)
    assert found is not None
    two.desk.memory.clear()
    await one.desk.end(session.id, NOW)
    await two.desk.notices.take()
    two.desk.remember(b"key", found, taken)
    assert len(two.desk.memory) == 0


async def test_a_database_that_does_not_answer_is_away(
    one: Replica, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a database that hangs waits for a moment only; known sessions then live for the grace."""
    monkeypatch.setattr(notices, "PATIENCE", 0.01)
    cookie, _ = await one.desk.start(person(), NOW)
    answers = asyncio.Event()

    class Hanging:
        async def read(self, _use_case: object) -> None:
            await answers.wait()

    monkeypatch.setattr(one.desk.notices, "_store", Hanging())
    clock.advance(2)
    found = await one.desk.find(cookie)
    assert found is not None
    assert one.desk.known(cookie) is found
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.desk.find("A" * 43)
    clock.advance(8)
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.desk.find(cookie)


async def test_one_reading_serves_all_who_wait(one: Replica, clock: FrozenClock) -> None:
    """A crowd that comes when the last reading is old waits for one reading together."""
    cookie, _ = await one.desk.start(person(), NOW)
    clock.advance(5)
    readings = 0
    read = one.store.read

    async def counted(use_case: object) -> object:
        nonlocal readings
        readings += 1
        await asyncio.sleep(0.001)
        return await read(use_case)  # pyright: ignore[reportArgumentType] - handed on as it came

    one.desk.notices._store.read = counted  # pyright: ignore[reportAttributeAccessIssue] - on this instance alone
    found = await asyncio.gather(*(one.desk.find(cookie) for _ in range(50)))
    assert all(found)
    assert readings == 1


async def test_in_the_background_changes_are_read_again_and_again(
    one: Replica, two: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that reads in the background forgets what ended elsewhere unasked, and survives an outage."""
    monkeypatch.setattr(notices, "READ_SECONDS", 0.001)
    cookie, session = await one.desk.start(person(), NOW)
    assert await two.desk.find(cookie)
    running = asyncio.create_task(two.desk.notices.run())
    await one.desk.end(session.id, NOW)
    for _ in range(5000):
        if two.desk.known(cookie) is None:
            break
        await asyncio.sleep(0.001)
    assert two.desk.known(cookie) is None
    await two.store.close()
    for _ in range(5000):
        if two.desk.notices.is_away:
            break
        await asyncio.sleep(0.001)
    assert two.desk.notices.is_away
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
