"""Which account a person gets: the table of reference 2.9 and its rules, by real exchanges on both engines."""

from typing import Any

import pytest

from doorward.accounts.organizations import add_organization, set_organization_enabled
from doorward.accounts.users import NewUser, add_user, link_user, set_user_enabled, unlink_user, verify_user
from doorward.base.errors import DoorwardError
from doorward.emulator.people import CONTOSO, FABRIKAM, oid_of
from tests.support.houses import JANE, ORIGIN, House, running_house

TWO_TENANTS: dict[str, Any] = {
    "tenants": (CONTOSO, FABRIKAM),
    "organizations": ((1, CONTOSO), (2, FABRIKAM)),
    "domains": (("contoso.com", CONTOSO), ("fabrikam.com", FABRIKAM)),
}
OTHER_OID = "0dd00000-0000-4000-8000-000000000001"


async def _account(house: House, email: str = JANE, **how: Any) -> int:
    """Have the operator add an account; usually a verified one in organization 1."""
    usual: dict[str, Any] = {"full_name": None, "organization_id": 1, "role": "user", "verified": True}
    new = NewUser(email=email, **{**usual, **how})
    return (await add_user(house.back.store, new, house.now, ORIGIN)).id


async def _refused(house: House, status: int, code: str, email: str = JANE, **how: Any) -> None:
    """Sign in, expect the refusal, and find every table as it was."""
    before = await house.dump()
    answer = await house.sign_in(email, **how)
    assert (answer.status, answer.code) == (status, code)
    assert await house.dump() == before


async def _id_of(house: House, access: str) -> int:
    return (await house.caller.me(access)).data["id"]


# --- creation ------------------------------------------------------------------------------------------------------


async def test_a_first_sign_in_creates_the_account_once(database_url: str) -> None:
    """The first exchange makes one account, one link and one subject; the next finds them."""
    async with running_house(database_url) as house:
        first, second = (await house.pair())[0], (await house.pair())[0]
        assert await _id_of(house, first) == await _id_of(house, second) == 1
        counts = {name: len(rows) for name, rows in (await house.dump()).items()}
        assert (counts["users"], counts["identities"], counts["subjects"], counts["families"]) == (1, 1, 1, 2)
        (user,) = await house.rows("SELECT email, full_name, organization_id, role, verified, enabled FROM users")
        assert user == (JANE, "Jane Doe", 1, "user", 0, 1)
        (link,) = await house.rows("SELECT cloud, tid, oid, user_id, preferred_username FROM identities")
        assert link == ("global", CONTOSO, oid_of(CONTOSO, JANE), 1, JANE)


@pytest.mark.parametrize(("asked", "claim", "expected"), [
    ("  Jane D.  ", "Token Name", "Jane D."),
    ("   ", "Token Name", "Token Name"),
    (None, "Token Name", "Token Name"),
    (None, None, "jane"),
    (None, "bad\u202ename \t x", "badname x"),
    (None, "\u202e\u202e", "jane"),
    (None, "n" * 300, "n" * 200),
    ("Zoë 👩‍💻".replace("\u200d", ""), None, "Zoë 👩💻"),
])  # fmt: skip
async def test_names_of_new_accounts(sqlite_url: str, asked: str | None, claim: str | None, expected: str) -> None:
    """A new account is named by the body, else the token's name cleaned, else the address before the @."""
    how: dict[str, Any] = {"name": claim} if claim is not None else {"without": ("name",)}
    async with running_house(sqlite_url) as house:
        assert (await house.sign_in(fields={"full_name": asked}, **how)).status == 200
        assert await house.rows("SELECT full_name FROM users") == [(expected,)]


async def test_later_sign_ins_change_nothing_but_the_link(database_url: str) -> None:
    """Name, address and organization are used at creation alone; what is new is noted on the link."""
    async with running_house(database_url) as house:
        await add_organization(house.back.store, "Two", 2, house.now, ORIGIN)
        await house.pair(fields={"full_name": "First"})
        before = await house.rows("SELECT * FROM users")
        fields: dict[str, Any] = {"full_name": "Second", "organization_id": 2, "auto_create": False}
        renamed = {"preferred_username": "jane.smith@contoso.com", "email": "jane.smith@contoso.com"}
        answer = await house.caller.login(
            house.mint(claims={**renamed, "name": "Jane Smith"}), "jane.smith@contoso.com", **fields
        )
        assert await _id_of(house, answer.data["access_token"]) == 1
        assert await house.rows("SELECT * FROM users") == before
        assert await house.rows("SELECT preferred_username, name FROM identities") == [
            ("jane.smith@contoso.com", "Jane Smith")
        ]
        # Nonsense in organization_id is not even looked at for somebody who exists.
        assert (await house.sign_in(fields={"organization_id": 999})).status == 200


async def test_each_audience_has_its_own_subject(sqlite_url: str) -> None:
    """`sub` is pairwise: the same person through another application is the same account with a second subject."""
    other = "0ther000-0000-4000-8000-00000000a0d1".replace("0ther", "07e20")
    async with running_house(sqlite_url) as house:
        await house.register(client_id=other)
        await house.pair()
        await house.pair(audience=other)
        assert len(await house.rows("SELECT id FROM users")) == 1
        assert len(await house.rows("SELECT sub FROM subjects")) == 2


@pytest.mark.parametrize("where", ["body", "registration"])
async def test_without_auto_create_nobody_is_made(database_url: str, where: str) -> None:
    """`auto_create: false`, or a registration that forbids it, answers 404 and leaves no trace."""
    async with running_house(database_url, register=False) as house:
        await house.register(auto_create=where != "registration")
        fields = {"auto_create": where != "body"}
        await _refused(house, 404, "user_not_found", fields=fields)
        await _account(house)
        assert (await house.sign_in(fields=fields)).status == 200, "linking an account is not creating one"


# --- organizations -------------------------------------------------------------------------------------------------

ORGANIZATIONS: dict[str, tuple[dict[str, Any], int | None, int | str]] = {
    "the only one": ({"organizations": ((2, None),)}, None, 2),
    "the registered default": ({"organizations": ((1, None), (2, None)), "default_organization": 2}, None, 2),
    "the configured default": ({"organizations": ((1, None), (2, None))}, None, 1),
    "none of them": ({"organizations": ((2, None), (3, None))}, None, "organization_not_allowed"),
    "asked for": ({"organizations": ((1, None), (2, None))}, 2, 2),
    "asked for, not open": ({"organizations": ((1, None),)}, 2, "organization_not_allowed"),
    "asked for, unknown": ({"organizations": ((1, None),)}, 77, "organization_not_found"),
    "beyond any integer": ({"organizations": ((1, None),)}, 2**63, "organization_not_found"),
    "another tenant's": ({**TWO_TENANTS}, 2, "organization_not_allowed"),
    "its own tenant's": ({**TWO_TENANTS}, None, 1),
    "default of another tenant": ({**TWO_TENANTS, "default_organization": 2}, None, 1),
    "suspended": ({"organizations": ((3, None),)}, None, "organization_disabled"),
}


@pytest.mark.parametrize("case", ORGANIZATIONS)
async def test_organization_of_a_new_user(sqlite_url: str, case: str) -> None:
    """What the request asks for is a wish; the registration decides which organizations are open to the tenant."""
    registered, asked, expected = ORGANIZATIONS[case]
    async with running_house(sqlite_url, register=False) as house:
        store, now = house.back.store, house.now
        for number in (2, 3):
            await add_organization(store, f"Number {number}", number, now, ORIGIN)
        if case == "suspended":
            await set_organization_enabled(store, 3, now, ORIGIN, enabled=False)
        await house.register(**registered)
        if isinstance(expected, str):
            status = 422 if expected == "organization_not_found" else 403
            await _refused(house, status, expected, fields={"organization_id": asked})
        else:
            assert (await house.sign_in(fields={"organization_id": asked})).status == 200
            assert await house.rows("SELECT organization_id FROM users") == [(expected,)]


# --- linking -------------------------------------------------------------------------------------------------------


async def test_an_unlinked_account_is_linked_when_every_rule_holds(database_url: str) -> None:
    """The operator's verified account is taken over by the person whose address the tenant owns, with a record."""
    async with running_house(database_url) as house:
        number = await _account(house, full_name="Made by hand")
        access, _ = await house.pair(fields={"auto_create": False})
        assert (await house.caller.me(access)).data["full_name"] == "Made by hand"
        assert await _id_of(house, access) == number
        (record,) = await house.audit("identity.linked")
        assert (record["user_id"], record["tid"], record["oid"]) == (number, CONTOSO, oid_of(CONTOSO, JANE))
        assert len(await house.audit("user.created")) == 1, "the operator's own"


UNSAFE: dict[str, dict[str, Any]] = {
    "another organization": {"account": {"organization_id": 2}},
    "nobody owns the domain": {"registration": {"domains": ()}, "mint": {"unverified": True}},
    "a guest": {"registration": {"allow_guests": True}, "mint": {"claims": {"acct": 1}}},
    "an application admin": {"account": {"role": "application_admin"}},
    "a global admin": {"account": {"role": "global_admin"}},
    "a disabled account": {"disabled": True},
    "an unverified account": {"account": {"verified": False}},
}


@pytest.mark.parametrize("rule", UNSAFE)
async def test_every_safe_linking_rule_is_needed(database_url: str, rule: str) -> None:
    """With any one rule broken the answer is 409 account_exists, and nothing has changed."""
    case = UNSAFE[rule]
    async with running_house(database_url, register=False) as house:
        await add_organization(house.back.store, "Two", 2, house.now, ORIGIN)
        await house.register(**case.get("registration", {}))
        number = await _account(house, **case.get("account", {}))
        if case.get("disabled"):
            await set_user_enabled(house.back.store, number, house.now, ORIGIN, enabled=False)
        for auto_create in (True, False):
            await _refused(house, 409, "account_exists", fields={"auto_create": auto_create}, **case.get("mint", {}))
        assert await house.audit("identity.linked") == []


async def test_xms_edov_proves_an_address_where_no_domain_is_listed(sqlite_url: str) -> None:
    """Without a listed domain a verified `email` claim links, if it is the same address; any other does not."""
    async with running_house(sqlite_url, register=False) as house:
        await house.register(domains=())
        await _account(house)
        await _refused(house, 409, "account_exists", claims={"email": "other@contoso.com"})
        await _refused(house, 409, "account_exists", claims={"xms_edov": "false"})
        await _refused(house, 409, "account_exists", claims={"xms_edov": 2})
        assert (await house.sign_in(claims={"xms_edov": "1"})).status == 200


async def test_a_leavers_address_is_not_the_leavers_account(database_url: str) -> None:
    """The same address with another object ID is another person: 409, and the old account stays with its owner."""
    async with running_house(database_url) as house:
        leaver, _ = await house.pair()
        await _refused(house, 409, "identity_conflict", claims={"oid": OTHER_OID})
        assert await _id_of(house, leaver) == 1


async def test_noauth_an_address_typed_into_another_tenant_opens_nothing(database_url: str) -> None:
    """nOAuth: a genuine token of the attacker's own tenant with the victim's address meets no account of the victim."""
    async with running_house(database_url, register=False) as house:
        await add_organization(house.back.store, "Two", 2, house.now, ORIGIN)
        await house.register(**TWO_TENANTS)
        await house.pair()
        for verified in (False, True):
            lie = {"email": JANE, "preferred_username": "attacker@fabrikam.com", "xms_edov": verified}
            code = "identity_conflict" if verified else "email_mismatch"
            status = 409 if verified else 403
            await _refused(house, status, code, JANE, tenant=FABRIKAM, claims=lie)
        await _refused(house, 409, "identity_conflict", JANE, tenant=FABRIKAM)


async def test_noauth_against_an_account_that_waits_to_be_linked(database_url: str) -> None:
    """The same attack on an unlinked account fails by the organization's tenant and by the domain's owner."""
    async with running_house(database_url, register=False) as house:
        await add_organization(house.back.store, "Two", 2, house.now, ORIGIN)
        await house.register(**{**TWO_TENANTS, "organizations": ((1, CONTOSO), (1, FABRIKAM), (2, FABRIKAM))})
        await _account(house)
        await _refused(house, 409, "account_exists", JANE, tenant=FABRIKAM, unverified=True)
        await house.run_sql("DELETE FROM registration_organizations WHERE tid = $1 AND organization_id = 1", FABRIKAM)
        await house.back.load_registrations()
        await _refused(house, 409, "account_exists", JANE, tenant=FABRIKAM)
        assert (await house.sign_in()).status == 200, "the victim's own token links"


async def test_preregistration_catches_nobody(database_url: str) -> None:
    """An account that somebody else made with the victim's address, unverified, is never the victim's to fall into."""
    async with running_house(database_url, register=False) as house:
        await add_organization(house.back.store, "Two", 2, house.now, ORIGIN)
        await house.register(**{**TWO_TENANTS, "organizations": ((1, CONTOSO), (1, FABRIKAM))})
        squatter = {"preferred_username": JANE, "email": "attacker@fabrikam.com", "xms_edov": True}
        answer = await house.caller.login(house.mint("attacker@fabrikam.com", claims=squatter), JANE)
        assert answer.status == 200, "a tenant's own preferred_username is all that is known here"
        assert await house.rows("SELECT verified FROM users") == [(0,)]
        await _refused(house, 409, "identity_conflict", JANE)
        await unlink_user(house.back.store, 1, house.now, ORIGIN)
        await _refused(house, 409, "account_exists", JANE)


async def test_the_same_object_id_in_two_tenants_is_two_people(sqlite_url: str) -> None:
    """The key is (cloud, tid, oid): an object ID alone, or a subject, says nothing."""
    async with running_house(sqlite_url, register=False) as house:
        await add_organization(house.back.store, "Two", 2, house.now, ORIGIN)
        await house.register(**TWO_TENANTS)
        same = {"oid": OTHER_OID, "sub": "the-same-subject"}
        await house.pair(claims=same)
        await house.pair("lena@fabrikam.com", claims=same)
        assert len(await house.rows("SELECT id FROM users")) == 2


async def test_guids_are_folded(sqlite_url: str) -> None:
    """An object ID in capitals is the same person."""
    async with running_house(sqlite_url) as house:
        await house.pair()
        await house.pair(claims={"oid": oid_of(CONTOSO, JANE).upper()})
        assert len(await house.rows("SELECT id FROM users")) == 1


# --- the operator's ways out of a 409 ------------------------------------------------------------------------------


async def test_verify_lets_an_account_be_linked(database_url: str) -> None:
    """`users verify` says that the address is known to be theirs; the next sign-in links."""
    async with running_house(database_url) as house:
        number = await _account(house, verified=False)
        await _refused(house, 409, "account_exists")
        await verify_user(house.back.store, number, house.now, ORIGIN)
        assert await _id_of(house, (await house.pair())[0]) == number


async def test_link_decides_for_an_administrator(database_url: str) -> None:
    """`users link` binds a person to any account, administrators too, whatever their address is."""
    async with running_house(database_url) as house:
        number = await _account(house, role="global_admin", verified=False)
        await _refused(house, 409, "account_exists")
        await link_user(house.back.store, number, "global", CONTOSO, oid_of(CONTOSO, JANE), house.now, ORIGIN)
        access, _ = await house.pair()
        assert (await house.caller.me(access)).data == {
            "id": number, "email": JANE, "full_name": "jane", "organization_id": 1, "role": "global_admin",
        }  # fmt: skip


async def test_unlink_and_link_move_an_account_to_a_new_identity(database_url: str) -> None:
    """A person created anew in the directory gets the account back; the old identity's tokens are dead."""
    async with running_house(database_url) as house:
        store, now = house.back.store, house.now
        old, platform = await house.pair()
        await _refused(house, 409, "identity_conflict", claims={"oid": OTHER_OID})
        await unlink_user(store, 1, now, ORIGIN)
        assert (await house.caller.me(old)).code == "invalid_access_token"
        assert not await house.is_active(platform)
        await link_user(store, 1, "global", CONTOSO, OTHER_OID, now, ORIGIN)
        assert await _id_of(house, (await house.pair(claims={"oid": OTHER_OID}))[0]) == 1
        await _refused(house, 409, "identity_conflict")


async def test_what_cannot_be_linked(database_url: str) -> None:
    """An identity belongs to one account; naming what does not exist changes nothing."""
    async with running_house(database_url) as house:
        await house.pair()
        other = await _account(house, "omar@contoso.com")
        before = await house.dump("audit")
        for number, tid, oid, code in (
            (other, CONTOSO, oid_of(CONTOSO, JANE), "already_there"),
            (1, CONTOSO, oid_of(CONTOSO, JANE), "already_there"),
            (99, CONTOSO, OTHER_OID, "not_there"),
            (other, "contoso.com", OTHER_OID, "value_refused"),
            (other, CONTOSO, "x", "value_refused"),
        ):
            with pytest.raises(DoorwardError) as refused:
                await link_user(house.back.store, number, "global", tid, oid, house.now, ORIGIN)
            assert refused.value.code == code
        with pytest.raises(DoorwardError) as refused:
            await unlink_user(house.back.store, other, house.now, ORIGIN)
        assert refused.value.code == "not_there"
        assert await house.dump("audit") == before


# --- guests, personal accounts, suspended --------------------------------------------------------------------------


async def test_guests_where_they_are_admitted(database_url: str) -> None:
    """A guest gets an account of their own by the directory's identity, and never one that waits for the address."""
    async with running_house(database_url, register=False) as house:
        await house.register(allow_guests=True)
        assert (await house.sign_in("gia@fabrikam.com")).status == 200
        (link,) = await house.rows("SELECT tid, oid FROM identities")
        assert link == (CONTOSO, oid_of(CONTOSO, "gia@fabrikam.com"))


async def test_personal_accounts_where_their_tenant_is_named(sqlite_url: str) -> None:
    """Personal accounts are a tenant like any other: admitted by name only."""
    consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"
    async with running_house(sqlite_url, register=False) as house:
        await house.register(tenants=(consumers,), domains=())
        assert (await house.sign_in("sam@outlook.com")).status == 200


async def test_the_suspended_stay_out_and_come_back(database_url: str) -> None:
    """A disabled user or organization is refused at the exchange without a trace, and let in again afterwards."""
    async with running_house(database_url) as house:
        await house.pair()
        for change, number, code in (
            (set_user_enabled, 1, "user_disabled"),
            (set_organization_enabled, 1, "organization_disabled"),
        ):
            await change(house.back.store, number, house.now, ORIGIN, enabled=False)
            await _refused(house, 403, code)
            # Something new on the token takes the slow way through a transaction; it must refuse as well.
            await _refused(house, 403, code, claims={"name": "Jane Renamed"})
            await change(house.back.store, number, house.now, ORIGIN, enabled=True)
            assert (await house.sign_in()).status == 200


async def test_linking_into_a_suspended_organization_changes_nothing(database_url: str) -> None:
    """The organization of an existing account is checked after linking, and the link goes with the refusal."""
    async with running_house(database_url) as house:
        await _account(house)
        await set_organization_enabled(house.back.store, 1, house.now, ORIGIN, enabled=False)
        await _refused(house, 403, "organization_disabled")
        assert await house.rows("SELECT id FROM identities") == []
