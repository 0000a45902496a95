"""The public listener: whose request it is, and who answers it.

Owns the choice between the rooms of this process and the application. What answers can be exchanged while requests run
(settings that were read again); each request keeps what it began with.
"""

import asyncio
from collections.abc import Callable
from typing import final

from doorward.base.frozen import frozen
from doorward.gateway.answering import Answerer
from doorward.gateway.app import AppDoor
from doorward.gateway.connection import Connection
from doorward.gateway.familiar import LONGEST_HEAD
from doorward.gateway.head import Head
from doorward.gateway.local import Local
from doorward.gateway.questions import Questions
from doorward.gateway.relay import Relay
from doorward.gateway.repeat import Repeat
from doorward.inbound.crowd import Crowd
from doorward.inbound.door import Door

_END = b"\r\n\r\n"


@frozen
class Site:
    """What answers: the rooms of this process at their own addresses, and the application at all others, if any.

    `own_prefixes` are paths without trailing slash, each of which covers itself and everything below it; `own_paths`
    cover themselves alone. `questions` are those of reverse proxies that need not be read again, where any may ask.
    """

    door: Door
    app: AppDoor | None = None
    questions: Questions | None = None
    own_prefixes: tuple[str, ...] = ()
    own_paths: frozenset[str] = frozenset()

    def is_own(self, path: str) -> bool:
        """Say whether a path is one of the rooms'."""
        if not path.startswith(self.own_prefixes):
            return path in self.own_paths
        below = any(path.startswith(prefix) and path[len(prefix) :][:1] in {"", "/"} for prefix in self.own_prefixes)
        return below or path in self.own_paths


@final
class PublicListener:
    """Makes the connections of the public listener; `site` may be exchanged at any time."""

    def __init__(self, site: Site) -> None:
        """Begin with `site`."""
        self.site = site

    def connect(self, crowd: Crowd) -> Callable[[], asyncio.Protocol]:
        """Give what makes a connection; see `inbound.crowd.Connect`."""
        recall = self._recall if crowd.limits.head_bytes >= LONGEST_HEAD else _recall_nothing
        return lambda: Connection(crowd, self._answering, recall)

    def _recall(self, client: Connection, data: bytes) -> bool:
        """Answer these bytes, if they are a request that need not be read, and that may pass; say whether they are."""
        site = self.site
        if client.is_draining:  # the answer has to say that it is the last
            return False
        try:
            told = None if site.questions is None else site.questions.recall(client, data)
            answering = told or (None if site.app is None else _recalled(client, data, site.app))
        except Exception:  # noqa: BLE001 - who reads the request meets the same defect, and answers for it
            return False
        if answering is None:
            return False
        answering.start()
        return True

    def _answering(self, client: Connection, head: Head) -> Answerer:
        site = self.site
        visit = head.visit(site.door.trust, client.peer, client.scheme)
        if site.app is None or site.is_own(head.path):
            if site.questions is not None and site.questions.path == head.path:
                site.questions.meet(head, visit)
            return Local(client, head, visit, site.door)
        return Relay(client, head, visit, site.app)


def _recalled(client: Connection, data: bytes, door: AppDoor) -> Repeat | None:
    end = data.find(b"\r\n")
    line = data[:end]
    known = door.familiar.fields.get(data[end:-4]) if line in door.familiar.lines else None
    if known is None or not data.endswith(_END):
        return None
    if client.stranger_to is not door.trust:
        if not door.trust.is_stranger(client.peer):
            return None
        client.stranger_to = door.trust
    allow = door.porter.decide_again(known.standing)
    upstream = None if allow is None else door.pool.best().take(must_be_recent=False)
    if allow is None or upstream is None:
        return None
    return Repeat(client, door, known, line, allow.principal, upstream)


def _recall_nothing(_client: Connection, _data: bytes) -> bool:
    """Have every request read."""
    return False
