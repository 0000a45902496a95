"""One refresh at the provider at a time for a session, across tasks, workers and replicas.

Providers rotate refresh tokens: of two refreshes with one token the second may end the whole grant. So whoever
refreshes first takes a lease in the database, and whoever comes while it is under way waits and shares the outcome, a
failure as well (interface section 7). A process that dies in the middle loses its lease after a while; what it learned
too late is still taken over, unless somebody else was faster.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy, opaque_token
from doorward.base.errors import DoorwardError, catalogue
from doorward.base.frozen import frozen
from doorward.base.refusals_easyauth import PROVIDER_UNAVAILABLE, SIGN_IN_REQUIRED
from doorward.identity.person import Identity
from doorward.sessions.desk import SessionDesk
from doorward.sessions.session import Session
from doorward.store import Cursor, Row, Store, sessions
from doorward.store.common_time import CommonTime

LEASE = 30.0
"""For how many seconds a refresh may be under way: longer than any conversation with a provider is let go on."""
POLL = 0.05
DONE = "done"
_log = logging.getLogger("doorward.sessions")

RefreshCall: TypeAlias = Callable[[Session], Awaitable[Identity]]
"""Asks the provider for new tokens.

Gives the identity with them; raises `DoorwardError` (`refresh_not_supported`, `no_refresh_token`, `refresh_refused`,
`provider_unavailable`, `discovery_failed`).
"""


@frozen(kw_only=False)
class _Flight:
    """A refresh as the database shows it: who makes it, until when, and what came of it."""

    holder: str
    until: float
    outcome: str | None

    @classmethod
    def of(cls, row: Row | None) -> "_Flight | None":
        return None if row is None else cls(*row)


class Flights:
    """Refreshes sessions."""

    def __init__(
        self,
        desk: SessionDesk,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        refresh: RefreshCall,
        *,
        common_time: CommonTime | None = None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Ask providers by `refresh`; `wait` paces how often another's flight is looked at."""
        self._desk = desk
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._refresh = refresh
        self._common_time = common_time or CommonTime(store, clock)
        self._wait = wait
        self._under_way: dict[str, asyncio.Task[Session]] = {}

    async def fly(self, session: Session, *, by_cookie: bool = True) -> Session:
        """Give the session with new tokens, asking the provider unless somebody does so already.

        With `by_cookie` its cookie gets a new value, unless it was another who asked. It goes on when the caller goes
        away. Raises `DoorwardError` as `RefreshCall` does, `sign_in_required` when the session has ended, and
        `store_unavailable`.
        """
        flight = self._under_way.get(session.id)
        if flight is None:
            flight = asyncio.create_task(self._depart(session.id, by_cookie=by_cookie), name="doorward-refresh")
            self._under_way[session.id] = flight
            flight.add_done_callback(lambda done: self._landed(session.id, done))
        return await asyncio.shield(flight)

    async def finish(self) -> None:
        """Wait until every refresh that this process began has ended."""
        if self._under_way:
            await asyncio.wait(set(self._under_way.values()))

    def _landed(self, session_id: str, flight: "asyncio.Task[Session]") -> None:
        del self._under_way[session_id]
        if not flight.cancelled():
            flight.exception()  # asked for, so that asyncio does not log what those who wait are told

    async def _depart(self, session_id: str, *, by_cookie: bool) -> Session:
        holder = opaque_token(self._entropy)[:32]
        while not await self._claim(session_id, holder):
            other = _Flight.of(await self._store.find(sessions.FLIGHT, session_id))
            if other is None:
                raise DoorwardError(SIGN_IN_REQUIRED, reason="the session has ended")
            if (outcome := await self._outcome_of(session_id, other)) is not None:
                return await self._share(session_id, outcome)
        try:
            renewed = await self._renew(session_id, by_cookie=by_cookie)
        except BaseException as error:
            code = error.code if isinstance(error, DoorwardError) else PROVIDER_UNAVAILABLE.code
            await self._land(session_id, holder, code)
            raise
        await self._land(session_id, holder, DONE)
        return renewed

    async def _renew(self, session_id: str, *, by_cookie: bool) -> Session:
        """Ask the provider with the tokens that the database has now, and store what it gives."""
        session = await self._current(session_id)
        refreshed = await self._refresh(session)
        # What is known of the person was settled at sign-in (easy-auth reference 5); only the tokens are new.
        identity = msgspec.structs.replace(session.identity, tokens=refreshed.tokens)
        renewed = await self._desk.renew(session, identity, self._clock.now(), by_cookie=by_cookie)
        return renewed or await self._current(session_id)

    async def _current(self, session_id: str) -> Session:
        session = await self._desk.find_by_id(session_id)
        if session is None:
            raise DoorwardError(SIGN_IN_REQUIRED, reason="the session has ended")
        return session

    # --- the lease ---------------------------------------------------------------------------------------------------

    async def _claim(self, session_id: str, holder: str) -> bool:
        now = self._common_time.of(self._clock.now())

        async def claim(cursor: Cursor) -> bool:
            return await cursor.run(sessions.CLAIM_FLIGHT, session_id, holder, now + LEASE, now) > 0

        return await self._store.write(claim)

    async def _land(self, session_id: str, holder: str, outcome: str) -> None:
        async def land(cursor: Cursor) -> None:
            await cursor.run(sessions.LAND_FLIGHT, session_id, holder, outcome)

        try:
            await self._store.write(land)
        except DoorwardError as error:  # those who wait do so until the lease ends, and ask again themselves
            _log.warning("refresh.not_landed", extra={"facts": {"session": session_id, "code": error.code}})

    async def _outcome_of(self, session_id: str, other: _Flight) -> str | None:
        """Wait for another's flight; None when it was lost, or when another has begun and its outcome is not known."""
        while other.outcome is None:
            if self._common_time.of(self._clock.now()) >= other.until:
                return None
            await self._wait(POLL)
            seen = _Flight.of(await self._store.find(sessions.FLIGHT, session_id))
            if seen is None or seen.holder != other.holder:
                return None
            other = seen
        return other.outcome

    async def _share(self, session_id: str, outcome: str) -> Session:
        if outcome != DONE:
            raise DoorwardError(catalogue().get(outcome, PROVIDER_UNAVAILABLE), reason="as another refresh was told")
        session = await self._current(session_id)
        self._desk.notices.forget(session_id)
        return session
