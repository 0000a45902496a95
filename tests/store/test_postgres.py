import asyncio
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from doorward.base.errors import DoorwardError
from doorward.store import Cursor, Sql, Store, open_store
from tests.store import rows
from tests.support.postgres import PostgresServer

BACKEND = Sql("SELECT pg_backend_pid()")
ROOT = Path(__file__).parents[2]


def disconnect(server: PostgresServer, url: str, *, and_bar: bool) -> None:
    """Throw every client out of a database, and with `and_bar` let none in again."""
    name = urlsplit(url).path.removeprefix("/")
    server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {not and_bar}')
    clients = f"pg_stat_activity WHERE datname = '{name}'"
    server.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM {clients}")  # noqa: S608  the name is this test's own


async def attempts(store: Store) -> list[str]:
    """Try a read, a write and an append; give for each what came of it."""
    outcomes = await asyncio.gather(
        store.read(lambda cursor: rows.count(cursor, rows.COUNT_USERS)),
        store.write(lambda cursor: cursor.run(rows.ADD_KEY_SET, "key")),
        store.append([rows.seen(b"away")]),
        return_exceptions=True,
    )
    return [outcome.code if isinstance(outcome, DoorwardError) else "fine" for outcome in outcomes]


async def test_server_away_and_back(postgres_store: Store, postgres_url: str, postgres_server: PostgresServer) -> None:
    """While the server is away everything is store_unavailable; when it is back the next call connects again."""
    await postgres_store.append([rows.seen(b"a")])
    await postgres_store.write(rows.add_user)
    disconnect(postgres_server, postgres_url, and_bar=True)
    assert await attempts(postgres_store) == ["store_unavailable"] * 3
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await postgres_store.ping()
    disconnect(postgres_server, postgres_url, and_bar=False)
    assert await attempts(postgres_store) == ["fine"] * 3
    await postgres_store.ping()


async def test_ping_notices_a_full_disk(postgres_store: Store, postgres_url: str) -> None:
    """After a write for which the server has no room the store is in trouble, until a write succeeds."""
    function = "BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END"
    other = await asyncpg.connect(postgres_url)
    await other.execute(f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {function} $$")
    for table in ("key_sets", "seen_tokens"):
        await other.execute(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION refuse()")
    await postgres_store.ping()
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await postgres_store.append([rows.seen(b"a")])
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await postgres_store.ping()
    assert postgres_store.in_trouble
    await other.execute("DROP FUNCTION refuse CASCADE")
    await other.close()
    await postgres_store.ping()
    assert not postgres_store.in_trouble
    assert await postgres_store.read(lambda cursor: rows.count(cursor, rows.COUNT_KEY_SETS)) == 0


async def test_connections_lost_in_idleness(
    postgres_store: Store, postgres_url: str, postgres_server: PostgresServer
) -> None:
    """Connections that the server closed while nobody used them are replaced without anybody noticing."""
    assert await attempts(postgres_store) == ["fine"] * 3
    disconnect(postgres_server, postgres_url, and_bar=False)
    await postgres_store.write(lambda cursor: cursor.run(Sql("DELETE FROM key_sets")))
    assert await attempts(postgres_store) == ["fine"] * 3


async def test_connection_lost_in_a_use_case(postgres_store: Store, postgres_server: PostgresServer) -> None:
    """A use case whose connection breaks leaves nothing behind and is store_unavailable."""

    async def use(cursor: Cursor) -> None:
        await cursor.run(rows.ADD_KEY_SET, "a")
        row = await cursor.one(BACKEND)
        postgres_server.execute(f"SELECT pg_terminate_backend({row and row[0]}, 5000)")
        await cursor.run(rows.ADD_KEY_SET, "b")

    with pytest.raises(DoorwardError, match="store_unavailable"):
        await postgres_store.write(use)
    assert await postgres_store.read(lambda cursor: rows.count(cursor, rows.COUNT_KEY_SETS)) == 0


async def test_deadlock_is_tried_again(postgres_store: Store) -> None:
    """Two use cases that lock each other out both succeed, at least one of them at a later attempt."""
    await postgres_store.write(lambda cursor: cursor.run(rows.ADD_KEY_SET, "a"))
    await postgres_store.write(lambda cursor: cursor.run(rows.ADD_KEY_SET, "b"))
    lock = Sql("UPDATE key_sets SET fetched_at = fetched_at + 1 WHERE url = $1")
    both = asyncio.Barrier(2)
    runs = 0

    async def use(cursor: Cursor, first: str, second: str) -> None:
        nonlocal runs
        runs += 1
        await cursor.run(lock, first)
        if runs <= 2:
            await both.wait()
        await cursor.run(lock, second)

    await asyncio.gather(
        postgres_store.write(lambda cursor: use(cursor, "a", "b")),
        postgres_store.write(lambda cursor: use(cursor, "b", "a")),
    )
    assert runs in {3, 4}  # on a busy server both may be chosen as the victim of the first round
    times = await postgres_store.read(lambda cursor: cursor.all(Sql("SELECT fetched_at FROM key_sets")))
    assert times == [(3.0,), (3.0,)]


async def test_text_that_the_server_cannot_take(postgres_store: Store) -> None:
    """Text with a NUL, which the server does not store, is refused to its own caller alone."""
    user = await postgres_store.write(rows.add_user)
    outcomes = await asyncio.gather(
        *(postgres_store.append([rows.family(name, user)]) for name in ("a", "b\0", "c")), return_exceptions=True
    )
    assert [isinstance(outcome, asyncpg.DataError) for outcome in outcomes] == [False, True, False]


async def test_mistakes_stay_what_they_are(postgres_store: Store) -> None:
    """A mistake in a statement is not passed off as trouble of the database, and the connection goes on working."""
    for _ in range(20):
        with pytest.raises(asyncpg.UndefinedTableError):
            await postgres_store.write(lambda cursor: cursor.run(Sql("DELETE FROM absent")))
        with pytest.raises(asyncpg.DataError):
            await postgres_store.read(lambda cursor: cursor.all(Sql("SELECT 1 FROM users WHERE id = $1"), "one"))
    with pytest.raises(ValueError, match="values for"):
        await postgres_store.append([(rows.SEEN, (b"a",))])


async def test_locked_row_waits_for_the_other(postgres_store: Store) -> None:
    """A row selected with `for_update_of` cannot be taken by a second use case before the first has ended."""
    await postgres_store.write(lambda cursor: cursor.run(rows.ADD_KEY_SET, "a"))
    select = Sql("SELECT k.fetched_at FROM key_sets k WHERE url = $1", for_update_of="k")
    update = Sql("UPDATE key_sets SET fetched_at = $2 WHERE url = $1")

    async def use(cursor: Cursor) -> None:
        row = await cursor.one(select, "a")
        await cursor.run(update, "a", (row[0] if row else 0.0) + 1)

    await asyncio.gather(*(postgres_store.write(use) for _ in range(20)))
    found = await postgres_store.read(lambda cursor: cursor.all(Sql("SELECT fetched_at FROM key_sets")))
    assert found == [(21.0,)]


async def test_two_processes_migrate_at_once(postgres_url: str) -> None:
    """Several processes that find a fresh database all start; one migrates it and the others wait for that."""
    command = [sys.executable, "-m", "tests.store.writing_child", postgres_url, "0"]
    children = [await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    ended = [(await child.communicate())[1].decode().strip().rpartition("\n")[2] for child in children]
    # All create the same user: two of them have come too late for that, and for nothing else.
    assert sorted(line.partition("Violation")[0] for line in ended) == [""] + ["doorward.store.sql.Unique"] * 2


@pytest.mark.parametrize("wrong", ["nobody", "password", "port"])
async def test_unreachable_at_the_start(postgres_url: str, wrong: str) -> None:
    """A server that does not answer or refuses the login is database_unreachable, without the URL's password."""
    parts = urlsplit(postgres_url)
    netloc = {
        "nobody": f"nobody:{parts.password}@{parts.hostname}:{parts.port}",
        "password": f"{parts.username}:hunter2@{parts.hostname}:{parts.port}",
        "port": f"{parts.username}:{parts.password}@{parts.hostname}:9",
    }[wrong]
    with pytest.raises(DoorwardError, match="database_unreachable") as caught:
        await open_store(parts._replace(netloc=netloc).geturl(), auto_migrate=True)
    assert str(parts.password) not in str(caught.value)
    assert "hunter2" not in str(caught.value)
