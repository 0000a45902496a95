"""The gateway inside an application's own process: what the ASGI and the WSGI door have in common.

The server has read the request already, so nothing is judged byte for byte here; what is asked is what the application
will see. Owns the order in which a request is looked at, and which fields of it the application gets: without what only
we may write, without our cookies, without what a stranger says about the way here, and with the caller's identity.
Knows neither ASGI nor WSGI, no thread and no socket.
"""

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from doorward.base.clock import Clock
from doorward.base.frozen import frozen
from doorward.base.refusals import INTERNAL_ERROR, METHOD_NOT_ALLOWED
from doorward.gateway.answers import NO_TRACE, say_refusal
from doorward.gateway.app import APP_ROUTE, Decides
from doorward.gateway.fields import Field
from doorward.gateway.line import Fate, fate_of
from doorward.gateway.listener import Site
from doorward.identity.admission import Allow
from doorward.identity.visit import Visit
from doorward.inbound.blame import frames
from doorward.inbound.door import Observe, Read, Reply, completed
from doorward.protocol.easyauth import without_forged

REQUEST_ID = b"x-request-id"
_KNOWN_NAMES = 2048
_KNOWN_NAME_BYTES = 64
_PATH_LETTERS = "/:@!$&'()*+,;=~"  # RFC 3986 section 3.3; letters, digits and -._ are never quoted

log = logging.getLogger("doorward.gateway")


@final
@frozen
class Inside:
    """The gateway inside an application: our own addresses (`site`), and who may pass (`porter`).

    `answer_first` may answer a request before anybody decides (`other.Outside.insist_on_https`). Requests that pass are
    the application server's to observe.
    """

    site: Site
    porter: Decides
    clock: Clock
    observe: Observe
    answer_first: Callable[[Visit], Reply | None] = lambda _visit: None
    keeps_own_cookies: bool = False

    def pass_now(self, visit: Visit) -> Allow | None:
        """Let a request pass by what memory alone can tell, or give None when `ask` has to be asked.

        Never waits, and may be called from any thread.
        """
        if self.site.is_own(visit.path) or visit.method == "TRACE" or self.answer_first(visit) is not None:
            return None
        decision = self.porter.decide_now(visit)
        return decision if isinstance(decision, Allow) else None

    async def ask(self, visit: Visit, read: Read) -> Allow | Reply:
        """Say that a request passes, or give the whole answer to it; `read` gives the body of one of our own.

        Raises `ClientGone` as `read` does.
        """
        if self.site.is_own(visit.path):
            return await self.site.door.answer(visit, read)
        started = self.clock.monotonic()
        try:
            answered = await self._decide(visit)
        except Exception as defect:  # noqa: BLE001 - whatever it is, nobody passes by it
            log.error("request.failed", extra={"facts": {"request_id": visit.request_id, **frames(defect)}})  # noqa: TRY400 - values in a traceback may be tokens
            answered = say_refusal(visit, INTERNAL_ERROR)
        if isinstance(answered, Allow):
            return answered
        self.observe(visit, APP_ROUTE, answered.status, self.clock.monotonic() - started)
        return completed(visit, answered)

    async def _decide(self, visit: Visit) -> Allow | Reply:
        reply = self.answer_first(visit)
        if reply is not None:
            return reply
        if visit.method == "TRACE":  # an application would show a script what its browser keeps from it
            return say_refusal(visit, METHOD_NOT_ALLOWED, headers=NO_TRACE)
        decision = self.porter.decide_now(visit) or await self.porter.decide(visit)
        return decision if isinstance(decision, Allow) else await self.porter.answer(visit, decision)

    def fields(self, visit: Visit, allow: Allow) -> list[Field]:
        """Give the fields of a request that passes as the application is to see them, with lower-case names.

        What only we may write stands behind what was sent.
        """
        kept = without_forged(visit.raw_headers, keep_own_cookies=self.keeps_own_cookies)
        dropped = (Fate.IS_OURS,) if visit.peer_is_trusted else (Fate.IS_OURS, Fate.IS_WAY)
        fields = [field for field in kept if _fate(field[0]) not in dropped]
        if allow.principal is not None:
            fields += [(name.lower(), value) for name, value in allow.principal.headers]
        fields.append((REQUEST_ID, visit.request_id.encode()))
        return fields


def without_request_id(fields: Iterable[Field]) -> list[Field]:
    """Give the fields of an application's answer without an id of its own: there is one for each request."""
    return [field for field in fields if field[0].lower() != REQUEST_ID]


def judged_path(seen: bytes, sent: bytes | None) -> str:
    """Give the path to decide by: as it was `sent` where that decodes to what the application will see.

    `seen` is that decoded path. Where the server does not tell what was sent, or something before us has changed the
    path, what the application will see is encoded again, so that nobody is let in to one path and served another.
    """
    if sent is not None:
        sent = sent.partition(b"?")[0]  # some servers leave the query in it
        if unquote_to_bytes(sent) == seen:
            return sent.decode("latin-1")
    return quote_from_bytes(seen, safe=_PATH_LETTERS)


def _fate(name: bytes) -> Fate:
    return _known_fate(name) if len(name) <= _KNOWN_NAME_BYTES else _fate_of(name)


def _fate_of(name: bytes) -> Fate:
    """Say what becomes of a field: what concerns the connection the server has dealt with, and only the id is ours."""
    if name.replace(b"_", b"-") == REQUEST_ID:
        return Fate.IS_OURS
    fate = fate_of(name)
    return Fate.PASSES if fate is Fate.IS_OURS else fate


_known_fate = lru_cache(_KNOWN_NAMES)(_fate_of)
