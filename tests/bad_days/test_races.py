"""Many at once: parallel first sign-ins and contested addresses, in one process and across two."""

import asyncio
from collections import Counter

import pytest

from doorward.accounts.nouns import Origin
from doorward.accounts.users import NewUser, add_user, unlink_user
from doorward.emulator.people import CONTOSO
from doorward.store import Sql, Store
from tests.support.houses import JANE, House, pretend_entra, running_house
from tests.support.processes import CLOCK, mint, operate, prepare, serving

PEOPLE = 50


async def _count(store: Store, table: str) -> int:
    row = await store.read(lambda cursor: cursor.one(Sql(f"SELECT count(*) FROM {table}")))  # noqa: S608 - our own names
    assert row is not None
    return int(row[0])


async def test_fifty_first_sign_ins_of_one_person_make_one_user(database_url: str) -> None:
    """In one process: fifty parallel first sign-ins of one person end in one user and fifty successes."""
    async with running_house(database_url) as house:
        tokens = [house.mint(nonce=str(number)) for number in range(PEOPLE)]
        answers = await asyncio.gather(*(house.caller.login(token) for token in tokens))
        assert Counter(answer.status for answer in answers) == {200: PEOPLE}
        assert {(await house.caller.me(a.data["access_token"])).data["id"] for a in answers} == {1}
        counts = {name: len(rows) for name, rows in (await house.dump()).items()}
        assert (counts["users"], counts["identities"], counts["pairs"]) == (1, 1, PEOPLE)
        assert len(await house.audit("user.created")) == 1
        assert len(await house.audit("exchange.succeeded")) == PEOPLE


async def test_of_two_identities_with_one_new_address_one_is_created(database_url: str) -> None:
    """In one process: the loser of the address gets 409, whoever it is, and leaves nothing."""
    async with running_house(database_url) as house:
        for number in range(6):
            await _contest(house, number)
        assert len(await house.rows("SELECT id FROM users")) == 6
        assert len(await house.rows("SELECT id FROM identities")) == 6


async def _contest(house: House, number: int) -> None:
    email, other = f"new{number}@contoso.com", {"oid": f"0dd00000-0000-4000-8000-{number:012}"}
    answers = await asyncio.gather(
        house.caller.login(house.mint(email), email), house.caller.login(house.mint(email, claims=other), email)
    )
    assert sorted((a.status, a.code) for a in answers) == [(200, None), (409, "identity_conflict")]


async def test_of_many_identities_with_one_known_address_one_is_linked(database_url: str) -> None:
    """An account that may be linked by its address is linked to one identity, however many come at once."""
    async with running_house(database_url) as house:
        for number in range(4):
            email = f"known{number}@contoso.com"
            new = NewUser(email=email, full_name=None, organization_id=1, role="user", verified=True)
            await add_user(house.back.store, new, house.now, Origin())
            oids = [f"0dd00000-0000-4000-8{number:03}-{other:012}" for other in range(6)]
            tokens = [house.mint(email, claims={"oid": oid}) for oid in oids]
            answers = await asyncio.gather(*(house.caller.login(token, email) for token in tokens))
            expected = {(200, None): 1, (409, "identity_conflict"): 5}
            assert Counter((answer.status, answer.code) for answer in answers) == expected
        assert len(await house.rows("SELECT id FROM identities")) == 4


async def test_few_first_sign_ins_of_one_person_all_succeed(database_url: str) -> None:
    """Whoever loses the race to create or link reads the winner's link: never a conflict with oneself."""
    async with running_house(database_url) as house:
        for number in range(25):
            tokens = [house.mint(f"p{number}@contoso.com", nonce=str(copy)) for copy in range(4)]
            answers = await asyncio.gather(*(house.caller.login(t, f"p{number}@contoso.com") for t in tokens))
            assert {(answer.status, answer.code) for answer in answers} == {(200, None)}


async def test_a_family_beside_an_unlink_does_not_outlive_it(database_url: str) -> None:
    """A sign-in that read the link before it was taken away gets tokens that count for nothing."""
    async with running_house(database_url) as house:
        access, platform = await house.pair()
        unlinking = unlink_user(house.back.store, 1, house.now, Origin())
        late = [house.caller.login(house.mint(nonce=str(number))) for number in range(8)]
        answers, _ = await asyncio.gather(asyncio.gather(*late), unlinking)
        given = [t for a in answers if a.status == 200 for t in (a.data["access_token"],)]
        assert not any([await house.is_active(token) for token in (access, platform, *given)])


async def test_reject_mode_lets_one_of_many_uses_through(database_url: str) -> None:
    """Of twenty simultaneous uses of one token exactly one succeeds where replay is refused."""
    async with running_house(database_url, token_service__replay="reject") as house:
        token = house.mint()
        answers = await asyncio.gather(*(house.caller.login(token) for _ in range(20)))
        assert Counter((a.status, a.code) for a in answers) == {(200, None): 1, (401, "token_replayed"): 19}
        assert len(await house.rows("SELECT id FROM pairs")) == 1


@pytest.mark.parametrize("mode", ["off", "strict"])
async def test_refreshes_and_a_logout_at_one_moment(database_url: str, mode: str) -> None:
    """Whatever the order: nothing fails oddly, and after the logout no token of the family is alive."""
    async with running_house(database_url, token_service__refresh_rotation=mode) as house:
        access, platform = await house.pair()
        calls = [house.caller.refresh(access) for _ in range(10)]
        *answers, _ = await asyncio.gather(*calls[:5], house.caller.logout(access), *calls[5:], house.caller.me(access))
        assert {answer.status for answer in answers} <= {200, 401}
        given = [a.data["access_token"] for a in answers if a.status == 200 and a.data]
        assert not any([await house.is_active(token) for token in (access, platform, *given)])


async def test_two_processes_on_one_database(database_url: str) -> None:
    """Across two processes: one user a person, fifty successes; one winner an address; no half-made account."""
    await prepare(database_url)
    async with (
        pretend_entra(CLOCK) as entra,
        serving(database_url, entra.url) as one,
        serving(database_url, entra.url, public_url=f"http://127.0.0.1:{one.port}") as two,
    ):
        callers = (one.caller, two.caller)
        tokens = [mint(entra, JANE, nonce=str(number)) for number in range(PEOPLE)]
        answers = await asyncio.gather(*(callers[n % 2].login(token) for n, token in enumerate(tokens)))
        assert Counter(answer.status for answer in answers) == {200: PEOPLE}
        for number in range(4):
            email = f"new{number}@contoso.com"
            claims = {"oid": f"0dd00000-0000-4000-8000-{number:012}", "tid": CONTOSO}
            contested = await asyncio.gather(
                one.caller.login(mint(entra, email), email), two.caller.login(mint(entra, email, claims=claims), email)
            )
            assert sorted(a.status for a in contested) == [200, 409]
        assert await operate(database_url, lambda store: _count(store, "users")) == 5
        assert await operate(database_url, lambda store: _count(store, "identities")) == 5
        assert await operate(database_url, lambda store: _count(store, "pairs")) == PEOPLE + 4
