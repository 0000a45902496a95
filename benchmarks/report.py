"""What came of a run, as tables for people and JSON for programs."""

import itertools
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks.processes import ROOT
from benchmarks.ratios import Ratios
from benchmarks.results import EngineResults, Results, Round

_BEGIN, _END = "<!-- figures: written by `scripts/bench {suite} --write-docs` -->", "<!-- end of the figures -->"


def print_tables(results: Results | Ratios) -> None:
    """Print the tables to standard output."""
    print("\n".join(lines_of(results)))


def lines_of(results: Results | Ratios) -> Iterator[str]:
    """Give the tables, under a line that names the machine."""
    if isinstance(results, Results):
        return _lines(results)
    return itertools.chain([f"{_machine()}."], results.lines())


def write_json(suite: str, results: Results | Ratios) -> Path:
    """Write everything below bench-results/ and give the file."""
    directory = ROOT / "bench-results"
    directory.mkdir(exist_ok=True)
    file = directory / f"{suite}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}.json"
    file.write_bytes(msgspec.json.format(msgspec.json.encode({"machine": _machine(), "results": results})))
    return file


def write_docs(suite: str, results: Results | Ratios, page: Path) -> None:
    """Put the tables in place of the suite's older ones on a page."""
    begin, text = _BEGIN.format(suite=suite), page.read_text()
    table = "\n".join([begin, "", *lines_of(results), "", _END])
    page.write_text(re.sub(f"{re.escape(begin)}.*?{re.escape(_END)}", lambda _: table, text, flags=re.DOTALL))


def _machine() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return f"{model.group(1) if model else 'unknown'}, Linux {platform.release()}, Python {sys.version.split()[0]}"


def _lines(results: Results) -> Iterator[str]:
    log = "with the access log" if results.access_log else "without access log, as the bare server"
    size = f"{results.users} users, {results.connections} connections, {results.rounds} rounds"
    yield f"{_machine()}; {size}; {log}; medians."
    for engine in results.engines:
        yield ""
        yield from _table(engine)
    yield ""
    yield "| must be reached | measured | bound |"
    yield "|---|---|---|"
    for figure in results.figures():
        sign = "at most" if figure.at_most else "at least"
        missed = "" if figure.is_reached else " **missed**"
        yield f"| {figure.name} | {figure.value:.2f}{missed} | {sign} {figure.bound:g} |"


def _table(engine: EngineResults) -> Iterator[str]:
    yield f"| {engine.engine} | per second | µs | share (least to greatest of the rounds) |"
    yield "|---|---|---|---|"
    yield _row("bare server, body and answer of a login", engine, lambda r: r.bare_login)
    for name in engine.rounds[0].parts:
        yield f"| floor: {name} | | {engine.median(lambda r, n=name: r.parts[n]) * 1e6:.1f} | |"
    yield _row("floor: sum of all", engine, lambda r: 1 / r.floor)
    yield f"| floor: statements of a first sign-in | | {engine.median(lambda r: r.first_database) * 1e6:.1f} | |"
    yield _row("**login**", engine, lambda r: r.login, lambda r: r.share)
    if engine.engine == "sqlite":  # on PostgreSQL the floor's parts are waited for, and another process makes them
        yield _processor_row("login", engine, lambda r: r.login_share_of_processor)
    yield _row("first sign-in", engine, lambda r: r.first, lambda r: r.first_share)
    yield _row("bare server, body and answer of an introspection", engine, lambda r: r.bare_introspection)
    yield _row("introspection", engine, lambda r: r.introspection, lambda r: r.introspection_share)
    yield _processor_row("introspection", engine, lambda r: r.introspection_share_of_processor)
    yield _row(
        "introspection of a token for the first time",
        engine,
        lambda r: r.first_introspection,
        lambda r: r.first_introspection_share,
    )
    ready, memory = engine.ready_seconds, f"{engine.idle_memory:.1f} MiB; after all {engine.memory:.1f} MiB"
    yield f"| ready in {ready:.3f} s with {memory} | | | |"


def _processor_row(name: str, engine: EngineResults, share: Callable[[Round], float]) -> str:
    least, greatest = engine.spread(share)
    taken = engine.median(lambda r: r.processor[name]) * 1e6
    return f"| {name}, by processor time | | {taken:.1f} | {engine.median(share):.2f} ({least:.2f} to {greatest:.2f}) |"


def _row(
    name: str, engine: EngineResults, rate: Callable[[Round], float], share: Callable[[Round], float] | None = None
) -> str:
    median = engine.median(rate)
    shown = ""
    if share is not None:
        least, greatest = engine.spread(share)
        shown = f"{engine.median(share):.2f} ({least:.2f} to {greatest:.2f})"
    return f"| {name} | {median:.0f} | {1e6 / median:.1f} | {shown} |"
