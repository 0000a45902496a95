"""The providers' last good key documents, kept where a restart and other processes find them.

A restart during a provider's outage must still be able to check signatures, so every good document is written down as
it came. Whoever reads it back parses it again: the database is not trusted to have kept it whole.
"""

from typing import Protocol, final

from doorward.base.clock import Clock
from doorward.base.frozen import frozen
from doorward.store import changes, key_sets
from doorward.store.sql import Cursor, Store

CHANGE = "key_sets"
"""The kind of change that tells other processes of a younger document; its subject is the address."""


@frozen
class KeptDocument:
    """A key document as it came from `url`; `fetched_at` is in seconds since the epoch."""

    url: str
    document: bytes
    fetched_at: float


class KeptDocuments(Protocol):
    """Where documents are kept. Both methods may raise `DoorwardError`; nobody's request depends on them."""

    async def load(self) -> list[KeptDocument]:
        """Give every kept document."""
        ...

    async def keep(self, kept: KeptDocument) -> None:
        """Keep a document in place of an older one of the same address."""
        ...


@final
class StoredDocuments:
    """Documents kept in the database."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Keep documents in `store`."""
        self._store = store
        self._clock = clock

    async def load(self) -> list[KeptDocument]:
        """Give every kept document."""
        rows = await self._store.read(lambda cursor: cursor.all(key_sets.ALL))
        return [
            KeptDocument(url=str(url), document=str(document).encode(), fetched_at=float(at))
            for url, document, at in rows
        ]

    async def keep(self, kept: KeptDocument) -> None:
        """Keep a document in place of an older one, and tell the other processes."""

        async def replace(cursor: Cursor) -> None:
            await cursor.one(key_sets.LOCK, kept.url)  # only then the time: whoever held the row may have kept one
            row = (kept.url, kept.document.decode(), kept.fetched_at, self._clock.now())
            if await cursor.run(key_sets.KEEP, *row):
                await changes.note_change(cursor, CHANGE)

        await self._store.write(replace)


@final
class ReadDocuments:
    """Documents that others keep in the database: for a command that must store nothing."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """Read from `store`."""
        self._stored = StoredDocuments(store, clock)

    async def load(self) -> list[KeptDocument]:
        """Give every kept document."""
        return await self._stored.load()

    async def keep(self, kept: KeptDocument) -> None:
        """Leave the kept documents as they are."""


@final
class ForgottenDocuments:
    """Documents kept nowhere: for a process without a database."""

    async def load(self) -> list[KeptDocument]:
        """Give none."""
        return []

    async def keep(self, kept: KeptDocument) -> None:
        """Forget the document."""
