"""`doorward serve` as processes of their own beside a pretend Entra in the test's event loop.

Time is the machine's here. What an operator changes is changed through the store, as the commands do it, while the
processes run.
"""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from doorward.accounts.registrations import add_registration
from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.config.clouds import BUILT_IN
from doorward.emulator.aad import cloud_settings
from doorward.emulator.messages import MintRequest
from doorward.store import Store, open_store
from tests.support import canaries
from tests.support.asking import Answer, Caller, ask
from tests.support.emulators import RunningEmulator
from tests.support.houses import ORIGIN, prepare_database, registration
from tests.support.programs import Program, free_ports, start_doorward

T = TypeVar("T")
CLOCK, ENTROPY = SystemClock(), SystemEntropy()


@dataclass(frozen=True, slots=True)
class Process:
    """A serving process: the program, its ports, and a caller at its door."""

    program: Program
    port: int
    caller: Caller

    async def admin(self, path: str) -> Answer:
        """Ask the admin listener."""
        return await ask(self.port + 1, "GET", path)

    async def reasons(self) -> list[str]:
        """Give the codes of what keeps it from being ready."""
        return [reason["code"] for reason in (await self.admin("/readyz")).json().get("reasons", [])]

    async def wait_for(self, path: str, status: int = 200) -> None:
        """Wait until the admin listener answers so."""
        url = f"http://127.0.0.1:{self.port + 1}{path}"
        await asyncio.to_thread(self.program.wait_for_url, url, status=status)


@asynccontextmanager
async def serving(
    database_url: str,
    emulator_url: str,
    *arguments: str,
    port: int = 0,
    public_url: str = "",
    wait: str = "/readyz",
    **given: str,
) -> AsyncGenerator[Process]:
    """Run `doorward serve` with settings from the environment, and wait until it answers at `wait`."""
    port = port or free_ports(2)
    env = environment_for(database_url, emulator_url, port, **given)
    if public_url:
        env["DOORWARD_SERVER__PUBLIC_URL"] = public_url
    with start_doorward("serve", *arguments, cwd=canaries.scanned(uuid.uuid4().hex), env=env) as program:
        process = Process(program, port, Caller(port))
        await process.wait_for(wait)
        yield process


def environment_for(database_url: str, emulator_url: str, port: int, **given: str) -> dict[str, str]:
    """Give the settings as variables; one that is given empty is left out."""
    settings = {
        "server__listen": f"127.0.0.1:{port}",
        "server__admin_listen": f"127.0.0.1:{port + 1}",
        "server__public_url": f"http://127.0.0.1:{port}",
        "database__url": database_url,
        "secrets__encryption_key": "e1" * 32,
        "secrets__signing_key": "51" * 32,
        "rate_limits__enabled": "false",
        **{f"clouds__global__{name}": value for name, value in cloud_settings(emulator_url).items()},
        **given,
    }
    return {f"DOORWARD_{name.upper()}": value for name, value in settings.items() if value}


async def prepare(database_url: str) -> None:
    """Bring a database to where somebody can sign in: migrated, with the usual registration."""
    await prepare_database(database_url)

    async def register(store: Store) -> None:
        await add_registration(store, registration(), BUILT_IN, CLOCK.now(), ORIGIN)

    await operate(database_url, register)


async def operate(database_url: str, work: Callable[[Store], Awaitable[T]]) -> T:
    """Do what a command of the operator does: open the database, change something, close it."""
    store = await open_store(database_url, auto_migrate=True)
    try:
        return await work(store)
    finally:
        await store.close()


def mint(emulator: RunningEmulator, email: str, **how: Any) -> str:
    """Have the pretend Entra make a token."""
    return emulator.app.pretending("aad").mint(MintRequest(email=email, **how))


async def within_a_second(condition: Callable[[], Awaitable[bool]]) -> bool:
    """Say whether a condition comes to hold within one second."""
    try:
        async with asyncio.timeout(1):
            while not await condition():  # noqa: ASYNC110 - it is another process that changes it
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True
