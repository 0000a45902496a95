"""The application behind the gateway, as far as the public listener knows it: who is let through to it, and how.

`AppDoor` is what every request to the application shares; `Relay` is one such request.
"""

from collections.abc import Callable
from dataclasses import field
from typing import Protocol

from doorward.base.clock import Clock
from doorward.base.frozen import frozen
from doorward.gateway.familiar import Familiar, KnownFields, Standing
from doorward.gateway.forward import Forwarding
from doorward.gateway.head import Head
from doorward.gateway.pool import Pool
from doorward.gateway.tunnel import Lasts, Watch
from doorward.identity.admission import Allow, Challenge, Decision, Deny
from doorward.identity.principal import Principal
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Observe, Reply

APP_ROUTE = "app"
"""What requests to the application are counted under."""


class Decides(Protocol):
    """Who may pass: `gateway.porter.Porter`."""

    def decide_now(self, visit: Visit) -> Decision | None:
        """Decide from memory alone, or give None when somebody has to be asked."""
        ...

    def standing(self, visit: Visit) -> Standing | None:
        """Say by what a GET that passes would pass again with the same header fields, None where more decides."""
        ...

    def decide_again(self, standing: Standing) -> Allow | None:
        """Let a GET pass that may, or give None where it has to be looked at."""
        ...

    async def decide(self, visit: Visit) -> Decision:
        """Decide."""
        ...

    async def answer(self, visit: Visit, decision: Challenge | Deny) -> Reply:
        """Answer who may not pass."""
        ...


@frozen
class AppDoor:
    """What requests to the application share; `response_timeout` is in seconds.

    `answer_first` may answer a request before anybody decides: a plain one where TLS is required
    (`other.Outside.insist_on_https`). `familiar` are the header lines that need not be read again.
    `lasting` says who is still signed in, for what outlasts its request.
    """

    porter: Decides
    trust: Trust
    pool: Pool
    forwarding: Forwarding
    clock: Clock
    observe: Observe
    response_timeout: float = 60.0
    lasting: Lasts | None = None
    answer_first: Callable[[Visit], Reply | None] = lambda _visit: None
    familiar: Familiar = field(default_factory=Familiar)

    def watch(self, visit: Visit, principal: Principal | None) -> Watch | None:
        """Watch whoever opens a tunnel with this visit; None where nobody is known."""
        return None if principal is None or self.lasting is None else Watch(self.lasting, visit)

    def remember(self, head: Head, visit: Visit, upstream_host: bytes) -> None:
        """Remember header lines of a GET that passed, and that have come for the second time, and what follows."""
        if not self.familiar.is_worth_keeping(head):
            return
        standing = self.porter.standing(visit)
        if standing is not None and (self.forwarding.keeps_host or len(self.pool.berths) == 1):
            kept = self.forwarding.kept(head, upstream_host, believes=False)
            self.familiar.keep(KnownFields(head, kept, standing))
