"""The application behind the gateway, as far as the public listener knows it: who is let through to it, and how.

`AppDoor` is what every request to the application shares; `Relay` is one such request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from doorward.base.clock import Clock
from doorward.gateway.forward import Forwarding
from doorward.gateway.pool import Pool
from doorward.identity.admission import Challenge, Decision, Deny
from doorward.identity.visit import Visit
from doorward.inbound.door import Observe, Reply

APP_ROUTE = "app"
"""What requests to the application are counted under."""


class Decides(Protocol):
    """Who may pass: `gateway.porter.Porter`."""

    def decide_now(self, visit: Visit) -> Decision | None:
        """Decide from memory alone, or give None when somebody has to be asked."""
        ...

    async def decide(self, visit: Visit) -> Decision:
        """Decide."""
        ...

    async def answer(self, visit: Visit, decision: Challenge | Deny) -> Reply:
        """Answer who may not pass."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDoor:
    """What requests to the application share; `response_timeout` is in seconds.

    `answer_first` may answer a request before anybody decides: a plain one where TLS is required
    (`other.Outside.insist_on_https`).
    """

    porter: Decides
    pool: Pool
    forwarding: Forwarding
    clock: Clock
    observe: Observe
    response_timeout: float = 60.0
    answer_first: Callable[[Visit], Reply | None] = lambda _visit: None
