"""Bringing a database to the newest schema.

Imported only when one is behind: Alembic and SQLAlchemy take longer to load than everything else at the start. The
check that one is current is in `schema` and needs neither. Every migration runs in one transaction under a lock, so of
two processes that start at once one migrates and the other finds nothing left to do.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from doorward.base.errors import DoorwardError
from doorward.base.faults import DATABASE_MIGRATION_FAILED
from doorward.store.sqlite_connections import connect_writer

LOCK_TIMEOUT = 60.0
_SCRIPTS = Path(__file__).parent / "migrations"
# Any number will do, as long as nobody else uses it in this database: the bytes of "doorward".
_ADVISORY_LOCK = int.from_bytes(b"doorward")


def configuration() -> Config:
    """Give Alembic's configuration; there is no alembic.ini, and its scripts lie beside this file."""
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def migrate_sqlite(path: Path) -> None:
    """Bring the file to the newest schema; raises `DoorwardError` (`database_migration_failed`) and changes nothing."""
    engine = create_engine("sqlite://", creator=lambda: connect_writer(path, LOCK_TIMEOUT), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            _upgrade(connection)
            connection.commit()
    except (DBAPIError, sqlite3.Error) as error:
        raise _failed(error) from error


async def migrate_postgres(connect: Callable[[], Awaitable[object]]) -> None:
    """Bring the database that `connect` opens to the newest schema; `connect` gives an asyncpg connection.

    Raises `DoorwardError` (`database_migration_failed`) and changes nothing.
    """
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415  needs an extra that SQLite does not

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            await connection.run_sync(_upgrade)
            await connection.commit()
    except DBAPIError as error:
        raise _failed(error) from error
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _failed(error: Exception) -> DoorwardError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return DoorwardError(DATABASE_MIGRATION_FAILED, reason=f"{type(cause).__name__}: {cause}")
