from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from doorward.base.clock import FrozenClock
from doorward.emulator.settings import clients_of
from tests.emulator.relying import SITE, RelyingParty
from tests.support.emulators import RunningEmulator, running_emulator

NOW = 1_800_000_000.0


@pytest.fixture
def clock() -> FrozenClock:
    """Give a clock that moves when a test says so."""
    return FrozenClock(NOW)


@pytest.fixture(scope="session")
def kept_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory whose signing keys are made once: making one costs more than a whole sign-in."""
    return tmp_path_factory.mktemp("emulator-keys")


@pytest_asyncio.fixture
async def stage_set(clock: FrozenClock, kept_keys: Path) -> AsyncGenerator[RunningEmulator]:
    """Give an emulator at which the applications of development are registered, for one site."""
    (kept_keys / "refresh-tokens.json").unlink(missing_ok=True)
    async with running_emulator(clock, kept_keys, clients=clients_of([SITE])) as running:
        yield running


@pytest.fixture
def app(stage_set: RunningEmulator) -> Iterator[RelyingParty]:
    """Give an application with a browser of its own."""
    with RelyingParty(stage_set.url) as party:
        yield party
