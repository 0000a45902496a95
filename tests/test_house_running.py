"""The run of a whole serving process: what keeps it from starting, what it reads again, how it ends, what it says."""

import asyncio
import gc
import signal
import socket
import sqlite3
import stat
import uuid
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from doorward import running
from doorward.accounts.organizations import set_organization_enabled
from doorward.store import Store
from tests.support import canaries
from tests.support.houses import ORIGIN, pretend_entra, running_house
from tests.support.postgres import PostgresServer
from tests.support.processes import CLOCK, environment_for, mint, operate, prepare, serving
from tests.support.programs import free_ports, run_doorward

NOBODY = "http://127.0.0.1:1"
JANE = "jane@contoso.com"


def _file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


# --- how it starts -------------------------------------------------------------------------------------------------


def test_garbage_is_collected_once_it_serves() -> None:
    """The collector, which rests while a process starts, works from then on."""
    before = gc.get_threshold()
    gc.disable()
    try:
        running._spare_the_collector()
        assert gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
        gc.set_threshold(*before)


# --- what keeps it from starting -----------------------------------------------------------------------------------


async def _disable_default(url: str) -> None:
    async def disable(store: Store) -> None:
        await set_organization_enabled(store, 1, CLOCK.now(), ORIGIN, enabled=False)

    await operate(url, disable)


async def _seal_with_another_key(url: str) -> None:
    async with running_house(url, register=False, secrets__encryption_key="ab" * 32):
        pass


async def _come_from_the_future(url: str) -> None:
    with closing(sqlite3.connect(_file_of(url), isolation_level=None)) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")


async def _lose_the_key_file(url: str) -> None:
    async with running_house(url, register=False, secrets__encryption_key="ab" * 32):
        pass


STARTS: dict[str, tuple[Callable[[str], Awaitable[None]] | None, dict[str, str], str]] = {
    "the default organization is suspended": (_disable_default, {}, "organization"),
    "the database was sealed with another key": (_seal_with_another_key, {}, "encryption"),
    "the database is newer": (_come_from_the_future, {}, "newer"),
    "the key file is gone": (
        _lose_the_key_file, {"secrets__encryption_key": "", "secrets__signing_key": ""}, ".key",
    ),
    "a setting is wrong": (None, {"token_service__replay": "sometimes"}, "replay"),
}  # fmt: skip


@pytest.mark.parametrize("why", STARTS)
async def test_what_keeps_it_from_starting(sqlite_url: str, why: str) -> None:
    """It ends with status 1, an error and a fix on standard error, and has never listened."""
    work, given, word = STARTS[why]
    await prepare(sqlite_url)
    if work is not None:
        await work(sqlite_url)
    port = free_ports(2)
    env = environment_for(sqlite_url, NOBODY, port, **given)
    home = canaries.scanned(uuid.uuid4().hex)
    ended = await asyncio.to_thread(run_doorward, "serve", cwd=home, env=env)
    assert ended.returncode == 1, ended.stderr
    assert word in ended.stderr
    assert "listener.open" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("which", [0, 1], ids=["public", "admin"])
async def test_a_taken_port(sqlite_url: str, which: int) -> None:
    """With either port taken it ends at once, before it opens the database."""
    port = free_ports(2)
    env = environment_for(sqlite_url, NOBODY, port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port + which))
        other.listen()
        ended = await asyncio.to_thread(run_doorward, "serve", cwd=canaries.scanned(uuid.uuid4().hex), env=env)
    assert ended.returncode == 1
    assert str(port + which) in ended.stderr
    assert not _file_of(sqlite_url).exists()


# --- a fresh start -------------------------------------------------------------------------------------------------


async def test_a_fresh_sqlite_database_gets_its_keys_once(sqlite_url: str) -> None:
    """Without keys in the settings they are made beside the file, for its owner alone, and kept over restarts."""
    await prepare(sqlite_url)
    none: dict[str, Any] = {"secrets__encryption_key": "", "secrets__signing_key": ""}
    async with pretend_entra(CLOCK) as entra:
        async with serving(sqlite_url, entra.url, **none) as process:
            access = (await process.caller.login(mint(entra, JANE))).data["access_token"]
            key_file = _file_of(sqlite_url).with_name("doorward.db.key")
            made = key_file.read_bytes()
            for path in (key_file, _file_of(sqlite_url)):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with serving(sqlite_url, entra.url, port=process.port, **none) as again:
            assert (await again.caller.me(access)).status == 200
            assert key_file.read_bytes() == made


# --- while it runs -------------------------------------------------------------------------------------------------


async def test_settings_are_read_again_on_sighup(sqlite_url: str) -> None:
    """SIGHUP takes over what is right; what is wrong changes nothing and is said in the log."""
    await prepare(sqlite_url)
    file = canaries.scanned(uuid.uuid4().hex) / "doorward.toml"
    file.write_text('[token_service]\nplatform_token_name = "first"\n')
    async with (
        pretend_entra(CLOCK) as entra,
        serving(sqlite_url, entra.url, "--config", str(file)) as process,
    ):

        async def named() -> str:
            return list((await process.caller.login(mint(entra, JANE))).data)[1]

        async def told(text: str, said: str) -> None:
            file.write_text(text)
            process.program.signal(signal.SIGHUP)
            await asyncio.to_thread(process.program.wait_for_output, said)

        assert await named() == "first"
        await told('[token_service]\nplatform_token_name = "second"\n', "settings.reloaded")
        assert await named() == "second"
        await told("[token_service]\nplatform_token_nam = 3\n", "settings.kept")
        assert await named() == "second"
        await told('[token_service]\nsigning_algorithm = "ES256"\n', "settings.need_restart")


async def test_readiness_speaks_of_the_database(sqlite_url: str) -> None:
    """A database file that is gone makes the process unready, never dead; put back, it is ready again."""
    await prepare(sqlite_url)
    file = _file_of(sqlite_url)
    async with pretend_entra(CLOCK) as entra, serving(sqlite_url, entra.url) as process:
        aside = file.with_name("aside")
        file.rename(aside)
        assert await process.reasons() == ["store_unavailable"]
        assert (await process.admin("/livez")).status == (await process.admin("/healthz")).status == 200
        aside.rename(file)
        await process.wait_for("/readyz")
        assert (await process.admin("/readyz")).json() == {"ready": True}


async def test_readiness_speaks_of_a_postgres_that_is_away(postgres_url: str, postgres_server: PostgresServer) -> None:
    """A PostgreSQL that refuses connections makes the process unready until it takes them again."""
    await prepare(postgres_url)
    name = postgres_url.rpartition("/")[2]
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - our own name
    async with pretend_entra(CLOCK) as entra, serving(postgres_url, entra.url) as process:
        await asyncio.to_thread(postgres_server.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await asyncio.to_thread(postgres_server.execute, end)
        assert await process.reasons() == ["store_unavailable"]
        answer = await process.caller.login(mint(entra, JANE))
        assert (answer.status, answer.code) == (503, "store_unavailable")
        await asyncio.to_thread(postgres_server.execute, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await process.wait_for("/readyz")
        assert (await process.caller.login(mint(entra, JANE))).status == 200
        assert process.program.stderr.count("changes.not_read") <= 1, "an outage is told once, not twice a second"


async def test_a_second_signal_waits_for_nobody(sqlite_url: str) -> None:
    """SIGTERM twice: whatever still runs is cut off."""
    await prepare(sqlite_url)
    async with pretend_entra(CLOCK) as entra, serving(sqlite_url, entra.url) as process:
        with closing(sqlite3.connect(_file_of(sqlite_url), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(process.caller.login(mint(entra, JANE)))
            await asyncio.sleep(0.02)
            process.program.signal(signal.SIGTERM)
            await asyncio.to_thread(process.program.wait_for_output, "process.draining")
            process.program.signal(signal.SIGTERM)
            await asyncio.gather(waiting, return_exceptions=True)
            other.execute("ROLLBACK")
        assert await asyncio.to_thread(process.program.wait) == 0


# --- request ids ---------------------------------------------------------------------------------------------------


async def test_request_ids_of_strangers_are_not_kept(sqlite_url: str) -> None:
    """A client's own X-Request-ID is kept only from a trusted proxy, and only a harmless one."""
    own = [("X-Request-ID", "mine-1234")]
    evil = [("X-Request-ID", 'x"\\\t<script>' + "y" * 500)]
    async with running_house(sqlite_url, register=False) as house:
        assert (await house.caller.login("x", headers=own)).headers["x-request-id"] != "mine-1234"
    async with running_house(sqlite_url, register=False, server__trusted_proxies=["127.0.0.1/32"]) as house:
        answer = await house.caller.login("x", headers=own)
        assert answer.headers["x-request-id"] == answer.json()["error"]["request_id"] == "mine-1234"
        assert "script" not in (await house.caller.login("x", headers=evil)).headers["x-request-id"]
