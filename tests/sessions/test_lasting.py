"""Who is still signed in, of those who opened something that lasts."""

import pytest

from doorward.base.clock import FrozenClock
from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.sessions.lasting import Lasting
from tests.support.sessions import NOW, Replica, cookie_of, person, visit


def lasting_of(one: Replica) -> Lasting:
    """Give what looks again in one process."""
    return Lasting(one.gate, one.desk, one.clock)


async def test_a_session_lasts_until_it_is_ended(one: Replica, two: Replica, clock: FrozenClock) -> None:
    """Memory says so without asking; a sign-out, here or in another process, is noticed."""
    cookie, session = await one.desk.start(person(), NOW)
    asked, lasting = visit(cookie_of(cookie)), lasting_of(one)
    assert lasting.session_of(asked) == session.id
    assert lasting.is_known(asked)
    assert await lasting.lasts(asked, session.id)
    await two.desk.end(session.id, NOW)
    clock.advance(1.0)
    await one.desk.notices.take()
    assert not lasting.is_known(asked)
    assert not await lasting.lasts(asked, session.id)


async def test_a_session_lasts_until_it_expires(one: Replica, clock: FrozenClock) -> None:
    """The end of the session's time is its end, though it may be refreshed for a while yet."""
    cookie, session = await one.desk.start(person(), NOW)
    asked, lasting = visit(cookie_of(cookie)), lasting_of(one)
    clock.advance(session.expires_at - NOW)
    await one.desk.notices.take()
    assert not lasting.is_known(asked)
    assert not await lasting.lasts(asked, session.id)


async def test_a_refresh_ends_nothing(one: Replica, clock: FrozenClock) -> None:
    """A cookie that was replaced counts no longer for requests; what was opened with it goes on."""
    cookie, session = await one.desk.start(person(), NOW)
    asked, lasting = visit(cookie_of(cookie)), lasting_of(one)
    await one.desk.renew(session, person(), clock.now(), by_cookie=True)
    clock.advance(120)
    await one.desk.notices.take()
    assert not lasting.is_known(asked)
    assert await lasting.lasts(asked, session.id)
    assert not await lasting.lasts(asked, "")


async def test_who_cannot_be_asked_ends_nothing(one: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away signs nobody out."""
    cookie, session = await one.desk.start(person(), NOW)
    asked = visit(cookie_of(cookie))

    async def is_away(*_: object) -> None:
        raise DoorwardError(STORE_UNAVAILABLE)

    monkeypatch.setattr(one.store, "find", is_away)
    one.desk.memory.clear()
    assert not lasting_of(one).is_known(asked)
    assert await lasting_of(one).lasts(asked, session.id)
