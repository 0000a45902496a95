"""The cache of the providers' key sets (token-exchange reference 2.4).

Owns when a key document is fetched and how long its keys may be used. A key that is cached is found without waiting
for anybody. Everything else waits for at most one fetch per address, shared by all who wait, and a fetch that fails or
brings nothing usable leaves the keys as they were. Addresses come from the settings alone. There is no memory of
unknown `kid` values that a flood could fill: the cooldown of the address bounds what they cost, whatever they are.

Everything here runs in one event loop. What is awaited is a fetch or the database, never a lock.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import final

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.errors import DoorwardError
from doorward.base.refusals import KEYS_UNAVAILABLE
from doorward.keys.fetching import CLOCK_ALLOWANCE, DocumentSource, NotFetched, Saves, fetch, later, shown
from doorward.keys.kept import KeptDocument, KeptDocuments
from doorward.keys.key_set_news import KeySetEvent, KeySetStatus
from doorward.protocol.algorithms import read_key_set
from doorward.protocol.jose import KeySet, ProviderKey

LIFETIME = 12 * 3600.0
STALE_LIMIT = 48 * 3600.0
COOLDOWN = 30.0
RETRY_WITHOUT_KEYS = 4.0  # a tick and a slow answer later it is still less than the 5 s that the interface promises
RETRY_WITH_KEYS = 60.0
TICK = 0.5

_log = logging.getLogger("doorward.keys")


@dataclass(slots=True)
class _Entry:
    """The keys of one address. All times but `fetched_at` and `kept_at` are of the monotonic clock.

    `kept_at` is the date of the kept document at which this process last looked, and `looked_at` is when that was.
    """

    url: str
    due: float
    keys: KeySet | None = None
    fetched_at: float = 0.0
    good_at: float = 0.0
    kept_at: float | None = None
    looked_at: float = -math.inf
    cooled_at: float = -math.inf
    fetches: int = 0
    forced: int = 0
    failures: int = 0
    error: str | None = None
    flight: "asyncio.Task[None] | None" = None


@final
class ProviderKeys:
    """Key sets by the address of their document."""

    def __init__(
        self,
        source: DocumentSource,
        kept: KeptDocuments,
        clock: Clock,
        entropy: Entropy,
        *,
        on_event: Callable[[KeySetEvent], None] = lambda _: None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Fetch from `source`, keep in `kept`; `on_event` hears what the audit trail should know and must not raise;
        `wait` paces `run`.
        """
        self._source = source
        self._kept = kept
        self._clock = clock
        self._entropy = entropy
        self._on_event = on_event
        self._wait = wait
        self._wanted: dict[str, tuple[str, ...]] = {}
        self._entries: dict[str, _Entry] = {}
        self._saves = Saves(kept, failed="key_set.not_kept")

    # --- what is known now -------------------------------------------------------------------------------------

    def watch(self, urls: Iterable[str], asker: str = "exchange") -> None:
        """Keep for `asker` the key sets of exactly these addresses from now on; may be called again at any time.

        An address is let go of when nobody who asked for it wants it any more.
        """
        self._wanted[asker] = tuple(urls)
        wanted = [url for urls in self._wanted.values() for url in urls]
        for url in self._entries.keys() - set(wanted):
            self._let_go(self._entries.pop(url))
        for url in wanted:
            self._entry(url)

    def key_set(self, url: str) -> KeySet | None:
        """Give the usable key set of an address, or None; waits for nothing."""
        entry = self._entries.get(url)
        if entry is None or entry.keys is None or self._clock.monotonic() - entry.good_at > STALE_LIMIT:
            return None
        return entry.keys

    def find_cached(self, url: str, kid: str) -> tuple[ProviderKey, ...]:
        """Give the keys that are known under `kid` at an address; waits for nothing."""
        keys = self.key_set(url)
        return () if keys is None else keys.find(kid)

    def loaded(self, url: str) -> bool:
        """Say whether there are usable keys of an address."""
        return self.key_set(url) is not None

    def status(self) -> dict[str, KeySetStatus]:
        """Give what is known of every watched address."""
        return {url: self._status(entry) for url, entry in self._entries.items()}

    # --- asking for more ---------------------------------------------------------------------------------------

    async def find(self, url: str, kid: str) -> tuple[ProviderKey, ...]:
        """Give the keys published under `kid` at an address; none when the provider does not publish it.

        An unknown `kid` forces one fetch per cooldown. Raises `DoorwardError` (`keys_unavailable`) when no key of the
        address is known and none can be had.
        """
        if found := self.find_cached(url, kid):
            return found
        entry = self._entry(url)
        if entry.flight is not None or not self.loaded(url):
            await self._ask_for_first(entry)
            if found := self.find_cached(url, kid):
                return found
        if not self.loaded(url):
            raise DoorwardError(
                KEYS_UNAVAILABLE,
                retry_after=self._retry_after(entry),
                url=shown(url),
                reason=entry.error or "not yet asked",
            )
        if self._claim_cooldown(entry):
            entry.forced += 1
            await _landing(self._depart(entry))
        elif entry.flight is not None:
            await _landing(entry.flight)
        return self.find_cached(url, kid)

    async def refresh_all(self) -> dict[str, str | None]:
        """Fetch every watched key set now, cooldown or not; gives for each address None or why it failed."""
        entries = list(self._entries.values())
        flights = [self._depart(entry) for entry in entries]
        for flight in flights:
            await _landing(flight)
        await self._saves.finish()
        return {entry.url: entry.error for entry in entries}

    async def adopt_kept(self) -> None:
        """Take over what is kept and younger than ours: at the start, and when another process fetched.

        A document that was kept between two looks was fetched then, whatever clock dated it; so an operator's fetch
        counts although that machine's clock, or an earlier one, is wrong. Only what was kept before the first look, or
        beside a fetch of our own, is judged by its date.
        """
        began = self._clock.monotonic()
        try:
            documents = {kept.url: kept for kept in await self._kept.load()}
        except Exception as error:  # noqa: BLE001 - whoever waits for keys must hear that there are none, not this
            _log.warning("key_sets.not_read", extra={"facts": {"reason": type(error).__name__}})
            return
        for entry in self._entries.values():
            if (kept := documents.get(entry.url)) is not None:
                self._consider(entry, kept)
            entry.looked_at = began

    # --- in the background -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep every watched key set fresh until cancelled; whatever is under way is then ended or written down."""
        try:
            while True:
                self.tick()
                await self._wait(TICK)
        finally:
            for entry in self._entries.values():
                self._let_go(entry)
            await self._saves.finish()

    def tick(self) -> None:
        """Begin to fetch every key set whose time has come; waits for nothing."""
        for entry in self._entries.values():
            if self._clock.monotonic() >= entry.due:
                self._depart(entry)

    def _consider(self, entry: _Entry, kept: KeptDocument) -> None:
        now, unseen_for = self._clock.now(), self._clock.monotonic() - entry.looked_at
        is_ours = kept.fetched_at in {entry.kept_at, entry.fetched_at}
        is_new = entry.keys is not None and entry.good_at <= entry.looked_at
        is_younger = entry.fetched_at < kept.fetched_at <= now + CLOCK_ALLOWANCE
        entry.kept_at = kept.fetched_at
        if is_ours or not (is_new or is_younger):
            return
        age = max(0.0, now - kept.fetched_at)
        with suppress(ValueError):  # a damaged row is as good as none
            self._install(entry, read_key_set(kept.document), min(kept.fetched_at, now), min(age, unseen_for))

    def _entry(self, url: str) -> _Entry:
        entry = self._entries.get(url)
        if entry is None:
            entry = self._entries[url] = _Entry(url=url, due=self._clock.monotonic())
        return entry

    async def _ask_for_first(self, entry: _Entry) -> None:
        """Wait for the fetch under way, or for a new one if that is due."""
        if entry.flight is None and self._clock.monotonic() >= entry.due:
            self._depart(entry)
        if entry.flight is not None:
            await _landing(entry.flight)

    def _claim_cooldown(self, entry: _Entry) -> bool:
        """Take the right to force a fetch; it is gone for the whole cooldown, whatever the fetch brings."""
        now = self._clock.monotonic()
        if now - entry.cooled_at < COOLDOWN:
            return False
        entry.cooled_at = now
        return True

    def _depart(self, entry: _Entry) -> "asyncio.Task[None]":
        """Begin a fetch, or give the one under way."""
        if entry.flight is None:
            entry.due = self._retry_at(entry)
            entry.flight = asyncio.create_task(self._fetch(entry), name="doorward-keys")
        return entry.flight

    async def _fetch(self, entry: _Entry) -> None:
        entry.fetches += 1
        try:
            keys, document = await fetch(self._source, entry.url, read_key_set)
        except NotFetched as error:
            await self._note_failure(entry, str(error))
        else:
            self._note_success(entry, keys, document)
        finally:
            entry.flight = None

    def _note_success(self, entry: _Entry, keys: KeySet, document: bytes) -> None:
        now, is_first = self._clock.now(), not self.loaded(entry.url)
        self._install(entry, keys, now, 0.0)
        entry.due = self._later(LIFETIME)
        if is_first:
            self._hasten_others()
        entry.error = None
        _log.info("key_set.fetched", extra={"facts": {"url": shown(entry.url), "kids": list(keys.by_kid)}})
        self._on_event(KeySetEvent(name="keys.refreshed", url=shown(entry.url), kids=tuple(keys.by_kid)))
        self._saves.begin(KeptDocument(url=entry.url, document=document, fetched_at=now))

    async def _note_failure(self, entry: _Entry, reason: str) -> None:
        """Keep the keys; tell of a new kind of failure, not of every repetition during an outage."""
        known, entry.error = entry.error, reason
        entry.failures += 1
        facts = {"url": shown(entry.url), "reason": reason, "loaded": self.loaded(entry.url)}
        if reason != known:
            _log.warning("key_set.fetch_failed", extra={"facts": facts})
            self._on_event(KeySetEvent(name="keys.refresh_failed", url=shown(entry.url), reason=reason))
        if not self.loaded(entry.url):
            await self.adopt_kept()

    def _install(self, entry: _Entry, keys: KeySet, fetched_at: float, age: float) -> None:
        entry.keys, entry.fetched_at, entry.good_at = keys, fetched_at, self._clock.monotonic() - age

    def _hasten_others(self) -> None:
        """Let whatever is still missing be asked for at once: an outage ends for all, and readiness says so."""
        for entry in self._entries.values():
            if not self.loaded(entry.url):
                entry.due = self._clock.monotonic()

    def _let_go(self, entry: _Entry) -> None:
        if entry.flight is not None:
            entry.flight.cancel()

    def _later(self, seconds: float) -> float:
        return later(self._clock, self._entropy, seconds)

    def _retry_at(self, entry: _Entry) -> float:
        """Give when to ask again should this fetch fail: at the latest when the keys have become too old."""
        if not self.loaded(entry.url):
            return self._later(RETRY_WITHOUT_KEYS)
        return min(self._later(RETRY_WITH_KEYS), entry.good_at + STALE_LIMIT)

    def _retry_after(self, entry: _Entry) -> int:
        return max(1, math.ceil(entry.due - self._clock.monotonic()))

    def _status(self, entry: _Entry) -> KeySetStatus:
        keys = self.key_set(entry.url)
        return KeySetStatus(
            url=entry.url,
            keys=0 if keys is None else len(keys),
            age=None if keys is None else self._clock.monotonic() - entry.good_at,
            fetched_at=None if keys is None else entry.fetched_at,
            fetches=entry.fetches,
            forced_refreshes=entry.forced,
            failures=entry.failures,
            last_error=entry.error,
        )


async def _landing(flight: "asyncio.Task[None]") -> None:
    """Wait until a fetch has ended, however it ended; a waiter that gives up does not end it for the others."""
    await asyncio.wait({flight})
