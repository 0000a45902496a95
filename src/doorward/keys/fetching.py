"""What every cache of a provider's documents does alike: fetching one, keeping it, and choosing when to ask again."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol, TypeVar, final

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.keys.kept import KeptDocument, KeptDocuments
from doorward.outbound import OutboundFailed

T = TypeVar("T")

CLOCK_ALLOWANCE = 300.0
"""How far ahead a document may be dated that is found at the start."""

_JITTER = 0.2
_log = logging.getLogger("doorward.keys")


class DocumentSource(Protocol):
    """Where documents come from; `Outbound` is one."""

    async def get_json_document(self, url: str, /) -> bytes:
        """Fetch a document; raises `OutboundFailed`."""
        ...


class NotFetched(Exception):
    """A document could not be had, or says nothing usable; the text says why, for the log."""


async def fetch(source: DocumentSource, url: str, read: Callable[[bytes], T]) -> tuple[T, bytes]:
    """Fetch a document and give what `read` makes of it, and the document; raises `NotFetched`, and nothing else.

    `read` raises `ValueError` for a document that is none.
    """
    try:
        document = await source.get_json_document(url)
        return read(document), document
    except (OutboundFailed, ValueError) as error:
        raise NotFetched(str(error)) from error
    except Exception as error:  # a defect in a fetch must not end the cache for everybody
        raise NotFetched(f"defect: {type(error).__name__}") from error


def later(clock: Clock, entropy: Entropy, seconds: float) -> float:
    """Give the monotonic moment `seconds` from now or up to a fifth sooner, so that replicas do not ask in step."""
    share = int.from_bytes(entropy.draw(4), "big") / 2**32
    return clock.monotonic() + seconds * (1 - _JITTER * share)


def shown(url: str) -> str:
    """Give an address as logs and audit may hold it: without its query."""
    return url.partition("?")[0]


@final
class Saves:
    """Documents on their way to where they are kept; nobody waits for one but the end of the process."""

    def __init__(self, kept: KeptDocuments, failed: str) -> None:
        """Keep documents in `kept`; `failed` is what the log says of one that could not be kept."""
        self._kept = kept
        self._failed = failed
        self._under_way: set[asyncio.Task[None]] = set()

    def begin(self, document: KeptDocument) -> None:
        """Begin to keep a document."""
        save = asyncio.create_task(self._save(document))
        self._under_way.add(save)
        save.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Wait until everything that was begun is kept, or has failed."""
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _save(self, document: KeptDocument) -> None:
        try:
            await self._kept.keep(document)
        except Exception as error:  # noqa: BLE001 - it is in memory; without the copy only a restart is poorer
            _log.warning(self._failed, extra={"facts": {"url": shown(document.url), "reason": type(error).__name__}})
