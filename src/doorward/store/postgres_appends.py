"""Appends on PostgreSQL: all that wait, in one statement, on a connection of their own.

While one statement is under way the next callers gather, so the busier the service, the larger the batches. A batch
that is refused for a violation is sent again call by call, and only the guilty one is told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.store.postgres_connections import ATTEMPTS, FAILURES, Collision, Connection, close, judge
from doorward.store.sql import Append, Insert, Params, unavailable

_LARGEST_BATCH = 256

_Group: TypeAlias = dict[Insert, list[tuple[int, Params]]]


@frozen(kw_only=False)
class _Call:
    """One `append` and the future of the one who waits for it."""

    rows: Sequence[Append]
    waiter: "asyncio.Future[list[bool]]"


class Appender:
    """The queue of appends and the connection that they go through."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        """Open the connection with `connect` when the first append comes, and again whenever it was lost."""
        self._connect = connect
        self._connection: Connection | None = None
        self._waiting: list[_Call] = []
        self._flushing: asyncio.Task[None] | None = None
        self._statements: dict[tuple[Insert, ...], str] = {}

    async def append(self, rows: Sequence[Append]) -> list[bool]:
        """Queue rows and wait until they are on disk."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[list[bool]] = loop.create_future()
        self._waiting.append(_Call(rows, waiter))
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
            batch, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
            await self._settle(batch)

    async def _settle(self, batch: list[_Call]) -> None:
        """Send a batch and answer everybody in it."""
        try:
            taken = await self._send([row for call in batch for row in call.rows])
        except DoorwardError as error:
            for call in batch:
                _refuse(call, DoorwardError(error.row, retry_after=error.retry_after, **error.facts))
        except Exception as error:  # noqa: BLE001  whatever it is, it belongs to one call, and that one is told
            if len(batch) == 1:
                _refuse(batch[0], error)
            else:
                for call in batch:
                    await self._settle([call])
        else:
            at = 0
            for call in batch:
                _answer(call, taken[at : at + len(call.rows)])
                at += len(call.rows)

    async def _send(self, rows: list[Append]) -> list[bool]:
        """Insert rows in one statement, trying again after a collision; raises as `judge` says."""
        group = _grouped(rows)
        inserts = tuple(sorted(group, key=lambda insert: insert.table))
        statement = self._statements.get(inserts) or self._statements.setdefault(inserts, _statement(inserts))
        arrays = [column for insert in inserts for column in _columns(insert, group[insert])]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                connection = await self._connected()
                found = await connection.fetchrow(statement, *arrays)
            except FAILURES as error:
                judged = judge(error)
                if isinstance(judged, Collision) and attempt < ATTEMPTS:
                    continue
                raise unavailable(error, str(judged)) if isinstance(judged, Collision) else judged from error
            return _inserted(len(rows), inserts, group, found)
        raise AssertionError("the last attempt returns or raises")

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return self._connection


def _grouped(rows: Sequence[Append]) -> _Group:
    """Sort rows by table, each with its place among all.

    Rows with a unique key go in the order of their keys: two processes that insert the same keys in different orders
    would wait for each other. Of two equal keys the one that was asked for first stays first.
    """
    group: _Group = {}
    for place, (insert, params) in enumerate(rows):
        group.setdefault(insert, []).append((place, params))
    for insert, members in group.items():
        if insert.unique:
            members.sort(key=lambda member: _key(insert, member[1]))
    return group


def _key(insert: Insert, params: Params) -> tuple[Any, ...]:
    return tuple(params[index] for index in insert.unique_at)


def _columns(insert: Insert, members: list[tuple[int, Params]]) -> list[list[object]]:
    """Turn rows into one array a column; raises `ValueError` when a row has too few or too many values."""
    columns = [list(column) for column in zip(*(params for _, params in members), strict=True)]
    if len(columns) != len(insert.columns):
        raise ValueError(f"a row of {insert.table} has {len(columns)} values for {len(insert.columns)} columns")
    return columns


def _statement(inserts: tuple[Insert, ...]) -> str:
    """Write the one statement that inserts into all these tables.

    Foreign keys are checked at its end, so the order does not matter. Its answer has an array for each unique column,
    with the keys that were really inserted.
    """
    parts: list[str] = []
    answers: list[str] = []
    first = 1
    for number, insert in enumerate(inserts):
        parts.append(f"part{number} AS ({insert.arrays(first)})")
        answers += [f"(SELECT array_agg({name}) FROM part{number})" for name in insert.unique]
        first += len(insert.columns)
    return f"WITH {', '.join(parts)} SELECT {', '.join(answers) or '1'}"


def _inserted(count: int, inserts: tuple[Insert, ...], group: _Group, found: Sequence[Any] | None) -> list[bool]:
    """Say for each row whether it was inserted, from the arrays of unique keys in the answer."""
    taken = [True] * count
    arrays = iter(found or ())
    for insert in inserts:
        if not insert.unique:
            continue
        keys = set(zip(*(next(arrays) or () for _ in insert.unique), strict=True))
        for place, params in group[insert]:
            key = _key(insert, params)
            taken[place] = key in keys
            keys.discard(key)
    return taken


def _answer(call: _Call, taken: list[bool]) -> None:
    if not call.waiter.done():
        call.waiter.set_result(taken)


def _refuse(call: _Call, error: Exception) -> None:
    if not call.waiter.done():
        call.waiter.set_exception(error)
