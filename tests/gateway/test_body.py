"""Where bodies end: whatever the packets, and however somebody tries to make two programs disagree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward.gateway.body import Chunked, Framing, Sized, UntilClose, chunk, last_chunk
from doorward.gateway.fields import Unreadable

FIELDS = st.lists(st.tuples(st.sampled_from([b"A", b"b-c"]), st.sampled_from([b"", b"x y", b"\xe4"])), max_size=5)
NEXT = b"GET / HTTP/1.1\r\n"


def read(framing: Framing, data: bytes, size: int) -> tuple[bytes, bytes]:
    """Feed `data` in packets of `size` bytes; gives the body and what stands behind it."""
    body = behind = b""
    for at in range(0, len(data), size):
        if framing.is_over:
            behind += data[at : at + size]
        else:
            piece, rest = framing.feed(data[at : at + size])
            body, behind = body + piece, behind + rest
    return body, behind


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), FIELDS, st.integers(1, 50))
def test_chunks_are_read_as_they_were_written(
    pieces: list[bytes], trailers: list[tuple[bytes, bytes]], size: int
) -> None:
    """A chunked body comes out whole, however it was cut into chunks and packets, and the next request is untouched."""
    framing = Chunked()
    written = b"".join(map(chunk, pieces)) + last_chunk(tuple(trailers))
    assert read(framing, written + NEXT, size) == (b"".join(pieces), NEXT)
    assert framing.is_over
    assert framing.trailers == tuple(trailers)


@given(st.binary(max_size=60), st.integers(1, 70))
def test_a_length_is_kept(body: bytes, size: int) -> None:
    """A body of known length ends after it, however it comes."""
    framing = Sized(len(body))
    assert framing.is_over is not bool(body)
    assert read(framing, body + NEXT, size) == (body, NEXT)
    assert framing.is_over


def test_some_bodies_end_with_the_connection() -> None:
    """Without length and chunks everything belongs to the body."""
    framing = UntilClose()
    assert read(framing, NEXT, 3) == (NEXT, b"")
    assert not framing.is_over


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    "body",
    [
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\nx\r\n",
        b"0x1\r\nx\r\n",
        b" 1\r\nx\r\n",
        b"1 \r\nx\r\n",
        b"1\nx\r\n",
        b"1\r\nx\n0\r\n\r\n",
        b"1\r\nxx\r\n",
        b"1\r\nx0\r\n\r\n",
        b"\r\n",
        b"1;a\nb\r\nx\r\n",
        b"1;\x00\r\nx\r\n",
        b"1;a\rb\r\nx\r\n",
        b"1_0\r\n",
        b"1" * 16 + b"\r\n",
        b"0" * 300 + b"\r\n",
        b"1;" + b"a" * 300 + b"\r\n",
        b"1;" + b"a" * 300,
        b"5\r\nabc\r\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\n y\r\n\r\n",
        b"0\r\nX: y\nZ: a\r\n\r\n",
        b"0\r\nX: \x00\r\n\r\n",
        b"0\r\nX: a\r\n b\r\n\r\n",
        b"0\r\n" + b"X: a\r\n" * 65 + b"\r\n",
        b"0\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"0\r\n" + b"a" * 9000,
        b"0\n\n",
        b"0\r\n\n",
    ],
)
def test_broken_chunks_are_refused(body: bytes, size: int) -> None:
    """Sizes, line ends and trailers are held to the letter, in whatever packets they come."""
    framing = Chunked()
    with pytest.raises(Unreadable):
        read(framing, body + b"\r\n" * 5, size)


def test_extensions_of_chunks_are_dropped() -> None:
    """What a chunk says about itself is read over."""
    assert read(Chunked(), b"1;a=b\r\nx\r\n2 ;c\r\nyz\r\n0;d\r\n\r\n", 4) == (b"xyz", b"")
