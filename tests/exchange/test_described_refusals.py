"""Every refusal that is described can be provoked at its endpoint, and none comes that is not described."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from doorward.accounts.organizations import add_organization, set_organization_enabled
from doorward.accounts.registrations import set_registration_enabled, set_tenants
from doorward.accounts.users import NewUser, add_user, set_user_enabled
from doorward.emulator.people import DEV_CLIENT_ID, FABRIKAM
from doorward.exchange.token_exchange import GRANT, SUBJECT_TYPES
from tests.support.asking import FORM, INTROSPECT, JWKS, LOGIN, LOGOUT, ME, REFRESH, REVOKE, Answer, basic, bearer
from tests.support.described import PREFIX, Document, codes, description, hold
from tests.support.houses import JANE, ORIGIN, House, running_house
from tests.support.postgres import PostgresServer

TOKEN = f"{PREFIX}/oauth2/token"
KIND = ("Content-Type", FORM)
BEARERS = {REFRESH: "POST", ME: "GET", LOGOUT: "POST"}
CLOSED = {LOGIN: "POST", TOKEN: "POST", INTROSPECT: "POST", REVOKE: "POST", **BEARERS}
LARGE = b"x" * 70_000
Seen = set[tuple[str, str, int, str]]


@dataclass
class Scene:
    """A house in some state; everything it is asked is held to the description, and its refusals are noted."""

    house: House
    document: Document
    seen: Seen = field(default_factory=Seen)

    async def ask(self, path: str, *headers: tuple[str, str], body: bytes = b"") -> Answer:
        """Ask one endpoint."""
        method = CLOSED.get(path, "GET")
        answer = await self.house.caller.ask(method, path, body=body, headers=headers)
        return self.note(method, path, answer)

    def note(self, method: str, path: str, answer: Answer) -> Answer:
        """Hold one answer to the description."""
        hold(self.document, method, path, answer)
        if answer.code:
            self.seen.add((method, path, answer.status, answer.code))
        return answer

    async def login(self, token: str, email: str = JANE, **fields: Any) -> None:
        """Bring a token to the contract's door."""
        self.note("POST", LOGIN, await self.house.caller.login(token, email, **fields))

    async def both(self, token: str, email: str = JANE, **fields: Any) -> None:
        """Bring a token to both doors."""
        await self.login(token, email, **fields)
        form = {"grant_type": GRANT, "subject_token_type": SUBJECT_TYPES[0], "subject_token": token}
        await self.ask(TOKEN, KIND, body=urlencode(form).encode())

    def mint(self, email: str | None = JANE, **how: Any) -> str:
        """Give a token that is not the one before."""
        self.house.clock.advance(0.001)
        return self.house.mint(email, **how)


@asynccontextmanager
async def scene(database_url: str, **how: Any) -> AsyncGenerator[Scene]:
    """Set one scene."""
    async with running_house(database_url, **how) as house:
        if "server__public_url" in how:
            async with running_house(database_url.replace(".db", "-plain.db"), register=False) as other:
                yield Scene(house, await description(other.caller))
        else:
            yield Scene(house, await description(house.caller))


async def _tokens(url: str) -> Seen:
    async with scene(url, token_service__replay="reject") as at:
        mint = at.mint
        await at.both("x")
        await at.both(mint(expired=True))
        await at.both(mint(fault="not_yet_valid"))
        await at.both(mint(fault="consumer_key"))
        await at.both(mint(fault="wrong_audience"))
        await at.both(mint("lena@fabrikam.com"), "lena@fabrikam.com")
        await at.both(mint("gia@fabrikam.com"), "gia@fabrikam.com")
        await at.login(mint(), "omar@contoso.com")
        await at.both(mint(claims={"preferred_username": "no address"}, without=("email", "upn")))
        await at.login(mint(), organization_id=9)
        await at.login(mint(), organization_id=0)
        await at.both(used := mint())
        await at.both(used)
        await at.both(mint(claims={"oid": "aaaaaaaa-0000-4000-8000-00000000000b"}))
        return at.seen


async def _accounts(url: str) -> Seen:
    async with scene(url) as at:
        store, now, mint = at.house.back.store, at.house.now, at.mint
        omar = NewUser(email="omar@contoso.com", full_name=None, organization_id=1, role="user", verified=False)
        await add_user(store, omar, now, ORIGIN)
        await at.house.run_sql("DELETE FROM registration_domains")
        await at.house.back.load_registrations()
        await at.both(mint("omar@contoso.com"), "omar@contoso.com")
        access, _ = await at.house.pair()

        async def every(*paths: str) -> None:
            await at.both(mint())
            for path in paths:
                await at.ask(path, bearer(access))

        await set_user_enabled(store, 2, now, ORIGIN, enabled=False)
        await every(REFRESH, ME)
        await set_user_enabled(store, 2, now, ORIGIN, enabled=True)
        await set_organization_enabled(store, 1, now, ORIGIN, enabled=False)
        await every(REFRESH, ME)
        await set_organization_enabled(store, 1, now, ORIGIN, enabled=True)
        await at.house.run_sql("UPDATE registrations SET refresh = 0")
        await at.house.back.load_registrations()
        await every(REFRESH)
        await at.house.run_sql("DELETE FROM registration_organizations")
        await set_tenants(store, DEV_CLIENT_ID, (FABRIKAM,), now, ORIGIN)
        await at.house.back.load_registrations()
        await every(REFRESH, ME)
        await set_registration_enabled(store, DEV_CLIENT_ID, now, ORIGIN, enabled=False)
        await at.house.back.load_registrations()
        await every(REFRESH, ME)
        return at.seen


async def _creation(url: str) -> Seen:
    async with scene(url, register=False) as at:
        await add_organization(at.house.back.store, "Two", 2, at.house.now, ORIGIN)
        await at.house.register(organizations=((1, None), (2, None)), default_organization=None, auto_create=False)
        await at.both(at.mint())
        await at.house.run_sql("UPDATE registrations SET auto_create = 1")
        await at.house.run_sql("DELETE FROM registration_organizations")
        await at.house.back.load_registrations()
        await at.both(at.mint())
        return at.seen


async def _requests(url: str) -> Seen:
    async with scene(url) as at:
        access, _ = await at.house.pair()
        client = basic(*await at.house.resource_server())
        for path in CLOSED:
            await at.ask(path, *([client] if path in {INTROSPECT, REVOKE} else [bearer(access)]), body=LARGE)
        for path in (*BEARERS, REVOKE):
            for headers in ([], [bearer("x")], [bearer("x")] * 2):
                await at.ask(path, *headers)
        await at.ask(LOGOUT, bearer(access), ("Content-Type", "application/json"), body=b'{"all": 1}')
        for path in (TOKEN, INTROSPECT, REVOKE):
            await at.ask(path, client)
        for form in (b"grant_type=password", f"grant_type={GRANT}&audience=x".encode()):
            await at.ask(TOKEN, KIND, body=form)
        for path in (INTROSPECT, REVOKE):
            await at.ask(path, basic("x", "y"))
        await at.ask(INTROSPECT, client, client)
        await at.ask(JWKS)
        return at.seen


async def _closed_doors(url: str) -> Seen:
    async with scene(url, token_service__subscription_key="k" * 40) as at:
        for path in CLOSED:
            await at.ask(path)
        seen = at.seen
    async with scene(url.replace(".db", "-https.db"), server__public_url="https://id.example.com") as at:
        for path in (*CLOSED, JWKS):
            await at.ask(path)
        return seen | at.seen


async def _limits(url: str) -> Seen:
    async with scene(url, rate_limits__enabled=True, rate_limits__failures=1) as at:
        await at.login("x")
        await at.both(at.mint())
        seen = at.seen
    nowhere: dict[str, Any] = {f"clouds__global__keys_v{n}": f"http://127.0.0.1:1/keys/{n}" for n in (1, 2)}
    async with scene(url.replace(".db", "-keyless.db"), **nowhere) as at:
        await at.both(at.mint())
        return seen | at.seen


async def _store_away(url: str, server: PostgresServer) -> Seen:
    name = url.rpartition("/")[2]
    async with scene(url) as at:
        access, _ = await at.house.pair()
        client = basic(*await at.house.resource_server())
        await asyncio.to_thread(server.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our name
        await asyncio.to_thread(server.execute, end)
        await at.both(at.mint())
        for path in BEARERS:
            await at.ask(path, bearer(access))
        for path in (INTROSPECT, REVOKE):
            await at.ask(path, client, KIND, body=b"token=x")
        await asyncio.to_thread(server.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        return at.seen


async def test_every_described_refusal_comes_and_no_other(
    sqlite_url: str, postgres_url: str, postgres_server: PostgresServer
) -> None:
    """What endpoints can refuse with, and what is said of them, are the same; each answer is as it is described."""
    seen = await _store_away(postgres_url, postgres_server)
    for number, act in enumerate((_tokens, _accounts, _creation, _requests, _closed_doors, _limits)):
        seen |= await act(sqlite_url.replace(".db", f"-{number}.db"))
    async with running_house(sqlite_url, register=False) as house:
        described = codes(await description(house.caller))
    assert sorted(described - seen) == []
    assert sorted(seen - described) == []


@pytest.mark.parametrize("path", [LOGIN, ME])
async def test_problem_details_are_described_as_well(sqlite_url: str, path: str) -> None:
    """Who asks for problem details gets what is described under that media type."""
    async with running_house(sqlite_url, register=False) as house:
        accept = ("Accept", "application/problem+json")
        answer = await house.caller.ask(CLOSED[path], path, headers=[accept])
        assert answer.headers["content-type"] == accept[1]
        hold(await description(house.caller), CLOSED[path], path, answer)
