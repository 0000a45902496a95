"""Introspection from memory, against the long way: the same words, and nothing that a revocation outlives.

Hypothesis draws the stories: two processes on one database, each with a memory of its own; tokens that end in every way
there is, in this process, in the other, or by an operator; readings of the changes, questions that overlap with them,
and the passing of time. What a third process says that remembers nothing is the truth.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test
from hypothesis.strategies import sampled_from

from doorward.accounts.clients import remove_client
from doorward.accounts.memory import BELIEF_SECONDS, Filling, Kept, Opened
from doorward.accounts.nouns import Presented
from doorward.accounts.organizations import set_organization_enabled
from doorward.accounts.registrations import (
    add_registration,
    remove_registration,
    set_registration_enabled,
    set_tenants,
)
from doorward.accounts.revocation import Which, revoke
from doorward.accounts.tokens import digest_of
from doorward.accounts.users import delete_user, set_user_enabled, unlink_user
from doorward.base.clock import FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.base.errors import DoorwardError
from doorward.config.clouds import BUILT_IN
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID, FABRIKAM, oid_of
from doorward.inbound.door import Reply
from doorward.store import Sql
from tests.support.houses import NOW, ORIGIN, registration
from tests.support.token_processes import (
    ACCESS,
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
STORIES = settings(
    max_examples=40, stateful_step_count=30, deadline=None, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip


@dataclass
class Asked:
    """A token and what is known of it: what the truth was, since when it is dead, and who must know that at once."""

    user: int
    access: str
    token: str
    truth: bytes = INACTIVE
    died_at: float = -1.0
    known_to: frozenset[int] = frozenset({0, 1})


@dataclass
class Question:
    """A look at the database that is under way in one process."""

    here: Process
    asked: Asked
    opened: Opened
    filling: Filling
    kept: Kept


_seeds = iter(range(10**9))


class Memories(RuleBasedStateMachine):
    """The stories; `strict` is the rotation mode."""

    strict = False
    tokens: Bundle[list[Asked]] = Bundle("tokens")
    questions: Bundle[Question] = Bundle("questions")

    def __init__(self, url: str) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self.clock = FrozenClock(NOW)
        self.entropy = SeededEntropy(b"%d" % next(_seeds))
        self.run(prepare(url))
        self.processes = [Process(url, self.clock, self.strict, self.entropy) for _ in range(3)]
        for process in self.processes:
            self.run(process.open())
        self.truth = self.processes[2]
        self.store = self.truth.store
        self.users = [self.run(add_person(self.store, self.entropy)) for _ in range(2)]
        self.client_id, self.client = self.run(new_client(self.store, self.entropy))
        self.asked: list[Asked] = []
        self.by: frozenset[int] = frozenset({0, 1})
        for process in self.processes[:2]:
            self.run(process.office.memory.take_notice())

    def run(self, work: Any) -> Any:
        """Run something asynchronous to its end."""
        return self._loop.run_until_complete(work)

    def teardown(self) -> None:
        """Put right what an operator did, and close what was opened."""
        self.run(set_organization_enabled(self.store, 1, NOW, ORIGIN, enabled=True))
        self.run(self._register_again())
        for process in self.processes:
            self.run(process.store.close())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _register_again(self) -> None:
        await remove_registration(self.store, DEV_CLIENT_ID, NOW, ORIGIN)
        await add_registration(self.store, registration(), BUILT_IN, NOW, ORIGIN)

    # --- what happens ------------------------------------------------------------------------------------------------

    @rule(target=tokens, person=sampled_from([0, 1]))
    def sign_in(self, person: int) -> list[Asked]:
        """Somebody gets a pair; what an operator had suspended is let in again, so that it counts."""
        now, user = self.clock.now(), self.users[person]
        self.run(set_user_enabled(self.store, user, now, ORIGIN, enabled=True))
        self.run(set_organization_enabled(self.store, 1, now, ORIGIN, enabled=True))
        self._change_registration(set_registration_enabled(self.store, DEV_CLIENT_ID, now, ORIGIN, enabled=True))
        return self._enter(user, *self.run(issue(self.truth, user)))

    def _enter(self, user: int, access: str, platform: str) -> list[Asked]:
        pair = [Asked(user, access, token) for token in (access, platform)]
        self.asked += pair
        return pair

    @rule(processes=sampled_from([(0,), (1,), (0, 1)]))
    def take_notice(self, processes: tuple[int, ...]) -> None:
        """Processes read what was told."""
        for process in processes:
            self.run(self.processes[process].office.memory.take_notice())
        for asked in self.asked:
            asked.known_to |= set(processes)

    @rule(
        seconds=sampled_from([0.1, 0.3, BELIEF_SECONDS - 0.01, 1.0, GRACE, PLATFORM, ACCESS]),
        processes=sampled_from([(), (1,), (0, 1)]),
    )
    def wait(self, seconds: float, processes: tuple[int, ...]) -> None:
        """Time passes; whatever ends by itself ends for everybody at once."""
        self.clock.advance(seconds)
        self.take_notice(processes)

    @rule(pair=tokens, which=sampled_from(["access", "platform", "grace"]))
    def come_to_the_last_moment(self, pair: list[Asked], which: str) -> None:
        """A token is asked about shortly before its end, and again at its end."""
        statement = Sql(
            "SELECT p.access_expires_at, p.platform_expires_at, f.rotated_at FROM pairs p"
            " JOIN families f ON f.id = p.family_id WHERE p.platform_digest = $1"
        )
        row = self.run(self.store.read(lambda cursor: cursor.one(statement, digest_of(pair[1].token))))
        access, platform, rotated_at = row or (0, 0, None)
        end = {"access": access, "platform": platform, "grace": (rotated_at or 0) + GRACE}[which]
        if end - 0.3 > self.clock.now():
            self.clock.advance(end - 0.3 - self.clock.now())
            self.take_notice((0, 1))
            self.memory_says_what_is_true()
            self.clock.advance(0.3)

    @rule(
        target=tokens,
        pair=tokens,
        process=sampled_from([0, 1]),
        how=sampled_from(["revoke", "log out", "log out everywhere", "refresh"]),
    )
    def end(self, pair: list[Asked], process: int, how: str) -> list[Asked]:
        """Somebody ends tokens at one process; a refresh with rotation takes the old generation away."""
        here, bearer = self.processes[process], ("Authorization", f"Bearer {pair[0].access}")
        if how == "revoke":
            asking = visit(FORM, ("Authorization", f"Basic {self.client}"))
            work: Any = here.oauth.revoke(asking, f"token={pair[1].token}".encode())
        elif how == "refresh":
            work = here.contract.refresh(visit(bearer), b"")
        else:
            body = b'{"all": true}' if how.endswith("everywhere") else b""
            work = here.contract.logout(visit(bearer, ("Content-Type", "application/json")), body)
        done = self._try(work)
        self.by = frozenset({process})
        if done is None or how != "refresh":
            return pair
        data = json.loads(done.body)["data"]
        return self._enter(pair[0].user, data["access_token"], data["platform_token"])

    @rule(pair=tokens, how=sampled_from(["family", "user", "client", "tenant", "person"]))
    def operator_revokes(self, pair: list[Asked], how: str) -> None:
        """An operator ends tokens from outside."""
        (family, oid), user = self._family_of(pair), pair[0].user
        which = {
            "family": Which(family_id=family),
            "user": Which(user_id=user),
            "client": Which(client_id=DEV_CLIENT_ID),
            "tenant": Which(tenant=CONTOSO),
            "person": Which(tenant=CONTOSO, oid=oid),
        }[how]
        self._try(revoke(self.store, which, self.clock.now(), ORIGIN))
        self.by = frozenset()

    def _family_of(self, pair: list[Asked]) -> tuple[str, str]:
        statement = Sql(
            "SELECT f.id, f.oid FROM families f JOIN pairs p ON p.family_id = f.id WHERE p.platform_digest = $1"
        )
        row = self.run(self.store.read(lambda cursor: cursor.one(statement, digest_of(pair[1].token))))
        return ("gone", oid_of(CONTOSO, "nobody")) if row is None else (row[0], row[1])

    @rule(pair=tokens, how=sampled_from(["disable", "unlink", "delete", "organization"]))
    def operator_suspends(self, pair: list[Asked], how: str) -> None:
        """An operator suspends somebody or everybody, takes a link away, or deletes a user."""
        user, now = pair[0].user, self.clock.now()
        work: Any
        if how == "organization":
            work = set_organization_enabled(self.store, 1, now, ORIGIN, enabled=False)
        elif how == "disable":
            work = set_user_enabled(self.store, user, now, ORIGIN, enabled=False)
        else:
            work = (unlink_user if how == "unlink" else delete_user)(self.store, user, now, ORIGIN)
            if user in self.users:
                self.users[self.users.index(user)] = self.run(add_person(self.store, self.entropy))
        self._try(work)
        self.by = frozenset()

    @rule(how=sampled_from(["disable", "tenants", "anew", "client"]))
    def operator_changes_who_may_ask(self, how: str) -> None:
        """An operator changes the registration, which every process reads again, or the client."""
        now = self.clock.now()
        if how == "disable":
            self._change_registration(set_registration_enabled(self.store, DEV_CLIENT_ID, now, ORIGIN, enabled=False))
        elif how == "tenants":
            self._change_registration(set_tenants(self.store, DEV_CLIENT_ID, (CONTOSO, FABRIKAM), now, ORIGIN))
        elif how == "anew":
            self._change_registration(self._register_again())
            self.by = frozenset()
        else:
            self._change_client()

    def _change_registration(self, work: Any) -> None:
        self._try(work)
        for process in self.processes:
            self.run(process.registrations.reload())

    def _change_client(self) -> None:
        """Put another client in place of the one that asks; once a process has heard of it, the old one is nobody."""
        self.run(remove_client(self.store, self.client_id, self.clock.now(), ORIGIN))
        gone = self.client
        self.client_id, self.client = self.run(new_client(self.store, self.entropy))
        self.take_notice((0, 1))
        for process in self.processes:
            for asked in self.asked[-3:]:
                assert self.run(process.ask(gone, asked.token)) == b"invalid_client"

    @rule(target=questions, pair=tokens, which=sampled_from([0, 1]), process=sampled_from([0, 1]))
    def begin_question(self, pair: list[Asked], which: int, process: int) -> Question:
        """A process looks at the database, and is held up before it can keep what it saw."""
        here = self.processes[process]
        opened = here.office.memory.filling()
        filling = opened.__enter__()
        presented, audience = self._read(here, pair[which].token)
        body = self.run(self.truth.ask(self.client, pair[which].token))
        until = here.oauth._good_until(presented, audience) if presented and body != INACTIVE else 0.0
        grounds = (
            here.registrations.find_enabled(DEV_CLIENT_ID),
            here.ring.generation,
            here.office.rules,
        )
        return Question(here, pair[which], opened, filling, Kept(body, pair[which].user, until, grounds))

    def _read(self, here: Process, token: str) -> tuple[Presented | None, str]:
        try:
            return self.run(here.office.read_either(token))
        except DoorwardError:
            return None, ""

    @rule(question=consumes(questions), processes=sampled_from([(), (0, 1)]))
    def end_question(self, question: Question, processes: tuple[int, ...]) -> None:
        """It goes on with what it saw then, be it after others' changes were read."""
        self.take_notice(processes)
        if question.kept.until > self.clock.now():
            question.here.office.memory.keep(question.filling, digest_of(question.asked.token), question.kept)
        question.opened.__exit__(None, None, None)

    def _try(self, work: Any) -> Reply | None:
        try:
            return self.run(work)
        except DoorwardError:
            return None

    # --- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def memory_says_what_is_true(self) -> None:
        """Whoever asks hears the truth, or for less than a second what was true before somebody else changed it."""
        now = self.clock.now()
        for asked in self.asked[-10:]:
            truth = self.run(self.truth.ask(self.client, asked.token))
            if truth == INACTIVE and asked.truth != INACTIVE:
                asked.died_at, asked.known_to = now, self.by
            asked.truth = truth
            for number, process in enumerate(self.processes[:2]):
                said = self.run(process.ask(self.client, asked.token))
                if said != truth:
                    assert truth == INACTIVE, (said, truth)
                    assert number not in asked.known_to, said
                    assert now < asked.died_at + 1.0, said
        self.by = frozenset({0, 1})


class StrictMemories(Memories):
    """The same stories with rotation."""

    strict = True


def test_no_answer_outlives_its_token(database_url: str) -> None:
    """In whatever order things happen, memory says what the database says."""
    run_state_machine_as_test(cast("Any", lambda: Memories(database_url)), settings=STORIES)


def test_no_answer_outlives_its_token_with_rotation(database_url: str) -> None:
    """The same holds where a refresh takes the old generation away."""
    run_state_machine_as_test(cast("Any", lambda: StrictMemories(database_url)), settings=STORIES)
