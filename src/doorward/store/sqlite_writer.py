"""The way of every write to SQLite: gathered on the event loop, committed by the one thread that writes.

Whatever waits is one transaction. Rows to append are inserted right here on the loop: that takes a few microseconds a
row, and in a thread each statement would wait for Python's lock twice. What can take long goes to the thread: waiting
for the lock of another process, use cases, and the COMMIT with its flush, during which the loop goes on. While one
transaction is away the next is gathered. Only after the commit is anybody answered. Nothing that a use case does may
end the thread: whoever wrote after that would wait for ever.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.store.proving import is_trouble
from doorward.store.sql import Append, UseCase, UseCaseSuspended, UseCaseWentOn, unavailable
from doorward.store.sqlite_connections import SqliteCursor, judge

T = TypeVar("T")

_LARGEST_BATCH = 512
_RUSH, _FULL, _LINGER_SECONDS = 8, 24, 0.002


def drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends to its end, without an event loop; raises what it raises."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        return cast("T", finished.value)
    coroutine.close()
    raise UseCaseSuspended("a use case may await nothing but its cursor")


Outcome: TypeAlias = tuple["asyncio.Future[Any]", Any, BaseException | None]


class _Job(NamedTuple):
    """A use case, or rows to append, and the future of the one who waits for it."""

    work: UseCase[Any] | Sequence[Append]
    waiter: "asyncio.Future[Any]"


class _Batch(NamedTuple):
    """Jobs of one transaction; `inserted` has the outcomes of its rows, or None where it has not even begun."""

    jobs: list[_Job]
    inserted: list[Outcome] | None


class Writer:
    """The one writer of this process."""

    def __init__(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Write through `connection`, which is used by one thread at a time: while a batch is away, by the writer's.

        `in_trouble` is set when a write is refused for trouble of the database; its user takes it back.
        """
        self._connection = connection
        self._cursor = SqliteCursor(connection)
        self._inserting = connection.cursor()  # one for all rows: each `connection.execute` would make another
        self._loop = loop
        self.in_trouble = False
        self._waiting: list[_Job] = []
        self._is_away = False
        self._is_idle: asyncio.Future[None] | None = None
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="doorward-sqlite-writer", daemon=True)
        self._thread.start()

    def give(self, work: UseCase[Any] | Sequence[Append], waiter: "asyncio.Future[Any]") -> None:
        """Queue one job, to leave with those that come in the same turn of the loop."""
        self._waiting.append(_Job(work, waiter))
        if not self._is_away and len(self._waiting) == 1:
            self._loop.call_soon(self._depart)

    async def finish(self) -> None:
        """Wait until everything that was queued is done, and end the thread."""
        while self._is_away or self._waiting:
            self._is_idle = self._loop.create_future()
            await self._is_idle
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)

    # --- on the loop -------------------------------------------------------------------------------------------------

    def _depart(self) -> None:
        """Insert the rows of those who wait, and send the transaction to the thread."""
        jobs, self._waiting = self._waiting[:_LARGEST_BATCH], self._waiting[_LARGEST_BATCH:]
        self._is_away = True
        self._batches.put(_Batch(jobs, self._append_now(jobs)))

    def _append_now(self, jobs: Sequence[_Job]) -> list[Outcome] | None:
        """Begin a transaction and insert all rows; None when any obstacle leaves everything to the thread.

        There each job has a savepoint, so that only the one whose fault it was is refused.
        """
        try:
            self._begin_at_once()
            return [(job.waiter, self._insert(job.work), None) for job in jobs if not callable(job.work)]
        except Exception:  # noqa: BLE001  whatever it is, it comes again in the thread, and is told to whom it belongs
            self._roll_back()
            return None

    def _begin_at_once(self) -> None:
        """Begin, or raise at once: nobody may wait for another process's lock on the loop."""
        (patience,) = self._connection.execute("PRAGMA busy_timeout").fetchone()
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {patience}")

    def _land(self, outcomes: list[Outcome]) -> None:
        """Answer everybody of a transaction that is over, and send the next."""
        self._is_away = False
        for waiter, result, error in outcomes:
            if error is not None and is_trouble(error):
                self.in_trouble = True
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(result)
            else:
                waiter.set_exception(error)
        if self._waiting:
            self._depart_soon(len(outcomes))
        elif self._is_idle is not None and not self._is_idle.done():
            self._is_idle.set_result(None)

    def _depart_soon(self, landed: int) -> None:
        """Send the next transaction at once, or in a rush wait a moment for more to share its commit.

        The longest wait is a fraction of what everybody in the rush waits anyway.
        """
        if landed < _RUSH or len(self._waiting) >= _FULL:
            self._depart()
        else:
            self._is_away = True
            self._loop.call_later(_LINGER_SECONDS, self._depart)

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            outcomes = self._transaction(batch)
            if not self._loop.is_closed():  # else there is nobody left to tell
                self._loop.call_soon_threadsafe(self._land, outcomes)

    def _transaction(self, batch: _Batch) -> list[Outcome]:
        """Run what is left of a batch, and commit.

        When the transaction as a whole is lost, at its COMMIT or because SQLite took it back in the middle, everybody
        in it is refused, those too whose own part had gone well.
        """
        jobs, inserted = batch.jobs, batch.inserted
        outcomes: list[Outcome] = list(inserted or ())
        try:
            if inserted is None:
                self._connection.execute("BEGIN IMMEDIATE")
            left = [job for job in jobs if inserted is None or callable(job.work)]
            outcomes.extend(self._part(job, alone=len(jobs) == 1) for job in left)
            self._connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001  whatever it is, the waiters must hear it, and the thread must live
            return self._lose(jobs, outcomes, error)
        return outcomes

    def _lose(self, batch: Sequence[_Job], outcomes: list[Outcome], error: BaseException) -> list[Outcome]:
        """Take a transaction back; whoever had failed on their own account before keeps that reason."""
        self._roll_back()
        own = {id(waiter): failure for waiter, _, failure in outcomes}
        alone = len(batch) == 1
        return [(job.waiter, None, own.get(id(job.waiter)) or _verdict(error, alone=alone)) for job in batch]

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

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
            return self._insert(work)
        except sqlite3.Error as error:
            raise judge(error) from error

    def _insert(self, rows: Sequence[Append]) -> list[bool]:
        execute = self._inserting.execute
        return [execute(insert.sqlite, params).rowcount == 1 for insert, params in rows]


def _verdict(error: BaseException, *, alone: bool) -> BaseException:
    """Give one of the waiters of a lost transaction a reason of its own; another's private failure is not it."""
    if isinstance(error, sqlite3.Error):
        return judge(error)
    if isinstance(error, DoorwardError) and error.row is STORE_UNAVAILABLE:
        return DoorwardError(error.row, retry_after=error.retry_after, **error.facts)
    return error if alone else unavailable(error, "in the same transaction")
