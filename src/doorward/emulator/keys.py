"""The keys of a pretend provider: a ring that can be rotated, in a directory or in memory.

Kept in a directory they outlive a restart, and so do the tokens that people have pasted into their shells. They are
worth nothing elsewhere: no production service trusts an address on loopback unless it is told to.
"""

import os
from pathlib import Path

from doorward.protocol.jose_sign import RsaSigner

PUBLISHED_AT_MOST = 4


class SigningRing:
    """Keys of one kind, oldest first; the newest signs."""

    def __init__(self, name: str, directory: Path | None, *, at_first: int = 1) -> None:
        """Read the ring called `name` from `directory`, or make `at_first` keys; None keeps it in memory."""
        self._name = name
        self._directory = directory
        self._at_first = at_first
        self._made: dict[int, RsaSigner] = {}

    @property
    def _keys(self) -> dict[int, RsaSigner]:
        """Give the keys; they are read, or made, when somebody first asks: most providers of a test are never met."""
        if not self._made:
            self._made = self._read()
            for number in range(1, self._at_first + 1 if not self._made else 0):
                self._made[number] = self._new(number)
        return self._made

    @property
    def published(self) -> tuple[RsaSigner, ...]:
        """Give every key that the provider publishes, newest first."""
        return tuple(self._keys[number] for number in sorted(self._keys, reverse=True))

    @property
    def newest(self) -> RsaSigner:
        """Give the key that signs."""
        return self._keys[max(self._keys)]

    def rotate(self, *, withdraw: bool) -> None:
        """Make a new key that signs from now on; with `withdraw` the older ones are published no more."""
        number = max(self._keys) + 1
        self._keys[number] = self._new(number)
        keep = 1 if withdraw else PUBLISHED_AT_MOST
        for number in sorted(self._keys)[:-keep]:
            del self._keys[number]
            if self._directory is not None:
                self._file(self._directory, number).unlink(missing_ok=True)

    def _new(self, number: int) -> RsaSigner:
        key = RsaSigner.generate()
        if self._directory is not None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._file(self._directory, number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(key.to_pem())
        return key

    def _read(self) -> dict[int, RsaSigner]:
        if self._directory is None:
            return {}
        files = sorted(self._directory.glob(f"{self._name}-[0-9][0-9][0-9][0-9].pem"))
        return {int(file.stem[-4:]): RsaSigner.from_pem(file.read_bytes()) for file in files}

    def _file(self, directory: Path, number: int) -> Path:
        return directory / f"{self._name}-{number:04}.pem"
