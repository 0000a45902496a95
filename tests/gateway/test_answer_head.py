"""The heads of the application's answers: what is read from them, what is refused, what the client gets."""

import pytest

from doorward.gateway.answer_head import AnswerHead, judge_answer
from doorward.gateway.body import Chunked, Sized, UntilClose
from doorward.gateway.fields import Unreadable
from doorward.gateway.head import Head
from doorward.gateway.judge import judge

MODERN = judge(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
OLD = judge(b"GET / HTTP/1.0\r\n\r\n")


def answer(*lines: str, first: str = "HTTP/1.1 200 OK", to_head: bool = False) -> AnswerHead:
    return judge_answer("\r\n".join([first, *lines, "", ""]).encode("latin-1"), to_head=to_head)


@pytest.mark.parametrize(
    ("first", "lines"),
    [
        ("HTTP/1.1 200 OK", ["Content-Length: 1", "Content-Length: 1"]),
        ("HTTP/1.1 200 OK", ["Content-Length: 1", "Content-Length: 2"]),
        ("HTTP/1.1 200 OK", ["Content-Length: 1, 1"]),
        ("HTTP/1.1 200 OK", ["Content-Length: -1"]),
        ("HTTP/1.1 200 OK", ["Content-Length: 1", "Transfer-Encoding: chunked"]),
        ("HTTP/1.1 200 OK", ["Transfer-Encoding: chunked", "Content-Length: 1"]),
        ("HTTP/1.1 200 OK", ["Transfer-Encoding: gzip, chunked"]),
        ("HTTP/1.1 200 OK", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
        ("HTTP/1.0 200 OK", ["Transfer-Encoding: chunked"]),
        ("HTTP/1.1 200 OK", ["X: a", " b"]),
        ("HTTP/1.1 200 OK", ["X : a"]),
        ("HTTP/1.1 200 OK", ["X: a\rb"]),
        ("HTTP/1.1 200 OK", ["X: a\nb: c"]),
        ("HTTP/1.1 200 OK", ["X: \x00"]),
        ("HTTP/1.1 20 OK", []),
        ("HTTP/1.1 099 OK", []),
        ("HTTP/2.0 200 OK", []),
        ("HTTP/1.1  200 OK", []),
        ("ICY 200 OK", []),
        ("GET / HTTP/1.1", []),
    ],
)
def test_ambiguous_answers_are_refused(first: str, lines: list[str]) -> None:
    """What could be read as two answers, or is none, is not passed on."""
    with pytest.raises(Unreadable):
        answer(*lines, first=first)


@pytest.mark.parametrize(
    ("first", "lines", "to_head", "kind"),
    [
        ("HTTP/1.1 200 OK", ["Content-Length: 5"], False, Sized),
        ("HTTP/1.1 200 OK", ["Transfer-Encoding: Chunked"], False, Chunked),
        ("HTTP/1.1 200 OK", [], False, UntilClose),
        ("HTTP/1.0 200 OK", [], False, UntilClose),
    ],
)
def test_framing(first: str, lines: list[str], to_head: bool, kind: type) -> None:  # noqa: FBT001 - a column
    """A body's end is known from the head alone."""
    framing = answer(*lines, first=first, to_head=to_head).framing()
    assert isinstance(framing, kind)
    assert not framing.is_over


@pytest.mark.parametrize(("status", "to_head"), [(200, True), (204, False), (304, False), (404, True)])
def test_some_answers_have_no_body(status: int, to_head: bool) -> None:  # noqa: FBT001 - a column
    """To HEAD, and with 204 and 304, nothing follows the head, whatever length it announces."""
    assert answer("Content-Length: 5", first=f"HTTP/1.1 {status} X", to_head=to_head).framing().is_over
    assert answer("Transfer-Encoding: chunked", first=f"HTTP/1.1 {status} X", to_head=to_head).framing().is_over


@pytest.mark.parametrize(
    ("first", "lines", "keeps_alive"),
    [
        ("HTTP/1.1 200 OK", [], True),
        ("HTTP/1.1 200 OK", ["Connection: Close"], False),
        ("HTTP/1.1 200 OK", ["Connection: x", "Connection: y, close"], False),
        ("HTTP/1.0 200 OK", [], False),
        ("HTTP/1.0 200 OK", ["Connection: keep-alive"], True),
    ],
)
def test_whether_the_connection_is_kept(first: str, lines: list[str], keeps_alive: bool) -> None:  # noqa: FBT001 - a column
    """A connection is used again where the answer lets it."""
    assert answer("Content-Length: 0", *lines, first=first).keeps_alive is keeps_alive


@pytest.mark.parametrize(
    ("lines", "head", "written"),
    [
        (
            ["Content-Length: 3", "X-A: b", "Set-Cookie: a", "set-cookie: b"],
            MODERN,
            b"Content-Length: 3\r\nX-A: b\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\n",
        ),
        (
            ["Connection: X-A, close", "X-A: b", "Keep-Alive: 5", "Content-Length: 3"],
            MODERN,
            b"Content-Length: 3\r\n\r\n",
        ),
        (["X-Request-ID: theirs", "Content-Length: 3"], MODERN, b"Content-Length: 3\r\n\r\n"),
        (["Transfer-Encoding: chunked"], MODERN, b"transfer-encoding: chunked\r\n\r\n"),
        ([], MODERN, b"transfer-encoding: chunked\r\n\r\n"),
        (["Transfer-Encoding: chunked"], OLD, b"\r\n"),
        ([], OLD, b"\r\n"),
    ],
)
def test_what_the_client_gets(lines: list[str], head: Head, written: bytes) -> None:
    """Fields go on as they came, but for those of the connection and our own."""
    assert answer(*lines).write(head, b"") == b"HTTP/1.1 200 OK\r\n" + written


def test_204_has_no_length() -> None:
    """A length that must not be there is not passed on (RFC 9110 section 8.6)."""
    assert answer("Content-Length: 0", first="HTTP/1.1 204 No Content").write(MODERN, b"") == (
        b"HTTP/1.1 204 No Content\r\n\r\n"
    )


@pytest.mark.parametrize("first", ["HTTP/1.1 103 Early Hints", "HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified"])
def test_what_has_no_body_does_not_come_in_chunks(first: str) -> None:
    """Transfer-Encoding is left out where it must not be, or has no meaning (RFC 9112 section 6.1); HEAD keeps it."""
    assert answer("Transfer-Encoding: chunked", first=first).write(MODERN, b"") == f"{first}\r\n\r\n".encode()
    to_head = answer("Transfer-Encoding: chunked", to_head=True)
    assert to_head.write(MODERN, b"") == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
