"""The audit trail: who did what, with which outcome (token-exchange reference 4.3).

A record of something that was done is written in the transaction that did it. A record of a refused exchange is written
apart, after the answer, at most a bounded number a second, so that a flood of refusals cannot fill the disk; what is
over is counted. Never a token, never a secret; text from requests is cleaned of everything that could forge a line.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from doorward.accounts.nouns import Origin
from doorward.base.clock import Clock, rfc3339
from doorward.base.errors import DoorwardError
from doorward.base.refusals import TOKEN_REPLAYED
from doorward.base.text import cleaned
from doorward.store import Append, Param, Row, Store, audit

FAILURES_PER_SECOND = 50
TEXT_MAX = 256
_HOUR = 3600.0
_log = logging.getLogger("doorward.accounts")


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What a record speaks of; whatever is not known stays None.

    `token_digest` is the beginning of the SHA-256 of the token in hexadecimal.
    """

    client_id: str | None = None
    cloud: str | None = None
    tid: str | None = None
    oid: str | None = None
    user_id: int | None = None
    organization_id: int | None = None
    kid: str | None = None
    token_digest: str | None = None


NOBODY = Subject()


def record(
    event: str,
    now: float,
    origin: Origin,
    subject: Subject = NOBODY,
    *,
    code: str | None = None,
    detail: str | None = None,
) -> Append:
    """Make the row of one event, to be appended with what it reports."""
    values: tuple[Param, ...] = (
        now,
        event,
        code,
        origin.request_id,
        _clean(origin.address),
        _clean(origin.user_agent),
        _clean(subject.client_id),
        subject.cloud,
        subject.tid,
        subject.oid,
        subject.user_id,
        subject.organization_id,
        _clean(subject.kid),
        subject.token_digest,
        _clean(detail),
    )
    return audit.ADD, values


class FailureRecords:
    """Records of refused exchanges, written apart and at most `FAILURES_PER_SECOND`."""

    def __init__(self, store: Store, clock: Clock, count_dropped: Callable[[], None]) -> None:
        """Write into the audit trail of `store`; `count_dropped` is called for each record that is not written."""
        self._store = store
        self._clock = clock
        self._count_dropped = count_dropped
        self._second = 0
        self._written = 0

    def drop(self) -> None:
        """Count one refusal that is not to be recorded."""
        self._count_dropped()

    async def write(self, code: str, origin: Origin, subject: Subject, detail: str | None) -> None:
        """Record one refusal, or count it when this second has had its share; never raises for a database away."""
        now = self._clock.now()
        if int(now) != self._second:
            self._second, self._written = int(now), 0
        self._written += 1
        if self._written > FAILURES_PER_SECOND:
            self._count_dropped()
            return
        events = ["exchange.failed", *(["token.replayed"] if code == TOKEN_REPLAYED.code else [])]
        rows = [record(event, now, origin, subject, code=code, detail=detail) for event in events]
        try:
            await self._store.append(rows)
        except DoorwardError as error:
            self._count_dropped()
            _log.warning("audit_record.dropped", extra={"facts": {"reason": error.code}})


async def count_by_hour(store: Store, since: float, event: str | None) -> list[dict[str, object]]:
    """Give how often each event happened with each code in each hour, oldest first: failures over time at a glance."""
    counts = Counter(
        (row[1] // _HOUR * _HOUR, str(row[2]), None if row[3] is None else str(row[3]))
        for row in await _rows(store, since, event)
    )
    ordered = sorted(counts.items(), key=lambda entry: (entry[0][0], entry[0][1], entry[0][2] or ""))
    return [
        {"time": rfc3339(hour), "event": name, "code": code, "count": count} for (hour, name, code), count in ordered
    ]


async def list_records(store: Store, since: float, event: str | None) -> list[dict[str, object]]:
    """Give the records since a time, oldest first, as `audit list` prints them."""
    return [_to_json(row) for row in await _rows(store, since, event)]


async def _rows(store: Store, since: float, event: str | None) -> Sequence[Row]:
    if event is None:
        return await store.read(lambda cursor: cursor.all(audit.SINCE, since))
    return await store.read(lambda cursor: cursor.all(audit.SINCE_OF_EVENT, since, event))


def _to_json(row: Sequence[Any]) -> dict[str, object]:
    members: dict[str, object] = dict(zip(audit.COLUMNS, row, strict=True))
    return {**members, "time": rfc3339(row[1])}


def _clean(text: str | None) -> str | None:
    return None if text is None else cleaned(text, TEXT_MAX)
