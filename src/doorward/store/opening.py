"""From `database.url` to an open store.

Reads the URL, refuses a database that is newer than this program, migrates one that is behind, hands out the engine.
The PostgreSQL driver is imported only here and only for its own URLs.
"""

import asyncio
import errno
import importlib.util
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, urlsplit

from doorward.base.errors import DoorwardError
from doorward.base.faults import DATABASE_UNREACHABLE, DATABASE_URL_INVALID, POSTGRES_MISSING
from doorward.base.frozen import frozen
from doorward.store import signing_keys
from doorward.store.schema import HEAD, REVISION, judge_revision
from doorward.store.sql import Store
from doorward.store.sqlite import SqliteStore
from doorward.store.sqlite_connections import connect_reader, connect_writer

if TYPE_CHECKING:
    from doorward.store.postgres import PostgresStore

_SQLITE = "sqlite:///"


@frozen
class SqliteAddress:
    """A database in a file."""

    path: Path


@frozen
class PostgresAddress:
    """A database on a server; `url` may hold a password."""

    url: str


Address: TypeAlias = SqliteAddress | PostgresAddress


def read_url(url: str) -> Address:
    """Read `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host/name`.

    Raises `DoorwardError` (`database_url_invalid`), which never quotes the URL: it may hold a password.
    """
    if url.startswith(_SQLITE):
        return SqliteAddress(path=_sqlite_path(url.removeprefix(_SQLITE)))
    scheme, separator, _ = url.partition("://")
    if separator and scheme in {"postgresql", "postgres"}:
        return PostgresAddress(url=_postgres_url(url))
    raise DoorwardError(DATABASE_URL_INVALID, reason="the URL begins with neither sqlite:/// nor postgresql://")


def _sqlite_path(name: str) -> Path:
    if not name or name.endswith("/") or name == ":memory:":
        raise DoorwardError(DATABASE_URL_INVALID, reason="SQLite needs the name of a file")
    if any(mark in name for mark in "?#\0"):
        raise DoorwardError(DATABASE_URL_INVALID, reason="a SQLite URL takes no parameters")
    return Path(name)


def _postgres_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise DoorwardError(DATABASE_URL_INVALID, reason="malformed host") from error
    if not parts.path.strip("/") and "dbname=" not in parts.query and "database=" not in parts.query:
        raise DoorwardError(DATABASE_URL_INVALID, reason="no database is named")
    return url


async def open_store(url: str, *, auto_migrate: bool) -> Store:
    """Open the database, creating a SQLite file that is missing and bringing an older schema up to date.

    With `auto_migrate` off a PostgreSQL database that is behind is refused; a SQLite file belongs to this program alone
    and is always migrated. Raises `DoorwardError`: `database_url_invalid`, `database_unreachable`, `database_newer`,
    `database_behind`, `database_migration_failed`, `postgres_missing`.
    """
    address = read_url(url)
    if isinstance(address, SqliteAddress):
        return await _open_sqlite(address.path)
    return await _open_postgres(address.url, auto_migrate=auto_migrate)


def inspect(url: str) -> bool:
    """Refuse what `open_store` would refuse, but create, change and migrate nothing.

    Gives whether the database holds keys that were sealed with a key of its own. A server is not asked, and counts as
    empty. Raises `DoorwardError`: `database_url_invalid`, `database_unreachable`, `database_newer`, `postgres_missing`.
    """
    address = read_url(url)
    if isinstance(address, PostgresAddress):
        if importlib.util.find_spec("asyncpg") is None:
            raise DoorwardError(POSTGRES_MISSING, module="asyncpg")
        return False
    try:
        return _inspect_file(address.path)
    except (OSError, sqlite3.Error) as error:
        raise _unreachable(address.path, error) from error


async def upgrade(url: str) -> tuple[str | None, str]:
    """Bring a database to the newest schema, whatever `database.auto_migrate` says.

    Gives the revision that it had, None for an empty one, and the newest. Raises as `open_store` does.
    """
    address = read_url(url)
    found = _sqlite_file_revision(address.path) if isinstance(address, SqliteAddress) else await _server_revision(url)
    store = await open_store(url, auto_migrate=True)
    await store.close()
    return found, HEAD


async def _open_sqlite(path: Path) -> Store:
    try:
        return await _open_file(path)
    except (OSError, sqlite3.Error) as error:
        raise _unreachable(path, error) from error


async def _open_file(path: Path) -> Store:
    writer = connect_writer(path)
    try:
        if judge_revision(_sqlite_revision(writer), may_migrate=True) == "behind":
            await asyncio.to_thread(_migrate_sqlite, path)
        return SqliteStore(path, writer, connect_reader(path))
    except BaseException:
        writer.close()
        raise


def _sqlite_file_revision(path: Path) -> str | None:
    try:
        with closing(connect_writer(path)) as connection:
            return _sqlite_revision(connection)
    except (OSError, sqlite3.Error) as error:
        raise _unreachable(path, error) from error


def _inspect_file(path: Path) -> bool:
    directory, is_there = path.absolute().parent, path.exists()
    if not os.access(directory, os.W_OK | os.X_OK):
        directory.stat()
        raise PermissionError(errno.EACCES, "the directory is not writable", str(directory))
    if not is_there:
        return False
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, "the file is not readable and writable", str(path))
    with closing(_spectator(path)) as connection:
        judge_revision(revision := _sqlite_revision(connection), may_migrate=True)
        return revision is not None and connection.execute(signing_keys.ANY.sqlite).fetchone() is not None


def _spectator(path: Path) -> sqlite3.Connection:
    """Open a file so that nothing comes to lie beside it: as one that nobody changes, unless somebody has it open."""
    in_use = path.with_name(f"{path.name}-shm").exists()
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro{'' if in_use else '&immutable=1'}", uri=True)


def _unreachable(path: Path, error: Exception) -> DoorwardError:
    return DoorwardError(DATABASE_UNREACHABLE, path=path, reason=f"{type(error).__name__}: {error}")


def _sqlite_revision(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute(REVISION.sqlite).fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # there is no such table yet
            return None
        raise
    return None if row is None else str(row[0])


def _migrate_sqlite(path: Path) -> None:
    from doorward.store.migrate import migrate_sqlite  # noqa: PLC0415  loads Alembic, which a current database spares

    migrate_sqlite(path)


async def _server_revision(url: str) -> str | None:
    store = _postgres_store(url)
    try:
        return await store.revision()
    finally:
        await store.close()


async def _open_postgres(url: str, *, auto_migrate: bool) -> Store:
    store = _postgres_store(url)
    try:
        revision = await store.revision()
        if judge_revision(revision, may_migrate=auto_migrate) == "behind":
            await store.migrate()
    except BaseException:
        await store.close()
        raise
    return store


def _postgres_store(url: str) -> "PostgresStore":
    try:
        from doorward.store.postgres import PostgresStore  # noqa: PLC0415  the driver is an extra
    except ModuleNotFoundError as error:
        raise DoorwardError(POSTGRES_MISSING, module=error.name) from error
    return PostgresStore(url)
