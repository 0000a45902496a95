"""Who may pass beyond being signed in: every rule that is set has to hold."""

from typing import Any

import pytest

from doorward.base.errors import ErrorRow
from doorward.base.refusals_gateway import (
    APPLICATION_NOT_ADMITTED,
    OBJECT_ID_REQUIRED,
    PERSON_NOT_ADMITTED,
    PRINCIPAL_NOT_ADMITTED,
    TENANT_NOT_ADMITTED,
)
from doorward.identity.policy import GuestList, Policy, refuse_by_policy

APP, OTHER_APP = "11111111-aaaa-4aaa-8aaa-000000000001", "11111111-aaaa-4aaa-8aaa-000000000002"
OID, OTHER_OID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "aaaaaaaa-bbbb-4ccc-8ddd-ffffffffffff"
TENANT = "11111111-2222-4333-8444-5555aaaabbbb"
GROUP = "99999999-aaaa-4aaa-8aaa-000000000009"
CLAIMS: dict[str, Any] = {"ver": "2.0", "tid": TENANT, "oid": OID, "azp": APP, "groups": ["x", GROUP]}


def refusal(
    policy: Policy = Policy(),  # noqa: B008 - it is frozen
    guests: GuestList = GuestList(),  # noqa: B008 - it is frozen
    *,
    checks_application: bool = True,
    emails: tuple[str, ...] = ("jane@contoso.com",),
    provider: str = "aad",
    **claims: Any,
) -> ErrorRow | None:
    raw = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    return refuse_by_policy(
        policy,
        guests,
        provider=provider,
        subject="sub-1",
        raw=raw,
        emails=emails,
        checks_application=checks_application,
    )


EVERYTHING = Policy(applications=(APP,), groups=(GROUP,), identities=(OID,), tenants=(TENANT,), requires_oid=True)


@pytest.mark.parametrize(
    ("policy", "claims", "row"),
    [
        (Policy(), {}, None),
        (EVERYTHING, {}, None),
        (EVERYTHING, {"tid": TENANT.upper(), "oid": OID.upper(), "azp": APP.upper()}, None),
        (EVERYTHING, {"tid": "other"}, TENANT_NOT_ADMITTED),
        (EVERYTHING, {"oid": None}, OBJECT_ID_REQUIRED),
        (EVERYTHING, {"azp": OTHER_APP}, APPLICATION_NOT_ADMITTED),
        (EVERYTHING, {"oid": OTHER_OID}, None),
        (EVERYTHING, {"oid": OTHER_OID, "groups": ["x"]}, PRINCIPAL_NOT_ADMITTED),
        (Policy(checked_groups=(GROUP,), identities=(OID,)), {}, None),
        (Policy(checked_groups=(GROUP,), identities=(OID,)), {"groups": ["x"]}, PRINCIPAL_NOT_ADMITTED),
        (Policy(checked_groups=(GROUP,), groups=("x",)), {"groups": ["x"]}, PRINCIPAL_NOT_ADMITTED),
        (Policy(checked_groups=(GROUP,)), {"groups": GROUP}, None),
        (Policy(tenants=(TENANT,)), {"tid": None}, TENANT_NOT_ADMITTED),
        (Policy(tenants=(TENANT,)), {"tid": [TENANT]}, TENANT_NOT_ADMITTED),
        (Policy(tenants=("", TENANT)), {"tid": ""}, TENANT_NOT_ADMITTED),
        (Policy(applications=(APP,)), {"azp": None}, APPLICATION_NOT_ADMITTED),
        (Policy(applications=(APP,)), {"azp": None, "appid": APP}, None),
        (Policy(applications=(APP,)), {"ver": "1.0", "azp": APP}, APPLICATION_NOT_ADMITTED),
        (Policy(applications=(APP,)), {"ver": "1.0", "appid": APP, "azp": None}, None),
        (Policy(applications=(APP,)), {"azp": OTHER_APP, "appid": APP}, APPLICATION_NOT_ADMITTED),
        (Policy(identities=(OTHER_OID, OID)), {}, None),
        (Policy(identities=(OTHER_OID,)), {}, PRINCIPAL_NOT_ADMITTED),
        (Policy(identities=(OID,)), {"oid": None}, OBJECT_ID_REQUIRED),
        (Policy(identities=(OID,)), {"oid": ""}, OBJECT_ID_REQUIRED),
        (Policy(requires_oid=True), {"oid": None}, OBJECT_ID_REQUIRED),
        (Policy(groups=(GROUP,)), {}, None),
        (Policy(groups=(GROUP,)), {"groups": GROUP}, None),
        (Policy(groups=(GROUP,)), {"groups": None}, PRINCIPAL_NOT_ADMITTED),
        (Policy(groups=(GROUP,)), {"groups": None, "_claim_names": {"groups": "src1"}}, PRINCIPAL_NOT_ADMITTED),
        (Policy(groups=(GROUP,)), {"groups": [[GROUP], {"id": GROUP}, None, 1]}, PRINCIPAL_NOT_ADMITTED),
        (Policy(groups=(GROUP,)), {"oid": None}, None),
        (Policy(identities=(OTHER_OID,), groups=(GROUP,)), {}, None),
    ],
)
def test_azures_policies_hold(policy: Policy, claims: dict[str, Any], row: ErrorRow | None) -> None:
    """Tenant, object id, application, and one of identities and groups; what a token does not say counts against it."""
    assert refusal(policy, **claims) is row


def test_a_browsers_sign_in_names_no_application() -> None:
    """`allowedApplications` is for bearers and client-directed sign-in (interface, section 7)."""
    policy = Policy(applications=(APP,))
    assert refusal(policy, azp=None, checks_application=False) is None


@pytest.mark.parametrize(
    ("guests", "emails", "admitted"),
    [
        (GuestList.of(), (), True),
        (GuestList.of(emails=["jane@contoso.com"]), ("jane@contoso.com",), True),
        (GuestList.of(emails=[" Jane@Contoso.COM "]), ("JANE@contoso.com",), True),
        (GuestList.of(emails=["jane@contoso.com"]), ("john@contoso.com",), False),
        (GuestList.of(emails=["jane@contoso.com"]), (), False),
        (GuestList.of(emails=["jane@contoso.com"]), ("x@y.example", "jane@contoso.com"), True),
        (GuestList.of(emails=["jane@b\u00fccher.example"]), ("jane@xn--bcher-kva.example",), True),
        (GuestList.of(domains=["contoso.com"]), ("anybody@CONTOSO.com",), True),
        (GuestList.of(domains=["@Contoso.com"]), ("anybody@contoso.com",), True),
        (GuestList.of(domains=["contoso.com"]), ("jane@sub.contoso.com",), False),
        (GuestList.of(domains=["contoso.com"]), ("jane@evilcontoso.com",), False),
        (GuestList.of(domains=["contoso.com"]), ("jane@contoso.com.evil.example",), False),
        (GuestList.of(domains=["contoso.com"]), ("jane@evil.example@contoso.com",), False),
        (GuestList.of(domains=["contoso.com"]), ('"jane@evil.example"@contoso.com',), False),
        (GuestList.of(domains=["contoso.com"]), ("contoso.com",), False),
        (GuestList.of(users=["aad:sub-1"]), (), True),
        (GuestList.of(users=["AAD:sub-1"]), (), True),
        (GuestList.of(users=["aad:SUB-1"]), (), False),
        (GuestList.of(users=["google:sub-1"]), (), False),
        (GuestList.of(users=["sub-1"]), (), False),
        (GuestList.of(users=["aad:"]), (), False),
        (GuestList.of(emails=["no address"]), ("no address",), False),
        (GuestList.of(domains=[""]), ("jane@contoso.com",), False),
        (GuestList.of(emails=["a@b.example"], users=["aad:sub-1"]), (), True),
        (GuestList.of(emails=["a@b.example"], domains=["contoso.com"]), ("jane@contoso.com",), True),
    ],
)
def test_guest_lists_admit_whom_they_name(guests: GuestList, emails: tuple[str, ...], admitted: bool) -> None:  # noqa: FBT001 - a table's column
    """One list that names the person is enough; addresses are compared as e-mail addresses, user ids to the letter."""
    assert refusal(guests=guests, emails=emails) is (None if admitted else PERSON_NOT_ADMITTED)


def test_nobody_without_an_identifier_is_on_a_list() -> None:
    """An empty nameidentifier matches no entry, not even an empty one."""
    assert not GuestList.of(users=["aad:"]).admits("aad", "", ())


def test_policies_come_before_guest_lists() -> None:
    """A guest list opens nothing that a policy closes."""
    assert refusal(Policy(identities=(OTHER_OID,)), GuestList.of(domains=["contoso.com"])) is PRINCIPAL_NOT_ADMITTED
