"""Lookups on PostgreSQL: all that wait for the same kind of row, in one statement, on a connection of their own.

A round trip costs ten times what the server does for one key, and most of that is work of this process. While one
statement is under way the next callers gather. A statement that is refused is sent again key by key, and only whoever
asked for an impossible key is told.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from doorward.base.errors import DoorwardError
from doorward.store.postgres_connections import FAILURES, ROW_TIMEOUT, Connection, close, judge
from doorward.store.sql import Lookup, Params, Row

_LARGEST_BATCH = 256

_Call: TypeAlias = tuple[Params, "asyncio.Future[Row | None]"]


class Finder:
    """The queues of lookups and the connection that they go through."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        """Open the connection with `connect` when the first lookup comes, and again whenever it was lost."""
        self._connect = connect
        self._connection: Connection | None = None
        self._waiting: dict[Lookup, list[_Call]] = {}
        self._flushing: asyncio.Task[None] | None = None

    async def find(self, lookup: Lookup, key: Params) -> Row | None:
        """Queue a key and wait for its row."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Row | None] = loop.create_future()
        self._waiting.setdefault(lookup, []).append((key, waiter))
        if self._flushing is None or self._flushing.done():
            self._flushing = loop.create_task(self._flush())
        return await waiter

    async def close(self) -> None:
        """Finish what waits, then close the connection."""
        if self._flushing is not None:
            await self._flushing
        if self._connection is not None:
            await close(self._connection)

    async def _flush(self) -> None:
        while self._waiting:
            lookup = next(iter(self._waiting))
            calls = self._waiting.pop(lookup)
            for at in range(0, len(calls), _LARGEST_BATCH):
                await self._settle(lookup, calls[at : at + _LARGEST_BATCH])

    async def _settle(self, lookup: Lookup, calls: list[_Call]) -> None:
        """Ask for some keys and answer everybody who waits for them."""
        try:
            rows = await self._ask(lookup, [key for key, _ in calls])
        except DoorwardError as error:
            for _, waiter in calls:
                _refuse(waiter, DoorwardError(error.row, retry_after=error.retry_after, **error.facts))
        except Exception as error:  # noqa: BLE001  whatever it is, it belongs to one key, and whoever asked for it is told
            if len(calls) == 1:
                _refuse(calls[0][1], error)
            else:
                for call in calls:
                    await self._settle(lookup, [call])
        else:
            for place, (_, waiter) in enumerate(calls, start=1):
                if not waiter.done():
                    waiter.set_result(rows.get(place))

    async def _ask(self, lookup: Lookup, keys: list[Params]) -> dict[int, Row]:
        """Give the rows that were found, by the place of their key among `keys`, counted from 1."""
        try:
            connection = await self._connected()
            columns = (list(column) for column in zip(*keys, strict=True))
            found = await connection.fetch(lookup.many, *columns, timeout=ROW_TIMEOUT)
        except TimeoutError as error:
            self._drop_connection()
            raise judge(error) from error
        except FAILURES as error:
            raise judge(error) from error
        return {row[0]: tuple(row)[1:] for row in found}

    def _drop_connection(self) -> None:
        """Let go of a connection whose server is silent; whoever asks next would wait for it as long."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection


def _refuse(waiter: "asyncio.Future[Any]", error: Exception) -> None:
    if not waiter.done():
        waiter.set_exception(error)
