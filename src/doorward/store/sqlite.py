"""SQLite: one transaction at a time for everything that waits to be written, reads on the event loop.

Every transaction that writes costs one flush to disk, and that is nearly all of its price. So everything that waits
goes into one (`sqlite_writer`), and is answered after its commit. Reads go through a second connection that cannot
write; in WAL mode they never wait for the writer, and cost less on the loop than the hop to a thread would.

Several processes may share the file: the lock is taken at the beginning of a transaction and waited for.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from doorward.store.proving import prove_writable
from doorward.store.sql import Append, Cursor, Engine, Lookup, Param, Row, Sql, StoreClosed, UseCase, unavailable
from doorward.store.sqlite_connections import SqliteReadCursor
from doorward.store.sqlite_writer import Writer

T = TypeVar("T")


class SqliteStore:
    """A store in one SQLite file."""

    engine: Engine = "sqlite"

    def __init__(self, path: Path, writer: sqlite3.Connection, reader: sqlite3.Connection) -> None:
        """Take two connections to the file `path`; must be called on the event loop that the store will serve."""
        self._path = path
        self._file = _file_identity(path)
        self._loop = asyncio.get_running_loop()
        self._write_connection = writer
        self._read_connection = reader
        self._read_cursor: Cursor = SqliteReadCursor(reader)
        self._writer = Writer(writer, self._loop)
        self._closed = False

    @property
    def in_trouble(self) -> bool:
        """Say whether a write was refused for trouble of the database, and `ping` has not found it over since."""
        return self._writer.in_trouble

    async def read(self, use_case: UseCase[T]) -> T:
        """Run a use case that only reads, here on the event loop."""
        if self._closed:
            raise unavailable(StoreClosed(), "")
        return await use_case(self._read_cursor)

    async def find(self, lookup: Lookup, *key: Param) -> Row | None:
        """Give the row of a key, or None, here on the event loop."""
        if self._closed:
            raise unavailable(StoreClosed(), "")
        return await self._read_cursor.one(lookup, *key)

    async def write(self, use_case: UseCase[T]) -> T:
        """Run a use case all or nothing."""
        return cast("T", await self._queued(use_case))

    async def append(self, rows: Sequence[Append]) -> list[bool]:
        """Append rows, all or none, together with those of everybody who waits."""
        if not rows:
            return []
        return cast("list[bool]", await self._queued(rows))

    def _queued(self, work: UseCase[Any] | Sequence[Append]) -> "asyncio.Future[Any]":
        if self._closed:
            raise unavailable(StoreClosed(), "")
        waiter: asyncio.Future[Any] = self._loop.create_future()
        self._writer.give(work, waiter)
        return waiter

    async def ping(self) -> None:
        """Ask whether the file is still there, readable, and free to be written; raises if not.

        Where a write was refused before, it tries one: a full disk shows in nothing else.
        """
        try:
            identity = _file_identity(self._path)
        except OSError as error:
            raise unavailable(error, "") from error
        if identity != self._file or not os.access(self._path, os.W_OK):
            raise unavailable(FileNotFoundError(), "replaced or not writable")
        await self.read(_ask)
        await self.write(_ask)
        if self.in_trouble:
            await prove_writable(self)
            self._writer.in_trouble = False

    async def close(self) -> None:
        """Finish what was queued, then close the file."""
        if self._closed:
            return
        self._closed = True
        await self._writer.finish()
        self._read_connection.close()
        self._write_connection.close()


_ASK = Sql("SELECT version_num FROM alembic_version")


async def _ask(cursor: Cursor) -> None:
    await cursor.one(_ASK)


def _file_identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
