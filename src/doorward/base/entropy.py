"""Randomness, passed in.

Tokens, secrets and identifiers are drawn from an `Entropy` that is handed to whoever needs it, so that a test can
predict them and nothing reaches for a weaker source by accident.
"""

import hashlib
import os
from collections import deque
from typing import Protocol

TOKEN_BYTES = 32
_PIECE, _PIECES = TOKEN_BYTES, 64
_TIMESTAMP_MASK = (1 << 48) - 1
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # RFC 9562 section 4.1: bits 10 first


class Entropy(Protocol):
    """Where unpredictable bytes come from."""

    def draw(self, size: int) -> bytes:
        """Give `size` bytes that nobody can predict."""
        ...


class SystemEntropy:
    """The operating system's random source, asked for some bytes ahead: a call to the kernel costs more than the rest.

    No byte is given twice: pieces leave the stock one by one, which is safe between threads, and a forked child begins
    with an empty stock.
    """

    def __init__(self) -> None:
        """Begin with an empty stock."""
        self._stock: deque[bytes] = deque()
        os.register_at_fork(after_in_child=self._stock.clear)

    def draw(self, size: int) -> bytes:
        """Give `size` bytes from the operating system."""
        if size > _PIECE:
            return os.urandom(size)
        while True:
            try:
                return self._stock.popleft()[:size]
            except IndexError:
                drawn = os.urandom(_PIECE * _PIECES)
                self._stock.extend(drawn[at : at + _PIECE] for at in range(0, len(drawn), _PIECE))


class SeededEntropy:
    """A repeatable source for tests: SHA-256 of a seed and a counter."""

    def __init__(self, seed: bytes = b"doorward") -> None:
        """Start the sequence that belongs to `seed`."""
        self._seed = seed
        self._drawn = 0

    def draw(self, size: int) -> bytes:
        """Give the next `size` bytes of the sequence."""
        out = b""
        while len(out) < size:
            self._drawn += 1
            out += hashlib.sha256(self._seed + self._drawn.to_bytes(8, "big")).digest()
        return out[:size]


def opaque_token(entropy: Entropy) -> str:
    """Draw an opaque token: 256 random bits as 64 lower-case hexadecimal digits."""
    return entropy.draw(TOKEN_BYTES).hex()


def ordered_id(entropy: Entropy, now: float) -> str:
    """Make a UUID version 7 (RFC 9562 section 5.7) for the moment `now`.

    Its first 48 bits are the time in milliseconds, so rows made one after another lie side by side in an index; the
    other 74 bits are random, so no two processes need to agree on anything.
    """
    time, drawn = f"{int(now * 1000) & _TIMESTAMP_MASK:012x}", entropy.draw(10).hex()
    return f"{time[:8]}-{time[8:]}-7{drawn[:3]}-{_VARIANT[drawn[4]]}{drawn[5:8]}-{drawn[8:]}"
