"""The whole token service in the test's own event loop: real sockets, a real database, a real pretend Entra.

Only time and chance are the test's: a frozen clock and seeded randomness, shared with the pretend Entra. What the
background tasks of a process do (follow the changes of others, fetch keys) is done when a test asks for it.
"""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from doorward.accounts.clients import add_client
from doorward.accounts.nouns import Origin
from doorward.accounts.registrations import NewRegistration, add_registration
from doorward.base.clock import Clock, FrozenClock
from doorward.base.entropy import SeededEntropy
from doorward.config.loading import Options, load
from doorward.config.settings import Settings
from doorward.emulator.aad import PretendEntra, cloud_settings
from doorward.emulator.app import EmulatorApp
from doorward.emulator.messages import MintRequest
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID
from doorward.gateway.listener import PublicListener
from doorward.house import BackOffice, Front, build_front, new_metrics, open_back_office
from doorward.inbound.listen import Listener, bind
from doorward.inbound.serve import Run, serve
from doorward.operations.metrics import Metrics
from doorward.store import Sql, open_store
from tests.support import canaries
from tests.support.asking import Answer, Caller
from tests.support.emulators import RunningEmulator

NOW = 1_800_000_000.0
ORIGIN = Origin(user_agent="the operator")
JANE = "jane@contoso.com"
TABLES = (
    "organizations", "users", "identities", "subjects", "registrations", "registration_tenants",
    "registration_organizations", "registration_domains", "families", "pairs", "seen_tokens", "clients", "signing_keys",
)  # fmt: skip
Dump = dict[str, list[tuple[Any, ...]]]


@dataclass
class House:
    """A running token service: what it is made of, and a caller at its door."""

    settings: Settings
    back: BackOffice
    front: Front
    metrics: Metrics
    emulator: RunningEmulator
    clock: FrozenClock
    caller: Caller
    clients: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])

    @property
    def now(self) -> float:
        """Give the time."""
        return self.clock.now()

    def mint(self, email: str | None = JANE, **how: Any) -> str:
        """Have the pretend Entra make a token; `how` are the members of `MintRequest`."""
        return self.emulator.app.pretending("aad").mint(MintRequest(email=email, **how))

    async def sign_in(self, email: str = JANE, *, fields: Mapping[str, Any] | None = None, **how: Any) -> Answer:
        """Mint a token and exchange it, with further `fields` in the body."""
        self.clock.advance(0.001)  # two tokens of one moment would be one token
        return await self.caller.login(self.mint(email, **how), email, **(fields or {}))

    async def pair(self, email: str = JANE, **how: Any) -> tuple[str, str]:
        """Sign somebody in and give both tokens."""
        answer = await self.sign_in(email, **how)
        assert answer.status == 200, answer
        return answer.data["access_token"], answer.data["ejento_access_token"]

    async def resource_server(self, name: str = "api") -> tuple[str, str]:
        """Give id and secret of a client that may introspect, made on first use."""
        if name not in self.clients:
            self.clients[name] = await add_client(self.back.store, name, self.back.entropy, self.now, ORIGIN)
        return self.clients[name]

    async def is_active(self, token: str) -> bool:
        """Say whether a token of either kind is active."""
        return bool((await self.caller.introspect(await self.resource_server(), token))["active"])

    async def register(self, **how: Any) -> None:
        """Register an audience; without `how` the pretend platform's own, for contoso's people."""
        await add_registration(self.back.store, registration(**how), self.settings.clouds, self.now, ORIGIN)
        await self.back.load_registrations()

    async def dump(self, *more: str) -> Dump:
        """Give every row of every table but the audit trail and the notes of changes, which `more` may name."""
        return {table: await self.rows(f"SELECT * FROM {table}") for table in (*TABLES, *more)}  # noqa: S608 - our names

    async def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Give what a statement finds, in a fixed order."""
        rows = await self.back.store.read(lambda cursor: cursor.all(Sql(statement), *values))
        return sorted((tuple(row) for row in rows), key=repr)

    async def run_sql(self, statement: str, *values: Any) -> int:
        """Change something behind the service's back."""
        return await self.back.store.write(lambda cursor: cursor.run(Sql(statement), *values))

    async def audit(self, event: str) -> list[dict[str, Any]]:
        """Give the audit records of one event, once those of refused exchanges are written."""
        await self.front.login.finish()
        columns = ("code", "request_id", "address", "user_agent", "client_id", "cloud", "tid", "oid", "user_id",
                   "organization_id", "kid", "token_digest", "detail")  # fmt: skip
        statement = Sql(" ".join(("SELECT", ", ".join(columns), "FROM audit WHERE event = $1 ORDER BY id")))
        rows = await self.back.store.read(lambda cursor: cursor.all(statement, event))
        return [dict(zip(columns, row, strict=True)) for row in rows]


def registration(**how: Any) -> NewRegistration:
    """Give what is registered: the pretend platform, for contoso's people and its domain, in organization 1."""
    usual: dict[str, Any] = {
        "client_id": DEV_CLIENT_ID,
        "name": "Pretend platform",
        "cloud": "global",
        "tenants": (CONTOSO,),
        "organizations": ((1, None),),
        "default_organization": None,
        "domains": (("contoso.com", None),),
        "auto_create": True,
        "allow_guests": False,
        "refresh": True,
    }
    return NewRegistration(**{**usual, **how})


@asynccontextmanager
async def running_house(
    database_url: str,
    *,
    emulator: RunningEmulator | None = None,
    clock: FrozenClock | None = None,
    seed: bytes = b"first",
    register: bool = True,
    **given: Any,
) -> AsyncGenerator[House]:
    """Run a token service; settings in `given` are named with two underscores for the point.

    A further replica gets the `emulator` and the `clock` of the first, and a `seed` of its own.
    """
    clock = clock or FrozenClock(NOW)
    async with AsyncExitStack() as stack:
        if emulator is None:
            emulator = await stack.enter_async_context(pretend_entra(clock))
        listening = bind("127.0.0.1:0")
        port = listening.getsockname()[1]
        settings = settings_for(database_url, emulator.url, port, **given)
        await prepare_database(database_url)
        back = await stack.enter_async_context(open_back_office(settings, clock, SeededEntropy(seed)))
        house = await _furnish(settings, back, emulator, clock, Caller(port), register=register)
        await stack.enter_async_context(_serving(house, listening))
        yield house


async def _furnish(
    settings: Settings,
    back: BackOffice,
    emulator: RunningEmulator,
    clock: FrozenClock,
    caller: Caller,
    *,
    register: bool,
) -> House:
    """Do what a process does before it serves."""
    await back.load_ring()
    await back.load_registrations()
    metrics = new_metrics(clock)
    front = build_front(back, settings, metrics)
    house = House(settings, back, front, metrics, emulator, clock, caller)
    if register and not back.registrations.client_ids():
        await house.register()
    metrics.know_audiences(back.registrations.client_ids())
    await back.provider_keys.refresh_all()
    return house


@asynccontextmanager
async def _serving(house: House, listening: socket.socket) -> AsyncGenerator[None]:
    async with _answering(
        Listener(name="public", socket=listening, connect=PublicListener(house.front.site).connect), house.clock
    ):
        yield
    await house.front.login.finish()


@asynccontextmanager
async def _answering(listener: Listener, clock: Clock) -> AsyncGenerator[None]:
    """Serve one listener; at the end nobody is waited for."""
    run, up = Run(), asyncio.Event()
    task = asyncio.create_task(
        serve([listener], run, clock=clock, entropy=SeededEntropy(b"ids"), drain_timeout=5, started=up.set)
    )
    await up.wait()
    try:
        yield
    finally:
        run.stop()
        run.stop()
        await task


@asynccontextmanager
async def pretend_entra(clock: Clock, port: int = 0) -> AsyncGenerator[RunningEmulator]:
    """Serve a pretend Entra; each has the same keys, since making or checking RSA keys would take most of a run."""
    listening = bind(f"127.0.0.1:{port}")
    port = listening.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    app = EmulatorApp(url, clock, SeededEntropy())
    donor, entra = _donor().pretending("aad"), app.pretending("aad")
    assert isinstance(donor, PretendEntra)
    assert isinstance(entra, PretendEntra)
    entra._shared._made, entra._consumer._made = dict(donor._shared._keys), dict(donor._consumer._keys)
    async with _answering(Listener(name="emulator", socket=listening, app=app), clock):
        yield RunningEmulator(url, port, app)


@cache
def _donor() -> EmulatorApp:
    return EmulatorApp("http://127.0.0.1:1", FrozenClock(NOW), SeededEntropy())


def settings_for(database_url: str, emulator_url: str, port: int, **given: Any) -> Settings:
    """Give settings for a service on `port`, with the pretend Entra as the global cloud."""
    presets: dict[str, object] = {
        "server.listen": f"127.0.0.1:{port}",
        "database.url": database_url,
        "secrets.encryption_key": "e1" * 32,
        "secrets.signing_key": "51" * 32,
        "rate_limits.enabled": False,
        **{f"clouds.global.{name}": value for name, value in cloud_settings(emulator_url).items()},
        **{name.replace("__", "."): value for name, value in given.items()},
    }
    return load(Options(purpose="dev", presets=presets, environment={}))


async def prepare_database(url: str) -> None:
    """Lay a copy of a migrated SQLite database where there is none yet: migrating each would take most of a run."""
    if url.startswith("sqlite:///") and not (target := Path(url.removeprefix("sqlite:///"))).exists():
        shutil.copy(await _template(), target)


async def _template() -> Path:
    template = canaries.unscanned("template") / f"{os.getpid()}.db"
    if not template.exists():
        await (await open_store(f"sqlite:///{template}", auto_migrate=True)).close()
    return template
