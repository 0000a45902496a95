"""Runs of header lines: remembered or not, they say the same, and nothing private stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.gateway import run
from doorward.gateway.fields import Unreadable
from doorward.gateway.head import Head
from doorward.gateway.judge import judge
from doorward.gateway.run import KNOWN_RUNS, read_runs
from tests.support.heads import SEEDS, spoil_head

_LINES = st.sampled_from([
    "Host: a", "Host: b", "Connection: keep-alive", "Connection: close", "Connection: upgrade", "Upgrade: websocket",
    "Content-Length: 1", "Transfer-Encoding: chunked", "Accept: */*", "Accept : */*", "accept: text/html",
    "Cookie: a=b", "Cookie: c=d", "cookie: e=f", "Referer: http://a/", "X-Other: 1", "X_Other: 1", "Content_Length: 1",
    "Expect: 100-continue", "X-MS-CLIENT-PRINCIPAL: me", "X-Forwarded-For: 192.0.2.1", "",
])  # fmt: skip


def said(raw: bytes) -> object:
    """Give everything that is read out of a head, or its refusal."""
    try:
        head = judge(raw)
    except Unreadable as refused:
        return refused.status
    names = [name for name in Head.__slots__ if name != "runs"]
    return {name: getattr(head, name) for name in names} | {"lines": [line.raw for line in head.lines]}


def said_afresh(raw: bytes) -> object:
    run._runs.clear()
    return said(raw)


@given(st.lists(_LINES, max_size=8), st.sampled_from(["1.1", "1.0"]))
def test_what_is_remembered_says_the_same(lines: list[str], version: str) -> None:
    """A head that was seen before, and one of which parts were, is read as if nothing were remembered."""
    raw = "\r\n".join([f"POST / HTTP/{version}", *lines, "", ""]).encode()
    afresh = said_afresh(raw)
    assert said(raw) == afresh
    other = raw.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    heard = said(other)
    assert heard == said_afresh(other)


@given(st.integers(0, 2**32))
def test_spoilt_heads_say_the_same(seed: int) -> None:
    """Behind heads that are remembered, each spoilt head comes to what it comes to alone."""
    spoilt = spoil_head(seed)
    afresh = said_afresh(spoilt)
    for whole in SEEDS:
        said(whole)
    assert said(spoilt) == afresh


@pytest.mark.parametrize("name", ["Cookie", "Referer", "Authorization", "X-A"])
def test_nothing_private_is_remembered(name: str) -> None:
    """A run with a line that may hold a secret is read anew each time."""
    read_runs(f"\r\nAccept: 1\r\n{name}: secret\r\nAccept: 2".encode())
    assert not [block for block in run._runs if b"secret" in block]


def test_few_runs_are_remembered() -> None:
    """However many runs strangers make up, few are kept, and no long one."""
    for number in range(KNOWN_RUNS + 10):
        read_runs(b"\r\nAccept: %d" % number)
    assert len(run._runs) <= KNOWN_RUNS
    read_runs(b"\r\nAccept: 1" * 400)
    assert not [block for block in run._runs if len(block) > run.KNOWN_RUN_BYTES]
