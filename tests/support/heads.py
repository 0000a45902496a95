"""Request heads spoiled at random, and witnesses of what a good one is that know nothing of our reader."""

import random
import re

import httptools

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rb"[\t \x21-\x7e\x80-\xff]*"
GRAMMAR = re.compile(
    rb"[A-Z-]+ (?:/|[Hh][Tt][Tt][Pp][Ss]?://)[!-~]* HTTP/1\.[01]\r\n(?:" + _TOKEN + rb":" + _VALUE + rb"\r\n)*\r\n"
)
SEEDS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /a?b=c HTTP/1.1\r\nHost: a.example:80\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
    b"PUT /x HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nConnection: te\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nCookie: a=b; c=d\r\n\r\n",
    b"HEAD / HTTP/1.0\r\nUser-Agent: x (y)\r\nX-A: b\r\nx-a: \xe4\xb6\r\n\r\n",
)
_BITS = (
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b",", b";", b"\x00", b"\x0b", b"\x7f", b"\x80", b"_", b"-", b"0", b"1",
    b"+", b"*", b"#", b"%0d%0a", b"chunked", b"http://b", b"HTTP/1.0", b"HTTP/1.1", b"\r\n\r\n", b"GET / HTTP/1.1\r\n",
    b"Host: b\r\n", b"Content-Length: 1\r\n", b"Content-Length: 2\r\n", b"content_length: 3\r\n", b" x\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n",
    b"Connection: host\r\n", b"Upgrade: h2c\r\n", b"X: y\r\n",
)  # fmt: skip


def spoil_head(seed: int) -> bytes:
    """Give a head with a few bits put in, taken out, doubled or exchanged, up to the first empty line if there is one.

    It is the same for the same seed.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    raw = chance.choice(SEEDS)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(raw))
        end = min(len(raw), at + chance.choice((0, 0, 1, 1, 2, 5, 20)))
        bits = (b"", raw[at:end] * 2, chance.choice(_BITS), chance.choice(_BITS), bytes([chance.randrange(256)]))
        raw = raw[:at] + chance.choice(bits) + raw[end:]
    head, end_of_head, _ = raw.partition(b"\r\n\r\n")
    return head + end_of_head


def witnessed(raw: bytes) -> list[tuple[bytes, bytes]] | None:
    """Give the fields of a head as httptools reads it, names in lower case, or None where it refuses it.

    It knows a list of methods and no other, so it is shown one of them in place of any.
    """
    raw = re.sub(rb"\A[A-Z-]+ ", b"POST ", raw)
    fields: list[tuple[bytes, bytes]] = []

    class Reading:
        def on_header(self, name: bytes, value: bytes) -> None:
            fields.append((name.lower(), value.rstrip(b" \t")))

    try:
        httptools.HttpRequestParser(Reading()).feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        return None
    return fields
