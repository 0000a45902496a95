"""What is counted, and the functions with which others count it.

Owns the numbers of one process and their names. They are plain dictionaries: counting is on the way of every request,
and several workers' numbers must add up to one. `exposition` prints them in Prometheus's formats. Labels are bounded:
what a stranger can choose never becomes one (token-exchange reference 4.4).
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Literal, TypeAlias, final

from doorward.base.clock import Clock
from doorward.base.frozen import frozen

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Merge: TypeAlias = Literal["sum", "max", "min"]
Labels: TypeAlias = tuple[str, ...]
Numbers: TypeAlias = dict[Labels, list[float]]
Snapshot: TypeAlias = dict[str, list[tuple[Labels, list[float]]]]
"""Family name to its samples; a histogram's numbers are its bucket counts followed by the sum of its observations."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@frozen
class Family:
    """One metric: its name without the suffixes that Prometheus adds, and how the numbers of several workers merge."""

    name: str
    kind: Kind
    help: str
    labels: Labels = ()
    merge: Merge = "sum"


HTTP_REQUESTS = Family(
    name="doorward_http_requests",
    kind="counter",
    help="Requests answered on the public listener; status 499 is a client that left before its answer.",
    labels=("route", "method", "status"),
)
HTTP_SECONDS = Family(
    name="doorward_http_request_duration_seconds",
    kind="histogram",
    help="Time from the end of a request's head to the end of its answer.",
    labels=("route",),
)
EXCHANGES = Family(
    name="doorward_exchanges",
    kind="counter",
    help="Token exchanges by outcome: success, or the code of the refusal.",
    labels=("code", "audience"),
)
KEYS_FETCHED_AT = Family(
    name="doorward_provider_keys_last_success_timestamp_seconds",
    kind="gauge",
    help="When a provider's key set was last fetched well.",
    labels=("cloud", "version"),
    merge="max",
)
KEYS_AGE = Family(
    name="doorward_provider_keys_age_seconds",
    kind="gauge",
    help="Time since a provider's key set was last fetched well.",
    labels=("cloud", "version"),
    merge="min",
)
KEYS_LOADED = Family(
    name="doorward_provider_keys",
    kind="gauge",
    help="Keys in a provider's key set.",
    labels=("cloud", "version"),
    merge="max",
)
KEYS_FORCED = Family(
    name="doorward_provider_keys_forced_refreshes",
    kind="counter",
    help="Fetches of a key set because a token named an unknown key.",
    labels=("cloud", "version"),
)
KEYS_FAILED = Family(
    name="doorward_provider_keys_fetch_failures",
    kind="counter",
    help="Fetches of a key set that failed.",
    labels=("cloud", "version"),
)
STORE_UP = Family(
    name="doorward_store_up",
    kind="gauge",
    help="Whether the database could be used when it was last asked: 1 or 0; with workers, the worst of them.",
    merge="min",
)
AUDIT_DROPPED = Family(
    name="doorward_audit_events_dropped",
    kind="counter",
    help="Refused exchanges that were counted but not written to the audit trail, because there were too many.",
)
UNKNOWN_FIELDS = Family(
    name="doorward_unknown_body_fields",
    kind="counter",
    help="Fields in bodies of exchanges that the contract does not name, and that were ignored.",
)
WORKERS = Family(name="doorward_workers", kind="gauge", help="Worker processes that are serving.")
WORKER_STARTS = Family(
    name="doorward_worker_starts", kind="counter", help="Starts of worker processes; more than workers means restarts."
)
BUILD_INFO = Family(
    name="doorward_build_info", kind="gauge", help="Always 1; the version is a label.", labels=("version",), merge="max"
)
FAMILIES = (
    HTTP_REQUESTS,
    HTTP_SECONDS,
    EXCHANGES,
    KEYS_FETCHED_AT,
    KEYS_AGE,
    KEYS_LOADED,
    KEYS_FORCED,
    KEYS_FAILED,
    STORE_UP,
    AUDIT_DROPPED,
    UNKNOWN_FIELDS,
    WORKERS,
    WORKER_STARTS,
    BUILD_INFO,
)


@final
class Metrics:
    """The numbers of this process; every method is safe to call on any request and never raises."""

    def __init__(self, *, clock: Clock, version: str) -> None:
        self._clock = clock
        self._numbers: dict[str, Numbers] = {family.name: {} for family in FAMILIES}
        self._requests = self._numbers[HTTP_REQUESTS.name]
        self._seconds = self._numbers[HTTP_SECONDS.name]
        self._counted: dict[tuple[str, str, int], tuple[list[float], list[float]]] = {}
        self._audiences: frozenset[str] = frozenset()
        self._set(BUILD_INFO, (version,), 1.0)
        for family in (AUDIT_DROPPED, UNKNOWN_FIELDS):
            self._add(family, (), 0.0)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request; `route` is a path of the route table or `unknown`."""
        counted = self._counted.get((route, method, status))
        sample, buckets = counted or self._count(route, method, status)
        sample[0] += 1.0
        buckets[bisect_left(SECONDS, seconds)] += 1.0
        buckets[-1] += seconds

    def _count(self, route: str, method: str, status: int) -> tuple[list[float], list[float]]:
        """Begin to count such requests; gives where, which is remembered unless strangers could fill the memory."""
        sample = self._requests.setdefault((route, method if method in _METHODS else OTHER, str(status)), [0.0])
        buckets = self._seconds.setdefault((route,), [0.0] * (len(SECONDS) + 2))
        if method in _METHODS:
            self._counted[(route, method, status)] = sample, buckets
        return sample, buckets

    def exchange(self, code: str, audience: str | None) -> None:
        """Count one exchange: `success` or a code of the catalogue, and the client id that its token was made for."""
        self._add(EXCHANGES, (code, audience if audience in self._audiences else OTHER), 1.0)

    def know_audiences(self, client_ids: Iterable[str]) -> None:
        """Name the registered audiences; every other is counted as `other`, since anybody can invent one."""
        self._audiences = frozenset(client_ids)

    def keys_fetched(self, cloud: str, version: str, *, at: float, keys: int) -> None:
        """Note that a key set of `keys` keys was fetched, or found in the database, as of `at` (seconds)."""
        self._set(KEYS_FETCHED_AT, (cloud, version), at)
        self._set(KEYS_LOADED, (cloud, version), float(keys))

    def key_set(
        self, cloud: str, version: str, *, fetched_at: float | None, keys: int, forced: int, failed: int
    ) -> None:
        """Note the standing of a key set: when it was last fetched well, and how often it was asked for in vain."""
        if fetched_at is not None:
            self.keys_fetched(cloud, version, at=fetched_at, keys=keys)
        self._set(KEYS_FORCED, (cloud, version), float(forced))
        self._set(KEYS_FAILED, (cloud, version), float(failed))

    def store(self, *, is_up: bool) -> None:
        """Note whether the database could be used."""
        self._set(STORE_UP, (), 1.0 if is_up else 0.0)

    def audit_dropped(self, events: int = 1) -> None:
        """Count audit events that were not written because there were too many."""
        self._add(AUDIT_DROPPED, (), float(events))

    def unknown_fields(self, fields: int = 1) -> None:
        """Count fields of a body that nobody asked for."""
        self._add(UNKNOWN_FIELDS, (), float(fields))

    def snapshot(self) -> Snapshot:
        """Give all numbers as they are now, in a form that JSON can carry."""
        now = self._clock.now()
        for key, fetched_at in self._numbers[KEYS_FETCHED_AT.name].items():
            self._set(KEYS_AGE, key, max(0.0, now - fetched_at[0]))
        return {
            name: [(labels, list(values)) for labels, values in list(samples.items())]
            for name, samples in self._numbers.items()
        }

    def _add(self, family: Family, labels: Labels, amount: float) -> None:
        sample = self._numbers[family.name].setdefault(labels, [0.0])
        sample[0] += amount

    def _set(self, family: Family, labels: Labels, value: float) -> None:
        self._numbers[family.name][labels] = [value]


_MERGES = {"sum": sum, "max": max, "min": min}


def merged(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Give the numbers of several processes as those of one."""
    taken = list(snapshots)
    total: Snapshot = {}
    for family in FAMILIES:
        gathered: dict[Labels, list[list[float]]] = {}
        for snapshot in taken:
            for labels, values in snapshot.get(family.name, ()):
                gathered.setdefault(tuple(labels), []).append(values)
        merge = _MERGES[family.merge]
        total[family.name] = [
            (labels, [float(merge(column)) for column in zip(*rows, strict=True)]) for labels, rows in gathered.items()
        ]
    return total


def departed(snapshots: Iterable[Snapshot]) -> Snapshot:
    """Give what remains to be counted of processes that have ended: their counters, for a counter never falls."""
    counted = {family.name for family in FAMILIES if family.kind != "gauge"}
    return {name: samples for name, samples in merged(snapshots).items() if name in counted}
