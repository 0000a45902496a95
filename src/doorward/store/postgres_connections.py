"""Connections to PostgreSQL, and what its errors mean to the store.

Connections are held and handed back without the usual reset, which would cost a round trip; nothing here changes the
state of a session. One that was lost is noticed when it is next wanted, and another is opened.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]  it has none; `Connection` says what is used of it

from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.store.sql import ForeignKeyViolation, UniqueViolation, unavailable

T = TypeVar("T")

CONNECT_TIMEOUT = 5.0
ROW_TIMEOUT = 5.0
"""How many seconds a row that a request needs, or the beginning of its transaction, is waited for.

Neither is ever the work of a second, so a server that takes longer has gone silent, and the request is told so.
"""
STATEMENT_TIMEOUT = 10.0
# The client's own limit is for a server that no longer answers at all; the server's is tried first.
_COMMAND_TIMEOUT = STATEMENT_TIMEOUT + 2.0
_CLOSE_TIMEOUT = 2.0
_CONNECTIONS = 8
ATTEMPTS = 5
_CACHED_STATEMENTS = 256
_KEY_COLUMNS = re.compile(r"Key \(([^)]*)\)=")

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
_COLLISIONS = {"40001", "40P01"}
# Connection, resources, operator (which includes the statement timeout), system; the rest are mistakes of a statement.
_TROUBLE_CLASSES = {"08", "28", "3D", "53", "57", "58", "XX"}
_TROUBLE = {"25006", "55P03"}


class Connection(Protocol):
    """What is used of an asyncpg connection."""

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> list[Sequence[Any]]:  # noqa: ASYNC109  asyncpg's own signature
        """Give all rows."""
        ...

    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Sequence[Any] | None:  # noqa: ASYNC109  as above
        """Give the first row."""
        ...

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109  as above
        """Give the command tag, such as `UPDATE 3`."""
        ...

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109  asyncpg's own signature
        """Say goodbye to the server."""
        ...

    def terminate(self) -> None:
        """Drop the connection at once."""
        ...

    def is_closed(self) -> bool:
        """Say whether the connection is gone."""
        ...


class Collision(Exception):
    """Two transactions stood in each other's way, and this one was taken back."""


def judge(error: Exception) -> Exception:
    """Give the error of the store that an error of asyncpg means; a mistake of ours stays what it is."""
    code = str(getattr(error, "sqlstate", None) or "")
    if code == "23505":
        return UniqueViolation(*_constraint(error))
    if code == "23503":
        return ForeignKeyViolation(*_constraint(error))
    if code in _COLLISIONS:
        return Collision(code)
    if code[:2] in _TROUBLE_CLASSES or code in _TROUBLE or (not code and not isinstance(error, asyncpg.DataError)):
        return unavailable(error, code)
    return error


def _constraint(error: Exception) -> tuple[str, tuple[str, ...]]:
    columns = _KEY_COLUMNS.match(str(getattr(error, "detail", None) or ""))
    return str(getattr(error, "table_name", None) or ""), tuple(columns.group(1).split(", ")) if columns else ()


class Connections:
    """A few held connections to one database; the one used last is used first."""

    def __init__(self, url: str) -> None:
        """Connect to `url` when first asked."""
        self._url = url
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(_CONNECTIONS)

    async def connect(self, *, limited: bool = True) -> Connection:
        """Open a connection; with `limited` a statement may take 10 s. Raises what asyncpg raises."""
        limit = int(STATEMENT_TIMEOUT * 1000) if limited else 0
        connection = await asyncpg.connect(  # pyright: ignore[reportUnknownMemberType]  asyncpg has no types
            self._url,
            timeout=CONNECT_TIMEOUT,
            command_timeout=_COMMAND_TIMEOUT if limited else None,
            statement_cache_size=_CACHED_STATEMENTS,
            max_cached_statement_lifetime=0,
            server_settings={"application_name": "doorward", "statement_timeout": str(limit)},
        )
        return cast("Connection", connection)

    async def open(self) -> Connection:
        """Open a connection for good; raises `DoorwardError` (`store_unavailable`), whatever the obstacle."""
        try:
            return await self.connect()
        except FAILURES as error:
            raise unavailable(error, str(getattr(error, "sqlstate", ""))) from error

    async def use(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Lend a connection; one whose work was broken off is not used again.

        Raises `DoorwardError` (`store_unavailable`) when none is to be had.
        """
        try:
            await asyncio.wait_for(self._places.acquire(), CONNECT_TIMEOUT)
        except TimeoutError as error:
            raise unavailable(error, "no connection is free") from error
        try:
            connection = await self._take()
            try:
                result = await work(connection)
            except BaseException as error:
                self._after(connection, error)
                raise
            self._idle.append(connection)
            return result
        finally:
            self._places.release()

    def _after(self, connection: Connection, error: BaseException) -> None:
        """Keep a connection whose work failed, unless the connection itself was in trouble or the work broken off."""
        trouble = isinstance(error, DoorwardError) and error.row is STORE_UNAVAILABLE
        if trouble or not isinstance(error, Exception):
            connection.terminate()
        else:
            self._idle.append(connection)

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self.open()

    async def close(self) -> None:
        """Close all that are idle."""
        while self._idle:
            await close(self._idle.pop())


async def close(connection: Connection) -> None:
    """Close a connection politely, or else at once."""
    try:
        await connection.close(timeout=_CLOSE_TIMEOUT)
    except FAILURES:
        connection.terminate()
