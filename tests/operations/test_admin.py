"""The probes: alive whatever happens, ready only when nothing objects."""

import asyncio
import json
import urllib.parse

import pytest

from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError
from doorward.base.faults import CHECK_TIMED_OUT
from doorward.base.refusals import KEYS_UNAVAILABLE, STORE_UNAVAILABLE
from doorward.inbound.serve import Run
from doorward.operations import admin
from doorward.operations.metrics import Metrics, Snapshot
from tests.support.canaries import canary
from tests.support.serving import serving


async def snapshot() -> Snapshot:
    return Metrics(clock=FrozenClock(0), version="1").snapshot()


async def content() -> admin.Reason | None:
    return None


async def objecting() -> admin.Reason | None:
    return admin.reason_of(KEYS_UNAVAILABLE)


async def refusing() -> admin.Reason | None:
    raise DoorwardError(STORE_UNAVAILABLE, reason="locked")


async def broken() -> admin.Reason | None:
    raise ValueError(canary("in a check"))


async def hanging() -> admin.Reason | None:
    await asyncio.Event().wait()
    return None


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
async def test_alive_asks_nobody(path: str) -> None:
    """The process is alive though nothing is ready."""
    async with serving(admin.routes(checks=[refusing], snapshot=snapshot)) as server:
        assert (await server.get(path)).status == 200


async def test_ready_when_nothing_objects() -> None:
    """With every check content, the answer is 200 and says so."""
    async with serving(admin.routes(checks=[content, content], snapshot=snapshot)) as server:
        answer = await server.get("/readyz")
    assert (answer.status, json.loads(answer.body)) == (200, {"ready": True})
    assert answer.headers["content-type"] == "application/json"


async def test_every_objection_is_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Each check that objects, fails or hangs is a reason with a code, in the order of the checks, within the time."""
    monkeypatch.setattr(admin, "CHECK_SECONDS", 0.05)
    checks = [content, objecting, refusing, broken, hanging]
    async with serving(admin.routes(checks=checks, snapshot=snapshot)) as server:
        answer = await server.get("/readyz")
    body = json.loads(answer.body)
    assert (answer.status, body["ready"]) == (503, False)
    codes = [KEYS_UNAVAILABLE.code, STORE_UNAVAILABLE.code, "internal_error", CHECK_TIMED_OUT.code]
    assert [reason["code"] for reason in body["reasons"]] == codes
    assert all(reason["message"] for reason in body["reasons"])
    assert "CANARY" not in caplog.text


async def test_a_process_that_ends_is_not_ready() -> None:
    """From the first request to stop, readiness is off."""
    run = Run()
    check = admin.not_stopping(run)
    assert await check() is None
    run.stop()
    assert await check() == admin.Reason(code="shutting_down", message="Service is shutting down")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text"),
    ],
)
async def test_metrics_come_in_the_format_asked_for(accept: str, content_type: str) -> None:
    """Prometheus gets OpenMetrics where it asks for it, and the text format otherwise."""
    async with serving(admin.routes(checks=[], snapshot=snapshot)) as server:
        answer = await server.get("/metrics", f"Accept: {accept}")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(content_type)
    assert b"doorward_build_info" in answer.body


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 404), ("GET", "/metrics/", 404), ("POST", "/readyz", 405)]
)
async def test_refusals_are_json(method: str, path: str, status: int) -> None:
    """Unknown paths and wrong methods are JSON with a code and the request id."""
    async with serving(admin.routes(checks=[], snapshot=snapshot), envelopes={"": admin.refuse}) as server:
        answer = await server.get(urllib.parse.quote(path), method=method)
    error = json.loads(answer.body)["error"]
    assert answer.status == status
    assert error["request_id"] == answer.headers["x-request-id"]
    assert error["code"] in {"not_found", "method_not_allowed"}
