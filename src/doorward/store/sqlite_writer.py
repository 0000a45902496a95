"""The one thread of a process that writes to SQLite.

It takes everything that waits, runs each use case under a savepoint of its own, commits once, and only then answers.
Nothing that a use case does may end the thread: whoever wrote after that would wait for ever.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.store.sql import Append, UseCase, UseCaseSuspended, UseCaseWentOn, unavailable
from doorward.store.sqlite_connections import SqliteCursor, judge

T = TypeVar("T")

_LARGEST_BATCH = 512


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
