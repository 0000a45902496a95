"""The floor: what one login really does, each part measured alone, in a loop, without anything around it.

The parts are those that no implementation can leave out: serving a request of that size, reading its JSON strictly,
reading and verifying the token, one select, the rows of one login written durably together with those of the others who
wait, signing, and writing the answer. Nothing that belongs to the service's own structure is among them.
"""

import asyncio
import hashlib
import hmac
import os
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import asyncpg
import msgspec
import uvloop

from benchmarks.crowd import CLIENT_ID, ISSUER, TENANT, WEEK, Person, Provider, login_body
from benchmarks.databases import Database
from doorward.base.strict_json import decode_object
from doorward.protocol.jose import UnverifiedToken, base64url_encode, parse_key_set, read_compact, verify_rs256
from doorward.providers.aad import Authority, Signer, verify
from doorward.store import audit, identities, tokens
from doorward.store.sql import Append, Insert

T = TypeVar("T")
WAITING = 32
CONNECTIONS = 8
_BATCHES = 40
_TIMES = 600


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a login, in seconds."""

    name: str
    seconds: float


class Login:
    """The parts of one login after another, for as many different people as there are repetitions.

    A part that is repeated in a loop of its own finds everything in the processor's cache, which no login does.
    """

    def __init__(self, provider: Provider) -> None:
        """Prepare tokens, bodies and the key that verifies them."""
        people = [Person(number) for number in range(1, _TIMES + 1)]
        tokens_of = provider.tokens([(person, -person.number) for person in people])
        self._bodies = [login_body(person, token) for person, token in zip(people, tokens_of, strict=True)]
        authority = Authority(cloud="global", version="2.0", issuer=ISSUER, keys="", issuer_v2=ISSUER, keys_v2=None)
        self._key = parse_key_set(provider.key_document(with_issuer=True)).find(provider.key.kid)[0]
        self._signers = (Signer(authority=authority, key=self._key, keys_v2=None),)

    def parts(self, select: Callable[[int], object] | None) -> list[Part]:
        """Measure them; `select` reads the row of a person by number where that takes no event loop."""
        taken: dict[str, list[float]] = {}

        def timed(name: str, action: Callable[[], T]) -> T:
            started = time.perf_counter()
            result = action()
            taken.setdefault(name, []).append(time.perf_counter() - started)
            return result

        for number, body in enumerate(self._bodies, start=1):
            token = str(timed("strict JSON of the body", lambda body=body: decode_object(body))["azure_ad_token"])
            unverified = timed("reading the token", lambda token=token: read_compact(token))
            timed("RS256 signature", lambda token=unverified: verify_rs256(token, self._key))
            timed("checks of the claims", lambda token=unverified: self._check(token))
            if select is not None:
                timed("select", lambda number=number: select(number))
            timed("own tokens and answer", sample_answer)
        return [Part(name, statistics.median(seconds)) for name, seconds in taken.items()]

    def _check(self, token: UnverifiedToken) -> None:
        verify(
            token,
            self._signers,
            now=time.time(),
            leeway=60.0,
            cloud_of_audience=lambda _: "global",
            nonce=None,
        )


def sample_answer() -> bytes:
    """Draw ids and an opaque token, sign the JWT by HS256, and write the answer."""
    platform = os.urandom(32).hex()
    hashlib.sha256(platform.encode()).digest()
    now = int(time.time())
    claims = {
        "iss": "http://127.0.0.1:8080/auth-service",
        "sub": "12345",
        "aud": "auth-service",
        "client_id": CLIENT_ID,
        "iat": now,
        "nbf": now,
        "exp": now + 604800,
        "jti": os.urandom(18).hex(),
        "family_id": os.urandom(18).hex(),
        "token_use": "access",
    }
    signed = _HEADER + b"." + base64url_encode(msgspec.json.encode(claims))
    access = (signed + b"." + base64url_encode(hmac.digest(_SECRET, signed, "sha256"))).decode()
    data = {"access_token": access, "ejento_access_token": platform, "token_type": "bearer"}
    return msgspec.json.encode({"success": True, "message": "Login successful", "data": data})


_SECRET = os.urandom(32)
_HEADER = base64url_encode(b'{"alg":"HS256","typ":"JWT","kid":"0199a5c0-0000-7000-8000-000000000000"}')


def parts_of(login: Login, database: Database, users: int) -> list[Part]:
    """Measure all parts, those of the database on one with `users` people."""
    if database.engine == "sqlite":
        return _sqlite_parts(login, database.path, users)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return [*login.parts(None), *runner.run(_postgres_parts(database.url, users))]


# --- the rows -------------------------------------------------------------------------------------------------------


def rows_of_login(number: int, now: float) -> list[Append]:
    """Give the rows of one login of a person who has signed in before."""
    person, family, pair = Person(number), _ordered_id(now), _ordered_id(now)
    digest = os.urandom(32)
    return [
        (tokens.ADD_FAMILY, (family, number, 1, CLIENT_ID, "global", TENANT, person.oid, 1, 1, now, now + WEEK)),
        (tokens.ADD_PAIR, (pair, family, 1, os.urandom(32), now, now + WEEK, now + WEEK)),
        (
            audit.ADD,
            (now, "exchange.succeeded", None, os.urandom(16).hex(), "127.0.0.1", "bench/1.0", CLIENT_ID, "global",
             TENANT, person.oid, number, 1, "k" * 43, digest.hex()[:16], None),
        ),
        (tokens.ADD_SEEN, (digest, now + 3600)),
    ]  # fmt: skip


def _ordered_id(now: float) -> str:
    """Give a UUID version 7, as scattered as the service's own: the index it goes into is part of the price."""
    digits = f"{int(now * 1000):012x}7{os.urandom(10).hex()[:19]}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _batches(users: int) -> list[list[Append]]:
    numbers = iter(range(_BATCHES * WAITING))
    return [
        [row for _ in range(WAITING) for row in rows_of_login(next(numbers) * 7919 % users + 1, time.time())]
        for _ in range(_BATCHES)
    ]


def _keys(users: int) -> list[tuple[str, str, str, str]]:
    return [("global", TENANT, Person(n * 7919 % users + 1).oid, CLIENT_ID) for n in range(_TIMES)]


# --- SQLite: one connection, no thread ------------------------------------------------------------------------------


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection as durable as the service's."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "wal_autocheckpoint = 4000", "cache_size = -16384"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _sqlite_parts(login: Login, path: Path, users: int) -> list[Part]:
    connection = connect(path)
    keys = _keys(users)
    try:
        parts = login.parts(lambda number: connection.execute(identities.SIGNED_IN.sqlite, keys[number - 1]).fetchone())
        taken = [_seconds_of_batch(connection, batch) for batch in _batches(users)]
    finally:
        connection.close()
    return [*parts, Part("four rows, durable", statistics.median(taken) / WAITING)]


def _seconds_of_batch(connection: sqlite3.Connection, batch: Sequence[Append]) -> float:
    started = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    for insert, values in batch:
        connection.execute(insert.sqlite, values)
    connection.execute("COMMIT")
    return time.perf_counter() - started


# --- PostgreSQL: held connections, as many callers as in the service -------------------------------------------------


async def _postgres_parts(url: str, users: int) -> list[Part]:
    connections = [await asyncpg.connect(url) for _ in range(CONNECTIONS)]
    try:
        select = await _seconds_of_selects(connections, _keys(users))
        taken = [await _seconds_of_statement(connections[0], batch) for batch in _batches(users)]
    finally:
        for connection in connections:
            await connection.close()
    return [Part("select", select), Part("four rows, durable", statistics.median(taken) / WAITING)]


async def _seconds_of_selects(
    connections: list["asyncpg.Connection[asyncpg.Record]"], keys: list[tuple[str, str, str, str]]
) -> float:
    """Give the seconds of one select while all connections are busy with them."""
    waiting = iter(keys)

    async def work(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        for key in waiting:
            await connection.fetchrow(identities.SIGNED_IN.postgres, *key)

    for connection in connections:
        await connection.fetchrow(identities.SIGNED_IN.postgres, *keys[0])
    started = time.perf_counter()
    await asyncio.gather(*map(work, connections))
    return (time.perf_counter() - started) / len(keys)


async def _seconds_of_statement(connection: "asyncpg.Connection[asyncpg.Record]", batch: list[Append]) -> float:
    statement, arrays = statement_of(batch)
    started = time.perf_counter()
    await connection.fetchrow(statement, *arrays)
    return time.perf_counter() - started


def statement_of(batch: list[Append]) -> tuple[str, list[list[object]]]:
    """Give the one PostgreSQL statement that inserts all these rows, and its arrays."""
    group: dict[Insert, list[Sequence[object]]] = {}
    for insert, values in batch:
        group.setdefault(insert, []).append(values)
    statement, first = "WITH ", 1
    for insert in group:
        statement += f"{', ' if first > 1 else ''}{insert.table}_rows AS ({insert.arrays(first)})"
        first += len(insert.columns)
    arrays = [list(column) for rows in group.values() for column in zip(*rows, strict=True)]
    return f"{statement} SELECT array_agg(digest) FROM seen_tokens_rows", arrays  # noqa: S608 - constants
