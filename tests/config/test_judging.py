"""One question for sign-ins and bearers: policies, guest list, and what the provider vouches for."""

from typing import Any

import pytest

from doorward.base.refusals_gateway import APPLICATION_NOT_ADMITTED, PERSON_NOT_ADMITTED
from doorward.base.secret import Secret
from doorward.config.auth_plan import ProviderPlan
from doorward.config.judging import guests_of, judge_of
from doorward.config.sections_easyauth import EasyAuthSettings
from doorward.config.tree_endpoints import entra_endpoints
from doorward.identity.person import Identity
from doorward.identity.policy import Policy
from doorward.providers import ALL

TENANT = "11111111-2222-4333-8444-5555aaaabbbb"
RAW: dict[str, Any] = {"tid": TENANT, "email": "jane@contoso.com", "sub": "sub-1"}
JANE = Identity(provider="aad", user_id="jane@contoso.com", subject="sub-1", principal_id="x", name_typ="", claims=())


def plan(tenant: str, **policy: Any) -> ProviderPlan:
    return ProviderPlan(
        name="aad",
        spec=ALL["aad"],
        client_id="client",
        client_secret=Secret(""),
        endpoints=entra_endpoints(f"https://login.microsoftonline.com/{tenant}/v2.0"),
        policy=Policy(**policy),
    )


@pytest.mark.parametrize(
    ("provider", "settings", "admitted"),
    [
        (plan(TENANT), {}, True),
        (plan("common"), {}, True),
        (plan(TENANT), {"allowed_domains": ("contoso.com",)}, True),
        (plan(TENANT), {"allowed_emails": ("jane@contoso.com",)}, True),
        (plan(TENANT), {"allowed_domains": ("fabrikam.com",)}, False),
        (plan("contoso.com"), {"allowed_domains": ("contoso.com",)}, True),
        (plan("common"), {"allowed_domains": ("contoso.com",)}, False),
        (plan("organizations"), {"allowed_emails": ("jane@contoso.com",)}, False),
        (plan("common", tenants=(TENANT,)), {"allowed_domains": ("contoso.com",)}, True),
        (plan("common"), {"allowed_users": ("aad:sub-1",)}, True),
        (plan("common"), {"allowed_users": ("google:sub-1",)}, False),
    ],
)
def test_guest_lists_believe_tenants_that_were_chosen(
    provider: ProviderPlan,
    settings: dict[str, Any],
    admitted: bool,  # noqa: FBT001 - a table's column
) -> None:
    """An address counts where the operator chose the tenant; whoever may be anybody is admitted by nameidentifier."""
    judge = judge_of(guests_of(EasyAuthSettings(**settings)), checks_application=True)
    assert judge(provider, RAW, JANE) is (None if admitted else PERSON_NOT_ADMITTED)


def test_applications_are_asked_of_bearers_alone() -> None:
    """A browser's sign-in names no calling application."""
    guests, provider = guests_of(EasyAuthSettings()), plan(TENANT, applications=("app",))
    assert judge_of(guests, checks_application=True)(provider, RAW, JANE) is APPLICATION_NOT_ADMITTED
    assert judge_of(guests, checks_application=False)(provider, RAW, JANE) is None
