"""The admin listener's probes: alive, ready, metrics.

Owns `/livez`, `/healthz`, `/readyz` and `/metrics` (interface sections 2 and "Running it"). Whether something is ready
is not known here: checks are handed in, and each is given a moment to answer, so that a database that hangs makes the
probe say so instead of hanging with it. Liveness asks nobody (token-exchange reference 4.4).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import msgspec

from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.faults import CHECK_TIMED_OUT
from doorward.base.frozen import frozen
from doorward.base.refusals import INTERNAL_ERROR, SHUTTING_DOWN
from doorward.identity.visit import Visit
from doorward.inbound.blame import frames
from doorward.inbound.door import Reply, Route
from doorward.inbound.serve import Run
from doorward.operations.exposition import expose
from doorward.operations.metrics import Snapshot

CHECK_SECONDS = 2.0
_JSON = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))

log = logging.getLogger("doorward.operations")


@frozen
class Reason:
    """One thing that keeps the service from being ready."""

    code: str
    message: str


def reason_of(row: ErrorRow) -> Reason:
    """Give a row of the catalogue as a reason."""
    return Reason(code=row.code, message=row.message)


Objection: TypeAlias = Reason | tuple[Reason, ...] | None
Check: TypeAlias = Callable[[], Awaitable[Objection]]
"""Asks one part whether it can work: None, or the reasons why not; it may raise `DoorwardError` instead."""


def routes(*, checks: Sequence[Check], snapshot: Callable[[], Awaitable[Snapshot]]) -> tuple[Route, ...]:
    """Give the routes of the probes; `snapshot` gives the numbers of everybody for whom this listener speaks."""

    async def live(visit: Visit, _body: bytes) -> Reply:
        del visit
        return Reply(200, b'{"live":true}', _JSON)

    async def ready(visit: Visit, _body: bytes) -> Reply:
        del visit
        reasons = await reasons_against(checks)
        body: dict[str, object] = {"ready": True} if not reasons else {"ready": False, "reasons": reasons}
        return Reply(503 if reasons else 200, msgspec.json.encode(body), _JSON)

    async def metrics(visit: Visit, _body: bytes) -> Reply:
        accept = b",".join(visit.headers(b"accept")).decode("latin-1")
        text, content_type = expose(await snapshot(), accept)
        return Reply(200, text, ((b"content-type", content_type.encode()),))

    return (
        Route(method="GET", path="/livez", handler=live),
        Route(method="GET", path="/healthz", handler=live),
        Route(method="GET", path="/readyz", handler=ready),
        Route(method="GET", path="/metrics", handler=metrics),
    )


async def reasons_against(checks: Sequence[Check]) -> list[Reason]:
    """Ask all checks at once, and give what they object to, each thing once."""
    reasons: list[Reason] = []
    for objection in await asyncio.gather(*map(_asked, checks)):
        reasons.extend((objection,) if isinstance(objection, Reason) else objection or ())
    return list(dict.fromkeys(reasons))


def not_stopping(run: Run) -> Check:
    """Give the check that fails as soon as the process has been asked to end."""

    async def check() -> Objection:
        return reason_of(SHUTTING_DOWN) if run.is_stopping else None

    return check


def refuse(visit: Visit, error: DoorwardError) -> Reply:
    """Put a refusal into the admin listener's words."""
    body = {"error": {"code": error.code, "message": error.row.message, "request_id": visit.request_id}}
    return Reply(error.row.status, msgspec.json.encode(body), _JSON)


async def _asked(check: Check) -> Objection:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return reason_of(CHECK_TIMED_OUT)
    except DoorwardError as error:
        return reason_of(error.row)
    except Exception as defect:  # noqa: BLE001 - a probe that fails by a defect must say "not ready", not vanish
        log.error("check.failed", extra={"facts": frames(defect)})  # noqa: TRY400 - values in a traceback may be secret
        return reason_of(INTERNAL_ERROR)
