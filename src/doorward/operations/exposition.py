"""Metrics in the words of Prometheus; the only importer of prometheus_client.

Owns the translation of a snapshot into the text format 0.0.4 or OpenMetrics. The library is loaded at the first scrape:
a worker is ready without it (docs/adr/0003-inbound.md).
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, cast

from doorward.operations.metrics import FAMILIES, SECONDS, Family, Labels, Snapshot

if TYPE_CHECKING:
    from prometheus_client import Metric

OPENMETRICS = "application/openmetrics-text"


def expose(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """Give the metrics and their Content-Type: OpenMetrics where the Accept header names it, else text format 0.0.4.

    Memory, processor time and open files of the process that is asked go with them.
    """
    import prometheus_client  # noqa: PLC0415 - see the module's docstring
    from prometheus_client.openmetrics import exposition as openmetrics  # noqa: PLC0415 - see the module's docstring

    registry = prometheus_client.CollectorRegistry()
    registry.register(_Snapshot(snapshot))
    prometheus_client.ProcessCollector(registry=registry)
    if OPENMETRICS in accept:
        generate = cast("Callable[[object], bytes]", openmetrics.generate_latest)  # pyright: ignore[reportUnknownMemberType] - the library leaves it untyped
        return generate(registry), openmetrics.CONTENT_TYPE_LATEST
    return prometheus_client.generate_latest(registry), prometheus_client.CONTENT_TYPE_PLAIN_0_0_4


class _Snapshot:
    """A collector, in the library's sense, over numbers that were taken before."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator["Metric"]:
        """Give every family, also those of which nothing has been counted yet."""
        from prometheus_client import Metric  # noqa: PLC0415 - see the module's docstring

        for family in FAMILIES:
            metric = Metric(family.name, family.help, family.kind)
            for labels, values in self._snapshot.get(family.name, ()):
                for suffix, extra, value in _samples(family, values):
                    metric.add_sample(family.name + suffix, {**_named(family, labels), **extra}, value)
            yield metric


def _named(family: Family, labels: Labels) -> dict[str, str]:
    return dict(zip(family.labels, labels, strict=True))


def _samples(family: Family, values: list[float]) -> Iterable[tuple[str, dict[str, str], float]]:
    """Give the samples of one label set: suffix of the name, labels beside its own, value."""
    if family.kind == "counter":
        return [("_total", {}, values[0])]
    if family.kind == "gauge":
        return [("", {}, values[0])]
    counts = list(accumulate(values[:-1]))
    bounds = [*(str(bound) for bound in SECONDS), "+Inf"]
    buckets = [("_bucket", {"le": bound}, count) for bound, count in zip(bounds, counts, strict=True)]
    return [*buckets, ("_count", {}, counts[-1]), ("_sum", {}, values[-1])]
