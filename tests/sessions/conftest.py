"""Open stores and desks for the tests of sessions."""

from collections.abc import AsyncIterator

import pytest

from doorward.base.clock import FrozenClock
from doorward.store import Store, open_store
from tests.support.sessions import NOW, Replica, replica


@pytest.fixture
def clock() -> FrozenClock:
    """Give the time, which all replicas of a test share."""
    return FrozenClock(NOW)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """Give an open store; the test runs on SQLite and on PostgreSQL."""
    opened = await open_store(database_url, auto_migrate=True)
    yield opened
    await opened.close()


@pytest.fixture
async def one(store: Store, clock: FrozenClock) -> Replica:
    """Give the first replica, which has taken notice of all that there is."""
    made = replica(store, clock, b"one")
    await made.desk.notices.take()
    return made


@pytest.fixture
async def two(database_url: str, one: Replica, clock: FrozenClock) -> AsyncIterator[Replica]:
    """Give a second replica: another connection to the same database, and nothing else in common."""
    opened = await open_store(database_url, auto_migrate=True)
    made = replica(opened, clock, b"two")
    await made.desk.notices.take()
    yield made
    await opened.close()
