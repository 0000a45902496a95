import sys

import pytest

from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.refusals import INVALID_TOKEN, KEYS_UNAVAILABLE, RATE_LIMITED
from doorward.exchange import limits
from doorward.exchange.limits import Counter, ExchangeLimits, LimitRules, site_of
from tests.support.visits import visit

REFUSED = DoorwardError(INVALID_TOKEN)


def exchange_limits(clock: FrozenClock, *, enabled: bool = True) -> ExchangeLimits:
    """Allow three refused exchanges and two of an identity in a minute."""
    return ExchangeLimits(clock, LimitRules(enabled=enabled, failures=3, per_identity=2, window=60))


def wait_of(counter: Counter, key: str = "k") -> int | None:
    """Give the seconds to wait, or None where nothing is refused."""
    try:
        counter.refuse_if_full(key)
    except DoorwardError as error:
        return error.retry_after
    return None


def is_refused(checked: ExchangeLimits, peer: str, *headers: tuple[str, str]) -> bool:
    """Say whether an address is refused."""
    try:
        checked.refuse_address(visit(*headers, peer=peer))
    except DoorwardError:
        return True
    return False


def test_the_window_slides() -> None:
    """Events count for exactly the window after they happened, not for a fixed minute."""
    clock = FrozenClock(1000)
    counter = Counter(clock, 2, 60)
    counter.add("k")
    clock.advance(50)
    counter.add("k")
    assert wait_of(counter) == 10
    clock.advance(9.5)
    assert wait_of(counter) == 1
    clock.advance(0.5)
    assert wait_of(counter) is None
    counter.add("k")
    assert wait_of(counter) == 50
    assert wait_of(counter, "other") is None


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the longest untouched keys are forgotten first."""
    monkeypatch.setattr(limits, "MAX_KEYS", 3)
    counter = Counter(FrozenClock(0), 1, 60)
    for key in ("a", "b", "c", "a", "d", "e"):
        counter.add(key)
    assert [key for key in "abcde" if wait_of(counter, key)] == ["a", "d", "e"]


def test_a_key_keeps_no_more_events_than_it_needs() -> None:
    """A flood from one address does not grow."""
    counter = Counter(FrozenClock(0), 5, 60)
    for _ in range(1000):
        counter.add("k")
    assert len(counter._events["k"]) == 5


def test_what_has_left_the_window_is_forgotten() -> None:
    """A flood from many addresses holds no memory once its window is over, whoever asks next, and bit by bit."""
    clock = FrozenClock(0)
    counter = Counter(clock, 30, 60)
    for number in range(1000):
        counter.add(f"flood {number}")
    clock.advance(60)
    counter.add("late")
    assert 1000 - 20 < len(counter._events) < 1000
    for _ in range(70):
        counter.wait("late")
    assert list(counter._events) == ["late"]


def test_events_outside_the_window_take_no_room() -> None:
    """A key that comes now and then keeps the events of its window, and each is a few bytes."""
    clock = FrozenClock(0)
    counter = Counter(clock, 30, 60)
    for _ in range(100):
        counter.add("k")
        clock.advance(20)
    assert len(counter._events["k"]) <= 3
    for _ in range(100):
        counter.add("k")
    assert sys.getsizeof(counter._events["k"]) < 512


def test_a_rate_is_told_of_once_in_a_window() -> None:
    """Of each address the first refusal for its rate is news, then none until the window is over."""
    clock = FrozenClock(0)
    checked = exchange_limits(clock)
    assert [checked.is_news(visit(peer=peer)) for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.2")] == [
        True,
        False,
        True,
    ]
    clock.advance(60)
    assert checked.is_news(visit(peer="192.0.2.1"))


def test_refused_exchanges_count() -> None:
    """So many refused exchanges of an address are allowed in the window, then it is refused until the first is old."""
    clock = FrozenClock(0)
    checked = exchange_limits(clock)
    for _ in range(3):
        assert not is_refused(checked, "192.0.2.1")
        checked.note_refused(visit(), REFUSED)
    assert is_refused(checked, "192.0.2.1")
    assert not is_refused(checked, "192.0.2.2")
    clock.advance(60)
    assert not is_refused(checked, "192.0.2.1")


@pytest.mark.parametrize("row", [RATE_LIMITED, KEYS_UNAVAILABLE])
def test_our_own_faults_do_not_count(row: ErrorRow) -> None:
    """What is our fault, or was refused for its rate, is not held against the caller."""
    checked = exchange_limits(FrozenClock(0))
    for _ in range(10):
        checked.note_refused(visit(), DoorwardError(row))
    assert not is_refused(checked, "192.0.2.1")


def test_identities_count() -> None:
    """So many exchanges of a verified identity are allowed; another identity, tenant or cloud is not touched."""
    clock = FrozenClock(0)
    checked = exchange_limits(clock)
    checked.count_identity("c", "t", "o")
    checked.count_identity("c", "t", "o")
    with pytest.raises(DoorwardError) as refused:
        checked.count_identity("c", "t", "o")
    assert (refused.value.row, refused.value.retry_after) == (RATE_LIMITED, 60)
    checked.count_identity("c", "t", "other")
    checked.count_identity("c", "other", "o")
    checked.count_identity("other", "t", "o")
    clock.advance(60)
    checked.count_identity("c", "t", "o")


def test_a_trusted_proxy_is_never_counted() -> None:
    """The client behind a trusted proxy is counted, the proxy never (reference 4.2)."""
    checked = exchange_limits(FrozenClock(0))
    for _ in range(5):
        checked.note_refused(visit(peer="10.0.0.1"), REFUSED)
        checked.note_refused(visit(("X-Forwarded-For", "192.0.2.7"), peer="10.0.0.1"), REFUSED)
    assert not is_refused(checked, "10.0.0.1")
    assert is_refused(checked, "10.0.0.1", ("X-Forwarded-For", "192.0.2.7"))
    assert is_refused(checked, "192.0.2.7")


def test_a_claimed_address_is_not_believed() -> None:
    """A stranger's X-Forwarded-For neither helps the stranger nor hurts the address in it."""
    checked = exchange_limits(FrozenClock(0))
    for _ in range(3):
        checked.note_refused(visit(("X-Forwarded-For", "192.0.2.7"), peer="203.0.113.1"), REFUSED)
    assert is_refused(checked, "203.0.113.1", ("X-Forwarded-For", "192.0.2.8"))
    assert not is_refused(checked, "192.0.2.7")


def test_limits_can_be_off() -> None:
    """Switched off, nothing is counted."""
    checked = exchange_limits(FrozenClock(0), enabled=False)
    for _ in range(10):
        checked.note_refused(visit(), REFUSED)
        checked.count_identity("c", "t", "o")
    assert not is_refused(checked, "192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("unix", "unix", True),
    ],
)
def test_sites(one: str, other: str, *, same: bool) -> None:
    """An IPv6 subscriber is a /64; an IPv4 address is itself, also where IPv6 wraps it."""
    assert (site_of(one) == site_of(other)) is same
