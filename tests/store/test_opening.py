import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from doorward.base.errors import DoorwardError
from doorward.store import Sql, open_store, read_url
from doorward.store.migrate import configuration
from doorward.store.opening import PostgresAddress, SqliteAddress
from doorward.store.schema import HEAD
from tests.store import rows

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///doorward.db", "doorward.db"),
        ("sqlite:////var/lib/doorward.db", "/var/lib/doorward.db"),
        ("sqlite:///a%20b/c d.db", "a%20b/c d.db"),
    ],
)
def test_sqlite_urls(url: str, path: str) -> None:
    """Three slashes are a relative path, four an absolute one; the path is taken as it is written."""
    assert read_url(url) == SqliteAddress(path=Path(path))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:pass@db.example.com:5432/name?sslmode=require",
        "postgres://user@[::1]/name",
        "postgresql:///name?host=/var/run/postgresql",
        "postgresql://user@host/?dbname=name",
    ],
)
def test_postgres_urls(url: str) -> None:
    """Both schemes, IPv6, parameters and a socket directory are passed to the driver as they are."""
    assert read_url(url) == PostgresAddress(url=url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "doorward.db",
        "sqlite://doorward.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///directory/",
        "sqlite:///a.db?mode=ro",
        "mysql://user:hunter2@host/name",
        "postgresql://user:hunter2@host",
        "postgresql://user:hunter2@[::1/name",
        "postgresql:user:hunter2",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Anything else is database_url_invalid, without the password."""
    with pytest.raises(DoorwardError, match="database_url_invalid") as caught:
        read_url(url)
    assert "hunter2" not in str(caught.value)


async def test_port_that_is_none(postgres_url: str) -> None:
    """What only the driver finds wrong with a URL is database_url_invalid too."""
    with pytest.raises(DoorwardError, match="database_url_invalid"):
        await open_store("postgresql://user@host:port/name", auto_migrate=True)


async def test_newer_schema_is_refused(database_url: str) -> None:
    """A database of a revision that this program does not know is database_newer, and is left as it is."""
    store = await open_store(database_url, auto_migrate=True)
    await store.write(lambda cursor: cursor.run(Sql("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(DoorwardError, match="database_newer") as caught:
        await open_store(database_url, auto_migrate=True)
    assert caught.value.facts == {"revision": "9999", "newest_known": HEAD}
    await store.close()


async def test_postgres_behind_without_leave_to_migrate(postgres_url: str) -> None:
    """With auto_migrate off a PostgreSQL database that is behind is refused, until it was migrated."""
    with pytest.raises(DoorwardError, match="database_behind"):
        await open_store(postgres_url, auto_migrate=False)
    await (await open_store(postgres_url, auto_migrate=True)).close()
    await (await open_store(postgres_url, auto_migrate=False)).close()


async def test_sqlite_is_always_migrated(sqlite_url: str) -> None:
    """A SQLite file is brought up to date even with auto_migrate off, which speaks of PostgreSQL alone."""
    store = await open_store(sqlite_url, auto_migrate=False)
    assert await store.read(lambda cursor: rows.count(cursor, Sql("SELECT count(*) FROM organizations"))) == 1
    await store.close()


async def test_sqlite_processes_migrate_at_once(sqlite_url: str) -> None:
    """Several processes that find no database all start; one makes it and the others wait for that."""
    command = [sys.executable, "-m", "tests.store.writing_child", sqlite_url, "0"]
    children = [await asyncio.create_subprocess_exec(*command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    ended = [(await child.communicate())[1].decode().strip().rpartition("\n")[2] for child in children]
    # All create the same user: two of them have come too late for that, and for nothing else.
    assert sorted(line.partition("Violation")[0] for line in ended) == [""] + ["doorward.store.sql.Unique"] * 2


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_failed_migration_changes_nothing(engine: str, request: pytest.FixtureRequest) -> None:
    """A migration that is refused half-way is undone as a whole and names the reason."""
    url: str = request.getfixturevalue(f"{engine}_url")
    await put_in_the_way(url)
    for _ in range(2):
        with pytest.raises(DoorwardError, match="database_migration_failed") as caught:
            await open_store(url, auto_migrate=True)
        assert "audit" in str(caught.value)


async def put_in_the_way(url: str) -> None:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("CREATE TABLE audit (id)")
        connection.close()
        return
    import asyncpg  # noqa: PLC0415  only where PostgreSQL is tested

    other = await asyncpg.connect(url)
    await other.execute("CREATE TABLE audit (id int)")
    await other.close()


@pytest.mark.parametrize("kind", ["missing directory", "not a database", "a directory"])
async def test_sqlite_file_that_cannot_be_opened(scanned_path: Path, kind: str) -> None:
    """A file that cannot be a database is database_unreachable with its path, and is left as it is."""
    path = scanned_path / "sub" / "doorward.db"
    if kind != "missing directory":
        path.parent.mkdir()
    if kind == "a directory":
        path.mkdir()
    if kind == "not a database":
        path.write_bytes(b"not a database at all, but rather long text, to be sure" * 100)
    with pytest.raises(DoorwardError, match="database_unreachable") as caught:
        await open_store(f"sqlite:///{path}", auto_migrate=True)
    assert caught.value.facts["path"] == path


async def test_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, a PostgreSQL URL is postgres_missing, which names the package to install."""
    for name in ("doorward.store.postgres", "doorward.store.postgres_connections", "doorward.store.postgres_appends"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr("doorward.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(DoorwardError, match="postgres_missing") as caught:
        await open_store("postgresql://user@127.0.0.1/name", auto_migrate=True)
    assert "doorward[postgres]" in caught.value.row.fix


def test_newest_revision_is_the_migrations_own() -> None:
    """The constant that spares loading Alembic is the head of the migrations, numbered 0001, 0002 and so on."""
    scripts = ScriptDirectory.from_config(configuration())
    assert scripts.get_heads() == [HEAD]
    revisions = sorted(script.revision for script in scripts.walk_revisions())
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
