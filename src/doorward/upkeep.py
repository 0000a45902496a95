"""What a serving process does before and beside answering: it reads what it needs, follows changes, keeps keys fresh,
sweeps, and audits.

Every part survives a database that is away, and says so once; an outage never ends the process.
"""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from doorward.accounts.audit import record
from doorward.accounts.clients import is_client
from doorward.accounts.nouns import Origin
from doorward.accounts.registrations import CHANGE_KIND as REGISTRATIONS_CHANGED
from doorward.accounts.sweep import Broom
from doorward.base.errors import DoorwardError
from doorward.base.faults import DEV_CLIENT_PRESENT
from doorward.config.dev_keys import DEV_CLIENT, DEV_CLIENT_SECRET
from doorward.config.sources import Purpose
from doorward.house import BackOffice, refuse_unusable_default
from doorward.keys.kept import CHANGE as KEY_SETS_CHANGED
from doorward.keys.ring import CHANGE_KIND as RING_CHANGED
from doorward.operations.metrics import Metrics
from doorward.sessions.notices import Notices
from doorward.sessions.rules import REFRESH_EXTENSION
from doorward.sessions.sweep import sweep_sessions
from doorward.store.changes import Follower

FOLLOW_SECONDS = 0.5
RELOAD_SECONDS = 60.0
SWEEP_SECONDS = 300.0
_log = logging.getLogger("doorward.upkeep")


class Upkeep:
    """The background work of one process."""

    def __init__(self, back: BackOffice, metrics: Metrics) -> None:
        """Keep `back` up to date, and note in `metrics` how it stands."""
        self._back = back
        self._metrics = metrics
        self._follower = Follower(back.store)
        self._broom = Broom(back.store, back.clock, back.common_time, self._sweep_sessions)
        self._owed: set[str] = set()
        self.notices: Notices | None = None
        """What tells of sessions that ended elsewhere; there is nothing to tell without sign-in."""
        self._next_reload = back.clock.monotonic() + RELOAD_SECONDS
        self._failed_reads = 0

    async def begin(self, purpose: Purpose) -> None:
        """Read what is read before anybody is answered, and say in the log what is questionable about the settings.

        Raises `DoorwardError` for what keeps a process from serving for this purpose.
        """
        back = self._back
        await back.load_ring()
        await back.load_registrations()
        await refuse_unusable_default(back)
        if purpose == "serve" and await is_client(back.store, DEV_CLIENT, DEV_CLIENT_SECRET):
            raise DoorwardError(DEV_CLIENT_PRESENT)
        await back.discovery.adopt_kept()
        await back.provider_keys.adopt_kept()
        self.note_keys()
        self._metrics.know_audiences(back.registrations.client_ids())
        self._metrics.store(is_up=True)
        for finding in back.settings.warnings:
            if finding.where != f"doorward {purpose}":  # nobody wrote what a command presets
                facts = {"setting": finding.setting, "where": finding.where, "what": finding.what}
                _log.warning("settings.warning", extra={"facts": facts})

    def tasks(self) -> list[Coroutine[Any, Any, None]]:
        """Give what is to run beside the listeners until the process ends."""
        back = self._back
        documents = [back.provider_keys.run(), back.discovery.run(), self._audit_key_events()]
        return [*documents, back.token_memory.run(), self._follow(), self._prove(), self._sweep()]

    def note_keys(self) -> None:
        """Put what is known of the providers' key sets into the numbers."""
        status = self._back.provider_keys.status()
        for authority in self._back.clouds.authorities:
            known = status.get(authority.keys)
            if known is not None:
                self._metrics.key_set(
                    authority.cloud,
                    authority.version,
                    fetched_at=known.fetched_at,
                    keys=known.keys,
                    forced=known.forced_refreshes,
                    failed=known.failures,
                )

    async def _follow(self) -> None:
        """Read twice a second what other processes have changed, and once a minute everything."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                self._owed |= await self._follower.read() | self._due()
                await self._take_notice()
                if self.notices is not None:
                    await self.notices.take()
                await self._back.common_time.measure()
            except DoorwardError as error:
                self._note_store_away(error)
            else:
                self._metrics.store(is_up=not self._back.store.in_trouble)
                self._failed_reads = 0

    async def _prove(self) -> None:
        """Try, as long as a write has been refused, whether the database takes one again."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            if self._back.store.in_trouble:
                with suppress(DoorwardError):  # whoever needed the write has reported the outage
                    await self._back.store.ping()

    def _due(self) -> set[str]:
        """Give what is read again whether or not anybody told of a change."""
        now = self._back.clock.monotonic()
        if now < self._next_reload:
            return set()
        self._next_reload = now + RELOAD_SECONDS
        return {REGISTRATIONS_CHANGED, RING_CHANGED, KEY_SETS_CHANGED}

    async def _take_notice(self) -> None:
        """Read again what has changed; what the database fails to give stays owed, and is asked for next time."""
        if REGISTRATIONS_CHANGED in self._owed:
            await self._back.load_registrations()
            self._metrics.know_audiences(self._back.registrations.client_ids())
        if RING_CHANGED in self._owed:
            await self._back.ring.reload()
        if KEY_SETS_CHANGED in self._owed:
            await self._back.discovery.adopt_kept()
            await self._back.provider_keys.adopt_kept()
        self._owed.clear()

    def _note_store_away(self, error: DoorwardError) -> None:
        """Log an outage once, not twice a second."""
        self._metrics.store(is_up=False)
        self._failed_reads += 1
        if self._failed_reads == 1:
            _log.error("changes.not_read", extra={"facts": {"code": error.code, **error.facts}})

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            with suppress(DoorwardError):  # the next round comes, and whoever needs the database reports the outage
                rows = await self._broom.sweep(self._back.settings.audit.retention)
                _log.debug("store.swept", extra={"facts": {"rows": rows}})

    async def _sweep_sessions(self, now: float) -> int:
        plan = self._back.settings.auth.plan
        extension = REFRESH_EXTENSION if plan is None else plan.refresh_extension
        return await sweep_sessions(self._back.store, now, extension)

    async def _audit_key_events(self) -> None:
        """Write what happened to the providers' key sets into the audit trail."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            events, self._back.key_events[:] = list(self._back.key_events), []
            for event in events:
                detail = f"{event.url} {event.reason or ' '.join(event.kids)}"
                with suppress(DoorwardError):  # the trail of fetches is worth less than the service
                    row = record(event.name, self._back.clock.now(), Origin(), detail=detail)
                    await self._back.store.append([row])
