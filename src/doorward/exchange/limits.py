"""Rate limits of the exchange (token-exchange reference 4.2 and the interface's ruling).

Two counts over a sliding window: refused exchanges of a client address, and exchanges of an identity whose token was
verified. Unverified claims feed no counter, or anybody could lock a person out; a trusted proxy's own address is never
counted. Memory is bounded: a key is forgotten when its last event has left the window, and where there are too many,
the longest untouched first.
"""

import math
from array import array
from collections import OrderedDict
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import RATE_LIMITED
from doorward.identity.visit import Visit

MAX_KEYS = 50_000
_FORGOTTEN_AT_ONCE = 16  # a wave of addresses that ends all at once must not hold up one request
_KNOWN_SITES = 4096  # reading an address costs more than counting it
_SITE_PREFIX = 64  # one subscriber is usually given a whole /64, so a single IPv6 address says nothing


@frozen
class LimitRules:
    """What the settings say; `window` in seconds."""

    enabled: bool
    failures: int
    per_identity: int
    window: float


class Counter:
    """Counts events by key over a sliding window."""

    def __init__(self, clock: Clock, limit: int, window: float) -> None:
        """Allow `limit` events in `window` seconds."""
        self._clock = clock
        self._limit = limit
        self._window = window
        self._events: OrderedDict[str, array[float]] = OrderedDict()  # eight bytes an event

    def add(self, key: str) -> None:
        """Count one event."""
        self._add(key, self._events.get(key), self._clock.monotonic())

    def add_or_refuse(self, key: str) -> None:
        """Count one event, or refuse it as `refuse_if_full` does; whoever is refused is not counted."""
        now = self._clock.monotonic()
        events = self._events.get(key)
        self._refuse_after(self._seconds_left(events, now))
        self._add(key, events, now)

    def _add(self, key: str, events: "array[float] | None", now: float) -> None:
        if events is None:
            self._events[key] = array("d", (now,))
        else:
            if len(events) >= self._limit or events[0] + self._window <= now:
                del events[0]
            events.append(now)
            self._events.move_to_end(key)
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Let go of keys without an event in the window, and of the longest untouched where there are too many."""
        for _ in range(min(_FORGOTTEN_AT_ONCE, len(self._events))):
            newest = next(iter(self._events.values()))[-1]
            if len(self._events) <= MAX_KEYS and now < newest + self._window:
                return
            self._events.popitem(last=False)

    def wait(self, key: str) -> float:
        """Give the seconds until the window holds fewer events of `key` than are allowed; 0 when it does."""
        now = self._clock.monotonic()
        self._forget(now)
        return self._seconds_left(self._events.get(key), now)

    def _seconds_left(self, events: "array[float] | None", now: float) -> float:
        if events is None or len(events) < self._limit:
            return 0.0
        return max(0.0, events[0] + self._window - now)

    def refuse_if_full(self, key: str) -> None:
        """Raise `DoorwardError` (`rate_limited`) when the window holds as many events of `key` as are allowed."""
        self._refuse_after(self.wait(key))

    def _refuse_after(self, seconds: float) -> None:
        if seconds > 0:
            raise DoorwardError(RATE_LIMITED, retry_after=max(1, math.ceil(seconds)))


class ExchangeLimits:
    """The limits of the exchange."""

    def __init__(self, clock: Clock, rules: LimitRules) -> None:
        """Limit by `rules`."""
        self._enabled = rules.enabled
        self._failures = Counter(clock, rules.failures, rules.window)
        self._identities = Counter(clock, rules.per_identity, rules.window)
        self._told = Counter(clock, 1, rules.window)

    def refuse_address(self, visit: Visit) -> None:
        """Refuse a client address that had too many exchanges refused; raises `DoorwardError` (`rate_limited`)."""
        key = self._address(visit)
        if key is not None:
            self._failures.refuse_if_full(key)

    def note_refused(self, visit: Visit, error: DoorwardError) -> None:
        """Count a refused exchange, unless the fault is ours or it was refused for its rate."""
        key = self._address(visit)
        if key is not None and error.row.status < 500 and error.row is not RATE_LIMITED:
            self._failures.add(key)

    def is_news(self, visit: Visit) -> bool:
        """Say whether this is the first time in the window that an address is refused for a rate."""
        key = site_of(visit.address)
        if self._told.wait(key) > 0:
            return False
        self._told.add(key)
        return True

    def count_identity(self, cloud: str, tid: str, oid: str) -> None:
        """Count an exchange of a verified identity; raises `DoorwardError` (`rate_limited`) for too many."""
        if self._enabled:
            self._identities.add_or_refuse(f"{cloud}/{tid}/{oid}")

    def _address(self, visit: Visit) -> str | None:
        if not self._enabled or visit.address_is_proxy or not visit.address:
            return None
        return site_of(visit.address)


@lru_cache(_KNOWN_SITES)
def site_of(address: str) -> str:
    """Give the key of an address: itself, or for IPv6 its /64."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)  # all of IPv4 lies in one /64 of IPv6
        return str(ip_network((parsed, _SITE_PREFIX), strict=False))
    return address
