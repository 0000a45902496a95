"""The ring of our own keys: whatever is rotated by whom, every process can sign and nobody is signed out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.keys.ring import RELOAD_INTERVAL, KeyRing
from doorward.protocol.sealing import Sealer
from doorward.protocol.signing import Algorithm, NotOurs, TokenKey
from doorward.store import Sql, Store, open_store

NOW = 1_800_000_000.0
DAY = 86400.0
RETIREMENT = 30 * DAY
CLAIMS = b'{"sub":"1"}'
FORGED = TokenKey.of("forged", "HS256", b"\x00" * 32).sign(CLAIMS)


async def _stay(_: float) -> None:
    """Wait for nothing: a test that pauses at all gives its own."""


class Replicas:
    """Rings of several processes on one database."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FrozenClock(NOW)

    async def ring(
        self, algorithm: Algorithm, seed: bytes, wait: Callable[[float], Awaitable[None]] = _stay
    ) -> KeyRing:
        """Start a process with this algorithm in its settings."""
        sealer, entropy = Sealer(b"\x11" * 32, "signing keys"), SeededEntropy(seed)
        ring = KeyRing(self.store, sealer, self.clock, entropy, algorithm=algorithm, retirement=RETIREMENT, wait=wait)
        self.clock.advance(1)
        await ring.load()
        return ring

    async def retired(self) -> list[str]:
        """Give the algorithms of the retired keys, oldest first."""
        statement = Sql("SELECT algorithm FROM signing_keys WHERE retires_at IS NOT NULL ORDER BY created_at, id")
        return [str(row[0]) for row in await self.store.read(lambda cursor: cursor.all(statement))]


@pytest.fixture
async def replicas(database_url: str) -> AsyncIterator[Replicas]:
    """Give a fresh database for rings, on either engine."""
    store = await open_store(database_url, auto_migrate=True)
    yield Replicas(store)
    await store.close()


async def _good_everywhere(token: str, *rings: KeyRing) -> bool:
    return [await ring.open(token) for ring in rings] == [CLAIMS] * len(rings)


async def test_the_algorithm_is_changed_one_replica_after_another(replicas: Replicas) -> None:
    """While old and new settings run side by side both sign with their own, and each opens what the other signed."""
    old = await replicas.ring("HS256", b"a")
    before = old.sign(CLAIMS)
    new = await replicas.ring("ES256", b"b")
    await old.reload()
    for token in (before, old.sign(CLAIMS), new.sign(CLAIMS)):
        assert await _good_everywhere(token, old, new)
    assert await replicas.retired() == []
    assert [entry["active"] for entry in new.entries()] == [True, False]
    assert [entry["active"] for entry in old.entries()] == [False, True]


async def test_rotating_with_old_settings_leaves_the_new_replica_its_key(replicas: Replicas) -> None:
    """`keys rotate` with the old algorithm retires the key of that one alone."""
    old = await replicas.ring("HS256", b"a")
    new = await replicas.ring("ES256", b"b")
    signed = old.sign(CLAIMS), new.sign(CLAIMS)
    replicas.clock.advance(1)
    await old.rotate()
    await new.reload()
    for token in (*signed, old.sign(CLAIMS), new.sign(CLAIMS)):
        assert await _good_everywhere(token, old, new)
    assert await replicas.retired() == ["HS256"]


async def test_the_old_algorithm_is_retired_by_the_next_rotation(replicas: Replicas) -> None:
    """After the change one rotation retires what is left of the old algorithm; a straggler signs with the new one."""
    old = await replicas.ring("HS256", b"a")
    new = await replicas.ring("ES256", b"b")
    signed = old.sign(CLAIMS), new.sign(CLAIMS)
    replicas.clock.advance(1)
    await new.rotate()
    await old.reload()
    assert await replicas.retired() == ["HS256", "ES256"]
    for token in (*signed, old.sign(CLAIMS), new.sign(CLAIMS)):
        assert await _good_everywhere(token, old, new)
    replicas.clock.advance(RETIREMENT)
    for ring in (old, new):
        await ring.reload()
        with pytest.raises(NotOurs):
            await ring.open(signed[0])


async def test_a_ring_of_retired_keys_begins_a_new_one(replicas: Replicas) -> None:
    """A ring that was loaded is never left without a key to sign with."""
    ring = await replicas.ring("HS256", b"a")
    token = ring.sign(CLAIMS)
    retire = Sql("UPDATE signing_keys SET retires_at = $1")
    await replicas.store.write(lambda cursor: cursor.run(retire, NOW + DAY))
    await ring.reload()
    assert await _good_everywhere(token, ring)
    assert await _good_everywhere(ring.sign(CLAIMS), ring)
    assert [entry["active"] for entry in ring.entries()] == [True, False]


async def test_a_flood_does_not_have_a_fresh_key_refused(replicas: Replicas) -> None:
    """Tokens under unknown keys wait together for the next reading, and one of a new key is then good."""
    waits: list[float] = []
    may_read = asyncio.Event()

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        await may_read.wait()

    one, two = await replicas.ring("HS256", b"a"), await replicas.ring("HS256", b"b", wait)
    with pytest.raises(NotOurs):
        await two.open(FORGED)
    assert waits == [], "the first is read for at once"
    flood = [asyncio.create_task(two.open(FORGED)) for _ in range(100)]
    await asyncio.sleep(0)
    replicas.clock.advance(0.1)
    await one.rotate()
    good = asyncio.create_task(two.open(one.sign(CLAIMS)))
    await asyncio.sleep(0)
    may_read.set()
    assert await good == CLAIMS
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    assert all(isinstance(outcome, NotOurs) for outcome in outcomes)
    assert len(waits) == 1, "a hundred forged ones cost one reading"
    assert 0 < waits[0] <= RELOAD_INTERVAL
