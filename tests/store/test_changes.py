"""Telling other processes of a change: none is missed, whatever the clocks and however late the commit."""

import asyncio
from contextlib import suppress

from doorward.store import Cursor, Store, open_store
from doorward.store.changes import Follower, note_change


async def _note(store: Store, kind: str) -> None:
    async def note(cursor: Cursor) -> None:
        await note_change(cursor, kind)

    await store.write(note)


async def test_each_change_is_told_once(store: Store) -> None:
    """A reading gives the kinds that changed since the one before; the first gives all there ever were."""
    await _note(store, "keys")
    follower = Follower(store)
    assert await follower.read() == {"keys"}
    assert await follower.read() == set()
    await _note(store, "registrations")
    await _note(store, "registrations")
    assert await follower.read() == {"registrations"}
    assert await follower.read() == set()


async def test_a_change_that_was_taken_back_is_not_told(store: Store) -> None:
    """The note belongs to the transaction of the change."""
    follower = Follower(store)

    async def fail(cursor: Cursor) -> None:
        await note_change(cursor, "keys")
        raise LookupError

    with suppress(LookupError):
        await store.write(fail)
    assert await follower.read() == set()


async def test_changes_side_by_side_are_all_told(database_url: str) -> None:
    """Of changes that many make at one moment the last is always told, in whatever order they are committed."""
    one, two = await open_store(database_url, auto_migrate=True), await open_store(database_url, auto_migrate=True)
    try:
        follower = Follower(one)
        for _ in range(5):
            await asyncio.gather(*(_note(store, "keys") for store in (one, two) for _ in range(4)))
            assert await follower.read() == {"keys"}
        assert await follower.read() == set()
    finally:
        await one.close()
        await two.close()


async def test_a_late_commit_is_told(postgres_url: str) -> None:
    """A change whose transaction stays open while others are committed and read is told once it is committed."""
    one, two = await open_store(postgres_url, auto_migrate=True), await open_store(postgres_url, auto_migrate=True)
    follower, noted, may_end = Follower(two), asyncio.Event(), asyncio.Event()

    async def hold(cursor: Cursor) -> None:
        await note_change(cursor, "keys")
        noted.set()
        await may_end.wait()

    try:
        held = asyncio.create_task(one.write(hold))
        await noted.wait()
        await _note(two, "registrations")
        assert await follower.read() == {"registrations"}
        may_end.set()
        await held
        assert await follower.read() == {"keys"}
    finally:
        await one.close()
        await two.close()
