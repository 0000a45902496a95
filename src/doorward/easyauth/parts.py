"""What sign-in and sign-out are made of, put together by the house."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError, ErrorRow
from doorward.base.frozen import frozen
from doorward.base.refusals import NOT_FOUND
from doorward.config.auth_plan import AuthPlan, ProviderPlan
from doorward.easyauth.flow import Flow
from doorward.easyauth.records import SignInRecords
from doorward.identity.person import Identity
from doorward.identity.visit import Trust, Visit
from doorward.providers.spec import Kind
from doorward.sessions.codes import SignInCodes
from doorward.sessions.desk import SessionDesk
from doorward.sessions.gate import Gate
from doorward.sessions.nonce import Nonces
from doorward.sessions.session_token import SessionTokens

Judge: TypeAlias = Callable[[ProviderPlan, Mapping[str, object], Identity], ErrorRow | None]
"""Holds somebody who signed in to the policy of the provider and the guest list; gives the refusal, or None."""


@frozen
class Parts:
    """What the handlers work with. `profile` is the setting of that name; `explains` is for development alone."""

    plan: AuthPlan
    profile: str
    trust: Trust
    clock: Clock
    flows: Mapping[Kind, Flow]
    nonces: Nonces
    desk: SessionDesk
    gate: Gate
    tokens: SessionTokens
    codes: SignInCodes
    judge: Judge
    records: SignInRecords
    explains: bool = False

    def provider(self, name: str) -> ProviderPlan:
        """Give a configured provider; raises `DoorwardError` (`not_found`) for any other name."""
        plan = self.plan.providers.get(name)
        if plan is None:
            raise DoorwardError(NOT_FOUND)
        return plan

    def flow(self, plan: ProviderPlan) -> Flow:
        """Give the way of signing in at a provider; raises `DoorwardError` (`not_found`) where there is none."""
        flow = self.flows.get(plan.spec.kind)
        if flow is None:
            raise DoorwardError(NOT_FOUND, provider=plan.name, reason=f"nobody signs in by {plan.spec.kind} here")
        return flow

    def callback_address(self, site: str, plan: ProviderPlan) -> str:
        """Give where a provider sends the browser back to."""
        return f"{site}{self.plan.api_prefix}/login/{plan.name}/callback"

    def site(self, visit: Visit) -> str:
        """Give the origin under which to serve a visit."""
        return self.trust.site(visit)


def is_https(site: str) -> bool:
    """Say whether cookies of a site are those of https:."""
    return site.startswith("https:")
