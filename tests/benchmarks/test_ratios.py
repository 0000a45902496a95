import msgspec

from benchmarks.ratios import Mark, Ratios, of

ROUNDS = [
    {of("ours", "per second"): 100.0, of("theirs", "per second"): 200.0, "latency, ms": 0.25},
    {of("ours", "per second"): 60.0, of("theirs", "per second"): 100.0, "latency, ms": 0.5},
    {of("ours", "per second"): 1e6, of("theirs", "per second"): 1e6},
]
SHARE = Mark(name="share", of=of("ours", "per second"), to=of("theirs", "per second"), bound=0.6, aim=0.8)


def test_a_share_is_of_one_round() -> None:
    """What counts is the median of the quotients within each round, not the quotient of the medians."""
    ratios = Ratios(about="", rounds=ROUNDS, marks=[SHARE])
    assert ratios.shares(SHARE) == [0.5, 0.6, 1.0]
    assert [figure.value for figure in ratios.figures()] == [0.6]
    assert ratios.figures()[0].is_reached


def test_a_mark_may_be_an_upper_bound() -> None:
    """A latency must be at most its bound, and rounds that did not measure it do not count."""
    mark = Mark(name="latency", of="latency, ms", to=None, bound=0.3, at_most=True)
    (figure,) = Ratios(about="", rounds=ROUNDS, marks=[mark]).figures()
    assert figure.value == 0.375
    assert not figure.is_reached


def test_what_was_not_measured_decides_nothing() -> None:
    """A mark without its measurement is told in the table, and is no figure."""
    ratios = Ratios(about="", rounds=[{}], marks=[SHARE], missing=["theirs: not to be had"])
    assert ratios.figures() == []
    assert "| share | not measured | at least 0.6 | 0.8 |" in list(ratios.lines())
    assert list(ratios.lines())[-1] == "Not measured: theirs: not to be had"


def test_tables_have_a_column_for_everybody() -> None:
    """What is of somebody stands in columns, everything else in rows with its spread; no number has an exponent."""
    lines = list(Ratios(about="About.", rounds=ROUNDS, marks=[SHARE]).lines())
    assert lines[:5] == ["About.", "", "| median of | ours | theirs |", "|---|---|---|", "| per second | 100 | 200 |"]
    assert "| latency, ms | 0.375 | 0.25 to 0.5 |" in lines
    assert "| share | 0.60 (0.50 to 1.00) | at least 0.6 | 0.8 |" in lines


def test_a_miss_is_said() -> None:
    """A share below its bound is marked."""
    (line,) = [line for line in Ratios(about="", rounds=ROUNDS[:1], marks=[SHARE]).lines() if line.startswith("| sh")]
    assert line == "| share | 0.50 **missed** (0.50 to 0.50) | at least 0.6 | 0.8 |"


def test_a_run_can_be_read_again() -> None:
    """What is written as JSON holds every round."""
    ratios = Ratios(about="", rounds=ROUNDS, marks=[SHARE])
    assert msgspec.json.decode(msgspec.json.encode(ratios), type=Ratios) == ratios
