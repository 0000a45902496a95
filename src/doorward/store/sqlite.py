"""SQLite: one writer thread for all waiting use cases, reads on the event loop.

Every transaction that writes costs one flush to disk, and that is nearly all of its price. So the writer thread takes
everything that waits, runs each use case under a savepoint of its own, commits once, and only then answers them all in
one call to the event loop. Reads go through a second connection that cannot write; in WAL mode they never wait for the
writer, and cost less on the loop than the hop to a thread would.

Several processes may share the file: the lock is taken at the beginning of a transaction and waited for.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import quote

from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.store.sql import (
    Append,
    Cursor,
    Engine,
    ForeignKeyViolation,
    Insert,
    Param,
    ReadOnly,
    Row,
    Sql,
    StoreClosed,
    UniqueViolation,
    UseCase,
    UseCaseSuspended,
    UseCaseWentOn,
    unavailable,
)

T = TypeVar("T")

BUSY_TIMEOUT = 5.0
READ_BUSY_TIMEOUT = 0.25
_CACHED_STATEMENTS = 256
_LARGEST_BATCH = 512
# A page that is written often goes to the database file once a checkpoint, so fewer checkpoints write less: 16 MiB.
_CHECKPOINT_PAGES = 4000
_CACHE_KIB = 16384
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
    """Open a connection that may write, creating the file for its owner alone; raises `sqlite3.Error` or `OSError`.

    Autocommit stays on: a transaction begins where the code says BEGIN and nowhere else.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        path,
        timeout=busy_timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return connection


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
    connection.execute("PRAGMA query_only = ON")
    return connection


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


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends to its end, without an event loop; raises what it raises."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return cast("T", finished.value)
    coroutine.close()
    raise UseCaseSuspended("a use case may await nothing but its cursor")


Outcome: TypeAlias = tuple["asyncio.Future[Any]", Any, BaseException | None]


@dataclass(frozen=True, slots=True)
class _Job:
    """A use case, or rows to append, and the future of the one who waits for it."""

    work: UseCase[Any] | Sequence[Append]
    waiter: "asyncio.Future[Any]"


class Writer:
    """The one thread of this process that writes."""

    def __init__(self, connection: sqlite3.Connection, answer: Callable[[list[Outcome]], None]) -> None:
        """Write through `connection`; `answer` is called from the thread, once for each transaction."""
        self._connection = connection
        self._cursor = SqliteCursor(connection)
        self._answer = answer
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="doorward-sqlite-writer", daemon=True)
        self._thread.start()

    def give(self, work: UseCase[Any] | Sequence[Append], waiter: "asyncio.Future[Any]") -> None:
        """Queue one job."""
        self._jobs.put(_Job(work, waiter))

    def finish(self) -> None:
        """Wait until everything that was queued is done, and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        going = True
        while going:
            batch: list[_Job] = []
            going = self._gather(batch)
            if batch:
                self._answer(self._transaction(batch))

    def _gather(self, batch: list[_Job]) -> bool:
        """Wait for a job and take all that have come by then; False when the last one is among them."""
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == _LARGEST_BATCH or self._jobs.empty():
                return True
            job = self._jobs.get()
        return False

    def _transaction(self, batch: list[_Job]) -> list[Outcome]:
        """Run a batch in one transaction.

        When the transaction as a whole is lost, at its COMMIT or because SQLite took it back in the middle, everybody
        in it is refused, those too whose own part had gone well.
        """
        outcomes: list[Outcome] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes.extend(self._part(job, alone=len(batch) == 1) for job in batch)
            self._connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001  whatever it is, the waiters must hear it, and the thread must live
            return self._lose(batch, outcomes, error)
        return outcomes

    def _lose(self, batch: list[_Job], outcomes: list[Outcome], error: BaseException) -> list[Outcome]:
        """Take a transaction back; whoever had failed on their own account before keeps that reason."""
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
        own = {id(waiter): failure for waiter, _, failure in outcomes}
        alone = len(batch) == 1
        return [(job.waiter, None, own.get(id(job.waiter)) or _verdict(error, alone=alone)) for job in batch]

    def _part(self, job: _Job, *, alone: bool) -> Outcome:
        """Run one job so that its failure undoes nothing but itself; raises when the whole transaction is lost."""
        if not alone:
            self._connection.execute("SAVEPOINT part")
        try:
            result = self._perform(job.work)
        except BaseException as error:
            if alone or not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO part")
            self._connection.execute("RELEASE part")
            return job.waiter, None, error
        if not alone:
            self._connection.execute("RELEASE part")
        return job.waiter, result, None

    def _perform(self, work: UseCase[Any] | Sequence[Append]) -> object:
        if callable(work):
            self._cursor.failed = False
            result = drive(work(self._cursor))
            if self._cursor.failed:
                raise UseCaseWentOn("a use case went on after a statement was refused")
            return result
        try:
            execute = self._connection.execute
            return [execute(insert.sqlite, params).rowcount == 1 for insert, params in work]
        except sqlite3.Error as error:
            raise judge(error) from error


def _verdict(error: BaseException, *, alone: bool) -> BaseException:
    """Give one of the waiters of a lost transaction a reason of its own; another's private failure is not it."""
    if isinstance(error, sqlite3.Error):
        return judge(error)
    if isinstance(error, DoorwardError) and error.row is STORE_UNAVAILABLE:
        return DoorwardError(error.row, retry_after=error.retry_after, **error.facts)
    return error if alone else unavailable(error, "in the same transaction")


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
        self._writer = Writer(writer, self._answer)
        self._closed = False

    async def read(self, use_case: UseCase[T]) -> T:
        """Run a use case that only reads, here on the event loop."""
        if self._closed:
            raise unavailable(StoreClosed(), "")
        return await use_case(self._read_cursor)

    async def write(self, use_case: UseCase[T]) -> T:
        """Run a use case all or nothing on the writer thread."""
        return cast("T", await self._queued(use_case))

    async def append(self, rows: Sequence[Append]) -> list[bool]:
        """Append rows, all or none, on the writer thread."""
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
        """Ask whether the file is still there, readable, and free to be written; raises if not."""
        try:
            identity = _file_identity(self._path)
        except OSError as error:
            raise unavailable(error, "") from error
        if identity != self._file or not os.access(self._path, os.W_OK):
            raise unavailable(FileNotFoundError(), "replaced or not writable")
        await self.read(_ask)
        await self.write(_ask)

    async def close(self) -> None:
        """Finish what was queued, then close the file."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._writer.finish)
        self._read_connection.close()
        self._write_connection.close()

    def _answer(self, outcomes: list[Outcome]) -> None:
        """Hand the outcomes of one transaction to the event loop; without one there is nobody left to tell."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: list[Outcome]) -> None:
    for waiter, result, error in outcomes:
        if waiter.done():
            continue
        if error is None:
            waiter.set_result(result)
        else:
            waiter.set_exception(error)


_ASK = Sql("SELECT version_num FROM alembic_version")


async def _ask(cursor: Cursor) -> None:
    await cursor.one(_ASK)


def _file_identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
