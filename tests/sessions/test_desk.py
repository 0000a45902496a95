"""The life of sessions, on one replica and on several."""

import asyncio
from typing import Any

import msgspec
import pytest

from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError
from doorward.identity.person import ProviderTokens
from doorward.protocol.sealing import Sealer
from doorward.sessions.desk import SessionDesk, renewed_cookie
from doorward.sessions.rules import rules_of
from doorward.store import Sql, Store
from tests.support.canaries import keep_secret
from tests.support.sessions import NOW, SECRET, Replica, person, plan_of, replica

EIGHT_HOURS = 8 * 3600.0


async def test_a_session_begins_and_is_found(one: Replica, two: Replica) -> None:
    """A cookie gives the session to the replica that made it at once, and to every other from the database."""
    cookie, session = await one.desk.start(person(), NOW)
    keep_secret(cookie)
    assert one.desk.known(cookie) is session
    assert two.desk.known(cookie) is None
    found = await two.desk.find(cookie)
    assert found is not None
    assert (found.id, found.identity, found.expires_at) == (session.id, person(), NOW + EIGHT_HOURS)
    assert two.desk.known(cookie) is found


async def test_nothing_in_the_database_signs_in_or_can_be_read(one: Replica) -> None:
    """The database holds neither the cookie nor a provider's token in the clear."""
    cookie, _ = await one.desk.start(person(), NOW)
    columns = "digest, sealed"
    ((digest, sealed),) = await one.store.read(lambda c: c.all(Sql(f"SELECT {columns} FROM sessions")))  # noqa: S608
    assert cookie.encode() not in digest + sealed
    assert b"CANARY" not in sealed


async def test_without_a_token_store_no_token_is_stored(one: Replica, store: Store, clock: FrozenClock) -> None:
    """With the token store off a session holds no token of the provider, whose expiry it may follow all the same."""
    plan = plan_of(token_store=False, expiration="IdentityProviderDerived")
    desk = SessionDesk(
        store, clock, one.entropy, sealer=Sealer(SECRET, "sessions"), rules=rules_of(plan, 10.0), present=one.presenter
    )
    cookie, session = await desk.start(person(expires_on=int(NOW + 7200) * 10**7), NOW)
    assert session.expires_at == NOW + 7200
    for found in (session, await one.desk.find(cookie)):
        assert found is not None
        assert found.identity == msgspec.structs.replace(person(), tokens=ProviderTokens())
        assert b"CANARY" not in found.me


async def test_sign_out_reaches_every_replica(one: Replica, two: Replica) -> None:
    """A session that ended on one replica is forgotten by the others when they next read the changes."""
    cookie, session = await one.desk.start(person(), NOW)
    other, _ = await one.desk.start(person("john"), NOW)
    assert await two.desk.find(cookie)
    assert await two.desk.find(other)
    assert await one.desk.end(session.id, NOW)
    assert one.desk.known(cookie) is None
    assert await one.desk.find(cookie) is None
    assert two.desk.known(cookie) is not None
    await two.desk.notices.take()
    assert two.desk.known(cookie) is None
    assert two.desk.known(other) is not None
    assert await two.desk.find(cookie) is None
    assert not await two.desk.end(session.id, NOW)


async def test_a_late_reader_reads_before_it_believes(one: Replica, two: Replica, clock: FrozenClock) -> None:
    """A replica that has not read the changes for a second reads them before it believes what it remembers."""
    cookie, session = await one.desk.start(person(), NOW)
    assert await two.desk.find(cookie)
    await one.desk.end(session.id, NOW)
    clock.advance(1.1)
    assert two.desk.known(cookie) is None
    assert await two.desk.find(cookie) is None


async def test_a_new_sign_in_ends_the_old_session(one: Replica, two: Replica) -> None:
    """Whoever signs in again gets a new cookie, and the one from before is dead: no fixation."""
    before, old = await one.desk.start(person(), NOW)
    assert await two.desk.find(before)
    after, new = await one.desk.start(person(), NOW, replaces=before)
    assert before != after
    assert old.id != new.id
    assert await one.desk.find(before) is None
    await two.desk.notices.take()
    assert await two.desk.find(before) is None
    assert await two.desk.find(after)


async def test_a_cookie_expires(one: Replica, two: Replica, clock: FrozenClock) -> None:
    """After eight hours a cookie is nobody's, in memory and in the database; for a refresh it counts 72 hours more."""
    cookie, _ = await one.desk.start(person(), NOW)
    clock.advance(EIGHT_HOURS - 1)
    assert await one.desk.find(cookie)
    clock.advance(1)
    for desk in (one.desk, two.desk):
        assert await desk.find(cookie) is None
    assert await two.desk.find_late(cookie)
    clock.advance(72 * 3600 - 1)
    assert await two.desk.find_late(cookie)
    clock.advance(1)
    assert await two.desk.find_late(cookie) is None


@pytest.mark.parametrize(("tokens", "ends"), [
    ({"expires_on": int(NOW + 7200) * 10**7}, 7200.0),
    ({"id_token": "present"}, 3600.0),
    ({}, EIGHT_HOURS),
])  # fmt: skip
async def test_a_cookie_may_follow_the_provider(
    store: Store, clock: FrozenClock, tokens: dict[str, Any], ends: float
) -> None:
    """By IdentityProviderDerived the cookie ends with the access token, else the id_token, else the fixed time."""
    desk = replica(store, clock, b"derived", expiration="IdentityProviderDerived").desk
    _, session = await desk.start(person(**tokens), NOW)
    assert session.expires_at == NOW + ends


async def test_a_refresh_shows_everywhere_at_once(one: Replica, two: Replica) -> None:
    """Under its renewed cookie another replica knows the new tokens before it has read any change."""
    cookie, session = await one.desk.start(person(), NOW)
    assert await two.desk.find(cookie)
    renewed = await one.desk.renew(session, person(access_token="second"), NOW + 60)
    assert renewed is not None
    assert renewed.expires_at == NOW + 60 + EIGHT_HOURS
    again = renewed_cookie(cookie, renewed)
    found = await two.desk.find(again)
    assert found is not None
    assert (found.identity.tokens.access_token, found.refreshed, found.generation) == ("second", True, 1)
    await two.desk.notices.take()
    for text in (cookie, again):
        found = await two.desk.find(text)
        assert found is not None
        assert found.identity.tokens.access_token == "second"
    assert await two.desk.find(f"{cookie}.1") is None


async def test_an_old_value_of_a_cookie_counts_for_a_grace(one: Replica, two: Replica, clock: FrozenClock) -> None:
    """What a refresh replaced counts for a minute, for whatever a page asks at once, and then for nothing."""
    first, session = await one.desk.start(person(), NOW)
    clock.advance(10)
    renewed = await one.desk.renew(session, person(access_token="second"), NOW + 10)
    assert renewed is not None
    again = await one.desk.renew(renewed, person(access_token="third"), NOW + 10)
    assert again is not None
    clock.advance(59)
    for text in (first, renewed_cookie(first, renewed), renewed_cookie(first, again)):
        for which in (one, two):
            found = await which.desk.find(text)
            assert found is not None
            assert found.identity.tokens.access_token == "third"
    clock.advance(1)
    for which in (one, two):
        assert await which.desk.find(first) is None
        assert await which.desk.find_late(first) is None
        assert await which.desk.find(renewed_cookie(first, renewed)) is None
        assert await which.desk.find(renewed_cookie(first, again))


async def test_a_refresh_gives_an_expired_value_no_new_life(one: Replica, clock: FrozenClock) -> None:
    """A value that has expired stays expired when the session is refreshed under another, and cannot be made newer."""
    cookie, session = await one.desk.start(person(), NOW)
    clock.advance(EIGHT_HOURS - 1)
    assert await one.desk.find(cookie)
    renewed = await one.desk.renew(session, person(), NOW + EIGHT_HOURS - 1)
    assert renewed is not None
    assert await one.desk.find(cookie)
    clock.advance(1)
    assert await one.desk.find(cookie) is None
    assert await one.desk.find_late(cookie)  # a second refresh that the same page asked for
    assert await one.desk.find(f"{cookie}.{'A' * 22}") is None
    assert await one.desk.find(renewed_cookie(cookie, renewed))


async def test_a_refresh_by_token_leaves_the_cookie_as_it_is(one: Replica, clock: FrozenClock) -> None:
    """Who refreshes without the cookie gets no new one, so the one that the browser has ends when it would have."""
    cookie, session = await one.desk.start(person(), NOW)
    renewed = await one.desk.renew(session, person(access_token="second"), NOW + 60, by_cookie=False)
    assert renewed is not None
    assert renewed_cookie(cookie, renewed) == cookie
    clock.advance(EIGHT_HOURS - 1)
    found = await one.desk.find(cookie)
    assert found is not None
    assert found.identity.tokens.access_token == "second"
    clock.advance(1)
    assert await one.desk.find(cookie) is None


async def test_only_one_refresh_is_taken_over(one: Replica) -> None:
    """Of two refreshes that began with the same tokens one is taken over; a session that ended stays ended."""
    _, session = await one.desk.start(person(), NOW)
    assert await one.desk.renew(session, person(access_token="second"), NOW)
    assert await one.desk.renew(session, person(access_token="third"), NOW) is None
    found = await one.desk.find_by_id(session.id)
    assert found is not None
    assert found.identity.tokens.access_token == "second"
    await one.desk.end(session.id, NOW)
    assert await one.desk.renew(found, person(access_token="fourth"), NOW) is None
    assert await one.desk.find_by_id(session.id) is None


async def test_two_hundred_sign_ins_are_never_mixed_up(one: Replica, two: Replica) -> None:
    """Two hundred people who sign in at one moment, on two replicas, each get their own session."""
    names = [f"person{number}" for number in range(200)]
    desks = (one.desk, two.desk)
    began = await asyncio.gather(*(desks[n % 2].start(person(name), NOW) for n, name in enumerate(names)))
    assert len({cookie for cookie, _ in began}) == len({session.id for _, session in began}) == 200
    for desk in desks:
        found = await asyncio.gather(*(desk.find(cookie) for cookie, _ in began))
        assert [session and session.identity for session in found] == [person(name) for name in names]


async def test_another_encryption_key_opens_no_session(one: Replica, store: Store, clock: FrozenClock) -> None:
    """A row that this process cannot open is no session: the caller signs in again."""
    cookie, session = await one.desk.start(person(), NOW)
    await store.write(lambda c: c.run(Sql("UPDATE sessions SET id = $2 WHERE id = $1"), session.id, "moved"))
    one.desk.memory.clear()
    assert await one.desk.find(cookie) is None


@pytest.mark.parametrize("cookie", ["", "a", "A" * 42, "A" * 44, "A" * 43 + ".0", "A" * 43 + ".01", "\ud800" * 43,
                                    "A" * 43 + "\n", "A" * 43 + ".", "A" * 1_000_000])  # fmt: skip
async def test_what_is_no_cookie_of_ours_is_nobody(one: Replica, cookie: str) -> None:
    """What we never wrote is nobody's, without a question to the database."""
    await one.store.close()
    assert one.desk.known(cookie) is None
    assert await one.desk.find(cookie) is None


async def test_a_store_that_is_away(one: Replica, clock: FrozenClock) -> None:
    """Known sessions live for the grace from the last reading; unknown ones are refused at once."""
    cookie, _ = await one.desk.start(person(), NOW)
    other, session = await one.desk.start(person("john"), NOW)
    one.desk.memory.drop(session.id)
    await one.store.close()
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.desk.notices.take()
    clock.advance(9.9)
    assert one.desk.known(cookie)
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.desk.find(other)
    clock.advance(0.1)
    assert one.desk.known(cookie) is None
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await one.desk.find(cookie)


async def test_without_grace_a_store_that_is_away_ends_it(store: Store, clock: FrozenClock) -> None:
    """With a grace of 0 known sessions are refused as soon as a reading has failed."""
    desk = replica(store, clock, b"strict", store_grace=0.0).desk
    await desk.notices.take()
    cookie, _ = await desk.start(person(), NOW)
    assert desk.known(cookie)
    await store.close()
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await desk.notices.take()
    assert desk.known(cookie) is None
    with pytest.raises(DoorwardError, match="store_unavailable"):
        await desk.find(cookie)


async def test_sessions_are_listed(one: Replica, clock: FrozenClock) -> None:
    """Living sessions are listed, of all or by `user_id`, with the later of the ends of cookie and token."""
    _, session = await one.desk.start(person(), NOW)
    _, other = await one.desk.start(person("john"), NOW + 1, with_token=True)
    listed = await one.desk.list_living(None, NOW)
    assert [entry["id"] for entry in listed] == [session.id, other.id]
    assert await one.desk.list_living("jane@contoso.com", NOW) == [
        {
            "id": session.id,
            "provider": "aad",
            "user_id": "jane@contoso.com",
            "created_at": "2027-01-15T08:00:00.000Z",
            "expires_at": "2027-01-15T16:00:00.000Z",
        }
    ]
    assert listed[1]["expires_at"] == "2027-02-14T08:00:01.000Z"
    assert [entry["id"] for entry in await one.desk.list_living(None, NOW + EIGHT_HOURS)] == [other.id]
