"""What this process remembers of living tokens, and how long it may believe it.

Owns the answers about tokens that were read from the database before, and which clients proved their secret. Such a
memory is a promise to notice what others change. So it is believed only where a reading of what they told
(`store/token_changes.py`) began less than `BELIEF_SECONDS` ago: no answer outlives a revocation by a second, whoever
revoked, and however late the loop, the database or this process comes to its turn. Where nobody reads, nothing is
believed, and every question goes to the database. Only good news is kept, so that nobody waits to be let in again.

Keys are SHA-256 of what was presented. No token and no secret is kept.
"""

import asyncio
import math
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import final

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.store import Store, token_changes
from doorward.store.sweeping import sweep_with
from doorward.store.token_changes import TokenNews

READ_SECONDS = 0.3
BELIEF_SECONDS = 0.9
MAX_AGE = 60.0
"""For how many seconds an answer is given without asking again, should anybody have changed rows and told nobody."""
KEEP_TOLD = 600.0
"""For how many seconds what was told stays in the database after this process has read it."""
SWEEP_SECONDS = 60.0
LEAP = 1.0
MAX_ANSWERS = 20_000
MAX_CLIENTS = 1_000


@final
@dataclass(slots=True, eq=False)
class Filling:
    """A reading of the database that is under way, and whose tokens may have died since it began."""

    forgotten: set[int] = field(default_factory=set[int])
    is_lost: bool = False


@final
@frozen(kw_only=False)
class Kept:
    """One answer: of whom it speaks, until when it may be given (seconds since the epoch), and on what it rests."""

    answer: bytes
    user_id: int
    until: float
    grounds: tuple[object, ...]


class TokenMemory:
    """The memory of one process."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Remember nothing yet; `run` keeps what is remembered true."""
        self._store = store
        self._clock = clock
        self._news = TokenNews(store)
        self._answers: OrderedDict[bytes, Kept] = OrderedDict()
        self._keys_of: dict[int, tuple[bytes, ...]] = {}
        self._clients: set[bytes] = set()
        self._fillings: set[Filling] = set()
        self._believed_until = -math.inf
        self._read_at = (-math.inf, -math.inf)
        self._passed: deque[tuple[float, int]] = deque()
        self._swept = 0

    # --- what is remembered ------------------------------------------------------------------------------------------

    @property
    def is_believed(self) -> bool:
        """Say whether what others told was read so recently that the memory counts."""
        return self._clock.monotonic() < self._believed_until

    def find(self, client_key: bytes, token_key: bytes) -> Kept | None:
        """Give what is remembered of a token, to a client that is remembered too; None sends to the database."""
        kept = self._answers.get(token_key)
        if kept is None or client_key not in self._clients or not self.is_believed:
            return None
        return kept if self._clock.now() < kept.until else None

    def knows_client(self, client_key: bytes) -> bool:
        """Say whether these credentials are remembered as those of a client."""
        return client_key in self._clients and self.is_believed

    def filling(self) -> "Opened":
        """Note that the database is about to be read: `with memory.filling() as filling`."""
        return Opened(self._fillings)

    def keep_client(self, filling: Filling, client_key: bytes) -> None:
        """Remember credentials that were found to be a client's by a reading that `filling` covers."""
        if filling.is_lost or not self.is_believed:
            return
        if len(self._clients) >= MAX_CLIENTS:
            self._clients.clear()
        self._clients.add(client_key)

    def keep(self, filling: Filling, token_key: bytes, kept: Kept) -> None:
        """Remember an answer, unless what it was made from was read before a change that has become known since."""
        if filling.is_lost or kept.user_id in filling.forgotten or not self.is_believed:
            return
        self._drop(token_key)
        if len(self._answers) >= MAX_ANSWERS:
            self._drop(next(iter(self._answers)))
        self._answers[token_key] = kept
        self._keys_of[kept.user_id] = (*self._keys_of.get(kept.user_id, ()), token_key)

    def _drop(self, token_key: bytes) -> None:
        kept = self._answers.pop(token_key, None)
        if kept is None:
            return
        others = tuple(key for key in self._keys_of[kept.user_id] if key != token_key)
        if others:
            self._keys_of[kept.user_id] = others
        else:
            del self._keys_of[kept.user_id]

    # --- what is forgotten -------------------------------------------------------------------------------------------

    def forget_user(self, user_id: int) -> None:
        """Forget the tokens of a user; whoever has just ended some calls this before answering."""
        for filling in self._fillings:
            filling.forgotten.add(user_id)
        for key in self._keys_of.pop(user_id, ()):
            del self._answers[key]

    def forget_everybody(self) -> None:
        """Forget every token and every client."""
        for filling in self._fillings:
            filling.is_lost = True
        self._answers.clear()
        self._keys_of.clear()
        self._clients.clear()

    async def take_notice(self) -> None:
        """Read what others have told, forget what it is about, and be believed for a while.

        Raises as `Store.read` does; the memory is then not believed any longer than it was.
        """
        began, now = self._clock.monotonic(), self._clock.now()
        if self._was_away(began, now):
            self._news.lose_place()
        users = await self._news.read()
        if users is None:
            self.forget_everybody()
        for user_id in users or ():
            self.forget_user(user_id)
        self._read_at = (began, now)
        self._believed_until = began + BELIEF_SECONDS
        if not self._passed or began >= self._passed[-1][0] + SWEEP_SECONDS:
            self._passed.append((began, self._news.place))

    def _was_away(self, began: float, now: float) -> bool:
        """Say whether so much time has passed, by either clock, that something told may be swept already.

        Only the wall clock goes on while the machine sleeps. Where it was set, what is kept may have lost its end.
        """
        elapsed, shown = began - self._read_at[0], now - self._read_at[1]
        return elapsed > KEEP_TOLD / 2 or abs(shown - elapsed) > LEAP

    async def sweep(self) -> int:
        """Delete what was told, and read here, so long ago that every process has read it or believes itself no more.

        Gives the number of rows. Raises as `Store.write` does.
        """
        place, before = self._swept, self._clock.monotonic() - KEEP_TOLD
        while self._passed and self._passed[0][0] <= before:
            _, place = self._passed.popleft()
        if place == self._swept:
            return 0
        rows = await sweep_with(self._store, token_changes.SWEEP, place)
        self._swept = place
        return rows

    async def run(self) -> None:
        """Take notice again and again, until it is cancelled; a database that is away is reported by others."""
        while True:
            with suppress(DoorwardError):
                await self.take_notice()
                await self.sweep()
            await asyncio.sleep(READ_SECONDS)


@final
class Opened:
    """The span of one reading of the database."""

    __slots__ = ("_filling", "_fillings")

    def __init__(self, fillings: set[Filling]) -> None:
        """Enter the reading among those under way."""
        self._fillings = fillings
        self._filling = Filling()

    def __enter__(self) -> Filling:
        """Begin."""
        self._fillings.add(self._filling)
        return self._filling

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, however it went."""
        self._fillings.discard(self._filling)
