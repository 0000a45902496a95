"""Values that must never be printed.

A `Secret` shows itself as stars wherever something formats, logs or dumps it; only `reveal()` gives the value, so a
search for that word finds every place where a secret leaves its wrapping.
"""

from typing import final

MASK = "********"


@final
class Secret:
    """A string that does not print itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Wrap `value`."""
        self._value = value

    def reveal(self) -> str:
        """Give the value itself."""
        return self._value

    def __bool__(self) -> bool:
        """Say whether there is a value at all."""
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        """Compare with another secret by value."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """Hash by value."""
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        """Show stars."""
        return f"Secret({MASK!r})" if self._value else "Secret('')"

    def __str__(self) -> str:
        """Show stars."""
        return MASK if self._value else ""
