"""What is remembered of answers: a bounded number, for bounded seconds, never a token.

Keys are SHA-256 digests. The oldest entry goes first. An entry counts until its time and no longer.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar, final

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[V]):
    value: V
    until: float


@final
class Cache(Generic[V]):
    """Values by digest; safe to use from many threads. Times are of the monotonic clock, in seconds."""

    def __init__(self, size: int) -> None:
        """Hold at most `size` values; 0 holds none."""
        self._size = size
        self._entries: OrderedDict[bytes, _Entry[V]] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: bytes, now: float) -> V | None:
        """Give the value if its time has not come."""
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None:
                return None
            if now < entry.until:
                return entry.value
            del self._entries[digest]
            return None

    def put(self, digest: bytes, value: V, until: float) -> None:
        """Hold a value until `until`, in place of the oldest if there is no room."""
        with self._lock:
            self._entries[digest] = _Entry(value, until)
            self._entries.move_to_end(digest)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def __len__(self) -> int:
        """Count what is held, expired or not."""
        return len(self._entries)
