"""What a lookup promises, on both engines, however many ask at once."""

import asyncio

import pytest

from doorward.store import Cursor, Lookup, Sql, Store

KEEP = Sql("INSERT INTO key_sets (url, document, fetched_at) VALUES ($1, $2, $3)")
BY_URL = Lookup("SELECT document, fetched_at FROM key_sets WHERE url = $1", "text")
BY_BOTH = Lookup("SELECT url FROM key_sets WHERE document = $2 AND url = $1", "text", "text")


@pytest.fixture
async def kept(store: Store) -> Store:
    """Give a store with fifty rows."""

    async def keep(cursor: Cursor) -> None:
        for number in range(50):
            await cursor.run(KEEP, f"u{number}", f"d{number}", float(number))

    await store.write(keep)
    return store


async def test_everybody_gets_the_row_of_their_key(kept: Store) -> None:
    """Of many who ask at once, for present and absent keys, some for the same, each gets exactly their own row."""
    numbers = [*range(60), 7, 7, 99]
    found = await asyncio.gather(*(kept.find(BY_URL, f"u{number}") for number in numbers))
    assert found == [(f"d{number}", float(number)) if number < 50 else None for number in numbers]


async def test_lookups_of_different_kinds_do_not_mix(kept: Store) -> None:
    """Different statements that wait at the same moment are answered each by itself, whatever order they number in."""
    found = await asyncio.gather(
        kept.find(BY_URL, "u1"), kept.find(BY_BOTH, "u2", "d2"), kept.find(BY_BOTH, "u2", "d3")
    )
    assert found == [("d1", 1.0), ("u2",), None]


async def test_an_answered_write_is_found(kept: Store) -> None:
    """What was written and answered is found by whoever asks afterwards."""
    for number in range(100, 120):
        await kept.write(lambda cursor, n=number: cursor.run(KEEP, f"u{n}", "new", 0.0))
        assert await kept.find(BY_URL, f"u{number}") == ("new", 0.0)


async def test_an_impossible_key_hurts_nobody_else(kept: Store) -> None:
    """A key that the database refuses fails, if at all, for whoever asked for it."""
    asked = ["u1", "\0", "u2"]
    found = await asyncio.gather(*(kept.find(BY_URL, key) for key in asked), return_exceptions=True)
    assert (found[0], found[2]) == (("d1", 1.0), ("d2", 2.0))
    assert found[1] is None or isinstance(found[1], Exception)


async def test_a_waiter_that_gives_up_hurts_nobody_else(kept: Store) -> None:
    """Somebody who goes away while waiting does not keep the others from their rows."""
    leaving = asyncio.create_task(kept.find(BY_URL, "u1"))
    staying = asyncio.create_task(kept.find(BY_URL, "u2"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == ("d2", 2.0)


async def test_a_closed_store_finds_nothing(store: Store) -> None:
    """After the store was closed a lookup is refused like everything else."""
    await store.close()
    with pytest.raises(Exception, match="store_unavailable"):
        await store.find(BY_URL, "u1")
