"""The life of platform tokens against a small model: in whatever order things happen, the same are alive.

Hypothesis draws the stories: sign-ins, refreshes, revocations, logouts, rotations of the ring, suspensions, restarts
and the passing of time. The model knows nothing of SQL; it only says which token must be alive.
"""

import asyncio
import shutil
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import sampled_from

from doorward.accounts.nouns import Origin, Presented
from doorward.accounts.refresh import RefreshDesk
from doorward.accounts.registrations import Registrations, add_registration
from doorward.accounts.revocation import Which
from doorward.accounts.revocation import revoke as revoke_which
from doorward.accounts.tokens import (
    Owner,
    TokenOffice,
    TokenRules,
    revoke_all_of_user,
    revoke_family,
    revoke_pair,
)
from doorward.accounts.users import NewUser, add_user, link_user, set_user_enabled
from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.base.errors import DoorwardError
from doorward.base.refusals import INVALID_ACCESS_TOKEN
from doorward.config.clouds import BUILT_IN
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, oid_of
from doorward.keys.ring import KeyRing
from doorward.protocol.sealing import Sealer
from doorward.store import Cursor, Store, open_store
from tests.support import canaries
from tests.support.houses import NOW, ORIGIN, prepare_database, registration

Revoke = Callable[[Cursor, Presented, float, Origin], Awaitable[None]]
HOUR, DAY = 3600.0, 86400.0
ACCESS, PLATFORM, FAMILY, GRACE = 7 * DAY, 5 * DAY, 30 * DAY, 10.0
PEOPLE = ("jane@contoso.com", "omar@contoso.com")
FEW = settings(max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Family:
    """What the model knows of a family."""

    person: int
    ends: float
    newest: int = 1
    rotated_at: float = -1.0
    is_revoked: bool = False


@dataclass
class Pair:
    """What the model knows of a pair: its tokens and why they may be dead."""

    family: Family
    generation: int
    access: str
    platform: str
    issued_at: float
    is_revoked: bool = False

    def is_held_back(self, now: float, *, strict: bool) -> bool:
        """Say whether rotation has taken the pair away."""
        behind = self.family.newest - self.generation
        in_grace = behind == 1 and now < self.family.rotated_at + GRACE
        return strict and behind > 0 and not in_grace

    def ends(self, lifetime: float) -> float:
        """Give when a token of the pair with that lifetime ends."""
        return min(self.issued_at + lifetime, self.family.ends)


@dataclass
class World:
    """The real parts, on one database that outlives them."""

    url: str
    clock: FrozenClock
    strict: bool
    entropy: SeededEntropy = field(default_factory=SeededEntropy)
    store: Store = field(init=False)
    ring: KeyRing = field(init=False)
    office: TokenOffice = field(init=False)
    desk: RefreshDesk = field(init=False)

    async def open(self) -> None:
        """Open everything as a process does at its start."""
        self.store = await open_store(self.url, auto_migrate=True)
        sealer = Sealer(b"\x11" * 32, "signing keys")
        self.ring = KeyRing(self.store, sealer, self.clock, self.entropy, algorithm="HS256", retirement=FAMILY)
        await self.ring.load()
        rules = TokenRules(
            issuer="http://a.example/auth-service",
            access_lifetime=ACCESS,
            platform_lifetime=PLATFORM,
            family_lifetime=FAMILY,
            strict_rotation=self.strict,
            refresh_grace=GRACE,
        )
        self.office = TokenOffice(self.store, self.ring, self.clock, self.entropy, rules)
        registrations = Registrations(self.store)
        await registrations.reload()
        self.desk = RefreshDesk(self.store, self.office, registrations.find_enabled)

    async def begin(self) -> None:
        """Fill a fresh database with two people and a registration."""
        await prepare_database(self.url)
        store = await open_store(self.url, auto_migrate=True)
        await add_registration(store, registration(), BUILT_IN, NOW, ORIGIN)
        for email in PEOPLE:
            new = NewUser(email=email, full_name=None, organization_id=1, role="user", verified=True)
            user = await add_user(store, new, NOW, ORIGIN)
            await link_user(store, user.id, "global", CONTOSO, oid_of(CONTOSO, email), NOW, ORIGIN)
        await store.close()
        await self.open()

    async def is_alive(self, token: str) -> bool:
        """Ask as the endpoints do whether a token of either kind is good."""
        try:
            presented, _ = await self.office.read_either(token)
            self.office.refuse_dead(presented)
        except DoorwardError as refused:
            if refused.row is not INVALID_ACCESS_TOKEN:
                raise
            return False
        return presented.user.enabled and presented.organization_enabled


class TokenLife(RuleBasedStateMachine):
    """The stories; `strict` is the rotation mode."""

    strict = False
    pairs: Bundle[Pair] = Bundle("pairs")

    def __init__(self) -> None:
        super().__init__()
        self._directory = canaries.unscanned(uuid.uuid4().hex)
        self._loop = asyncio.new_event_loop()
        self.clock = FrozenClock(NOW)
        self.world = World(f"sqlite:///{self._directory / 'doorward.db'}", self.clock, self.strict)
        self.run(self.world.begin())
        self.known: list[Pair] = []
        self.disabled: set[int] = set()

    def run(self, work: Any) -> Any:
        """Run something asynchronous to its end."""
        return self._loop.run_until_complete(work)

    def teardown(self) -> None:
        """Close what was opened."""
        self.run(self.world.store.close())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()
        shutil.rmtree(self._directory)

    def _remember(self, family: Family, generation: int, access: str, platform: str) -> Pair:
        pair = Pair(family, generation, access, platform, self.clock.now())
        self.known.append(pair)
        return pair

    @rule(target=pairs, person=sampled_from([1, 2]))
    def sign_in(self, person: int) -> Pair:
        """A family begins, whether or not the user is enabled: whoever signs people in has looked."""
        oid = oid_of(CONTOSO, PEOPLE[person - 1])
        owner = Owner(
            user_id=person,
            organization_id=1,
            registration_id=1,
            client_id=DEV_CLIENT_ID,
            cloud="global",
            tid=CONTOSO,
            oid=oid,
        )
        pair, rows = self.world.office.issue(owner, self.clock.now())
        self.run(self.world.store.append(rows))
        family = Family(person, self.clock.now() + FAMILY)
        return self._remember(family, 1, pair.access_token, pair.platform_token)

    @rule(target=pairs, pair=pairs)
    def refresh(self, pair: Pair) -> Pair:
        """A refresh succeeds exactly when the model says so; a reuse ends the family."""
        now, family = self.clock.now(), pair.family
        is_dead = pair.is_revoked or family.is_revoked or now >= pair.ends(ACCESS)
        try:
            _, made = self.run(self.world.desk.refresh(pair.access, now, ORIGIN))
        except DoorwardError as refused:
            self._understand(refused.code, pair, is_dead=is_dead)
            return pair
        assert not is_dead
        assert family.person not in self.disabled
        assert not pair.is_held_back(now, strict=self.strict)
        if pair.generation == family.newest:
            family.newest, family.rotated_at = pair.generation + 1, now
        return self._remember(family, pair.generation + 1, made.access_token, made.platform_token)

    def _understand(self, code: str, pair: Pair, *, is_dead: bool) -> None:
        if not is_dead and pair.family.person in self.disabled:
            assert code == "user_disabled"
            return
        assert code == "invalid_access_token"
        assert is_dead or pair.is_held_back(self.clock.now(), strict=self.strict)
        pair.family.is_revoked |= not is_dead

    def _present(self, pair: Pair) -> Presented | None:
        try:
            return self.run(self.world.office.read_access_token(pair.access))
        except DoorwardError:
            return None

    def _revoke(self, how: Revoke, presented: Presented) -> None:
        async def change(cursor: Cursor) -> None:
            await how(cursor, presented, self.clock.now(), ORIGIN)

        self.run(self.world.store.write(change))

    @rule(pair=pairs)
    def revoke_one(self, pair: Pair) -> None:
        """A pair dies, and only that."""
        presented = self._present(pair)
        if presented is not None:
            self._revoke(revoke_pair, presented)
            pair.is_revoked = True

    @rule(pair=pairs)
    def log_out(self, pair: Pair) -> None:
        """A family dies."""
        presented = self._present(pair)
        if presented is not None:
            self._revoke(revoke_family, presented)
            pair.family.is_revoked = True

    @rule(person=sampled_from([1, 2]), by_operator=sampled_from([False, True]))
    def log_out_everywhere(self, person: int, by_operator: bool) -> None:  # noqa: FBT001 - drawn, not called
        """Every family of a user dies."""
        now = self.clock.now()
        if by_operator:
            self.run(revoke_which(self.world.store, Which(user_id=person), now, ORIGIN))
        else:

            async def everything(cursor: Cursor) -> None:
                await revoke_all_of_user(cursor, person, now, ORIGIN)

            self.run(self.world.store.write(everything))
        for pair in self.known:
            pair.family.is_revoked |= pair.family.person == person

    @rule(person=sampled_from([1, 2]), enabled=sampled_from([False, True]))
    def switch(self, person: int, enabled: bool) -> None:  # noqa: FBT001 - drawn, not called
        """A user is suspended or let in again; the tokens come back to life with the user."""
        self.run(set_user_enabled(self.world.store, person, self.clock.now(), ORIGIN, enabled=enabled))
        (self.disabled.discard if enabled else self.disabled.add)(person)

    @rule()
    def rotate_keys(self) -> None:
        """A new key signs; nobody is signed out."""
        self.run(self.world.ring.rotate())

    @rule()
    def restart(self) -> None:
        """Everything in memory is gone."""
        self.run(self.world.store.close())
        self.run(self.world.open())

    @rule(seconds=sampled_from([0.5, GRACE - 0.5, GRACE, HOUR, DAY, PLATFORM, ACCESS, 20 * DAY]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    @invariant()
    def exactly_the_right_tokens_are_alive(self) -> None:
        """Every token that was ever given away is alive or dead as the model says."""
        now = self.clock.now()
        for pair in self.known[-12:]:
            alive = (
                not pair.is_revoked
                and not pair.family.is_revoked
                and pair.family.person not in self.disabled
                and not pair.is_held_back(now, strict=self.strict)
            )
            found = [self.run(self.world.is_alive(token)) for token in (pair.access, pair.platform)]
            assert found == [alive and now < pair.ends(ACCESS), alive and now < pair.ends(PLATFORM)]


class StrictTokenLife(TokenLife):
    """The same stories with rotation."""

    strict = True


TestTokenLife = TokenLife.TestCase
TestTokenLife.settings = FEW
TestStrictTokenLife = StrictTokenLife.TestCase
TestStrictTokenLife.settings = FEW
