"""The ring of our own token keys: the newest signs, all verify until the last token under the oldest has expired.

While the algorithm is being changed, replicas with the old setting and with the new one each sign with the newest key
of theirs; where there is none, with the newest of any, so that a ring that was loaded can always sign.

Keys live in the database, each sealed with the encryption key, so that replicas share them and a copied database alone
signs nothing. Rotation signs nobody out. Refuses to start over a ring that cannot be opened: making a new one silently
would end every session (token-exchange reference 3.1).
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from doorward.base.clock import Clock, rfc3339
from doorward.base.entropy import Entropy, ordered_id
from doorward.base.errors import DoorwardError
from doorward.base.faults import KEYS_NOT_OPENED
from doorward.base.frozen import frozen
from doorward.protocol.sealing import NotOpened, Sealer
from doorward.protocol.signing import Algorithm, TokenKey, UnknownHeader, draw_secret, open_token
from doorward.store import Cursor, Store, changes, signing_keys

PURPOSE = "access_token"
CHANGE_KIND = "keys"
RELOAD_INTERVAL = 0.25
_log = logging.getLogger("doorward.keys")


@frozen
class RingEntry:
    """One key of the ring as it is stored; times are seconds since the epoch."""

    key: TokenKey
    created_at: float
    retires_at: float | None

    def to_json(self, *, active: bool) -> dict[str, object]:
        """Give the members that `keys list` prints."""
        return {
            "id": self.key.kid,
            "use": "sig",
            "algorithm": self.key.algorithm,
            "created_at": rfc3339(self.created_at),
            "active": active,
        }


class KeyRing:
    """The keys of this process; `load` reads them from the database, `follow` is called when they have changed."""

    def __init__(
        self,
        store: Store,
        sealer: Sealer,
        clock: Clock,
        entropy: Entropy,
        *,
        algorithm: Algorithm,
        retirement: float,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Hold the ring of `store`.

        `algorithm` is that of new tokens. `retirement` is for how many seconds a key still verifies after another has
        taken its place: the longest life of a token. `wait` paces how often `open` reads again.
        """
        self._store = store
        self._sealer = sealer
        self._clock = clock
        self._entropy = entropy
        self._algorithm: Algorithm = algorithm
        self._retirement = retirement
        self._entries: tuple[RingEntry, ...] = ()
        self._by_header: dict[bytes, TokenKey] = {}
        self._active: TokenKey | None = None
        self.generation = 0
        """Counts how often the keys that verify have become others."""
        self.newborn: str | None = None
        """The key with which `load` had to begin, because there was none of the configured algorithm."""
        self._wait = wait
        self._reread_at = -math.inf
        self._rereading: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Read the ring, and begin it where it has no key of the configured algorithm.

        Raises `DoorwardError` (`keys_not_opened`) when a stored key was sealed with another encryption key.
        """
        await self._read()
        if self._active is None or self._active.algorithm != self._algorithm:
            self.newborn = (await self.rotate()).key.kid

    async def reload(self) -> None:
        """Read the ring again, as another process may have changed it; raises as `load` does.

        Where all that is left has been retired, a new key is begun.
        """
        await self._read()
        if not any(entry.retires_at is None for entry in self._entries):
            await self.rotate()

    async def _read(self) -> None:
        now = self._clock.now()
        rows = await self._store.read(lambda cursor: cursor.all(signing_keys.ALL, PURPOSE))
        entries = (self._open(row) for row in rows)
        self._take(tuple(e for e in entries if e.retires_at is None or e.retires_at > now))

    async def rotate(self) -> RingEntry:
        """Add a key that signs from now on; those it replaces verify until the last token under them has expired."""
        now = self._clock.now()
        key = TokenKey.of(ordered_id(self._entropy, now), self._algorithm, draw_secret(self._entropy))
        sealed = self._sealer.seal(key.secret, _context(key.kid), self._entropy)

        async def add(cursor: Cursor) -> None:
            await cursor.run(signing_keys.ADD, key.kid, PURPOSE, key.algorithm, sealed, now)
            await cursor.run(signing_keys.RETIRE_OTHERS, PURPOSE, key.kid, now + self._retirement, key.algorithm)
            await changes.note_change(cursor, CHANGE_KIND)

        await self._store.write(add)
        _log.info("keys.rotated", extra={"facts": {"kid": key.kid, "algorithm": key.algorithm}})
        await self._read()
        return RingEntry(key=key, created_at=now, retires_at=None)

    async def discard_unreadable(self) -> int:
        """Delete the keys that the encryption key does not open; gives how many. Their tokens are refused then."""
        rows = await self._store.read(lambda cursor: cursor.all(signing_keys.ALL, PURPOSE))
        lost = [str(row[0]) for row in rows if not self._opens(row)]

        async def delete(cursor: Cursor) -> None:
            for kid in lost:
                await cursor.run(signing_keys.REMOVE, kid)
            if lost:
                await changes.note_change(cursor, CHANGE_KIND)

        await self._store.write(delete)
        return len(lost)

    def sign(self, claims: bytes) -> str:
        """Sign JSON claims with the newest key; gives a compact JWT."""
        if self._active is None:
            raise RuntimeError("the key ring has not been loaded")
        return self._active.sign(claims)

    async def open(self, token: str) -> bytes:
        """Give the JSON claims of a token that this ring signed; raises `NotOurs`.

        A header that no key of this process writes may belong to a key that another process has just made, so the ring
        is read again, at most four times a second however many such tokens come; they wait for their turn together, so
        that a flood of forged ones does not have a good one refused.
        """
        try:
            return open_token(token, self._by_header)
        except UnknownHeader:
            if self._rereading is None:
                self._rereading = asyncio.create_task(self._reread(), name="doorward-ring")
            await asyncio.shield(self._rereading)
            return open_token(token, self._by_header)

    async def _reread(self) -> None:
        """Read again once that is allowed; whoever comes after the reading has begun waits for the next one."""
        if (seconds := self._reread_at + RELOAD_INTERVAL - self._clock.monotonic()) > 0:
            await self._wait(seconds)
        self._rereading, self._reread_at = None, self._clock.monotonic()
        await self.reload()

    def entries(self) -> list[dict[str, object]]:
        """Give what `keys list` prints, newest first."""
        return [entry.to_json(active=entry.key is self._active) for entry in self._entries]

    def public_keys(self) -> list[dict[str, str]]:
        """Give the public keys as JWKs; none while signing is symmetric."""
        return [jwk for entry in self._entries if (jwk := entry.key.jwk()) is not None]

    def _opens(self, row: Sequence[Any]) -> bool:
        try:
            self._open(row)
        except DoorwardError:
            return False
        return True

    def _open(self, row: Sequence[Any]) -> RingEntry:
        kid, algorithm, sealed, created_at, retires_at = row
        try:
            secret = self._sealer.open(sealed, _context(kid))
        except NotOpened as error:
            raise DoorwardError(KEYS_NOT_OPENED, kid=kid) from error
        return RingEntry(key=TokenKey.of(kid, algorithm, secret), created_at=created_at, retires_at=retires_at)

    def _take(self, entries: tuple[RingEntry, ...]) -> None:
        by_header = {entry.key.header: entry.key for entry in entries}
        if by_header.keys() != self._by_header.keys():
            self.generation += 1
        self._entries, self._by_header = entries, by_header
        signing = [entry.key for entry in entries if entry.retires_at is None]
        own = (key for key in signing if key.algorithm == self._algorithm)
        self._active = next(own, signing[0] if signing else self._active)


def _context(kid: str) -> str:
    return f"signing_keys/{kid}"
