"""What is remembered of requests by their bytes: only what came before, and within a bound."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar, final

_MOST_MET = 1 << 16
_TURN = 8


class Weighs(Protocol):
    """What takes about `weight` bytes, its key included."""

    @property
    def weight(self) -> int:
        """Give the bytes."""
        ...


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value", bound=Weighs)


@final
class Keeping(Generic[Key, Value]):
    """Values by their keys (`kept`), of `most_bytes` together at most."""

    def __init__(self, most_bytes: int) -> None:
        """Keep nothing yet."""
        self.kept: OrderedDict[Key, Value] = OrderedDict()
        self._most_bytes = most_bytes
        self._bytes = 0
        self._met: set[int] = set()
        self._turned_away = 0

    def is_due(self, key: Key) -> bool:
        """Say whether a key came before and has no value; what comes once is not worth its room.

        A mistake, by two keys that hash to one number, costs room and nothing more.
        """
        if key in self.kept:
            return False
        mark = hash(key)
        if mark in self._met:
            self._met.discard(mark)
            return True
        if len(self._met) >= _MOST_MET:
            self._met.clear()
        self._met.add(mark)
        return False

    def keep(self, key: Key, value: Value) -> None:
        """Keep the value of a key that has none, if there is room.

        Where there is none, each eighth newcomer takes the place of the oldest: those who come by in turn, and are more
        than there is room for, would otherwise drive each other out before any of them came again.
        """
        if self._bytes + value.weight > self._most_bytes:
            self._turned_away += 1
            if self._turned_away % _TURN:
                return
            while self.kept and self._bytes + value.weight > self._most_bytes:
                self._bytes -= self.kept.popitem(last=False)[1].weight
        self.kept[key] = value
        self._bytes += value.weight
