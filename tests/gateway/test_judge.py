"""What is a request head, and means one thing alone: tables, properties, and two other readers as witnesses."""

import re

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.gateway.fields import Unreadable
from doorward.gateway.judge import judge, refuse_early
from doorward.gateway.line import KNOWN_LINES, KNOWN_NAMES, _lines, _names, read_line
from tests.support.heads import GRAMMAR, SEEDS, spoil_head, witnessed

GOOD = b"GET /a?b HTTP/1.1\r\nHost: a.example\r\n\r\n"


def head(*lines: str, first: str = "GET / HTTP/1.1", host: str = "Host: a") -> bytes:
    return "\r\n".join([first, *([host] if host else []), *lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    "raw",
    [
        head("Content-Length: 1", "Content-Length: 1", first="POST / HTTP/1.1"),
        head("Content-Length: 1, 1", first="POST / HTTP/1.1"),
        head("Content-Length: 1", "Transfer-Encoding: chunked", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: chunked", "Content-Length: 1", first="POST / HTTP/1.1"),
        head("Content-Length: +1", first="POST / HTTP/1.1"),
        head("Content-Length: -1", first="POST / HTTP/1.1"),
        head("Content-Length: 0x1", first="POST / HTTP/1.1"),
        head("Content-Length: 1_0", first="POST / HTTP/1.1"),
        head("Content-Length: 1 1", first="POST / HTTP/1.1"),
        head("Content-Length:", first="POST / HTTP/1.1"),
        head("Content-Length: 99999999999999999999", first="POST / HTTP/1.1"),
        head("Content-Length : 1", first="POST / HTTP/1.1"),
        head("Content_Length: 1", first="POST / HTTP/1.1"),
        head("Content-Length: 1", "content_length: 2", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: gzip, chunked", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: chunked, identity", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: identity", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: xchunked", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: \x0bchunked", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: chunked;q=1", first="POST / HTTP/1.1"),
        head("Transfer_Encoding: chunked", first="POST / HTTP/1.1"),
        head("Transfer-Encoding: chunked", first="POST / HTTP/1.0"),
        head("X: a", " b"),
        head("X: a", "\tb"),
        head(" X: a"),
        head("X : a"),
        head("X\t: a"),
        head(": a"),
        head("X"),
        head("X: a\rb"),
        head("X: a\nY: b"),
        head("X: a\x00b"),
        head("X: a\x7f"),
        head("X\x80: a"),
        head("(X): a"),
        head(host=""),
        head("Host: b"),
        head("Host: a"),
        head(host="Host:"),
        head(host="Host: a b"),
        head(host="Host: a,b"),
        head(host="Host: a@b"),
        head(host="Host: a/b"),
        head(host="Host: a:b"),
        head(host="Host: a:999999"),
        head(host="Host: [::1"),
        head(host="Host: \xe4"),
        head("Host: b", first="GET / HTTP/1.0"),
        head("Connection: Host"),
        head("Connection: close, Authorization"),
        head("Connection: cookie"),
        head("Connection: x-forwarded-for"),
        head("X_Forwarded_For: 1"),
        head("X-Zumo_Auth: 1"),
        head("Foo-Bar: 1", "Foo_Bar: 2"),
        head("Upgrade: a", "Upgrade: b", "Connection: upgrade"),
        head(first="GET  / HTTP/1.1"),
        head(first="GET /  HTTP/1.1"),
        head(first="GET\t/ HTTP/1.1"),
        head(first=" GET / HTTP/1.1"),
        head(first="GET / HTTP/1.1 "),
        head(first="GET / HTTP/1.2"),
        head(first="GET / HTTP/2.0"),
        head(first="GET / HTTP/0.9"),
        head(first="GET / HTTP/1.10"),
        head(first="GET / http/1.1"),
        head(first="GET / RTSP/1.0"),
        head(first="GET /"),
        head(first="GET"),
        head(first="get / HTTP/1.1"),
        head(first="CONNECT a:443 HTTP/1.1"),
        head(first="CONNECT /a HTTP/1.1"),
        head(first="OPTIONS * HTTP/1.1"),
        head(first="GET a HTTP/1.1"),
        head(first="GET ?a HTTP/1.1"),
        head(first="GET //[ HTTP/1.1\x00"),
        head(first="GET /a#b HTTP/1.1"),
        head(first="GET /a\x7f HTTP/1.1"),
        head(first="GET /\xe4 HTTP/1.1"),
        head(first="GET /a\x01 HTTP/1.1"),
        head(first="GET http://b/ HTTP/1.1"),
        head(first="GET http://a:80/ HTTP/1.1"),
        head(first="GET http://u@a/ HTTP/1.1"),
        head(first="GET http:///x HTTP/1.1"),
        head(first="GET ftp://a/ HTTP/1.1"),
        head(first="GET http://a/ HTTP/1.0", host=""),
        b"\r\n" + GOOD,
        GOOD.replace(b"\r\n", b"\n"),
        GOOD.replace(b"\r\n\r\n", b"\n\r\n"),
        GOOD[:-2],
        b"",
    ],
)
def test_ambiguity_is_refused(raw: bytes) -> None:
    """What two programs could read differently, or what is no HTTP/1.x request, is refused."""
    with pytest.raises(Unreadable):
        judge(raw)


@pytest.mark.parametrize("count", [199, 300])
def test_fields_are_bounded(count: int) -> None:
    """Many fields are read, too many are 431."""
    raw = head(*(f"X{number}: a" for number in range(count)))
    if count < 200:
        assert len(judge(raw).fields) == count + 1
    else:
        with pytest.raises(Unreadable) as refused:
            judge(raw)
        assert refused.value.status == 431


def test_what_was_sent_is_kept() -> None:
    """Lines keep their bytes and their order; we read names in lower case, values without white space around them."""
    lines = ("X-A:  b c\t ", "x-a: \xe4", "EMPTY:", 'X_B: "q"')
    judged = judge(head(*lines))
    assert [line.raw for line in judged.lines] == [f"{line}\r\n".encode("latin-1") for line in ("Host: a", *lines)]
    assert judged.fields == (
        (b"host", b"a"),
        (b"x-a", b"b c"),
        (b"x-a", b"\xe4"),
        (b"empty", b""),
        (b"x_b", b'"q"'),
    )


def test_what_frames_is_set_in_one_way() -> None:
    """A line by which requests are told apart goes on with one space, whatever it came with."""
    assert [line.raw for line in judge(head("Content-Length:\t 5", host="HOST:a")).lines] == [
        b"HOST: a\r\n",
        b"Content-Length: 5\r\n",
    ]
    for line in ("Content-Length: 5 ", "Transfer-Encoding: chunked\t"):
        with pytest.raises(Unreadable):
            judge(head(line))


def test_private_lines_are_not_remembered() -> None:
    """What is remembered between requests holds no credential."""
    judge(head("Cookie: a=remember-me-not", "Authorization: Bearer remember-me-not", "X-Other: remember-me-not"))
    judge(head("Accept: remember/me"))
    assert b"Accept: remember/me" in _lines
    assert not [line for line in _lines if b"remember-me-not" in line]


def test_little_is_remembered() -> None:
    """However many lines and names strangers make up, few are kept."""
    for number in range(KNOWN_LINES + 10):
        read_line(b"Accept: %d" % number)
        read_line(b"X-%d: a" % number)
    assert len(_lines) <= KNOWN_LINES
    assert len(_names) <= KNOWN_NAMES


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("//x/../%2e;a\\b", "//x/../%2e;a\\b", ""),
        ('/a?b?c=|{}^`<>"', "/a", 'b?c=|{}^`<>"'),
        ("http://a/x?y", "/x", "y"),
        ("HTTPS://A", "/", ""),
        ("http://a?y", "/", "y"),
    ],
)
def test_targets(target: str, path: str, query: str) -> None:
    """Path and query are those that were sent; an absolute target of the same host is its path."""
    judged = judge(head(first=f"GET {target} HTTP/1.1"))
    assert (judged.path, judged.query) == (path, query)
    assert judged.target.decode() == path + (f"?{query}" if query else "")


@pytest.mark.parametrize(
    ("lines", "length", "keeps_alive", "offers", "expects"),
    [
        ((), 0, True, (), False),
        (("Connection: Close",), 0, False, (), False),
        (("Connection: keep-alive", "Connection: x, close"), 0, False, (), False),
        (("Content-Length: 12", "Expect: 100-Continue"), 12, True, (), True),
        (("Transfer-Encoding: Chunked",), None, True, (), False),
        (("Expect: 100-continue",), 0, True, (), False),
        (("Upgrade: websocket", "Connection: keep-alive, Upgrade"), 0, True, (b"websocket",), False),
        (("Upgrade: h2c, x/1, HTTP/2.0, TLS/1.0", "Connection: Upgrade"), 0, True, (b"x/1",), False),
        (("Upgrade: websocket",), 0, True, (), False),
    ],
)
def test_what_a_head_says(
    lines: tuple[str, ...],
    length: int | None,
    keeps_alive: bool,  # noqa: FBT001 - a column of the table
    offers: tuple[bytes, ...],
    expects: bool,  # noqa: FBT001 - see above
) -> None:
    """Length, the end of the connection, offers of other protocols and the wish for a go-ahead are read."""
    judged = judge(head(*lines))
    assert (judged.length, judged.keeps_alive) == (length, keeps_alive)
    assert (judged.offers, judged.expects_go_ahead) == (offers, expects)


def test_http_1_0_says_less() -> None:
    """In HTTP/1.0 a connection ends after one answer, nothing is offered, nobody waits, and Host may be absent."""
    judged = judge(head("Connection: keep-alive, upgrade", "Upgrade: x", first="GET / HTTP/1.0", host=""))
    assert (judged.is_1_1, judged.keeps_alive, judged.offers, judged.host) == (False, False, (), b"")


def test_secrets_are_not_shown() -> None:
    """What a head prints of itself holds neither query nor fields."""
    assert repr(judge(head("Cookie: secret", first="GET /a?code=secret HTTP/1.1"))) == "Head('GET', '/a')"


@pytest.mark.parametrize(
    "begun",
    [b"\x16\x03\x01", b"SSH-2.0-OpenSSH\r\n", b"get ", b"GET / HTTP/1.1\n", b"GET x", b"GET / HTTP/2.0\r\n", b"A" * 30],
)
def test_what_can_be_no_request_is_refused_early(begun: bytes) -> None:
    """Another protocol is told from its first bytes."""
    with pytest.raises(Unreadable):
        refuse_early(begun)


def test_no_beginning_of_a_request_is_refused() -> None:
    """However little of a good request has come, it is waited for."""
    for raw in (GOOD, head(first="GET http://a/x HTTP/1.0"), head(first="M-SEARCH /" + "a" * 300 + " HTTP/1.1")):
        for end in range(1, len(raw)):
            refuse_early(raw[:end])


@given(st.integers(0, 2**32))
def test_only_what_is_well_formed_passes(seed: int) -> None:
    """A spoiled head is refused, or it is well formed by the grammar, and a second strict reader takes it as we do."""
    raw = spoil_head(seed)
    try:
        judged = judge(raw)
    except Unreadable:
        return
    assert GRAMMAR.fullmatch(raw)
    assert witnessed(raw) == list(judged.fields)
    witness = h11.Connection(h11.SERVER)
    witness.receive_data(raw)
    event = witness.next_event()
    assert isinstance(event, h11.Request)
    assert event.method == judged.method.encode()
    assert [(bytes(name), bytes(value)) for name, value in event.headers] == list(judged.fields)


@pytest.mark.parametrize("raw", SEEDS)
def test_the_seeds_pass(raw: bytes) -> None:
    """What the spoiling begins with is a good request."""
    assert judge(raw).target
    assert re.match(rb"[A-Z]+ /", raw)


@pytest.mark.parametrize("method", ["FOO", "PROPFIND", "REPORT", "VERSION-CONTROL", "GETS"])
def test_a_method_of_anybody_is_passed_on(method: str) -> None:
    """Which methods there are is the application's business (RFC 9110 section 9.1)."""
    assert judge(head(first=f"{method} /a HTTP/1.1")).method == method
