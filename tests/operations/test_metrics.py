"""What is counted, how workers' numbers add up, and that Prometheus's own parsers read it."""

import json

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from doorward.base.clock import FrozenClock
from doorward.operations.exposition import expose
from doorward.operations.metrics import FAMILIES, Metrics, merged

NOW = 1_800_000_000.0
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def metrics() -> Metrics:
    return Metrics(clock=FrozenClock(NOW), version="1.2.3")


def samples(*counted: Metrics, accept: str = "") -> Samples:
    body, content_type = expose(merged(numbers.snapshot() for numbers in counted), accept)
    read = read_openmetrics if "openmetrics" in content_type else read_text
    found = [sample for family in read(body.decode()) for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}


@pytest.mark.parametrize(
    "accept", ["", "text/plain", "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.1"]
)
def test_prometheus_reads_it(accept: str) -> None:
    """Everything that can be counted stands in the output, in both formats."""
    numbers = metrics()
    numbers.know_audiences(["client"])
    numbers.request("/a", "GET", 200, 0.003)
    numbers.request("/a", "GET", 200, 60)
    numbers.exchange("success", "client")
    numbers.key_set("global", "v2", fetched_at=NOW - 30, keys=4, forced=1, failed=0)
    numbers.key_set("global", "v1", fetched_at=None, keys=0, forced=0, failed=1)
    numbers.store(is_up=True)
    numbers.audit_dropped(7)
    numbers.unknown_fields()
    found = samples(numbers, accept=accept)
    keys = (("cloud", "global"), ("version", "v2"))
    expected: Samples = {
        ("doorward_http_requests_total", (("method", "GET"), ("route", "/a"), ("status", "200"))): 2,
        ("doorward_http_request_duration_seconds_count", (("route", "/a"),)): 2,
        ("doorward_http_request_duration_seconds_sum", (("route", "/a"),)): 60.003,
        ("doorward_http_request_duration_seconds_bucket", (("le", "0.0025"), ("route", "/a"))): 0,
        ("doorward_http_request_duration_seconds_bucket", (("le", "0.005"), ("route", "/a"))): 1,
        ("doorward_http_request_duration_seconds_bucket", (("le", "+Inf"), ("route", "/a"))): 2,
        ("doorward_exchanges_total", (("audience", "client"), ("code", "success"))): 1,
        ("doorward_provider_keys_last_success_timestamp_seconds", keys): NOW - 30,
        ("doorward_provider_keys_age_seconds", keys): 30,
        ("doorward_provider_keys", keys): 4,
        ("doorward_provider_keys_forced_refreshes_total", keys): 1,
        ("doorward_provider_keys_fetch_failures_total", (("cloud", "global"), ("version", "v1"))): 1,
        ("doorward_store_up", ()): 1,
        ("doorward_audit_events_dropped_total", ()): 7,
        ("doorward_unknown_body_fields_total", ()): 1,
        ("doorward_build_info", (("version", "1.2.3"),)): 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    assert ("process_resident_memory_bytes", ()) in found


def test_strangers_choose_no_label() -> None:
    """Audiences that are not registered and methods that nobody uses are counted as one."""
    numbers = metrics()
    numbers.know_audiences(["known"])
    for audience in (None, "", "stranger\n1", "stranger 2"):
        numbers.exchange("audience_mismatch", audience)
    for method in ("PROPFIND", "MKCOL"):
        numbers.request("unknown", method, 404, 0.1)
    found = samples(numbers)
    assert found["doorward_exchanges_total", (("audience", "other"), ("code", "audience_mismatch"))] == 4
    key = (("method", "other"), ("route", "unknown"), ("status", "404"))
    assert found["doorward_http_requests_total", key] == 2


def test_workers_add_up() -> None:
    """Counters of several processes are added, times are the newest, and a store that one cannot reach is down."""
    first, second = metrics(), metrics()
    for number, numbers in enumerate((first, second), 1):
        for _ in range(number):
            numbers.request("/a", "GET", 200, 0.1)
        numbers.keys_fetched("global", "v2", at=NOW - 10 * number, keys=number)
        numbers.store(is_up=number == 1)
    second.request("/b", "GET", 200, 0.1)
    found = samples(first, second)
    keys = (("cloud", "global"), ("version", "v2"))
    assert found["doorward_http_requests_total", (("method", "GET"), ("route", "/a"), ("status", "200"))] == 3
    assert found["doorward_http_request_duration_seconds_count", (("route", "/a"),)] == 3
    assert found["doorward_http_request_duration_seconds_count", (("route", "/b"),)] == 1
    assert found["doorward_provider_keys_last_success_timestamp_seconds", keys] == NOW - 10
    assert found["doorward_provider_keys_age_seconds", keys] == 10
    assert found["doorward_store_up", ()] == 0
    assert found["doorward_build_info", (("version", "1.2.3"),)] == 1


def test_numbers_travel_as_json() -> None:
    """A snapshot that went through JSON, as from a worker, means the same."""
    numbers = metrics()
    numbers.request("/a", "GET", 200, 0.1)
    travelled = json.loads(json.dumps(numbers.snapshot()))
    assert merged([travelled]) == merged([numbers.snapshot()])


def test_names_are_used_once() -> None:
    """No two families share a name, and counters leave the suffix to the format."""
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    assert not [name for name in names if name.endswith("_total")]
