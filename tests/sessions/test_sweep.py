"""What is swept of sessions, and what stays."""

import asyncio

from doorward.accounts.sweep import PATIENCE, Broom
from doorward.base.clock import FrozenClock
from doorward.protocol.sealing import Sealer
from doorward.sessions.codes import LIFETIME as LIFETIME_OF_CODES
from doorward.sessions.codes import SignInCodes, challenge_of
from doorward.sessions.nonce import PendingSignIn
from doorward.sessions.rules import REFRESH_EXTENSION
from doorward.sessions.sweep import KEEP_CHANGES, sweep_sessions
from doorward.store import Sql
from doorward.store.common_time import CommonTime
from tests.support.sessions import LIFETIME, NOW, SECRET, Replica, person

EIGHT_HOURS = 8 * 3600.0


async def _count(replica: Replica, table: str) -> int:
    statement = Sql(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
    row = await replica.store.read(lambda cursor: cursor.one(statement))
    assert row is not None
    return row[0]


async def test_sessions_stay_as_long_as_they_may_be_refreshed(one: Replica) -> None:
    """A session is deleted 72 hours after both its cookie and its token have ended, and with it its last flight."""
    await one.desk.start(person(), NOW)
    lasting, _ = await one.desk.start(person("john"), NOW, with_token=True)
    await asyncio.gather(*(one.desk.start(person(f"p{place}"), NOW - 1) for place in range(600)))
    until = NOW + EIGHT_HOURS + REFRESH_EXTENSION
    assert await sweep_sessions(one.store, until - 1, REFRESH_EXTENSION) == 0
    assert await sweep_sessions(one.store, until, REFRESH_EXTENSION) == 600
    assert await sweep_sessions(one.store, until + 1, REFRESH_EXTENSION) == 1
    assert await _count(one, "sessions") == 1
    one.desk.memory.clear()
    assert await one.desk.find(lasting)


async def test_changes_stay_until_everybody_has_read_them(one: Replica, two: Replica, clock: FrozenClock) -> None:
    """Changes go after ten minutes; a process that had not read them forgets everything, so that it misses none."""
    cookie, _ = await one.desk.start(person(), NOW)
    gone, session = await one.desk.start(person("john"), NOW)
    assert await two.desk.find(cookie)
    assert await two.desk.find(gone)
    await one.desk.end(session.id, NOW)
    assert await sweep_sessions(one.store, NOW + KEEP_CHANGES, REFRESH_EXTENSION) == 0
    assert await sweep_sessions(one.store, NOW + KEEP_CHANGES + 1, REFRESH_EXTENSION) == 1
    clock.advance(0.1)
    await two.desk.notices.take()
    assert two.desk.known(gone) is None
    assert two.desk.known(cookie) is None
    assert await two.desk.find(cookie)
    assert await two.desk.find(gone) is None


async def test_used_nonces_stay_until_they_have_expired(one: Replica) -> None:
    """A used nonce is remembered for longer than it could count, even by a clock that is an hour behind."""
    nonce = one.nonces.draw()
    await one.nonces.redeem(PendingSignIn(nonce=nonce, provider="aad"))
    assert await sweep_sessions(one.store, NOW + LIFETIME + 3600, REFRESH_EXTENSION) == 0
    assert await sweep_sessions(one.store, NOW + LIFETIME + 3601, REFRESH_EXTENSION) == 1
    assert await _count(one, "used_nonces") == 0


async def test_a_clock_that_may_be_wrong_ends_no_session(one: Replica, clock: FrozenClock) -> None:
    """Sessions are swept with everything else, and not before the clock is believed."""
    broom = Broom(
        one.store, clock, CommonTime(one.store, clock), lambda now: sweep_sessions(one.store, now, REFRESH_EXTENSION)
    )
    await one.desk.start(person(), NOW - 30 * 86400)
    assert await broom.sweep(0) == 0
    clock.advance(PATIENCE)
    assert await broom.sweep(0) == 1


async def test_codes_go_when_they_have_expired(one: Replica) -> None:
    """What nobody redeemed is gone from the database once it counts for nothing."""
    codes = SignInCodes(one.store, one.clock, one.entropy, sealer=Sealer(SECRET, "sign-in codes"))
    await codes.keep(person(), challenge_of("v" * 43))
    assert await sweep_sessions(one.store, NOW + LIFETIME_OF_CODES, REFRESH_EXTENSION) == 0
    assert await sweep_sessions(one.store, NOW + LIFETIME_OF_CODES + 1, REFRESH_EXTENSION) == 1
    assert await _count(one, "sign_in_codes") == 0
