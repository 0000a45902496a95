"""Open stores, of either engine, for the tests of the store."""

from collections.abc import AsyncIterator

import pytest

from doorward.store import Store, open_store


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """Give an open store; the test runs on SQLite and on PostgreSQL."""
    opened = await open_store(database_url, auto_migrate=True)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[Store]:
    """Give an open SQLite store."""
    opened = await open_store(sqlite_url, auto_migrate=True)
    yield opened
    await opened.close()


@pytest.fixture
async def postgres_store(postgres_url: str) -> AsyncIterator[Store]:
    """Give an open PostgreSQL store."""
    opened = await open_store(postgres_url, auto_migrate=True)
    yield opened
    await opened.close()
