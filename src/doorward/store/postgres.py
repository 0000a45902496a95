"""PostgreSQL through asyncpg: held connections, a transaction a use case, appends in one round trip.

What can conflict is a transaction of its own, and is run again when the server says that two collided. Appends do not
conflict, so those of all callers that wait at the moment go as one statement: a WITH that inserts one array per column
into each table, which is a transaction by itself and costs a single round trip (`postgres_appends` holds the queue).

A use case runs to its end even when the one who waits for it goes away.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  it has none; `connections.Connection` says what is used of it

from doorward.base.errors import DoorwardError
from doorward.base.faults import DATABASE_UNREACHABLE, DATABASE_URL_INVALID
from doorward.store.postgres_appends import Appender
from doorward.store.postgres_connections import (
    ATTEMPTS,
    FAILURES,
    ROW_TIMEOUT,
    Collision,
    Connection,
    Connections,
    close,
    judge,
)
from doorward.store.postgres_lookups import Finder
from doorward.store.proving import is_trouble, prove_writable
from doorward.store.schema import REVISION
from doorward.store.sql import (
    Append,
    Cursor,
    Engine,
    Insert,
    Lookup,
    Param,
    ReadOnly,
    Row,
    Sql,
    StoreClosed,
    UseCase,
    UseCaseWentOn,
    unavailable,
)

T = TypeVar("T")


class PostgresCursor:
    """The cursor of a use case."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        """Work on `connection`."""
        self._connection = connection

    async def one(self, sql: Sql, *params: Param) -> Row | None:
        """Give the first row, or None when there is none."""
        try:
            row = await self._connection.fetchrow(sql.postgres, *params)
        except FAILURES as error:
            raise judge(error) from error
        return None if row is None else tuple(row)

    async def all(self, sql: Sql, *params: Param) -> list[Row]:
        """Give every row."""
        try:
            return [tuple(row) for row in await self._connection.fetch(sql.postgres, *params)]
        except FAILURES as error:
            raise judge(error) from error

    async def run(self, sql: Sql, *params: Param) -> int:
        """Execute a change and give the number of rows that it touched."""
        try:
            tag = await self._connection.execute(sql.postgres, *params)
        except FAILURES as error:
            raise judge(error) from error
        return int(tag.rpartition(" ")[2])

    async def insert(self, insert: Insert, *params: Param) -> bool:
        """Insert one row; False when its unique columns were taken."""
        try:
            tag = await self._connection.execute(insert.postgres, *([param] for param in params))
        except FAILURES as error:
            raise judge(error) from error
        return tag.endswith(" 1")


class PostgresReadCursor(PostgresCursor):
    """The cursor of a use case that only reads."""

    __slots__ = ()

    async def one(self, sql: Sql, *params: Param) -> Row | None:
        """Give the first row, or None when there is none."""
        try:
            row = await self._connection.fetchrow(sql.postgres, *params, timeout=ROW_TIMEOUT)
        except FAILURES as error:
            raise judge(error) from error
        return None if row is None else tuple(row)

    async def run(self, sql: Sql, *_params: Param) -> int:
        """Refuse: a change needs `Store.write`."""
        raise ReadOnly(sql.postgres)

    async def insert(self, insert: Insert, *_params: Param) -> bool:
        """Refuse: a change needs `Store.write`."""
        raise ReadOnly(insert.postgres)


class PostgresStore:
    """A store on a PostgreSQL server."""

    engine: Engine = "postgres"

    def __init__(self, url: str) -> None:
        """Serve the database at `url`; nothing is opened yet. Must be called on the event loop that it will serve."""
        self._connections = Connections(url)
        self._appender = Appender(self._connections.open)
        self._finder = Finder(self._connections.open)
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False
        self.in_trouble = False

    async def read(self, use_case: UseCase[T]) -> T:
        """Run a use case that only reads."""
        self._refuse_closed()

        async def work(connection: Connection) -> T:
            return await use_case(PostgresReadCursor(connection))

        return await self._connections.use(work)

    async def find(self, lookup: Lookup, *key: Param) -> Row | None:
        """Give the row of a key, or None, together with those of everybody who waits."""
        self._refuse_closed()
        return await self._finder.find(lookup, key)

    async def write(self, use_case: UseCase[T]) -> T:
        """Run a use case all or nothing, in a transaction of its own.

        It runs to its end even when the one who waits for it goes away.
        """
        self._refuse_closed()
        return await self._sheltered(self._noting(self._transact(use_case)))

    async def append(self, rows: Sequence[Append]) -> list[bool]:
        """Append rows, all or none, together with those of everybody who waits."""
        self._refuse_closed()
        return await self._noting(self._appender.append(rows)) if rows else []

    def _refuse_closed(self) -> None:
        if self._closed:
            raise unavailable(StoreClosed(), "")

    async def _noting(self, work: Coroutine[Any, Any, T]) -> T:
        """Give the outcome of a write, and remember trouble of the database."""
        try:
            return await work
        except DoorwardError as error:
            self.in_trouble = self.in_trouble or is_trouble(error)
            raise

    async def _sheltered(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # asked for, so that asyncio does not log the failure of a use case nobody waits for

    async def _transact(self, use_case: UseCase[T]) -> T:
        async def work(connection: Connection) -> T:
            return await _transaction(connection, use_case)

        for _ in range(ATTEMPTS - 1):
            try:
                return await self._connections.use(work)
            except Collision:
                continue
        try:
            return await self._connections.use(work)
        except Collision as error:
            raise unavailable(error, str(error)) from error

    async def ping(self) -> None:
        """Ask whether the server answers and accepts writes; raises if not.

        Where a write was refused before, it tries one: a full disk shows in nothing else.
        """
        row = await self.read(_ask)
        if row is None or row[1]:
            raise unavailable(RuntimeError(), "no schema" if row is None else "read-only replica")
        if self.in_trouble:
            await prove_writable(self)
            self.in_trouble = False

    async def revision(self) -> str | None:
        """Give the revision of the schema, None without one.

        Raises `DoorwardError` (`database_unreachable`, `database_url_invalid`).
        """
        try:
            connection = await self._connections.connect()
        except (asyncpg.ClientConfigurationError, ValueError) as error:
            raise DoorwardError(DATABASE_URL_INVALID, reason=type(error).__name__) from error
        except FAILURES as error:
            code = getattr(error, "sqlstate", "")
            raise DoorwardError(DATABASE_UNREACHABLE, reason=f"{type(error).__name__} {code}".rstrip()) from error
        try:
            row = await connection.fetchrow(REVISION.postgres)
        except asyncpg.UndefinedTableError:
            return None
        finally:
            await close(connection)
        return None if row is None else str(row[0])

    async def migrate(self) -> None:
        """Bring the schema up to date; raises `DoorwardError` (`database_migration_failed`) and changes nothing."""
        from doorward.store.migrate import migrate_postgres  # noqa: PLC0415  loads Alembic, which is seldom needed

        await migrate_postgres(self._unlimited)

    async def _unlimited(self) -> Connection:
        return await self._connections.connect(limited=False)

    async def close(self) -> None:
        """Finish what was begun, then close the connections."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)
        await self._appender.close()
        await self._finder.close()
        await self._connections.close()


async def _transaction(connection: Connection, use_case: UseCase[T]) -> T:
    """Run one attempt; raises `Collision` when it may be tried again."""
    try:
        await connection.execute("BEGIN", timeout=ROW_TIMEOUT)
        try:
            result = await use_case(PostgresCursor(connection))
        except BaseException:
            await connection.execute("ROLLBACK", timeout=ROW_TIMEOUT)
            raise
        tag = await connection.execute("COMMIT")
    except FAILURES as error:
        raise judge(error) from error
    if tag != "COMMIT":
        raise UseCaseWentOn("a use case went on after a violation; PostgreSQL has taken it back")
    return result


_ASK = Sql("SELECT version_num, pg_is_in_recovery() FROM alembic_version")


async def _ask(cursor: Cursor) -> Row | None:
    return await cursor.one(_ASK)
