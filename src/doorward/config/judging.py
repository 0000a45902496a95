"""Who may sign in, or come with a bearer: policies of the auth tree and guest list of the settings in one question.

Easy-auth reference 8.3 and settings easyauth.allowed_*. Sign-in and the check of bearers ask the same.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from doorward.base.errors import ErrorRow
from doorward.config.auth_plan import ProviderPlan
from doorward.config.sections_easyauth import EasyAuthSettings
from doorward.config.tree_endpoints import is_multi_tenant
from doorward.identity.person import Identity
from doorward.identity.policy import GuestList, refuse_by_policy

Judge: TypeAlias = Callable[[ProviderPlan, Mapping[str, object], Identity], ErrorRow | None]
"""Gives the refusal of somebody, or None: the provider, its verified claims or profile, and who it says they are."""


def guests_of(settings: EasyAuthSettings) -> GuestList:
    """Give the people whom the settings name."""
    return GuestList.of(emails=settings.allowed_emails, domains=settings.allowed_domains, users=settings.allowed_users)


def judge_of(guests: GuestList, *, checks_application: bool) -> Judge:
    """Give the judge; `checks_application` is for bearers and client-directed sign-in."""

    def judge(plan: ProviderPlan, raw: Mapping[str, object], identity: Identity) -> ErrorRow | None:
        return refuse_by_policy(
            plan.policy,
            guests,
            provider=plan.name,
            subject=identity.subject,
            raw=raw,
            emails=plan.spec.vouched_emails(raw, _issuer_of_choice(plan, raw)),
            checks_application=checks_application,
        )

    return judge


def _issuer_of_choice(plan: ProviderPlan, raw: Mapping[str, object]) -> str:
    """Give whose word about addresses the operator chose: the configured issuer, or the tenant that is listed.

    Empty where the settings admit people of any tenant: there anybody can have a tenant of their own.
    """
    if plan.policy.tenants:
        return str(raw.get("tid", ""))  # it is in the list, or the policy refuses the caller first
    endpoints = plan.endpoints
    is_open = is_multi_tenant(endpoints.issuer) or is_multi_tenant(endpoints.discovery)
    return "" if is_open else endpoints.issuer or endpoints.discovery
