"""Telling other processes whose tokens may have died: nobody is missed, nobody waits, and no clock is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from doorward.base.errors import DoorwardError
from doorward.store import Cursor, Sql, Store, open_store, token_changes
from doorward.store.token_changes import AT_ONCE, TokenNews, note_everybody, note_user

COUNT = Sql("SELECT count(*) FROM token_changes")


@pytest.fixture
async def other(store: Store, database_url: str) -> AsyncIterator[Store]:
    """Give the store of another process on the same database; `store` has made its tables."""
    assert store.engine
    opened = await open_store(database_url, auto_migrate=True)
    yield opened
    await opened.close()


async def _note(store: Store, *users: int | None) -> None:
    async def note(cursor: Cursor) -> None:
        for user in users:
            await (note_everybody(cursor) if user is None else note_user(cursor, user))

    await store.write(note)


async def _count(store: Store) -> int:
    row = await store.read(lambda cursor: cursor.one(COUNT))
    assert row is not None
    return int(row[0])


async def test_each_change_is_told_once(store: Store, other: Store) -> None:
    """The first reading may mean anybody; each further one gives those of whom something was told since.

    Only what the first one meant may be named again, where PostgreSQL has an older transaction open, in any database.
    """
    await _note(store, 5)
    news = TokenNews(other)
    assert await news.read() is None
    assert await news.read() in (frozenset(), frozenset({5}))
    assert await news.read() == frozenset()
    await _note(store, 7)
    await _note(other, 9, 7)
    assert await news.read() == {7, 9}
    assert await news.read() == frozenset()


async def test_nobody_in_particular_is_everybody(store: Store, other: Store) -> None:
    """A change that names no user may be about any."""
    news = TokenNews(other)
    await news.read()
    await _note(store, 7, None)
    assert await news.read() is None
    assert await news.read() == frozenset()


async def test_a_change_that_was_taken_back_is_not_told(store: Store) -> None:
    """The row belongs to the transaction of the change."""
    news = TokenNews(store)
    await news.read()

    async def fail(cursor: Cursor) -> None:
        await note_user(cursor, 7)
        raise LookupError

    with suppress(LookupError):
        await store.write(fail)
    assert await news.read() == frozenset()


async def test_changes_side_by_side_are_all_told(store: Store, other: Store) -> None:
    """Of changes that many make at one moment none is missed, in whatever order they are committed."""
    news, users = TokenNews(store), iter(range(1, 1000))
    await news.read()
    told: set[int] = set()
    for _ in range(5):
        notes = [_note(each, next(users)) for each in (store, other) for _ in range(6)]
        read, *_ = await asyncio.gather(news.read(), *notes)
        told |= read or frozenset()
    told |= await news.read() or frozenset()
    assert told == set(range(1, 61))


async def test_a_late_commit_is_told_and_holds_up_nobody(postgres_url: str) -> None:
    """A transaction that stays open keeps nobody else from telling, and is told of once it is committed.

    What was committed meanwhile is told once.
    """
    one, two = await open_store(postgres_url, auto_migrate=True), await open_store(postgres_url, auto_migrate=True)
    news, noted, may_end = TokenNews(two), asyncio.Event(), asyncio.Event()

    async def hold(cursor: Cursor) -> None:
        await note_user(cursor, 1)
        noted.set()
        await may_end.wait()

    try:
        await news.read()
        held = asyncio.create_task(one.write(hold))
        await noted.wait()
        await _note(two, 2)
        assert await news.read() == {2}
        await _note(two, 3)
        assert await news.read() == {3}
        assert await news.read() == frozenset()
        may_end.set()
        await held
        assert await news.read() == {1}
        assert await news.read() == frozenset()
    finally:
        may_end.set()
        await one.close()
        await two.close()


async def test_an_open_transaction_repeats_what_the_first_reading_meant_once(postgres_url: str) -> None:
    """Beside an older transaction that stays open a change is named once after the first reading, and never again."""
    one, two = await open_store(postgres_url, auto_migrate=True), await open_store(postgres_url, auto_migrate=True)
    news, noted, may_end = TokenNews(two), asyncio.Event(), asyncio.Event()

    async def hold(cursor: Cursor) -> None:
        await note_user(cursor, 1)
        noted.set()
        await may_end.wait()

    try:
        held = asyncio.create_task(one.write(hold))
        await noted.wait()
        await _note(two, 5)
        assert await news.read() is None
        assert [await news.read() for _ in range(3)] == [{5}, frozenset(), frozenset()]
        may_end.set()
        await held
        assert [await news.read() for _ in range(2)] == [{1}, frozenset()]
    finally:
        may_end.set()
        await one.close()
        await two.close()


async def test_too_many_are_everybody(store: Store, other: Store) -> None:
    """Beyond a number users are not told apart, and reading goes on behind them.

    They are everybody once more where PostgreSQL has an older transaction open, in any database.
    """
    news = TokenNews(other)
    await news.read()
    await _note(store, *range(1, AT_ONCE + 2))
    assert await news.read() is None
    await _note(store, 7)
    told = await news.read()
    assert told == {7} or (store.engine == "postgres" and (told is None or 7 in told))


async def test_a_reading_that_failed_may_have_missed_anybody(database_url: str) -> None:
    """After a database that was away the next reading means everybody."""
    store = await open_store(database_url, auto_migrate=True)
    news = TokenNews(store)
    await news.read()
    await store.close()
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await news.read()
    news._store = store = await open_store(database_url, auto_migrate=True)
    try:
        assert await news.read() is None
        assert await news.read() == frozenset()
    finally:
        await store.close()


async def test_an_older_database_put_back_means_everybody(sqlite_store: Store) -> None:
    """Numbers that became smaller mean that rows of another past stand behind them."""
    news = TokenNews(sqlite_store)
    await _note(sqlite_store, 1, 2, 3)
    await news.read()
    await sqlite_store.write(lambda c: c.run(Sql("DELETE FROM token_changes")))
    assert await news.read() == frozenset()  # sweeping everything is no other past
    await sqlite_store.write(lambda c: c.run(Sql("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'token_changes'")))
    await _note(sqlite_store, 9)
    assert await news.read() is None


async def test_sweeping_takes_what_was_read_before_a_place(store: Store) -> None:
    """What was told after the place is kept; so is more, where PostgreSQL has an older transaction open."""
    news = TokenNews(store)
    await _note(store, 1, 2)
    await news.read()
    place = news.place
    await _note(store, 3)
    swept = await store.write(lambda cursor: cursor.run(token_changes.SWEEP, place))
    assert swept == 2 or (store.engine == "postgres" and not swept)
    assert await _count(store) == 3 - swept
    assert await news.read() == ({3} if swept else {1, 2, 3})
    assert await store.write(lambda cursor: cursor.run(token_changes.SWEEP, 2**62)) == 3 - swept
