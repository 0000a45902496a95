"""The public listener: whose request it is, and who answers it.

Owns the choice between the rooms of this process and the application. What answers can be exchanged while requests run
(settings that were read again); each request keeps what it began with.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from doorward.gateway.answering import Answerer
from doorward.gateway.connection import Connection
from doorward.gateway.head import Head
from doorward.gateway.local import Local
from doorward.inbound.crowd import Crowd
from doorward.inbound.door import Door


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What answers."""

    door: Door


@final
class PublicListener:
    """Makes the connections of the public listener; `site` may be exchanged at any time."""

    def __init__(self, site: Site) -> None:
        """Begin with `site`."""
        self.site = site

    def connect(self, crowd: Crowd) -> Callable[[], asyncio.Protocol]:
        """Give what makes a connection; see `inbound.crowd.Connect`."""
        return lambda: Connection(crowd, self._answering)

    def _answering(self, client: Connection, head: Head) -> Answerer:
        site = self.site
        visit = site.door.trust.visit(
            method=head.method,
            path=head.path,
            query=head.query,
            raw_headers=head.fields,
            peer=client.peer,
            scheme=client.scheme,
        )
        return Local(client, head, visit, site.door)
