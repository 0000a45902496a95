"""Whether each address of the application is well: asked now and then, at `app.health_path`.

An address that does not answer with 2xx or 3xx in time gets no requests while another does.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import final

from doorward.gateway.answer_head import AnswerHead
from doorward.gateway.berth import Berth
from doorward.gateway.fields import Fields
from doorward.gateway.upstream import Upstream

EVERY_SECONDS = 2.0
ANSWER_SECONDS = 2.0

log = logging.getLogger("doorward.gateway")


@final
class _Asked:
    """One question, and the status that came back; 0 where none did."""

    def __init__(self) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def begin(self, answer: AnswerHead, piece: bytes, trailers: Fields | None) -> None:
        del piece, trailers
        self._note(answer.status)

    def broke(self, reason: str, *, answered: bool) -> None:
        del reason, answered
        self._note(0)

    def switch(self, answer: AnswerHead, behind: bytes) -> None:
        del answer, behind
        self._note(0)

    def interim(self, answer: AnswerHead) -> None: ...
    def go_on_with(self, piece: bytes, trailers: Fields | None) -> None: ...
    def is_full(self) -> None: ...
    def has_room(self) -> None: ...

    def _note(self, status: int) -> None:
        if not self.status.done():
            self.status.set_result(status)


async def watch(berths: Sequence[Berth], path: str) -> None:
    """Ask every address for `path` again and again, until cancelled."""
    while True:
        await asyncio.gather(*(look_at(berth, path) for berth in berths))
        await asyncio.sleep(EVERY_SECONDS)


async def look_at(berth: Berth, path: str) -> None:
    """Ask one address, and note whether it is well; a change is one line in the log."""
    was_well, status = berth.is_well, await _status(berth, path)
    berth.is_well = 200 <= status < 400
    if berth.is_well is not was_well:
        facts = {"address": berth.address.netloc.decode(), "status": status}
        log.warning("gateway.app_well" if berth.is_well else "gateway.app_unwell", extra={"facts": facts})


async def _status(berth: Berth, path: str) -> int:
    asked = _Asked()
    upstream: Upstream | None = None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            upstream = await berth.connect()
            upstream.ask(asked, _question(berth, path), is_to_head=False, is_whole=True)
            return await asked.status
    except (OSError, TimeoutError, UnicodeError):
        return 0
    finally:
        if upstream is not None and upstream.is_open:
            upstream.drop()


def _question(berth: Berth, path: str) -> bytes:
    return b"GET %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (path.encode(), berth.address.netloc)
