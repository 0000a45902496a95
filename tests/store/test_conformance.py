"""What a store promises, on both engines."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from doorward.base.errors import DoorwardError
from doorward.store import Cursor, ForeignKeyViolation, Sql, Store, UniqueViolation, open_store
from tests.store import rows

ROOT = Path(__file__).parents[2]


class Refused(Exception):
    """A use case changed its mind."""


async def test_fresh_database_has_the_default_organization(store: Store) -> None:
    """A fresh database holds organization 1, named Default, and nothing else."""
    sql = Sql("SELECT id, name, enabled FROM organizations WHERE created_at > 1700000000")
    assert await store.read(lambda cursor: cursor.all(sql)) == [(1, "Default", 1)]


async def test_every_type_comes_back_as_it_went_in(store: Store) -> None:
    """Text, integers, times, bytes and NULL survive the way through the database, and keep their Python types."""
    text, big, time, digest = "žluťoučký 😀 'quoted' $1 ?", 2**62, 1_700_000_000.123456, bytes(range(256))

    async def put(cursor: Cursor) -> None:
        await cursor.insert(rows.AUDIT, time, text, None, big, "")
        await cursor.insert(rows.SEEN, digest, 3)

    await store.write(put)
    audit = await store.read(lambda c: c.one(Sql("SELECT time, event, code, user_id, detail FROM audit")))
    assert audit == (time, text, None, big, "")
    token = await store.read(lambda c: c.one(Sql("SELECT digest, expires_at FROM seen_tokens")))
    assert token == (digest, 3.0)
    assert [type(value) for value in token or ()] == [bytes, float]


async def test_parameters_may_repeat_and_stand_in_any_order(store: Store) -> None:
    """`$2` may stand before `$1`, and either several times."""
    sql = Sql("SELECT count(*) FROM organizations WHERE name = $2 AND (id = $1 OR id = $1 + 1) AND name = $2")
    assert await store.read(lambda cursor: rows_with(cursor, sql, 1, "Default")) == 1


async def rows_with(cursor: Cursor, sql: Sql, *params: int | str) -> int:
    row = await cursor.one(sql, *params)
    assert row is not None
    return row[0]


async def test_run_tells_how_many_rows_it_touched(store: Store) -> None:
    """`run` gives the number of rows for INSERT, UPDATE and DELETE."""

    async def use(cursor: Cursor) -> list[int]:
        return [
            await cursor.run(rows.ADD_KEY_SET, "a"),
            await cursor.run(Sql("UPDATE key_sets SET document = $1"), "[]"),
            await cursor.run(Sql("DELETE FROM key_sets WHERE url = $1"), "b"),
            await cursor.run(Sql("DELETE FROM key_sets")),
        ]

    assert await store.write(use) == [1, 1, 0, 1]


async def test_a_read_sees_every_write_that_was_answered(store: Store) -> None:
    """After each answered write the next read counts one more, also after a read that took one row of many."""
    for number in range(1, 20):
        await store.write(lambda cursor, number=number: cursor.run(rows.ADD_KEY_SET, str(number)))
        await store.read(lambda cursor: cursor.one(Sql("SELECT url FROM key_sets")))
        assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_KEY_SETS)) == number


async def test_ids_are_never_reused(store: Store) -> None:
    """A new user never gets the id of one that was deleted."""
    first = await store.write(rows.add_user)
    await store.write(lambda cursor: cursor.run(Sql("DELETE FROM users WHERE id = $1"), first))
    assert await store.write(rows.add_user) > first


async def test_one_of_many_use_cases_is_undone_alone(store: Store) -> None:
    """Of use cases that run at the same time only those that fail are taken back, and each hears its own error."""

    async def use(cursor: Cursor, number: int) -> int:
        await cursor.run(rows.ADD_KEY_SET, str(number))
        if number % 3 == 0:
            raise Refused(number)
        return number

    outcomes = await asyncio.gather(
        *(store.write(lambda cursor, n=n: use(cursor, n)) for n in range(30)), return_exceptions=True
    )
    assert [o.args[0] if isinstance(o, Refused) else -1 for o in outcomes if not isinstance(o, int)] == [
        *range(0, 30, 3)
    ]
    urls = await store.read(lambda cursor: cursor.all(Sql("SELECT url FROM key_sets")))
    assert {int(row[0]) for row in urls} == {n for n in range(30) if n % 3}


async def test_unique_violation_names_its_columns(store: Store) -> None:
    """A taken key is a UniqueViolation with table and columns, and undoes the whole use case."""
    await store.write(rows.add_user)

    async def use(cursor: Cursor) -> None:
        await cursor.run(rows.ADD_KEY_SET, "a")
        await rows.add_user(cursor)

    with pytest.raises(UniqueViolation) as caught:
        await store.write(use)
    assert (caught.value.table, caught.value.columns) == ("users", ("email_key",))
    assert "a@example.com" not in str(caught.value)
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_KEY_SETS)) == 0


async def test_foreign_key_violation(store: Store) -> None:
    """A user of an organization that does not exist is a ForeignKeyViolation."""
    with pytest.raises(ForeignKeyViolation):
        await store.write(lambda cursor: rows.add_user(cursor, organization=99))


async def test_going_on_after_a_violation_is_refused(store: Store) -> None:
    """A use case that swallows a violation is not committed in part, and does not pass for done."""

    async def use(cursor: Cursor) -> None:
        await cursor.run(rows.ADD_KEY_SET, "a")
        with contextlib.suppress(UniqueViolation):
            await cursor.run(rows.ADD_KEY_SET, "a")

    with pytest.raises(RuntimeError, match="went on"):
        await store.write(use)
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_KEY_SETS)) == 0


@pytest.mark.parametrize("statement", ["UPDATE users SET enabled = 2", "UPDATE users SET role = 'root'"])
async def test_values_outside_their_range_are_refused(store: Store, statement: str) -> None:
    """Truth values are 0 or 1 and roles are the three known ones, whatever a statement says."""
    await store.write(rows.add_user)
    with pytest.raises(Exception, match=r"(?i)check"):
        await store.write(lambda cursor: cursor.run(Sql(statement)))


async def test_read_refuses_changes(store: Store) -> None:
    """A use case given to `read` cannot change anything."""
    with pytest.raises(RuntimeError):
        await store.read(lambda cursor: cursor.run(rows.ADD_KEY_SET, "a"))
    with pytest.raises(RuntimeError):
        await store.read(lambda cursor: cursor.insert(rows.SEEN, b"a", 1.0))


async def test_insert_tells_whether_the_key_was_taken(store: Store) -> None:
    """`insert` with unique columns leaves a taken row out and says so."""

    async def use(cursor: Cursor) -> list[bool]:
        return [await cursor.insert(rows.SEEN, digest, 1.0) for digest in (b"a", b"b", b"a")]

    assert await store.write(use) == [True, True, False]


async def test_append_tells_for_each_row(store: Store) -> None:
    """Of two equal unique rows in one call only the first is True; rows without unique columns are always True."""
    user = await store.write(rows.add_user)
    got = await store.append(
        [rows.seen(b"z", 1.0), rows.family("f", user), rows.seen(b"a"), rows.pair("p", "f"), rows.seen(b"z", 2.0)]
    )
    assert got == [True, True, True, True, False]
    assert await store.append([rows.seen(b"z")]) == [False]
    assert await store.append([]) == []
    kept = await store.read(lambda c: c.all(Sql("SELECT expires_at FROM seen_tokens WHERE digest = $1"), b"z"))
    assert kept == [(1.0,)]


async def test_equal_unique_rows_of_many_callers(store: Store) -> None:
    """Of fifty callers that append the same unique row at once exactly one is told True."""
    answers = await asyncio.gather(*(store.append([rows.seen(b"same")]) for _ in range(50)))
    assert sorted(answers) == [[False]] * 49 + [[True]]


async def test_append_refuses_only_the_guilty(store: Store) -> None:
    """In a shared batch a violation undoes and answers its own call alone, and that call as a whole."""
    user = await store.write(rows.add_user)

    def call(number: int) -> list[rows.Append]:
        parent = "nowhere" if number == 7 else f"f{number}"
        return [rows.family(f"f{number}", user), rows.pair(f"p{number}", parent), rows.seen(b"%d" % number)]

    outcomes = await asyncio.gather(*(store.append(call(n)) for n in range(20)), return_exceptions=True)
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, ForeignKeyViolation)] == [7]
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_FAMILIES)) == 19
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_SEEN)) == 19
    with pytest.raises(UniqueViolation):
        await store.append(call(3))


async def test_append_beside_use_cases(store: Store) -> None:
    """Appends and use cases that wait together are each answered with what is theirs."""
    user = await store.write(rows.add_user)
    await asyncio.gather(
        *(store.append([rows.family(f"f{n}", user), rows.pair(f"p{n}", f"f{n}")]) for n in range(10)),
        *(store.write(lambda cursor, n=n: rows.add_user(cursor, f"u{n}@example.com")) for n in range(10)),
    )
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_FAMILIES)) == 10
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_USERS)) == 11


async def test_parallel_creation_makes_one(store: Store) -> None:
    """Of many use cases that create the same user one succeeds and the others get a UniqueViolation."""
    outcomes = await asyncio.gather(*(store.write(rows.add_user) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, UniqueViolation) for outcome in outcomes) == 19
    assert await store.read(lambda cursor: rows.count(cursor, rows.COUNT_USERS)) == 1


@pytest.mark.parametrize("way", ["append", "write"])
async def test_a_waiter_that_goes_away_harms_nobody(store: Store, way: str) -> None:
    """Cancelling some of those who wait neither loses nor breaks what the others wrote, nor leaves half of anything."""

    def begin(number: int) -> "asyncio.Task[object]":
        if way == "append":
            return asyncio.ensure_future(store.append([rows.seen(b"%d" % number), rows.seen(b"-%d" % number)]))
        return asyncio.ensure_future(store.write(lambda cursor: two_rows(cursor, number)))

    tasks = [begin(number) for number in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[::2])
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes[1::2])
    found = await store.read(lambda cursor: cursor.all(Sql("SELECT digest FROM seen_tokens")))
    digests = {row[0] for row in found}
    assert {b"%d" % number for number in range(1, 40, 2)} <= digests
    assert {digest.removeprefix(b"-") for digest in digests} == {d for d in digests if not d.startswith(b"-")}
    assert await store.append([rows.seen(b"after")]) == [True]


async def two_rows(cursor: Cursor, number: int) -> None:
    await cursor.insert(rows.SEEN, b"%d" % number, 1.0)
    await cursor.insert(rows.SEEN, b"-%d" % number, 1.0)


async def test_close_finishes_what_was_queued(database_url: str) -> None:
    """What was asked before `close` is written and answered; what is asked after it is refused."""
    store = await open_store(database_url, auto_migrate=True)
    tasks = [asyncio.ensure_future(store.append([rows.seen(b"%d" % n)])) for n in range(20)]
    tasks.append(asyncio.ensure_future(store.write(lambda cursor: cursor.insert(rows.SEEN, b"w", 1.0))))  # pyright: ignore[reportArgumentType]  outcomes are not looked at
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*tasks)
    for refused in (store.append([rows.seen(b"late")]), store.read(rows.add_user), store.write(rows.add_user)):
        with pytest.raises(DoorwardError, match="store_unavailable"):
            await refused
    await store.close()
    again = await open_store(database_url, auto_migrate=False)
    assert await again.read(lambda cursor: rows.count(cursor, rows.COUNT_SEEN)) == 21
    await again.close()


async def test_ping(store: Store) -> None:
    """A database in order answers a ping."""
    await store.ping()


async def test_answered_rows_survive_kill(database_url: str) -> None:
    """Every append and every write that was answered is there after `kill -9`, and nothing is half there."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.answering_child", database_url], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    answered = [child.stdout.readline().split() for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    answered += [line.split() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    child.wait()
    child.stdout.close()
    store = await open_store(database_url, auto_migrate=False)
    found = await store.read(
        lambda c: c.all(Sql("SELECT f.id, p.id FROM families f LEFT JOIN pairs p ON p.family_id = f.id"))
    )
    assert {name for name, _ in found} >= {f"f{number}" for way, number in answered if way == "append"}
    assert all(other is not None for _, other in found)
    users = await store.read(lambda c: c.all(Sql("SELECT email FROM users")))
    assert {row[0] for row in users} >= {f"{number}@example.com" for way, number in answered if way == "write"}
    await store.close()
