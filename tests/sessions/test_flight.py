"""One refresh at a time: in one process, in several, and when one of them dies."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError
from doorward.base.refusals_easyauth import REFRESH_REFUSED
from doorward.identity.claims import Claim
from doorward.identity.person import Identity, ProviderTokens
from doorward.sessions.flight import LEASE, Flights
from doorward.sessions.session import Session
from tests.support.sessions import NOW, Replica, person

Step = Callable[[], Awaitable[None]]


class Provider:
    """A provider that rotates its refresh tokens: the one before is refused."""

    def __init__(self) -> None:
        self.calls = 0
        self.refuses = False
        self.breaks = False
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.presented = list[str | None]()

    async def refresh(self, session: Session) -> Identity:
        """Answer with new tokens."""
        self.calls += 1
        number = self.calls
        self.presented.append(session.identity.tokens.refresh_token)
        self.asked.set()
        await self.may_answer.wait()
        if self.breaks:
            raise ZeroDivisionError
        if self.refuses:
            raise DoorwardError(REFRESH_REFUSED, provider="aad")
        tokens = ProviderTokens(access_token=f"access-{number}", refresh_token=f"refresh-{number}")
        return msgspec.structs.replace(session.identity, tokens=tokens, claims=(Claim("name", "renamed"),))


def flights(replica: Replica, provider: Provider, wait: Callable[[float], Awaitable[None]] | None = None) -> Flights:
    """Give what refreshes sessions in one replica; looking again takes no time."""

    async def look_again(_seconds: float) -> None:
        await asyncio.sleep(0.001)

    return Flights(
        replica.desk, replica.store, replica.clock, replica.entropy, provider.refresh, wait=wait or look_again
    )


async def test_a_refresh_brings_new_tokens(one: Replica) -> None:
    """The tokens are new and what is known of the person is not: claims were settled at sign-in."""
    provider = Provider()
    cookie, session = await one.desk.start(person(), NOW)
    renewed = await flights(one, provider).fly(session)
    assert renewed.identity.tokens.access_token == "access-1"
    assert renewed.identity.claims == person().claims
    assert renewed.token_expires_at == NOW + 30 * 86400
    assert provider.presented == [person().tokens.refresh_token]
    found = await one.desk.find(cookie)
    assert found is not None
    assert found.identity == renewed.identity
    assert b"access-1" in found.me


async def test_calls_that_come_meanwhile_share_one(one: Replica, two: Replica) -> None:
    """A hundred calls on two replicas are one call to the provider, and all get what it brought."""
    provider = Provider()
    provider.may_answer.clear()
    _, session = await one.desk.start(person(), NOW)
    first, second = flights(one, provider), flights(two, provider)
    first_call = asyncio.create_task(first.fly(session))
    await provider.asked.wait()
    calls = [asyncio.create_task(desk.fly(session)) for desk in (first, second) for _ in range(50)]
    await asyncio.sleep(0.01)
    provider.may_answer.set()
    shared = await asyncio.gather(first_call, *calls)
    assert provider.calls == 1
    assert {one.identity.tokens.access_token for one in shared} == {"access-1"}
    again = await second.fly(session)
    assert again.identity.tokens.access_token == "access-2"
    assert provider.presented[-1] == "refresh-1"


async def test_a_stampede_of_fresh_calls_is_few_calls(one: Replica, two: Replica) -> None:
    """However calls of two replicas interleave, none presents a refresh token that was used before."""
    provider = Provider()
    _, session = await one.desk.start(person(), NOW)
    desks = (flights(one, provider), flights(two, provider))
    await asyncio.gather(*(desks[number % 2].fly(session) for number in range(60)))
    assert len(set(provider.presented)) == provider.calls
    assert provider.calls <= 4


async def test_a_failure_is_shared(one: Replica, two: Replica) -> None:
    """Who waits for a refresh that fails is told the same; the next call asks again."""
    provider = Provider()
    provider.refuses = True
    provider.may_answer.clear()
    _, session = await one.desk.start(person(), NOW)
    first, second = flights(one, provider), flights(two, provider)
    calls = [asyncio.create_task(first.fly(session))]
    await provider.asked.wait()
    calls += [asyncio.create_task(desk.fly(session)) for desk in (first, second)]
    await asyncio.sleep(0.01)
    provider.may_answer.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [getattr(outcome, "code", None) for outcome in outcomes] == ["refresh_refused"] * 3
    assert provider.calls == 1
    kept = await one.desk.find_by_id(session.id)
    assert kept is not None
    assert kept.identity == person()
    provider.refuses = False
    assert (await second.fly(session)).identity.tokens.access_token == "access-2"


async def test_a_defect_is_told_to_those_who_wait(one: Replica, two: Replica) -> None:
    """A call that breaks leaves nobody waiting for it."""
    provider = Provider()
    provider.breaks = True
    provider.may_answer.clear()
    _, session = await one.desk.start(person(), NOW)
    broken = asyncio.create_task(flights(one, provider).fly(session))
    await provider.asked.wait()
    waiting = asyncio.create_task(flights(two, provider).fly(session))
    await asyncio.sleep(0.01)
    provider.may_answer.set()
    with pytest.raises(ZeroDivisionError):
        await broken
    with pytest.raises(DoorwardError, match="provider_unavailable"):
        await waiting


async def test_the_lease_of_a_dead_process_ends(one: Replica, two: Replica, clock: FrozenClock) -> None:
    """Who waits for a process that died asks the provider itself once the lease has ended."""
    provider = Provider()
    _, session = await one.desk.start(person(), NOW)
    dead = flights(one, provider)
    assert await dead._claim(session.id, "dead")
    waited = list[float]()

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(LEASE / 4)

    renewed = await flights(two, provider, wait).fly(session)
    assert renewed.identity.tokens.access_token == "access-1"
    assert len(waited) == 4


async def test_who_comes_too_late_changes_nothing(one: Replica, two: Replica, clock: FrozenClock) -> None:
    """A holder whose lease ended, and who was overtaken, gives what the faster one stored."""
    slow, fast = Provider(), Provider()
    slow.may_answer.clear()
    fast.calls = 10
    _, session = await one.desk.start(person(), NOW)
    late = asyncio.create_task(flights(one, slow).fly(session))
    await slow.asked.wait()
    clock.advance(LEASE)
    assert (await flights(two, fast).fly(session)).identity.tokens.access_token == "access-11"
    slow.may_answer.set()
    assert (await late).identity.tokens.access_token == "access-11"
    kept = await one.desk.find_by_id(session.id)
    assert kept is not None
    assert kept.identity.tokens.access_token == "access-11"


async def test_who_comes_late_but_alone_is_heard(one: Replica, clock: FrozenClock) -> None:
    """What a holder learned after its lease is kept where nobody else refreshed: the old token may be used up."""
    provider = Provider()
    provider.may_answer.clear()
    _, session = await one.desk.start(person(), NOW)
    late = asyncio.create_task(flights(one, provider).fly(session))
    await provider.asked.wait()
    clock.advance(LEASE * 2)
    provider.may_answer.set()
    assert (await late).identity.tokens.access_token == "access-1"


async def test_a_session_that_ends_meanwhile_stays_ended(one: Replica, two: Replica) -> None:
    """A sign-out during a refresh wins: no session comes back, and who waits is not signed in."""
    provider = Provider()
    provider.may_answer.clear()
    cookie, session = await one.desk.start(person(), NOW)
    flying = asyncio.create_task(flights(one, provider).fly(session))
    await provider.asked.wait()
    waiting = asyncio.create_task(flights(two, provider).fly(session))
    await asyncio.sleep(0.01)
    await two.desk.end(session.id, NOW)
    provider.may_answer.set()
    for call in (flying, waiting):
        with pytest.raises(DoorwardError, match="sign_in_required"):
            await call
    assert await one.desk.find(cookie) is None
    assert await one.desk.find_by_id(session.id) is None


async def test_a_refresh_goes_on_without_its_caller(one: Replica) -> None:
    """A caller who goes away does not stop the refresh: the provider has used up the old token by then."""
    provider = Provider()
    provider.may_answer.clear()
    _, session = await one.desk.start(person(), NOW)
    desk = flights(one, provider)
    call = asyncio.create_task(desk.fly(session))
    await provider.asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    provider.may_answer.set()
    await desk.finish()
    kept = await one.desk.find_by_id(session.id)
    assert kept is not None
    assert kept.identity.tokens.access_token == "access-1"
    await desk.finish()


async def test_without_the_store_nobody_is_asked(one: Replica) -> None:
    """With the database away the provider is not asked: what it gave could not be kept."""
    provider = Provider()
    _, session = await one.desk.start(person(), NOW)
    await one.store.close()
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await flights(one, provider).fly(session)
    assert provider.calls == 0
