"""Two processes on one database, and the end of one: what reaches the other, what is kept, what is said."""

import asyncio
import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from doorward.accounts.clients import add_client
from doorward.accounts.organizations import set_organization_enabled
from doorward.accounts.registrations import set_registration_enabled
from doorward.accounts.users import set_user_enabled
from doorward.base.entropy import SystemEntropy
from doorward.emulator.people import DEV_CLIENT_ID
from doorward.keys.ring import KeyRing
from doorward.protocol.sealing import Sealer
from doorward.store import Sql, Store
from tests.support import canaries
from tests.support.asking import Answer
from tests.support.houses import JANE, ORIGIN, pretend_entra
from tests.support.processes import CLOCK, ENTROPY, Process, mint, operate, prepare, serving, within_a_second

ORPHANS = (
    "SELECT count(*) FROM users u WHERE (SELECT count(*) FROM identities i WHERE i.user_id = u.id) <> 1",
    "SELECT count(*) FROM identities i WHERE NOT EXISTS (SELECT 1 FROM subjects s WHERE s.identity_id = i.id)",
    "SELECT count(*) FROM families f WHERE NOT EXISTS (SELECT 1 FROM pairs p WHERE p.family_id = f.id)",
    "SELECT count(*) FROM families f WHERE generation <> (SELECT max(generation) FROM pairs WHERE family_id = f.id)",
    "SELECT abs((SELECT count(*) FROM families) - (SELECT count(*) FROM audit WHERE event = 'exchange.succeeded'))",
    "SELECT abs((SELECT count(*) FROM users) - (SELECT count(*) FROM audit WHERE event = 'user.created'))",
)


async def test_changes_reach_every_process_within_a_second(database_url: str) -> None:
    """What an operator suspends is suspended everywhere within a second, and so is what is let in again."""
    await prepare(database_url)
    client = await operate(database_url, lambda s: add_client(s, "api", ENTROPY, CLOCK.now(), ORIGIN))
    async with (
        pretend_entra(CLOCK) as entra,
        serving(database_url, entra.url) as one,
        serving(database_url, entra.url, public_url=f"http://127.0.0.1:{one.port}") as two,
    ):
        data = (await one.caller.login(mint(entra, JANE))).data
        access, platform = data["access_token"], data["ejento_access_token"]

        async def active() -> set[bool]:
            said = [await p.caller.introspect(client, token) for p in (one, two) for token in (access, platform)]
            return {each["active"] for each in said}

        async def comes_to(*, enabled: bool) -> bool:
            async def settled() -> bool:
                return await active() == {enabled}

            return await within_a_second(settled)

        async def switch(what: str, store: Store, *, enabled: bool) -> None:
            if what == "user":
                await set_user_enabled(store, 1, CLOCK.now(), ORIGIN, enabled=enabled)
            elif what == "organization":
                await set_organization_enabled(store, 1, CLOCK.now(), ORIGIN, enabled=enabled)
            else:
                await set_registration_enabled(store, DEV_CLIENT_ID, CLOCK.now(), ORIGIN, enabled=enabled)

        assert await active() == {True}
        for what in ("user", "organization", "registration"):
            for enabled in (False, True):
                await operate(database_url, lambda s, w=what, e=enabled: switch(w, s, enabled=e))
                assert await comes_to(enabled=enabled), (what, enabled)
        await operate(database_url, _rotate)
        fresh = (await one.caller.login(mint(entra, JANE))).data["access_token"]
        assert [(await p.caller.me(t)).status for p in (one, two) for t in (access, fresh)] == [200] * 4
        await one.caller.logout(access)
        assert (await two.caller.me(access)).status == 401


async def _rotate(store: Store) -> None:
    ring = KeyRing(
        store, Sealer(b"\xe1" * 32, "signing keys"), CLOCK, SystemEntropy(), algorithm="HS256", retirement=9e6
    )
    await ring.load()
    await ring.rotate()


async def test_kill_at_any_moment_loses_nothing_that_was_answered(database_url: str) -> None:
    """Kill -9 under load: every answered pair is good after the restart, and nothing is half-made."""
    await prepare(database_url)
    client = await operate(database_url, lambda s: add_client(s, "api", ENTROPY, CLOCK.now(), ORIGIN))
    async with pretend_entra(CLOCK) as entra:
        answered: list[Answer] = []
        people = [f"person{number}@contoso.com" for number in range(400)]
        tokens = {email: mint(entra, email) for email in people}
        async with serving(database_url, entra.url) as first:
            queue = iter(people)
            workers = [asyncio.create_task(_work(first, queue, tokens, answered)) for _ in range(12)]
            while len(answered) < 100:  # noqa: ASYNC110 - the load itself decides when
                await asyncio.sleep(0.001)
            first.program.kill()
            await asyncio.gather(*workers)
        assert 100 <= len(answered) < 800, "killed in the middle"
        async with serving(database_url, entra.url, port=first.port) as second:
            for answer in answered:
                for token in (answer.data["access_token"], answer.data["ejento_access_token"]):
                    assert (await second.caller.introspect(client, token))["active"]
            orphans = [await operate(database_url, lambda s, o=orphan: _number(s, o)) for orphan in ORPHANS]
            assert orphans == [0] * len(ORPHANS)
            interrupted = people[len(answered)]
            assert (await second.caller.login(mint(entra, interrupted), interrupted)).status == 200


async def _work(process: Process, people: Iterator[str], tokens: dict[str, str], answered: list[Answer]) -> None:
    for email in people:
        try:
            answer = await process.caller.login(tokens[email], email)
            assert answer.status == 200
            answered.append(answer)
            answer = await process.caller.refresh(answer.data["access_token"])
            assert answer.status == 200
            answered.append(answer)
        except (OSError, ConnectionError):
            return


async def _number(store: Store, statement: str) -> int:
    row = await store.read(lambda cursor: cursor.one(Sql(statement)))
    assert row is not None
    return int(row[0])


async def test_a_request_in_flight_is_answered_before_the_end(sqlite_url: str) -> None:
    """SIGTERM while an exchange waits for the database: it is answered, readiness is off, the status is 0."""
    await prepare(sqlite_url)
    async with pretend_entra(CLOCK) as entra, serving(sqlite_url, entra.url) as process:
        with sqlite3.connect(Path(sqlite_url.removeprefix("sqlite:///")), isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(process.caller.login(mint(entra, JANE)))
            await asyncio.sleep(0.02)
            process.program.signal(signal.SIGTERM)
            await asyncio.to_thread(process.program.wait_for_output, "process.draining")
            assert "shutting_down" in await process.reasons()
            other.execute("ROLLBACK")
        other.close()
        answer = await waiting
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await asyncio.to_thread(process.program.wait) == 0


async def test_what_is_counted_and_logged(sqlite_url: str) -> None:
    """Counters by code and audience, key ages, one JSON object a line, the code in the line, and no secret anywhere."""
    await prepare(sqlite_url)
    client = await operate(sqlite_url, lambda s: add_client(s, "api", ENTROPY, CLOCK.now(), ORIGIN))
    canaries.keep_secret(client[1])
    async with pretend_entra(CLOCK) as entra, serving(sqlite_url, entra.url, log__level="debug") as process:
        hidden = canaries.canary("body-address").lower() + "@contoso.com"
        token = canaries.keep_secret(mint(entra, JANE))
        pair = (await process.caller.login(token)).data
        for name in ("access_token", "ejento_access_token"):
            canaries.keep_secret(pair[name])
        refreshed = (await process.caller.refresh(pair["access_token"])).data
        canaries.keep_secret(refreshed["ejento_access_token"])
        wrong = [
            await process.caller.login(token, hidden),
            await process.caller.login(canaries.canary("not-a-token"), JANE),
            await process.caller.login(canaries.keep_secret(mint(entra, JANE, kind="access_token"))),
            await process.caller.login(mint(entra, JANE, audience="0badc0de-0000-4000-8000-0000000000ff")),
            await process.caller.post_json("/auth-service/api/v2/sso/microsoft/azure-token-login", {"email": hidden}),
            await process.caller.me(canaries.canary("bearer")),
            await process.caller.ask("GET", f"/auth-service/nothing?token={pair['ejento_access_token']}"),
        ]
        await process.caller.introspect(client, pair["ejento_access_token"])
        metrics = (await process.admin("/metrics")).body.decode()
        log = process.program.stderr
        assert (await process.admin("/livez")).status == 200
    lines = [json.loads(line) for line in log.splitlines()]
    codes = {line.get("request_id"): line["code"] for line in lines if line["event"] == "request.refused"}
    for answer in wrong[:6]:
        assert codes[answer.headers["x-request-id"]] == answer.code
    assert any("send the id_token" in str(line.get("reason")) for line in lines)
    assert hidden.partition("@")[0] not in log.lower()
    for sample in (
        f'doorward_exchanges_total{{audience="{DEV_CLIENT_ID}",code="success"}} 1',
        f'doorward_exchanges_total{{audience="{DEV_CLIENT_ID}",code="email_mismatch"}} 1',
        'doorward_exchanges_total{audience="other",code="audience_mismatch"} 1',
        'doorward_provider_keys{cloud="global",version="2.0"}',
        'doorward_provider_keys_age_seconds{cloud="global",version="1.0"}',
        "doorward_store_up 1",
    ):
        assert sample in metrics, sample
