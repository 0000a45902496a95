import asyncio
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from doorward.base.errors import DoorwardError
from doorward.store import Cursor, Sql, Store, UniqueViolation, open_store
from doorward.store.sqlite import SqliteStore
from doorward.store.sqlite_connections import connect_reader, connect_writer
from tests.store import rows

ROOT = Path(__file__).parents[2]


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


async def test_file_is_for_its_owner_alone(sqlite_store: Store, sqlite_url: str) -> None:
    """The database, its log and its index are readable and writable by their owner and nobody else."""
    await sqlite_store.write(rows.add_user)
    paths = [path_of(sqlite_url).with_name(f"doorward.db{suffix}") for suffix in ("", "-wal", "-shm")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o600] * 3


async def test_writer_flushes_and_keeps_foreign_keys(sqlite_store: Store, sqlite_url: str) -> None:
    """The writing connection is in WAL mode, flushes every commit (FULL) and enforces foreign keys."""
    connection = connect_writer(path_of(sqlite_url))
    pragmas = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    ]
    connection.close()
    assert pragmas == ["wal", 2, 1, 5000]


async def test_reader_cannot_write(sqlite_store: Store, sqlite_url: str) -> None:
    """The reading connection refuses changes by itself, whatever a statement says."""
    reader = connect_reader(path_of(sqlite_url))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM users")
    reader.close()


async def test_every_table_is_strict(sqlite_store: Store) -> None:
    """A value of the wrong type is an error, not stored as it is."""
    loose = Sql("SELECT name FROM pragma_table_list WHERE strict = 0 AND name NOT LIKE 'sqlite_%' AND type = 'table'")
    assert await sqlite_store.read(lambda cursor: cursor.all(loose)) == [("alembic_version",)]
    with pytest.raises(sqlite3.IntegrityError, match="cannot store TEXT"):
        await sqlite_store.append([(rows.SEEN, (b"a", "soon"))])


async def test_use_case_that_suspends_is_refused(sqlite_store: Store) -> None:
    """A use case that awaits something other than its cursor fails and is undone, and the writer goes on."""

    async def use(cursor: Cursor) -> None:
        await cursor.run(rows.ADD_KEY_SET, "a")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="await nothing but its cursor"):
        await sqlite_store.write(use)
    assert await sqlite_store.read(lambda cursor: rows.count(cursor, rows.COUNT_KEY_SETS)) == 0
    await sqlite_store.write(rows.add_user)


async def test_mistakes_stay_what_they_are(sqlite_store: Store) -> None:
    """A mistake in a statement is not passed off as trouble of the database."""
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await sqlite_store.read(lambda cursor: cursor.all(Sql("SELECT 1 FROM absent")))
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await sqlite_store.write(lambda cursor: cursor.run(Sql("DELETE FROM absent")))


async def test_disk_full(sqlite_url: str) -> None:
    """When the disk is full writes are refused as store_unavailable, reads go on, and nothing is half-written."""
    await (await open_store(sqlite_url, auto_migrate=True)).close()
    writer = connect_writer(path_of(sqlite_url))
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages + 8}")
    store = SqliteStore(path_of(sqlite_url), writer, connect_reader(path_of(sqlite_url)))
    user = await store.write(rows.add_user)
    refused = 0
    for number in range(40):
        call = [rows.family(f"f{number}" * 50, user), rows.pair(f"p{number}" * 50, f"f{number}" * 50)]
        outcomes = await asyncio.gather(
            store.append(call), store.write(lambda c, n=number: rows.add_user(c, f"{n}@" * 99)), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                assert isinstance(outcome, DoorwardError)
                assert (outcome.code, outcome.retry_after) == ("store_unavailable", 1)
                assert "SQLITE_FULL" in str(outcome.facts["reason"])
                refused += 1
    assert refused > 20
    half = Sql("SELECT count(*) FROM families f LEFT JOIN pairs p ON p.family_id = f.id WHERE p.id IS NULL")
    assert await store.read(lambda cursor: rows.count(cursor, half)) == 0
    writer.execute("PRAGMA max_page_count = 1000000")
    await store.write(lambda cursor: rows.add_user(cursor, "later@example.com"))
    await store.close()


async def test_ping_notices_a_full_disk(sqlite_url: str) -> None:
    """After a write that found no room the store is in trouble, until there is room for more than a little again."""
    await (await open_store(sqlite_url, auto_migrate=True)).close()
    writer = connect_writer(path_of(sqlite_url))
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    store = SqliteStore(path_of(sqlite_url), writer, connect_reader(path_of(sqlite_url)))
    await store.ping()
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await store.write(lambda cursor: rows.add_user(cursor, "long@" * 2000))
    for limit in (pages, pages + 4):
        writer.execute(f"PRAGMA max_page_count = {limit}")
        with pytest.raises(DoorwardError, match="store_unavailable"):
            await store.ping()
        assert store.in_trouble
    writer.execute("PRAGMA max_page_count = 1000000")
    await store.ping()
    assert not store.in_trouble
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_KEY_SETS)) == 0
    await store.close()


async def test_a_refusal_of_its_own_is_no_trouble(sqlite_store: Store) -> None:
    """What a use case or a constraint refuses says nothing about the database."""
    await sqlite_store.append([rows.seen(b"a")])
    with pytest.raises(UniqueViolation):
        await asyncio.gather(*(sqlite_store.write(rows.add_user) for _ in range(2)))
    assert not sqlite_store.in_trouble


async def test_two_processes_on_one_file(sqlite_store: Store, sqlite_url: str) -> None:
    """Two processes that write at the same time both get their rows in, and see each other's."""
    user = await sqlite_store.write(lambda cursor: rows.add_user(cursor, "other@example.com"))
    command = [sys.executable, "-m", "tests.store.writing_child", sqlite_url, "150"]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    for number in range(150):
        await sqlite_store.append([rows.family(f"here{number}", user)])
    assert await child.wait() == 0
    assert await sqlite_store.read(lambda cursor: rows.count(cursor, rows.COUNT_FAMILIES)) == 300


async def test_locks_outlive_a_second_opening(sqlite_store: Store, sqlite_url: str) -> None:
    """Opening the file again drops no lock of this process: another that leaves cannot take the log away."""
    await (await open_store(sqlite_url, auto_migrate=True)).close()
    command = [sys.executable, "-m", "tests.store.writing_child", sqlite_url, "1"]
    child = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await child.wait() == 0
    assert path_of(sqlite_url).with_name("doorward.db-wal").exists()
    assert await sqlite_store.read(lambda cursor: rows.count(cursor, rows.COUNT_FAMILIES)) == 1


async def test_locked_for_too_long(sqlite_url: str) -> None:
    """While another process holds the write lock a write waits, then is refused; reads are not held up."""
    await (await open_store(sqlite_url, auto_migrate=True)).close()
    store = SqliteStore(
        path_of(sqlite_url), connect_writer(path_of(sqlite_url), 0.05), connect_reader(path_of(sqlite_url))
    )
    other = sqlite3.connect(path_of(sqlite_url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(store.append([rows.seen(b"a")]), store.write(rows.add_user), return_exceptions=True)
    assert [str(o.facts["reason"]) for o in outcomes if isinstance(o, DoorwardError)] == [
        "OperationalError SQLITE_BUSY"
    ] * 2
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await store.ping()
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_SEEN)) == 0
    other.execute("ROLLBACK")
    other.close()
    assert await store.append([rows.seen(b"a")]) == [True]
    await store.close()


@pytest.mark.parametrize("replaced", [False, True])
async def test_ping_notices_a_lost_file(sqlite_store: Store, sqlite_url: str, *, replaced: bool) -> None:
    """A file that was removed or put in place of another is noticed: what is written now would be lost."""
    path_of(sqlite_url).unlink()
    if replaced:
        path_of(sqlite_url).touch()
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await sqlite_store.ping()


async def test_foreign_process_reading_is_no_obstacle(sqlite_store: Store, sqlite_url: str) -> None:
    """A reader in the middle of its transaction holds up no writer."""
    other = sqlite3.connect(path_of(sqlite_url), isolation_level=None)
    other.execute("BEGIN")
    other.execute("SELECT * FROM users").fetchall()
    await sqlite_store.write(rows.add_user)
    assert other.execute("SELECT count(*) FROM users").fetchone() == (0,)
    other.close()


async def test_current_database_opens_without_alembic(sqlite_url: str) -> None:
    """A database of the newest schema is opened without loading Alembic, SQLAlchemy or the PostgreSQL driver."""
    await (await open_store(sqlite_url, auto_migrate=True)).close()
    program = (
        "import asyncio, sys; from doorward.store import open_store\n"
        f"async def main(): await (await open_store({sqlite_url!r}, auto_migrate=True)).close()\n"
        "asyncio.run(main()); print(sorted({'alembic', 'sqlalchemy', 'asyncpg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
