"""The floor of a first sign-in: its statements, without anything around them.

In place of one select and four rows there are three selects, the account, the link, the subject, and three audit
records more. On SQLite those who wait share a transaction; on PostgreSQL each first sign-in is one of its own.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import uvloop

from benchmarks.crowd import CLIENT_ID, ISSUER, TENANT, Person
from benchmarks.databases import Database
from benchmarks.floor import CONNECTIONS, WAITING, connect, rows_of_login, statement_of
from doorward.store import audit, identities, organizations, users
from doorward.store.sql import Append, Sql

_BATCHES = 10
_numbers = itertools.count(10**8)


def seconds_of_first(database: Database) -> float:
    """Measure what the database has to do for one first sign-in, select included."""
    people = [Person(number) for number in itertools.islice(_numbers, _BATCHES * WAITING)]
    if database.engine == "sqlite":
        return _on_sqlite(database, people)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_on_postgres(database.url, people))


def _on_sqlite(database: Database, people: list[Person]) -> float:
    connection, taken = connect(database.path), list[float]()
    for at in range(0, len(people), WAITING):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for person in people[at : at + WAITING]:
            steps = _steps(person, time.time())
            found: Any = None
            for sql, values in steps:
                row = connection.execute(sql.sqlite, [found if value is ... else value for value in values]).fetchone()
                found = row[0] if sql in _NUMBERING else found
            for insert, row in _rows(time.time()):
                connection.execute(insert.sqlite, row)
        connection.execute("COMMIT")
        taken.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(taken) / WAITING


async def _on_postgres(url: str, people: list[Person]) -> float:
    connections = [await asyncpg.connect(url) for _ in range(CONNECTIONS)]
    waiting = iter(people)

    async def work(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        for person in waiting:
            found: Any = None
            await connection.execute("BEGIN")
            for sql, values in _steps(person, time.time()):
                given = [found if value is ... else value for value in values]
                row = await connection.fetchrow(sql.postgres, *given)
                found = row[0] if row is not None and sql in _NUMBERING else found
            statement, arrays = statement_of(_rows(time.time()))
            await connection.fetchrow(statement, *arrays)
            await connection.execute("COMMIT")

    started = time.perf_counter()
    await asyncio.gather(*map(work, connections))
    taken = time.perf_counter() - started
    for connection in connections:
        await connection.close()
    return taken / len(people)


_NUMBERING = (users.ADD, identities.ADD)


def _steps(person: Person, now: float) -> Iterator[tuple[Sql, tuple[Any, ...]]]:
    """Give the statements that need each other; `...` stands for the number that the last insert gave."""
    yield identities.SIGNED_IN, ("global", TENANT, person.oid, CLIENT_ID)
    yield users.BY_EMAIL, (person.email,)
    yield organizations.BY_ID, (1,)
    yield users.ADD, (person.email, person.email, person.name, 1, "user", 0, now)
    yield identities.ADD, ("global", TENANT, person.oid, ..., ISSUER, person.email, None, person.name, now)
    yield identities.NOTE_SUBJECT, (..., CLIENT_ID, person.sub)


def _rows(now: float) -> list[Append]:
    """Give the rows that every login writes, with the three further audit records."""
    rows = rows_of_login(1, now)
    record = next(values for insert, values in rows if insert is audit.ADD)
    return [*rows, *[(audit.ADD, record)] * 3]
