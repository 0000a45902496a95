"""The audit trail of browser sign-in: who signed in and out, and who was refused (issue of a record, never a token).

A sign-in and a sign-out are recorded in the transaction that makes them true. A refusal is recorded apart, at most a
bounded number a second: anybody can be refused as often as they like.
"""

import logging
from collections.abc import Callable

from doorward.accounts.audit import TEXT_MAX, Subject, record
from doorward.accounts.nouns import Origin
from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.text import cleaned
from doorward.config.auth_plan import ProviderPlan
from doorward.identity.claims import OBJECT_ID, TENANT_ID, first_value
from doorward.identity.person import Identity
from doorward.identity.visit import Visit
from doorward.sessions.session import Session
from doorward.store import Append, Store

SIGNED_IN = "session.started"
SIGNED_OUT = "session.ended"
REFUSED = "sign_in.refused"
MOST_A_SECOND = 50
_log = logging.getLogger("doorward.easyauth")


class SignInRecords:
    """Makes the records of sign-ins and sign-outs, and writes those of refusals."""

    def __init__(self, store: Store, clock: Clock, count_dropped: Callable[[], None] = lambda: None) -> None:
        """Write into the audit trail of `store`; `count_dropped` is called for each record that is not written."""
        self._store = store
        self._clock = clock
        self._count_dropped = count_dropped
        self._second = 0
        self._written = 0

    def signed_in(self, visit: Visit, plan: ProviderPlan, identity: Identity, now: float) -> Append:
        """Make the record of a sign-in."""
        return record(SIGNED_IN, now, origin_of(visit), _subject(plan, identity), detail=_who(identity))

    def signed_out(self, visit: Visit, plan: ProviderPlan | None, session: Session, now: float) -> Append:
        """Make the record of a sign-out."""
        identity = session.identity
        return record(SIGNED_OUT, now, origin_of(visit), _subject(plan, identity), detail=_who(identity))

    async def refused(
        self,
        visit: Visit,
        plan: ProviderPlan,
        refusal: DoorwardError,
        identity: Identity | None = None,
        *,
        event: str = REFUSED,
    ) -> None:
        """Log a refusal, and record it unless this second has had its share; never raises for a database away."""
        facts = {"provider": plan.name, **refusal.facts, "code": refusal.code}
        _log.info(event, extra={"facts": facts})
        now = self._clock.now()
        if int(now) != self._second:
            self._second, self._written = int(now), 0
        self._written += 1
        if self._written > MOST_A_SECOND:
            self._count_dropped()
            return
        detail = _detail(refusal) if identity is None else _who(identity)
        subject = _subject(plan, identity)
        try:
            await self._store.append(
                [record(event, now, origin_of(visit), subject, code=refusal.code, detail=f"{plan.name}: {detail}")]
            )
        except DoorwardError as error:
            self._count_dropped()
            _log.warning("audit_record.dropped", extra={"facts": {"reason": error.code}})


def origin_of(visit: Visit) -> Origin:
    """Give where a request came from, for the audit trail, cleaned before any transaction begins."""
    return Origin(address=visit.address, user_agent=cleaned(visit.user_agent, TEXT_MAX), request_id=visit.request_id)


def _subject(plan: ProviderPlan | None, identity: Identity | None) -> Subject:
    claims = () if identity is None else identity.claims
    return Subject(
        client_id=None if plan is None else plan.client_id,
        tid=first_value(claims, TENANT_ID),
        oid=first_value(claims, OBJECT_ID),
    )


def _who(identity: Identity) -> str:
    """Name a person as `easyauth.allowed_users` does: by the identifier that never changes."""
    return f"{identity.provider}:{identity.subject}"


def _detail(refusal: DoorwardError) -> str:
    named = (str(refusal.facts[name]) for name in ("check", "error", "reason") if refusal.facts.get(name))
    return ", ".join(named) or refusal.row.message
