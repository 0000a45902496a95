from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.base.clock import FrozenClock, SystemClock, rfc3339


def test_a_frozen_clock_stands() -> None:
    """It moves when it is told to, and both its readings move together."""
    clock = FrozenClock(100.0)
    assert (clock.now(), clock.now(), clock.monotonic()) == (100.0, 100.0, 100.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (102.5, 102.5)


def test_the_system_clock_runs() -> None:
    """Monotonic time never runs backwards, and the wall clock is in this century."""
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert 1_700_000_000 < clock.now() < 4_100_000_000


@pytest.mark.parametrize(
    ("at", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1769860800.5, "2026-01-31T12:00:00.500Z"), (-1, "1969-12-31T23:59:59.000Z")],
)
def test_rfc_3339(at: float, text: str) -> None:
    """Times are printed in UTC to the millisecond."""
    assert rfc3339(at) == text


@given(at=st.floats(0, 4e9))
def test_printed_times_read_back(at: float) -> None:
    """A printed time is the time to the millisecond."""
    assert abs(datetime.fromisoformat(rfc3339(at)).astimezone(UTC).timestamp() - at) < 0.001001
