import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache

import msgspec
import pytest

from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.base.errors import DoorwardError
from doorward.keys.kept import ForgottenDocuments, KeptDocument, KeptDocuments, StoredDocuments
from doorward.keys.key_set_news import KeySetEvent
from doorward.keys.provider_keys import (
    COOLDOWN,
    LIFETIME,
    RETRY_WITH_KEYS,
    STALE_LIMIT,
    ProviderKeys,
)
from doorward.outbound import Outbound
from doorward.protocol.jose_sign import RsaSigner
from doorward.store.opening import open_store
from tests.support import peers

NOW = 1_800_000_000.0
HOUR = 3600.0


@cache
def signer(number: int) -> RsaSigner:
    """Give one of a few keys, made once."""
    assert number in range(4)
    return RsaSigner.generate()


def document(*numbers: int) -> bytes:
    """Write a key document with some of those keys."""
    return msgspec.json.encode({"keys": [signer(number).jwk() for number in numbers]})


def kid(number: int) -> str:
    """Give the name of one of those keys."""
    return signer(number).kid


@dataclass
class Bench:
    """A cache that fetches from a real server, with a clock of its own."""

    keys: ProviderKeys
    server: peers.Publisher
    clock: FrozenClock
    events: list[KeySetEvent] = field(default_factory=list[KeySetEvent])

    @property
    def url(self) -> str:
        """Give the address of the key document."""
        return self.server.url

    @property
    def asked(self) -> int:
        """Count the fetches that have reached the server."""
        return len(self.server.heads)

    async def tick(self, seconds: float = 0) -> None:
        """Let `seconds` pass, tick, and wait for what that began."""
        self.clock.advance(seconds)
        self.keys.tick()
        await asyncio.gather(*(t for t in asyncio.all_tasks() if t.get_name() == "doorward-keys"))

    def knows(self, number: int) -> bool:
        """Say whether a key is cached."""
        return len(self.keys.find_cached(self.url, kid(number))) == 1


def make_keys(clock: FrozenClock, kept: KeptDocuments, hear: Callable[[KeySetEvent], None]) -> ProviderKeys:
    """Make a cache that asks over real HTTP."""
    return ProviderKeys(Outbound(None, {}), kept, clock, SeededEntropy(), on_event=hear)


@asynccontextmanager
async def bench(reply: bytes | None = None, kept: KeptDocuments | None = None) -> AsyncGenerator[Bench]:
    """Watch one address that publishes key 0, or whatever `reply` says."""
    clock = FrozenClock(NOW)
    events: list[KeySetEvent] = []
    async with peers.publisher(peers.answer(document(0)) if reply is None else reply) as server:
        keys = make_keys(clock, kept or ForgottenDocuments(), events.append)
        keys.watch([server.url])
        yield Bench(keys, server, clock, events)


BROKEN = [
    b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    b"",
    peers.answer(b"{}"),
    peers.answer(b'{"keys": []}'),
    peers.answer(b'{"keys": [{"kty": "EC", "kid": "x"}]}'),
    peers.answer(b"<html>"),
    peers.answer(b'{"keys": [], "keys": []}'),
    peers.answer(b'{"keys": 1}'),
    peers.answer(b'{"keys": []}', content_type="text/html"),
]


# --- the ordinary course -------------------------------------------------------------------------------------------


async def test_a_cached_key_costs_no_fetch() -> None:
    """One fetch at the start, then none however often the key is asked for."""
    async with bench() as it:
        await it.tick()
        assert it.keys.loaded(it.url)
        for _ in range(100):
            assert len(await it.keys.find(it.url, kid(0))) == 1
        await it.tick(LIFETIME / 2)
        assert it.asked == 1


async def test_keys_are_refreshed_before_they_are_twelve_hours_old() -> None:
    """The background fetch comes within a fifth before the lifetime ends."""
    async with bench() as it:
        await it.tick()
        await it.tick(LIFETIME * 0.79)
        assert it.asked == 1
        await it.tick(LIFETIME * 0.21)
        assert it.asked == 2
        assert it.keys.status()[it.url].age == 0


async def test_replicas_do_not_ask_in_step() -> None:
    """Two caches that loaded at the same moment are due at different ones."""
    async with bench() as it:
        other = ProviderKeys(Outbound(None, {}), ForgottenDocuments(), it.clock, SeededEntropy(b"other"))
        other.watch([it.url])
        other.tick()
        await it.tick()
        dues: set[int] = set()
        for minute in range(145):
            before = it.asked
            other.tick()
            await it.tick(60 if minute else LIFETIME * 0.8)
            if it.asked > before:
                dues.add(minute)
        assert len(dues) == 2


async def test_keys_that_are_no_longer_published_are_dropped() -> None:
    """An emergency withdrawal takes effect with the next good document."""
    async with bench(peers.answer(document(0, 1))) as it:
        await it.tick()
        assert it.knows(0)
        it.server.publish(document(1))
        assert await it.keys.refresh_all() == {it.url: None}
        assert not it.knows(0)
        assert it.knows(1)


# --- an unknown kid ------------------------------------------------------------------------------------------------


async def test_an_unknown_kid_is_fetched_at_once() -> None:
    """Loading at the start does not begin the cooldown, so a key rotated a moment later is found."""
    async with bench() as it:
        await it.tick()
        it.server.publish(document(0, 1))
        assert len(await it.keys.find(it.url, kid(1))) == 1
        assert it.asked == 2
        assert it.keys.status()[it.url].forced_refreshes == 1


async def test_a_thousand_unknown_kids_make_one_fetch() -> None:
    """A flood of invented names costs the provider one fetch per cooldown, and memory nothing."""
    async with bench() as it:
        await it.tick()
        found = await asyncio.gather(*(it.keys.find(it.url, f"invented-{n}") for n in range(500)))
        for n in range(500):
            found.append(await it.keys.find(it.url, f"more-{n}"))
        assert set(found) == {()}
        assert it.asked == 2
        it.clock.advance(COOLDOWN - 0.1)
        await it.keys.find(it.url, "again")
        assert it.asked == 2
        it.clock.advance(0.2)
        await it.keys.find(it.url, "again")
        assert it.asked == 3


@pytest.mark.parametrize("reply", BROKEN)
async def test_the_cooldown_runs_whatever_the_fetch_brings(reply: bytes) -> None:
    """A forced fetch that fails is not repeated before the cooldown is over, and the keys stay."""
    async with bench() as it:
        await it.tick()
        it.server.reply = reply
        assert await it.keys.find(it.url, kid(1)) == ()
        it.server.publish(document(0, 1))
        assert await it.keys.find(it.url, kid(1)) == ()
        assert it.asked == 2
        assert it.knows(0)
        it.clock.advance(COOLDOWN)
        assert len(await it.keys.find(it.url, kid(1))) == 1


async def test_fifty_callers_share_one_fetch() -> None:
    """All who need the same unknown key wait for the same answer."""
    async with bench() as it:
        await it.tick()
        it.server.publish(document(0, 1))
        it.server.gate.clear()
        it.server.arrived.clear()
        waiting = [asyncio.create_task(it.keys.find(it.url, kid(1))) for _ in range(50)]
        await it.server.arrived.wait()
        assert not any(task.done() for task in waiting)
        it.server.gate.set()
        assert all(len(found) == 1 for found in await asyncio.gather(*waiting))
        assert it.asked == 2


async def test_a_fetch_in_flight_blocks_nobody_whose_key_is_cached() -> None:
    """While one caller waits for the provider, known keys are found without a pause."""
    async with bench() as it:
        await it.tick()
        it.server.gate.clear()
        it.server.arrived.clear()
        waiting = asyncio.create_task(it.keys.find(it.url, kid(1)))
        await it.server.arrived.wait()
        found = it.keys.find(it.url, kid(0))
        with pytest.raises(StopIteration) as done:  # it ends at its first step: there is nothing to wait for
            found.send(None)
        assert len(done.value.value) == 1
        it.server.gate.set()
        assert await waiting == ()


async def test_a_caller_that_gives_up_does_not_end_the_fetch_for_others() -> None:
    """One cancelled request leaves the shared fetch alone."""
    async with bench() as it:
        await it.tick()
        it.server.publish(document(0, 1))
        it.server.gate.clear()
        it.server.arrived.clear()
        first, second = (asyncio.create_task(it.keys.find(it.url, kid(1))) for _ in range(2))
        await it.server.arrived.wait()
        first.cancel()
        await asyncio.sleep(0)
        it.server.gate.set()
        assert len(await second) == 1


async def test_a_background_fetch_does_not_use_up_the_cooldown() -> None:
    """A caller that joined a background fetch in vain may still force one."""
    async with bench() as it:
        await it.tick()
        it.clock.advance(LIFETIME)
        it.server.gate.clear()
        it.server.arrived.clear()
        it.keys.tick()
        await it.server.arrived.wait()
        waiting = asyncio.create_task(it.keys.find(it.url, kid(1)))
        await asyncio.sleep(0)
        it.server.gate.set()
        assert await waiting == ()
        assert it.asked == 3


# --- bad days ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", BROKEN)
async def test_a_failed_refresh_keeps_the_keys(reply: bytes) -> None:
    """Nothing but a good document replaces a good one, and the cache asks again after a minute."""
    async with bench() as it:
        await it.tick()
        it.server.reply = reply
        await it.tick(LIFETIME)
        assert it.asked == 2
        assert it.knows(0)
        assert it.keys.status()[it.url].last_error
        it.server.publish(document(1))
        await it.tick(RETRY_WITH_KEYS)
        assert it.knows(1)
        assert it.keys.status()[it.url].last_error is None


async def test_stale_keys_are_used_for_two_days_and_no_longer() -> None:
    """48 h after the last good fetch the keys are no keys any more: 503, never a bypass."""
    async with bench() as it:
        await it.tick()
        it.server.reply = b""
        await it.tick(STALE_LIMIT - 1)
        assert it.knows(0)
        assert it.keys.loaded(it.url)
        await it.tick(2)
        assert not it.knows(0)
        assert not it.keys.loaded(it.url)
        with pytest.raises(DoorwardError) as refused:
            await it.keys.find(it.url, kid(0))
        assert refused.value.code == "keys_unavailable"
        it.server.publish(document(0))
        await it.tick(5)
        await it.tick(5)
        assert it.knows(0)


async def test_without_any_keys_a_request_is_told_when_to_come_back() -> None:
    """No key set and no provider: `keys_unavailable` with Retry-After, and no fetch for each request."""
    async with bench(b"") as it:
        for _ in range(20):
            with pytest.raises(DoorwardError) as refused:
                await it.keys.find(it.url, kid(0))
            assert refused.value.code == "keys_unavailable"
            assert refused.value.retry_after in range(1, 6)
        assert it.asked == 1


async def test_a_missing_key_set_is_asked_for_every_five_seconds() -> None:
    """A provider that comes back is noticed within 5 s, and then an unknown key may be forced at once."""
    async with bench(b"") as it:
        await it.tick()
        for seconds in range(1, 61):
            await it.tick(1)
            assert it.asked >= 1 + seconds // 5
        assert it.asked <= 1 + 60 / 3
        it.server.publish(document(0))
        for _ in range(5):
            await it.tick(1)
        assert it.knows(0)
        it.server.publish(document(0, 1))
        assert len(await it.keys.find(it.url, kid(1))) == 1


async def test_a_request_waits_for_the_first_fetch_in_flight() -> None:
    """A request that comes while the very first fetch runs gets its key and no refusal."""
    async with bench() as it:
        it.server.gate.clear()
        it.keys.tick()
        waiting = asyncio.create_task(it.keys.find(it.url, kid(0)))
        await it.server.arrived.wait()
        it.server.gate.set()
        assert len(await waiting) == 1
        assert it.asked == 1


async def test_an_address_that_nobody_watched_is_asked_by_the_request() -> None:
    """A cloud that a new registration has just enabled works with its first request."""
    async with bench() as it:
        it.keys.watch([])
        assert it.keys.status() == {}
        assert len(await it.keys.find(it.url, kid(0))) == 1


# --- kept over restarts --------------------------------------------------------------------------------------------


async def test_a_restart_during_an_outage_finds_the_keys(database_url: str) -> None:
    """The last good document is in the database, and a new process uses it without the provider."""
    store = await open_store(database_url, auto_migrate=True)
    try:
        async with bench(kept=StoredDocuments(store, FrozenClock(NOW))) as it:
            assert await it.keys.refresh_all() == {it.url: None}
            it.server.reply = b""
            it.clock.advance(HOUR)
            again = make_keys(it.clock, StoredDocuments(store, it.clock), it.events.append)
            again.watch([it.url])
            await again.adopt_kept()
            assert len(await again.find(it.url, kid(0))) == 1
            assert it.asked == 1
            assert again.status()[it.url].age == HOUR
            it.clock.advance(STALE_LIMIT)
            assert not again.loaded(it.url)
    finally:
        await store.close()


async def test_a_younger_document_of_another_process_is_taken_over(database_url: str) -> None:
    """What `doorward keys fetch` brought reaches a running server; an older one never does."""
    store = await open_store(database_url, auto_migrate=True)
    try:
        async with bench(kept=StoredDocuments(store, FrozenClock(NOW))) as it:
            await it.keys.refresh_all()
            kept = StoredDocuments(store, it.clock)
            await kept.keep(KeptDocument(url=it.url, document=document(2), fetched_at=NOW - 1))
            await it.keys.adopt_kept()
            assert it.knows(0)
            await kept.keep(KeptDocument(url=it.url, document=document(1), fetched_at=NOW + 1))
            await it.keys.adopt_kept()
            assert it.knows(1)
            assert not it.knows(0)
    finally:
        await store.close()


@pytest.mark.parametrize("ahead", [-15.0, 86400.0])
async def test_an_operators_fetch_counts_whatever_the_clocks_say(database_url: str, ahead: float) -> None:
    """A kept document from the future, or an operator's clock that is behind, does not bring back a withdrawn key."""
    store = await open_store(database_url, auto_migrate=True)
    try:
        async with bench(kept=StoredDocuments(store, FrozenClock(NOW))) as it:
            wrong = StoredDocuments(store, FrozenClock(NOW + max(ahead, 0)))
            await wrong.keep(KeptDocument(url=it.url, document=document(0), fetched_at=NOW + max(ahead, 0)))
            await it.keys.adopt_kept()
            assert it.knows(0) == (ahead < 0), "what the future brought is not believed at the start"
            await it.keys.refresh_all()
            await it.keys.adopt_kept()
            it.clock.advance(1)
            operator = StoredDocuments(store, FrozenClock(NOW + 1 + min(ahead, 0)))
            await operator.keep(KeptDocument(url=it.url, document=document(1), fetched_at=NOW + 1 + min(ahead, 0)))
            await it.keys.adopt_kept()
            assert (it.knows(0), it.knows(1)) == (False, True)
            await it.keys.adopt_kept()
            assert (it.knows(0), it.knows(1)) == (False, True)
            assert (it.keys.status()[it.url].age or 0) <= 1
    finally:
        await store.close()


async def test_a_running_process_dated_from_the_future_is_believed_and_replaced(database_url: str) -> None:
    """What another process fetched just now counts although its clock is ahead, and the next fetch replaces it."""
    store = await open_store(database_url, auto_migrate=True)
    try:
        async with bench(kept=StoredDocuments(store, FrozenClock(NOW))) as it:
            await it.keys.refresh_all()
            await it.keys.adopt_kept()
            it.clock.advance(1)
            ahead = StoredDocuments(store, FrozenClock(NOW + 86401))
            await ahead.keep(KeptDocument(url=it.url, document=document(1), fetched_at=NOW + 86401))
            await it.keys.adopt_kept()
            assert (it.knows(0), it.knows(1)) == (False, True)
            assert it.keys.status()[it.url].fetched_at == NOW + 1
            it.clock.advance(1)
            young = KeptDocument(url=it.url, document=document(2), fetched_at=NOW + 2)
            await StoredDocuments(store, it.clock).keep(young)
            await it.keys.adopt_kept()
            assert (it.knows(1), it.knows(2)) == (False, True)
    finally:
        await store.close()


async def test_a_damaged_document_is_no_document(sqlite_url: str) -> None:
    """A row that cannot be read is passed over."""
    store = await open_store(sqlite_url, auto_migrate=True)
    try:
        kept = StoredDocuments(store, FrozenClock(NOW))
        async with bench(kept=kept) as it:
            await kept.keep(KeptDocument(url=it.url, document=b'{"keys": [', fetched_at=NOW))
            await it.keys.adopt_kept()
            assert not it.keys.loaded(it.url)
    finally:
        await store.close()


async def test_a_database_that_is_away_stops_nobody(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Keys are used although they could not be kept; the log says so."""
    store = await open_store(sqlite_url, auto_migrate=True)
    await store.close()
    async with bench(kept=StoredDocuments(store, FrozenClock(NOW))) as it:
        with caplog.at_level(logging.INFO, logger="doorward.keys"):
            await it.keys.adopt_kept()
            await it.keys.refresh_all()
        assert it.knows(0)
        assert {"key_sets.not_read", "key_set.not_kept"} <= {record.message for record in caplog.records}


# --- the background task, audit, status ----------------------------------------------------------------------------


async def test_the_background_task_ends_cleanly_when_cancelled() -> None:
    """Cancelling `run` ends fetches under way and leaves no task behind."""
    async with bench() as it:
        it.server.gate.clear()
        running = asyncio.create_task(it.keys.run())
        await it.server.arrived.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.sleep(0)
        assert running.cancelled()
        assert [t for t in asyncio.all_tasks() if t.get_name() == "doorward-keys"] == []


async def test_the_background_task_fetches_by_itself() -> None:
    """`run` ticks, at the pace of the waiter that it was given."""
    paces: list[float] = []
    async with bench() as it:

        async def wait(seconds: float) -> None:
            paces.append(seconds)
            await asyncio.sleep(0.001)

        fetched = asyncio.Event()
        keys = ProviderKeys(
            Outbound(None, {}),
            ForgottenDocuments(),
            it.clock,
            SeededEntropy(),
            on_event=lambda _: fetched.set(),
            wait=wait,
        )
        keys.watch([it.url])
        running = asyncio.create_task(keys.run())
        await asyncio.wait_for(fetched.wait(), 10)
        assert keys.loaded(it.url)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert max(paces) <= 1


async def test_audit_hears_of_successes_and_of_each_new_kind_of_failure() -> None:
    """An outage is one event, not one every few seconds."""
    async with bench() as it:
        await it.tick()
        it.server.reply = b""
        await it.tick(LIFETIME)
        for _ in range(5):
            await it.tick(RETRY_WITH_KEYS)
        assert [event.name for event in it.events] == ["keys.refreshed", "keys.refresh_failed"]
        assert it.events[0].kids == (kid(0),)
        assert "broke off" in it.events[1].reason


async def test_an_operator_hears_which_address_failed_and_why() -> None:
    """`refresh_all` ignores the cooldown, and answers for every address."""
    async with bench() as it:
        other = f"http://127.0.0.1:{it.server.port}/other"
        it.keys.watch([it.url, "https://user@bad.example/keys", other])
        results = await it.keys.refresh_all()
        assert results[it.url] is results[other] is None
        assert "without user" in (results["https://user@bad.example/keys"] or "")
        await it.keys.find(it.url, "unknown")
        before = it.asked
        await it.keys.refresh_all()
        assert it.asked == before + 2


async def test_watching_other_addresses_lets_the_old_ones_go() -> None:
    """A cloud without registrations is asked no more."""
    async with bench() as it:
        await it.tick()
        it.keys.watch([])
        await it.tick(LIFETIME)
        assert it.asked == 1
        assert not it.keys.loaded(it.url)
        assert not it.keys.find_cached(it.url, kid(0))


async def test_queries_are_neither_logged_nor_audited(caplog: pytest.LogCaptureFixture) -> None:
    """A key address may hold a query; only what stands before it is shown."""
    async with bench(b"") as it:
        it.keys.watch([f"{it.url}?appid=1"])
        with caplog.at_level(logging.DEBUG):
            await it.tick()
            it.server.publish(document(0))
            await it.keys.refresh_all()
        shown = [str(getattr(record, "facts", record.getMessage())) for record in caplog.records]
        assert not any("appid" in line for line in [*shown, *map(str, it.events)])


async def test_each_who_asks_keeps_its_own_addresses() -> None:
    """What the exchange lets go of stays for sign-in, and the reverse; what nobody wants any more is forgotten."""
    async with bench() as it:
        it.keys.watch([it.url, "https://a.example/keys"], "sign-in")
        it.keys.watch([])
        assert set(it.keys.status()) == {it.url, "https://a.example/keys"}
        it.keys.watch(["https://b.example/keys"], "sign-in")
        assert set(it.keys.status()) == {"https://b.example/keys"}
