"""Introspection from memory: what is remembered, for how long, and what makes it forgotten, one promise a test.

That an answer came from memory shows in that the database was not needed: it is closed.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from doorward.accounts.clients import remove_client
from doorward.accounts.memory import (
    BELIEF_SECONDS,
    KEEP_TOLD,
    MAX_AGE,
    MAX_ANSWERS,
    MAX_CLIENTS,
    SWEEP_SECONDS,
    Kept,
    TokenMemory,
)
from doorward.accounts.nouns import Presented
from doorward.accounts.organizations import set_organization_enabled
from doorward.accounts.registrations import (
    add_registration,
    remove_registration,
    set_registration_enabled,
)
from doorward.accounts.revocation import Which, revoke
from doorward.accounts.tokens import TokenOffice, digest_of, revoke_all_of_user, revoke_family, revoke_pair
from doorward.accounts.users import delete_user, set_user_enabled, unlink_user
from doorward.base.clock import FrozenClock, SystemClock
from doorward.base.entropy import SeededEntropy
from doorward.config.clouds import BUILT_IN
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM
from doorward.store import Sql, Store
from tests.support.houses import NOW, ORIGIN, registration
from tests.support.token_processes import (
    ACCESS,
    FAMILY,
    FORM,
    GRACE,
    PLATFORM,
    Process,
    add_person,
    issue,
    new_client,
    prepare,
)
from tests.support.visits import visit

INACTIVE = b'{"active":false}'
AWAY = b"store_unavailable"
COUNT = Sql("SELECT count(*) FROM token_changes")


@dataclass
class Scene:
    """A process that remembers, another that acts, and a token of a user; `client_id` is whose `client` is."""

    clock: FrozenClock
    entropy: SeededEntropy
    here: Process
    there: Process
    user: int
    access: str
    platform: str
    client_id: str
    client: str

    @property
    def memory(self) -> TokenMemory:
        """Give what is tried."""
        return self.here.office.memory

    async def ask(self, token: str | None = None, more: str = "") -> bytes:
        """Introspect the platform token, or another, where it is remembered."""
        return await self.here.ask(self.client, token or self.platform, more)

    async def presented(self) -> Presented:
        """Give what stands behind the token, as the other process sees it."""
        return await self.there.office.read_platform_token(self.platform)


async def _scene(url: str, *, strict: bool = False) -> Scene:
    await prepare(url)
    clock, entropy = FrozenClock(NOW), SeededEntropy()
    here, there = (Process(url, clock, strict, entropy) for _ in range(2))
    await here.open()
    await there.open()
    user = await add_person(there.store, entropy)
    access, platform = await issue(there, user)
    client_id, client = await new_client(there.store, entropy)
    await here.office.memory.take_notice()
    return Scene(clock, entropy, here, there, user, access, platform, client_id, client)


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    """Give a scene on either engine, without rotation."""
    made = await _scene(database_url)
    yield made
    await made.here.store.close()
    await made.there.store.close()


@pytest.fixture
async def strict_scene(database_url: str) -> AsyncIterator[Scene]:
    """Give a scene on either engine, with rotation and a family that has rotated once."""
    made = await _scene(database_url, strict=True)
    yield made
    await made.here.store.close()
    await made.there.store.close()


# --- what is remembered -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["access", "platform"])
async def test_what_was_answered_needs_no_database(scene: Scene, kind: str) -> None:
    """A token of either kind that was asked about is answered without the database, in the same words."""
    token = getattr(scene, kind)
    first = await scene.ask(token)
    assert first.startswith(b'{"active":true')
    assert b'"exp":%d' % (NOW + (ACCESS if kind == "access" else PLATFORM)) in first
    await scene.here.store.close()
    assert await scene.ask(token) == first
    assert await scene.ask(token, "&token_type_hint=access_token") == first


async def test_other_forms_go_the_long_way_and_say_the_same(scene: Scene) -> None:
    """Whatever is not the plainest form is read as ever; only the lookup of the client is spared."""
    first = await scene.ask()
    plain, basic = ("Authorization", f"Basic {scene.client}"), f"Basic  {scene.client}"
    for headers, body in (
        ([FORM, plain], f"x=1&token={scene.platform}"),
        ([FORM, plain], f"token={scene.platform[:-1]}%{ord(scene.platform[-1]):02x}"),
        ([("Content-Type", f"{FORM[1]}; charset=utf-8"), plain], f"token={scene.platform}"),
        ([FORM, ("Authorization", basic)], f"token={scene.platform}"),
    ):
        assert (await scene.here.oauth.introspect(visit(*headers), body.encode())).body == first
    await scene.here.store.close()
    for headers in (
        [FORM, plain, plain],
        [plain],
        [FORM],
        [FORM, FORM, plain],
        [("Content-Type", "text/plain"), plain],
    ):
        with pytest.raises(Exception, match=r"malformed_request|invalid_request|invalid_client"):
            await scene.here.oauth.introspect(visit(*headers), f"token={scene.platform}".encode())


async def test_a_remembered_token_helps_no_stranger(scene: Scene) -> None:
    """Whoever is no client is refused, whatever is remembered of the token."""
    await scene.ask()
    assert await scene.here.ask(scene.client[:-4] + "AAAA", scene.platform) == b"invalid_client"


async def test_bad_news_is_not_kept(scene: Scene) -> None:
    """Who is let in again is let in at once, without a reading of changes."""
    await set_user_enabled(scene.there.store, scene.user, NOW, ORIGIN, enabled=False)
    assert await scene.ask() == INACTIVE
    await set_user_enabled(scene.there.store, scene.user, NOW, ORIGIN, enabled=True)
    assert (await scene.ask()).startswith(b'{"active":true')


# --- until when -------------------------------------------------------------------------------------------------------


async def test_memory_that_nobody_keeps_true_is_not_believed(scene: Scene) -> None:
    """Without a reading of changes in the last moment every question goes to the database, and finds it away."""
    assert (await scene.ask()).startswith(b'{"active":true')
    await scene.here.store.close()
    scene.clock.advance(BELIEF_SECONDS - 0.01)
    assert (await scene.ask()).startswith(b'{"active":true')
    scene.clock.advance(0.01)
    assert await scene.ask() == AWAY


async def test_a_database_away_is_not_read_and_not_believed(scene: Scene) -> None:
    """A reading that fails prolongs nothing."""
    await scene.ask()
    await scene.here.store.close()
    scene.clock.advance(BELIEF_SECONDS - 0.1)
    with pytest.raises(Exception, match=AWAY.decode()):
        await scene.memory.take_notice()
    scene.clock.advance(0.2)
    assert await scene.ask() == AWAY


@pytest.mark.parametrize(("kind", "lifetime"), [("access", ACCESS), ("platform", PLATFORM)])
async def test_no_answer_outlives_the_token(scene: Scene, kind: str, lifetime: float) -> None:
    """At the second at which a token ends it is inactive, remembered or not."""
    token = getattr(scene, kind)
    scene.clock.advance(lifetime - 0.2)
    await scene.memory.take_notice()
    assert (await scene.ask(token)).startswith(b'{"active":true')
    scene.clock.advance(0.2)
    assert await scene.ask(token) == INACTIVE


async def test_no_answer_outlives_the_family(scene: Scene) -> None:
    """A pair that was made late in its family ends with it."""
    scene.clock.advance(1.0)
    await scene.there.store.write(
        lambda c: c.run(Sql("UPDATE families SET expires_at = $1"), scene.clock.now() + 0.5)
    )  # fmt: skip
    await scene.memory.take_notice()
    assert (await scene.ask()).startswith(b'{"active":true')
    scene.clock.advance(0.5)
    assert await scene.ask() == INACTIVE


async def test_a_change_that_nobody_told_counts_after_a_minute(scene: Scene) -> None:
    """Rows that were changed by hand are found at the latest when the answer has become old."""
    access, _ = await issue(scene.there, scene.user)
    await scene.ask(access)
    await scene.there.store.write(lambda c: c.run(Sql("UPDATE users SET enabled = 0")))
    scene.clock.advance(MAX_AGE - 0.1)
    await scene.memory.take_notice()
    assert (await scene.ask(access)).startswith(b'{"active":true')
    scene.clock.advance(0.1)
    assert await scene.ask(access) == INACTIVE


# --- what others end --------------------------------------------------------------------------------------------------

Act = Callable[[Scene], Awaitable[object]]


async def _at(store: Store, how: Callable[..., Awaitable[object]], presented: Presented) -> None:
    async def change(cursor: object) -> None:
        await how(cursor, presented, NOW, ORIGIN)

    await store.write(change)


async def _everywhere(scene: Scene) -> None:
    await scene.there.store.write(lambda c: revoke_all_of_user(c, scene.user, NOW, ORIGIN))


async def _family(scene: Scene) -> None:
    presented = await scene.presented()
    await revoke(scene.there.store, Which(family_id=presented.family_id), NOW, ORIGIN)


async def _person(scene: Scene) -> None:
    presented = await scene.presented()
    await revoke(scene.there.store, Which(tenant=presented.tid, oid=presented.oid), NOW, ORIGIN)


async def _anew(scene: Scene) -> None:
    await remove_registration(scene.there.store, DEV_CLIENT_ID, NOW, ORIGIN)
    await add_registration(scene.there.store, registration(), BUILT_IN, NOW, ORIGIN)


ACTS: dict[str, Act] = {
    "pair": lambda s: _told(s, revoke_pair),
    "family": lambda s: _told(s, revoke_family),
    "everywhere": _everywhere,
    "operator, family": _family,
    "operator, user": lambda s: revoke(s.there.store, Which(user_id=s.user), NOW, ORIGIN),
    "operator, client": lambda s: revoke(s.there.store, Which(client_id=DEV_CLIENT_ID), NOW, ORIGIN),
    "operator, tenant": lambda s: revoke(s.there.store, Which(tenant=CONTOSO), NOW, ORIGIN),
    "operator, person": _person,
    "user": lambda s: set_user_enabled(s.there.store, s.user, NOW, ORIGIN, enabled=False),
    "deleted": lambda s: delete_user(s.there.store, s.user, NOW, ORIGIN),
    "unlinked": lambda s: unlink_user(s.there.store, s.user, NOW, ORIGIN),
    "organization": lambda s: set_organization_enabled(s.there.store, 1, NOW, ORIGIN, enabled=False),
    "registration, removed and added": _anew,
}


async def _told(scene: Scene, how: Callable[..., Awaitable[object]]) -> None:
    await _at(scene.there.store, how, await scene.presented())


@pytest.mark.parametrize("act", ACTS)
async def test_what_others_end_is_forgotten_with_the_next_reading(scene: Scene, act: str) -> None:
    """Whichever way tokens are ended elsewhere, the reading of changes makes them forgotten."""
    await scene.ask()
    await ACTS[act](scene)
    await scene.memory.take_notice()
    assert await scene.ask() == INACTIVE


@pytest.mark.parametrize("act", ["family", "user", "operator, tenant", "deleted"])
async def test_an_answer_read_before_a_change_is_not_kept_after_it(scene: Scene, act: str) -> None:
    """A question that has looked at the database before a change, and comes to an end after it became known, is told
    the old truth, and nobody else is.
    """
    kept = Kept(b"old", scene.user, NOW + 60, ())
    with scene.memory.filling() as filling:
        await ACTS[act](scene)
        await scene.memory.take_notice()
        scene.memory.keep(filling, digest_of(scene.platform), kept)
    assert await scene.ask() == INACTIVE
    assert scene.memory.find(b"", digest_of(scene.platform)) is None
    assert digest_of(scene.platform) not in scene.memory._answers


async def test_an_answer_about_others_is_kept_beside_a_change(scene: Scene) -> None:
    """Somebody else's sign-out does not keep an answer from being remembered."""
    kept = Kept(b"x", scene.user, NOW + 60, ())
    with scene.memory.filling() as filling:
        scene.memory.forget_user(scene.user + 1)
        scene.memory.keep(filling, b"key", kept)
    assert scene.memory._answers[b"key"] is kept


async def test_a_removed_client_is_nobody(scene: Scene) -> None:
    """A client that is removed gets nothing, not even what is remembered, and a look at it that was under way counts
    for nothing.
    """
    await scene.ask()
    with scene.memory.filling() as filling:
        await remove_client(scene.there.store, scene.client_id, NOW, ORIGIN)
        await scene.memory.take_notice()
        scene.memory.keep_client(filling, b"key")
    assert not scene.memory.knows_client(b"key")
    assert await scene.ask() == b"invalid_client"


@pytest.mark.parametrize("how", ["disabled", "removed", "tenants"])
async def test_a_registration_counts_as_soon_as_it_is_read(scene: Scene, how: str) -> None:
    """What is remembered rests on the registration as it was: with another it is asked again."""
    await scene.ask()
    store = scene.there.store
    if how == "disabled":
        await set_registration_enabled(store, DEV_CLIENT_ID, NOW, ORIGIN, enabled=False)
    elif how == "removed":
        await remove_registration(store, DEV_CLIENT_ID, NOW, ORIGIN)
    else:
        await store.write(lambda c: c.run(Sql("UPDATE registration_tenants SET tid = $1"), FABRIKAM))
    await scene.here.registrations.reload()
    assert await scene.ask() == INACTIVE


async def test_a_registration_read_again_unchanged_forgets_nothing(scene: Scene) -> None:
    """Every minute all registrations are read again."""
    first = await scene.ask()
    await scene.here.registrations.reload()
    await scene.here.store.close()
    assert await scene.ask() == first


async def test_other_keys_and_other_rules_are_asked_again(scene: Scene) -> None:
    """A key that no longer verifies, or settings that were read again, leave nothing of what was remembered."""
    first = await scene.ask(scene.access)
    await scene.here.store.close()
    scene.here.office.rules, rules = replace(scene.here.office.rules), scene.here.office.rules
    assert await scene.ask(scene.access) == AWAY
    scene.here.office.rules = rules
    assert await scene.ask(scene.access) == first
    scene.here.ring._take(())
    assert await scene.ask(scene.access) != first


# --- what is ended here -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["revoke", "log out", "log out everywhere"])
async def test_what_is_ended_here_is_ended_at_once(scene: Scene, how: str) -> None:
    """Whoever was told that tokens are ended finds them ended, without a reading of changes."""
    await scene.ask()
    bearer = ("Authorization", f"Bearer {scene.access}")
    if how == "revoke":
        basic = ("Authorization", f"Basic {scene.client}")
        await scene.here.oauth.revoke(visit(FORM, basic), f"token={scene.access}".encode())
    else:
        body = b'{"all": true}' if how.endswith("everywhere") else b""
        await scene.here.contract.logout(visit(bearer, ("Content-Type", "application/json")), body)
    assert await scene.ask() == INACTIVE


# --- rotation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["here", "there"])
async def test_a_generation_rotated_away_is_not_remembered(strict_scene: Scene, where: str) -> None:
    """The old pair counts for the grace and no longer, wherever it was refreshed."""
    scene = strict_scene
    await scene.ask()
    process = scene.here if where == "here" else scene.there
    await process.contract.refresh(visit(("Authorization", f"Bearer {scene.access}")), b"")
    await scene.memory.take_notice()
    assert (await scene.ask()).startswith(b'{"active":true')
    scene.clock.advance(GRACE - 0.3)
    await scene.memory.take_notice()
    assert (await scene.ask()).startswith(b'{"active":true')
    scene.clock.advance(0.3)
    assert await scene.ask() == INACTIVE


async def test_a_second_use_of_an_old_generation_ends_everything_here_at_once(strict_scene: Scene) -> None:
    """Reuse ends the family, and the newest pair with it."""
    scene = strict_scene
    answer = await scene.here.contract.refresh(visit(("Authorization", f"Bearer {scene.access}")), b"")
    newest = answer.body.split(b'"platform_token":"')[1][:64].decode()
    scene.clock.advance(GRACE)
    await scene.memory.take_notice()
    assert (await scene.ask(newest)).startswith(b'{"active":true')
    with pytest.raises(Exception, match="invalid_access_token"):
        await scene.here.contract.refresh(visit(("Authorization", f"Bearer {scene.access}")), b"")
    assert await scene.ask(newest) == INACTIVE


# --- the bounds -------------------------------------------------------------------------------------------------------


async def test_memory_is_bounded(scene: Scene) -> None:
    """The oldest answers make room, and nothing is left behind of them."""
    memory = scene.memory
    with memory.filling() as filling:
        for number in range(MAX_ANSWERS + 10):
            memory.keep(filling, b"%d" % number, Kept(b"", number % 7, NOW + 1, ()))
        for number in range(MAX_CLIENTS + 1):
            memory.keep_client(filling, b"%d" % number)
    assert len(memory._answers) == MAX_ANSWERS
    assert b"9" not in memory._answers
    assert b"10" in memory._answers
    assert sum(map(len, memory._keys_of.values())) == MAX_ANSWERS
    assert len(memory._clients) <= MAX_CLIENTS
    for user in range(7):
        memory.forget_user(user)
    assert not memory._answers
    assert not memory._keys_of


async def test_an_answer_that_is_given_anew_is_there_once(scene: Scene) -> None:
    """Keeping the same token again replaces what was kept."""
    memory = scene.memory
    with memory.filling() as filling:
        for user in (1, 1, 2):
            memory.keep(filling, b"key", Kept(b"", user, NOW + 1, ()))
    assert memory._keys_of == {2: (b"key",)}


async def test_what_was_told_is_swept_when_everybody_must_have_read_it(scene: Scene) -> None:
    """Rows stay for as long as a process that lags behind may still believe itself; one that was away longer forgets
    everything.
    """
    memory, store = scene.memory, scene.there.store
    await ACTS["user"](scene)
    await memory.take_notice()
    told = (await store.read(lambda c: c.all(COUNT)))[0][0]
    assert told
    for _ in range(int(KEEP_TOLD / SWEEP_SECONDS)):
        scene.clock.advance(SWEEP_SECONDS)
        await memory.take_notice()
        assert await memory.sweep() == 0
    swept = 0
    for _ in range(500):  # PostgreSQL keeps what an older transaction may not have seen, in whatever database it is
        scene.clock.advance(SWEEP_SECONDS)
        await memory.take_notice()
        swept += await memory.sweep()
        if swept:
            break
        await asyncio.sleep(0.01)
    assert swept == told
    assert (await store.read(lambda c: c.all(COUNT)))[0][0] == 0


@pytest.mark.parametrize("seconds", [FAMILY + KEEP_TOLD, KEEP_TOLD / 2 + 1])
async def test_who_was_away_for_long_forgets_everything(scene: Scene, seconds: float) -> None:
    """What was told meanwhile may be swept already."""
    with scene.memory.filling() as filling:
        scene.memory.keep(filling, b"key", Kept(b"", 1, NOW + 10_000, ()))
    scene.clock.advance(seconds)
    await scene.memory.take_notice()
    assert b"key" not in scene.memory._answers


class _SetClock(FrozenClock):
    """A clock of which only the wall part is set."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


async def test_a_clock_that_is_set_leaves_nothing_remembered(scene: Scene) -> None:
    """Ends were reckoned by the clock that was; a machine that slept shows it in the same way."""
    clock = _SetClock(NOW)
    memory = TokenMemory(scene.here.store, clock)
    for ahead, is_kept in ((0.0, True), (0.5, True), (2.5, False), (-3600.0, False)):
        await memory.take_notice()
        with memory.filling() as filling:
            memory.keep(filling, b"key", Kept(b"", 1, NOW + 10_000, ()))
        clock.ahead = ahead
        await memory.take_notice()
        assert (b"key" in memory._answers) is is_kept


async def test_running_keeps_it_true(scene: Scene) -> None:
    """Whoever runs it has a memory that is believed, until it is cancelled; a database that is away ends nothing."""
    memory = TokenMemory(scene.here.store, SystemClock())
    assert not memory.is_believed
    running = asyncio.create_task(memory.run())
    while not memory.is_believed:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.001)
    await scene.here.store.close()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    away = asyncio.create_task(memory.run())
    await asyncio.sleep(0.005)
    assert not away.done()
    away.cancel()


async def test_without_a_memory_given_nothing_is_remembered(scene: Scene) -> None:
    """A token office of a command, or of a test, asks the database each time."""
    office = TokenOffice(scene.here.store, scene.here.ring, scene.clock, scene.entropy, scene.here.office.rules)
    assert not office.memory.is_believed
