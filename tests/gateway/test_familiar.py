"""What of requests is remembered, and for how many of them."""

import pytest

from doorward.gateway.familiar import LONGEST_BLOCK, LONGEST_LINE, MOST_LINES, Familiar, KnownFields, Standing
from doorward.gateway.head import Head
from doorward.gateway.judge import judge

STANDING = Standing(key=b"key")


def head(number: int = 0, *, line: bytes = b"GET / HTTP/1.1", more: bytes = b"") -> Head:
    """Give the head of a request, one of many."""
    return judge(b"%b\r\nHost: a\r\nX-Number: %d\r\n%b\r\n" % (line, number, more))


def keep(familiar: Familiar, known: Head) -> None:
    """Remember the lines of a head."""
    familiar.keep(KnownFields(known, [b"kept"], STANDING))


def test_what_comes_twice_is_worth_keeping() -> None:
    """Header lines are kept when they come for the second time, and then not again."""
    familiar = Familiar()
    assert [familiar.is_worth_keeping(head()) for _ in range(2)] == [False, True]
    keep(familiar, head())
    assert not familiar.is_worth_keeping(head(line=b"GET /other HTTP/1.1"))
    assert familiar.lines == {b"GET / HTTP/1.1", b"GET /other HTTP/1.1"}
    known = familiar.fields[head().block]
    assert (known.kept, known.host, known.standing) == ((b"kept",), b"a", STANDING)


@pytest.mark.parametrize(
    "asked",
    [
        head(line=b"HEAD / HTTP/1.1"),
        head(line=b"GET / HTTP/1.0"),
        head(line=b"GET http://a/ HTTP/1.1"),
        head(line=b"GET /%09 HTTP/1.1"),
        head(line=b"GET /%b HTTP/1.1" % (b"a" * LONGEST_LINE)),
        head(more=b"X: %b\r\n" % (b"a" * LONGEST_BLOCK)),
        head(more=b"Connection: close\r\n"),
        head(more=b"Connection: keep-alive, x\r\n"),
        head(more=b"Upgrade: websocket\r\nConnection: Upgrade\r\n"),
        head(more=b"Upgrade: websocket\r\n"),
        head(more=b"Content-Length: 1\r\n"),
        head(more=b"Transfer-Encoding: chunked\r\n"),
    ],
    ids=lambda asked: repr(asked.line[:24] + asked.block[-24:]),
)
def test_what_is_out_of_the_ordinary_never_is(asked: Head) -> None:
    """Where more than the bytes of an ordinary GET decides, nothing is remembered, of the first line neither."""
    familiar = Familiar()
    assert [familiar.is_worth_keeping(asked) for _ in range(3)] == [False] * 3
    assert familiar.lines == set()


def test_the_bounds_hold() -> None:
    """Neither lines nor fields grow beyond their bounds, whatever comes."""
    room = 10 * KnownFields(head(), [], STANDING).weight
    familiar = Familiar(room)
    for number in range(1000):
        keep(familiar, head(number))
        assert sum(known.weight for known in familiar.fields.values()) <= room
    for number in range(2 * MOST_LINES):
        familiar.is_worth_keeping(head(line=b"GET /%d HTTP/1.1" % number))
        assert len(familiar.lines) <= MOST_LINES


def test_too_many_in_turn_do_not_drive_each_other_out() -> None:
    """Where twice as many come in turn as there is room for, many are known each time; others take over in the end."""
    familiar = Familiar(100 * KnownFields(head(1000), [], STANDING).weight)
    found = 0
    for turn in range(10):
        for number in range(200):
            known = head(number).block in familiar.fields
            found += known and turn > 0
            if not known:
                keep(familiar, head(number))
    assert found > 9 * 200 // 4
    for _ in range(16):
        for number in range(5000, 5100):
            if head(number).block not in familiar.fields:
                keep(familiar, head(number))
    assert sum(head(number).block in familiar.fields for number in range(5000, 5100)) > 50
