"""What every door asks: may this request pass, and what is answered if it may not.

The porter recognises the caller (`sessions.gate`), has the rules decide (`identity.admission`), and puts a refusal into
an answer, a sign-in into a redirect. It logs one line for each request that does not pass, with the rule that decided.
It knows no proxy and no socket; the doors forward what passes.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, final
from urllib.parse import quote

from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.targets import allowed_target
from doorward.config.challenge import ChallengeOf
from doorward.gateway.answers import Headers, say_refusal
from doorward.gateway.familiar import Standing
from doorward.gateway.trace import Step, trace
from doorward.identity.admission import (
    AUTH_OFF,
    LET_IN,
    AdmissionRules,
    Allow,
    Anonymous,
    Bad,
    Challenge,
    Credential,
    Decision,
    Deny,
    decide,
)
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Reply

_AS_IT_STANDS = "%/:?#[]@!$&'()*+,;="  # RFC 3986 section 2.2; whatever else is no letter of ASCII is encoded
AWAY = "the caller cannot be looked up"

log = logging.getLogger("doorward.gateway")


class Known(Protocol):
    """A caller, as far as the porter cares: `sessions.session.Caller`."""

    @property
    def credential(self) -> Credential:
        """Give what was found."""
        ...


class Recognises(Protocol):
    """Finds out who calls: `sessions.gate.Gate`."""

    def recognise_now(self, visit: Visit) -> Known | None:
        """Give the caller from memory alone, or None when somebody has to be asked."""
        ...

    def key(self, visit: Visit) -> bytes | None:
        """Give the key under which memory has the caller, empty for nobody, None where there is no one key."""
        ...

    def site(self, visit: Visit) -> str | None:
        """Give the origin at which the caller must count, None where there is only one."""
        ...

    def recognise_again(self, key: bytes, site: str | None) -> Allow | None:
        """Let whoever memory has under a key pass with a request that changes nothing, or give None."""
        ...

    async def recognise(self, visit: Visit) -> Known:
        """Give the caller; raises `DoorwardError` for what is no fault of the caller's."""
        ...


Begin: TypeAlias = Callable[[Visit, str, str | None], Awaitable[Reply]]
"""Begins a sign-in that nobody asked for: visit, site, alias of the provider or None for the page to choose one."""


@final
class Porter:
    """Decides for every door."""

    def __init__(
        self,
        rules: AdmissionRules,
        trust: Trust,
        *,
        gate: Recognises,
        begin: Begin,
        challenge: ChallengeOf,
        api_prefix: str = "/.auth",
        explains: bool = False,
    ) -> None:
        """Decide by `rules`; with `explains`, which is for development alone, refusals show how they came about."""
        self._rules = rules
        self._trust = trust
        self._gate = gate
        self._begin = begin
        self._challenge = challenge
        self._login = f"{api_prefix}/login"
        self._explains = explains

    # --- deciding ------------------------------------------------------------------------------------------------

    def decide_now(self, visit: Visit) -> Decision | None:
        """Decide from memory alone, or give None when the caller has to be looked up; never waits, never raises."""
        if not self._rules.enabled:
            return AUTH_OFF
        caller = self._gate.recognise_now(visit)
        return None if caller is None else decide(self._rules, visit, self._trust.site(visit), caller.credential)

    def standing(self, visit: Visit) -> Standing | None:
        """Say by what a GET that passes would pass again with the same header fields, whatever its address is.

        None where that depends on more, such as the address.
        """
        if not self._rules.enabled:
            return Standing(allow=AUTH_OFF)
        key = self._gate.key(visit)
        if key is None:
            return None
        if key:
            return Standing(key=key, site=self._gate.site(visit))
        return Standing(allow=LET_IN) if self._rules.action == "AllowAnonymous" else None

    def decide_again(self, standing: Standing) -> Allow | None:
        """Let a GET pass that may, or give None where it has to be looked at; never waits, never raises."""
        return standing.allow or self._gate.recognise_again(standing.key, standing.site)

    async def decide(self, visit: Visit) -> Decision:
        """Decide; a caller who cannot be looked up is refused with the row that says why (503)."""
        try:
            return decide(self._rules, visit, self._trust.site(visit), await self._recognise(visit))
        except DoorwardError as error:
            return Deny(row=error.row, rule=AWAY, facts=error.facts)

    async def explain(self, visit: Visit) -> tuple[Decision, list[Step]]:
        """Give the decision about a request, and how it comes about, step by step; nothing is done to it."""
        return await self._look(visit)

    async def _recognise(self, visit: Visit) -> Credential:
        if not self._rules.enabled:
            return Anonymous()
        caller = self._gate.recognise_now(visit) or await self._gate.recognise(visit)
        return caller.credential

    async def _look(self, visit: Visit) -> tuple[Decision, list[Step]]:
        site = self._trust.site(visit)
        try:
            credential = await self._recognise(visit)
            decision = decide(self._rules, visit, site, credential)
        except DoorwardError as error:
            credential = Bad(row=error.row, facts=error.facts)
            decision = Deny(row=error.row, rule=AWAY, facts=error.facts)
        return decision, trace(self._rules, visit, site, credential, decision)

    # --- answering -----------------------------------------------------------------------------------------------

    async def answer(self, visit: Visit, decision: Challenge | Deny) -> Reply:
        """Answer a request that may not pass: with the beginning of a sign-in, or with a refusal."""
        if isinstance(decision, Challenge) and decision.redirect:
            try:
                reply = await self._begin(visit, self._trust.site(visit), decision.provider)
            except DoorwardError as error:
                decision = Deny(row=error.row, rule=decision.rule, facts=error.facts)
            else:
                log.info("gateway.sent_to_sign_in", extra={"facts": {"rule": decision.rule}})
                return reply
        return await self.refuse(visit, decision)

    async def refuse(self, visit: Visit, decision: Challenge | Deny, *, said: ErrorRow | None = None) -> Reply:
        """Refuse a request with the status of its row, and log the rule that decided.

        `said` is what is told in its place, at doors that have fewer statuses; the log has the row itself.
        """
        self._note(decision)
        row = said or decision.row
        can_sign_in = isinstance(decision, Challenge) and self._rules.providers > 0
        return say_refusal(
            visit,
            row,
            headers=self._challenge_headers(visit) if row.status == 401 else (),
            sign_in=self.sign_in_address(visit, None) if can_sign_in else "",
            steps=(await self._look(visit))[1] if self._explains else (),
        )

    def sign_in_address(self, visit: Visit, provider: str | None) -> str:
        """Give the absolute address at which the sender of `visit` signs in and comes back to what was asked for."""
        site = self._trust.site(visit)
        path = quote(visit.path, safe=_AS_IT_STANDS, encoding="latin-1")
        query = quote(visit.query, safe=_AS_IT_STANDS, encoding="latin-1")
        asked = (f"{path}?{query}" if query else path, path) if visit.method in {"GET", "HEAD"} else ()
        target = next((found for candidate in asked if (found := allowed_target(candidate, site))), "/")
        login = self._login if provider is None else f"{self._login}/{quote(provider, safe='')}"
        return f"{site}{login}?post_login_redirect_uri={quote(target, safe='')}"

    def _challenge_headers(self, visit: Visit) -> Headers:
        """Give what every 401 carries, unless the settings want none (easy-auth reference 8.4)."""
        text = self._challenge(visit, self._trust.site(visit))
        return () if text is None else ((b"www-authenticate", text),)

    def _note(self, decision: Challenge | Deny) -> None:
        level = decision.row.log_level
        if log.isEnabledFor(level):
            facts = dict(decision.facts) if isinstance(decision, Deny) else {}
            facts |= {"rule": decision.rule, "code": decision.row.code}
            log.log(level, "gateway.refused", extra={"facts": facts})
