"""Connections to SQLite, the cursor on them, and what SQLite's errors mean to the store.

One connection writes and one reads. Both are in autocommit, so that a transaction begins where the code says BEGIN and
nowhere else.
"""

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import cast
from urllib.parse import quote

from doorward.store.sql import (
    ForeignKeyViolation,
    Insert,
    Param,
    ReadOnly,
    Row,
    Sql,
    UniqueViolation,
    unavailable,
)

BUSY_TIMEOUT = 5.0
READ_BUSY_TIMEOUT = 0.25
_CACHED_STATEMENTS = 256
# A page that is written often goes to the database file once a checkpoint, so fewer checkpoints write less: 16 MiB.
_CHECKPOINT_PAGES = 4000
_CACHE_KIB = 8192
_READ_CACHE_KIB = 4096
_PRIMARY_CODE = 0xFF
_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID}
# Trouble of the database, as against SQLITE_ERROR and the constraints, which are mistakes of a statement.
_TROUBLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}


def connect_writer(path: Path, busy_timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Open a connection that may write, creating the file for its owner alone; raises `sqlite3.Error` or `OSError`."""
    _create(path)
    if not os.access(path, os.W_OK):
        # SQLite would open it for reading alone, and every write would be refused later.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    connection = sqlite3.connect(
        path,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )
    return _prepared(
        connection,
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"wal_autocheckpoint = {_CHECKPOINT_PAGES}",
        f"cache_size = -{_CACHE_KIB}",
    )


def _prepared(connection: sqlite3.Connection, *pragmas: str) -> sqlite3.Connection:
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """Create the file, for its owner alone, if there is none.

    One that exists is never opened here: closing it again would drop every POSIX lock that this process holds on it
    through SQLite, and another process could then take away the log under a living connection.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write; raises `sqlite3.Error`.

    It waits for a lock only briefly, because the event loop waits with it; in WAL mode a reader meets one only while
    another process recovers the log.
    """
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro",
        uri=True,
        timeout=READ_BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )
    return _prepared(connection, "query_only = ON", f"cache_size = -{_READ_CACHE_KIB}")


def judge(error: sqlite3.Error) -> Exception:
    """Give the error of the store that an error of the engine means; a mistake of ours stays what it is."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code in _UNIQUE:
        return UniqueViolation(*_constraint(str(error)))
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return ForeignKeyViolation()
    if code & _PRIMARY_CODE in _TROUBLE:
        return unavailable(error, error.sqlite_errorname)
    return error


def _constraint(message: str) -> tuple[str, tuple[str, ...]]:
    """Read `UNIQUE constraint failed: users.email_key` as ("users", ("email_key",))."""
    names = [name.split(".") for name in message.partition(": ")[2].split(", ")]
    return names[0][0], tuple(name[-1] for name in names)


class SqliteCursor:
    """The cursor of a use case; nothing in it ever suspends.

    Every statement is reset before its result is given away: an unfinished SELECT would hold the reader's view of the
    database at an old moment.
    """

    __slots__ = ("_connection", "failed")

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Work on `connection`; `failed` says that a statement of the present use case was refused."""
        self._connection = connection
        self.failed = False

    async def one(self, sql: Sql, *params: Param) -> Row | None:
        """Give the first row, or None when there is none."""
        try:
            cursor = self._connection.execute(sql.sqlite, params)
            row = cast("Row | None", cursor.fetchone())
            cursor.close()
        except sqlite3.Error as error:
            raise self._refused(error) from error
        return row

    async def all(self, sql: Sql, *params: Param) -> list[Row]:
        """Give every row."""
        try:
            return self._connection.execute(sql.sqlite, params).fetchall()
        except sqlite3.Error as error:
            raise self._refused(error) from error

    async def run(self, sql: Sql, *params: Param) -> int:
        """Execute a change and give the number of rows that it touched."""
        try:
            return self._connection.execute(sql.sqlite, params).rowcount
        except sqlite3.Error as error:
            raise self._refused(error) from error

    async def insert(self, insert: Insert, *params: Param) -> bool:
        """Insert one row; False when its unique columns were taken."""
        try:
            return self._connection.execute(insert.sqlite, params).rowcount == 1
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def _refused(self, error: sqlite3.Error) -> Exception:
        self.failed = True
        return judge(error)


class SqliteReadCursor(SqliteCursor):
    """The cursor of a use case that only reads."""

    __slots__ = ()

    async def run(self, sql: Sql, *_params: Param) -> int:
        """Refuse: a change needs `Store.write`."""
        raise ReadOnly(sql.sqlite)

    async def insert(self, insert: Insert, *_params: Param) -> bool:
        """Refuse: a change needs `Store.write`."""
        raise ReadOnly(insert.sqlite)
