from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from benchmarks import gateway, gateway_large, sink
from benchmarks.__main__ import _parser
from benchmarks.gateway_figures import MARKS, rate
from benchmarks.ratios import Ratios
from benchmarks.report import write_docs
from benchmarks.results import Results

PLAN = gateway.Plan(sessions=10_000, further=0, seconds=2, rounds=5)


def test_a_whole_run_asks_every_size_over_every_number_of_connections() -> None:
    """Beside the usual measurement there are eight, and none twice."""
    others = PLAN.length.others()
    assert len(others) == len(set(others)) == 8
    assert {rate(*each) for each in others} >= {"per second: 1 MiB, 256 connections", "per second: 100 B, 1 connection"}


def test_a_quick_run_changes_one_thing_at_a_time() -> None:
    """It asks for other sizes over the usual connections, and for the usual size over others."""
    quick = gateway.Plan(sessions=10_000, further=0, seconds=2, rounds=5, quick=True)
    assert sorted(quick.length.others()) == [("/", 1), ("/", 256), ("/10k", 32), ("/1m", 32)]


def test_marks_have_names_of_their_own() -> None:
    """No two marks share a name, and an aim is never easier than its bound."""
    assert len({mark.name for mark in MARKS}) == len(MARKS)
    assert all(mark.aim > mark.bound for mark in MARKS if mark.aim is not None and not mark.at_most)


def test_large_bodies_are_ten_gibibytes_unless_said() -> None:
    """They are sent when asked for, in GiB."""
    parser = _parser()
    assert parser.parse_args(["gateway"]).large == 0
    assert parser.parse_args(["gateway", "--large"]).large == 10
    assert parser.parse_args(["gateway", "--large", "1"]).large == 1


@contextmanager
def _running_sink() -> Generator[int]:
    with sink.Server(("127.0.0.1", 0)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("size", [0, 1, sink.PIECE, 3 * sink.PIECE + 7])
def test_every_byte_of_a_large_body_is_counted(size: int) -> None:
    """Bodies of any size go down and up whole, one after another."""
    with _running_sink() as port:
        gateway_large.download(port, size, "cookie")
        gateway_large.upload(port, size, "cookie")


def test_a_lost_byte_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is reported of a body that did not come whole."""

    def take_less(*_: object) -> int:
        return 6

    monkeypatch.setattr(sink.Handler, "taken", take_less)
    with _running_sink() as port, pytest.raises(RuntimeError, match="b'6' of 7 bytes came up"):
        gateway_large.upload(port, 7, "cookie")


def test_the_slot_of_a_page_is_filled(tmp_path: Path) -> None:
    """Only the tables of this benchmark are replaced."""
    page = tmp_path / "performance.md"
    slot = "<!-- figures: written by `scripts/bench {} --write-docs` -->\nold {}\n<!-- end of the figures -->\n"
    page.write_text(slot.format("easyauth", "one") + slot.format("gateway", "one"))
    results: Results | Ratios = Ratios(about="About \\1.", rounds=[{"x": 1.0}], marks=[])
    for _ in range(2):
        write_docs("gateway", results, page)
    text = page.read_text()
    assert "old one\n<!-- end" in text
    assert text.count("old one") == 1
    assert text.count("About \\1.") == 1
    assert text.endswith("| x | 1 | 1 to 1 |\n\n| must be reached | measured (least to greatest) | bound | aim |\n"
                         "|---|---|---|---|\n\n<!-- end of the figures -->\n")  # fmt: skip
