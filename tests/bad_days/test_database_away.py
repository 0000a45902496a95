"""The database is away, locked or full: 503, nothing half-written, and back to work when it is back."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from doorward.store.sqlite import SqliteStore
from tests.support.asking import Answer, basic
from tests.support.houses import House, running_house
from tests.support.postgres import PostgresServer


def _is_away(answer: Answer) -> bool:
    return (answer.status, answer.code, answer.headers.get("retry-after")) == (503, "store_unavailable", "1")


async def _everything_is_away(house: House, access: str, platform: str) -> None:
    """Find every endpoint that reads or writes answering 503, none of them another way."""
    client = await house.resource_server()
    assert _is_away(await house.caller.me(access))
    assert _is_away(await house.caller.refresh(access))
    assert _is_away(await house.caller.logout(access))
    assert _is_away(await house.caller.login(house.mint(nonce="away")))
    assert _is_away(await house.caller.login(house.mint("new@contoso.com"), "new@contoso.com"))
    for path in ("introspect", "revoke"):
        answer = await house.caller.form(f"/auth-service/oauth2/{path}", basic(*client), token=platform)
        assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["retry-after"] == "1"
    assert (await house.caller.login("x")).status == 401, "what needs no database still answers"


async def test_postgres_goes_away_and_comes_back(postgres_url: str, postgres_server: PostgresServer) -> None:
    """While PostgreSQL takes no connections everything is 503; afterwards nothing has changed and all works."""
    name = postgres_url.rpartition("/")[2]
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our own name
    async with running_house(postgres_url) as house:
        access, platform = await house.pair()
        await house.resource_server()
        before = await house.dump()
        await asyncio.to_thread(postgres_server.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await asyncio.to_thread(postgres_server.execute, end)
        try:
            await _everything_is_away(house, access, platform)
        finally:
            await asyncio.to_thread(postgres_server.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await _until(house.caller.me, access)
        assert await house.dump() == before
        assert (await house.sign_in()).status == 200


async def test_broken_connections_are_mended(postgres_url: str, postgres_server: PostgresServer) -> None:
    """Connections that the server ended cost at most some 503, never an odd answer, and are made anew."""
    name = postgres_url.rpartition("/")[2]
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our own name
    async with running_house(postgres_url) as house:
        access, _ = await house.pair()
        for _ in range(3):
            calls = [house.sign_in(f"p{number}@contoso.com") for number in range(10)]
            answers, _ = await asyncio.gather(asyncio.gather(*calls), asyncio.to_thread(postgres_server.execute, end))
            assert {answer.status for answer in answers} <= {200, 503}
        await _until(house.caller.me, access)
        assert (await house.sign_in()).status == 200
        users = await house.rows("SELECT id FROM users")
        assert len(await house.rows("SELECT id FROM identities")) == len(users)
        assert len(await house.rows("SELECT family_id FROM pairs")) == len(await house.rows("SELECT id FROM families"))


async def _until(ask: Callable[[str], Awaitable[Answer]], access: str) -> None:
    async with asyncio.timeout(5):
        while (await ask(access)).status != 200:  # noqa: ASYNC110 - the database decides when
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _sqlite_house(url: str) -> AsyncGenerator[tuple[House, sqlite3.Connection]]:
    """Give a house on a SQLite file and its writing connection, which waits for a lock only briefly."""
    async with running_house(url) as house:
        store = house.back.store
        assert isinstance(store, SqliteStore)
        store._write_connection.execute("PRAGMA busy_timeout = 20")
        yield house, store._write_connection


async def test_a_locked_file(sqlite_url: str) -> None:
    """While another process holds the write lock, writes are 503 and reads go on; afterwards everything works."""
    async with _sqlite_house(sqlite_url) as (house, _):
        access, platform = await house.pair()
        before = await house.dump()
        with closing(sqlite3.connect(Path(sqlite_url.removeprefix("sqlite:///")), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert (await house.caller.me(access)).status == 200
            assert _is_away(await house.caller.refresh(access))
            assert _is_away(await house.caller.logout(access))
            assert _is_away(await house.sign_in())
            assert _is_away(await house.sign_in("new@contoso.com"))
            other.execute("ROLLBACK")
        assert await house.dump() == before
        assert await house.is_active(platform)
        assert (await house.sign_in("new@contoso.com")).status == 200


async def test_a_full_disk(sqlite_url: str) -> None:
    """When the file can grow no more, exchanges are 503 and leave nothing; with room again they succeed."""
    async with _sqlite_house(sqlite_url) as (house, writer):
        access, _ = await house.pair()
        writer.execute("PRAGMA max_page_count = 1")  # SQLite makes it the present size
        answers = [await house.sign_in(f"person{number}@contoso.com") for number in range(150)]
        assert {answer.status for answer in answers} == {200, 503}
        refused = [number for number, answer in enumerate(answers) if answer.status == 503]
        assert all(_is_away(answers[number]) for number in refused)
        good = len(answers) - len(refused) + 1
        for table, column in (("users", "id"), ("identities", "id"), ("families", "id"), ("pairs", "id")):
            assert len(await house.rows(f"SELECT {column} FROM {table}")) == good, table  # noqa: S608 - our own words
        assert (await house.caller.me(access)).status == 200
        writer.execute("PRAGMA max_page_count = 1000000")
        email = f"person{refused[0]}@contoso.com"
        assert (await house.sign_in(email)).status == 200
