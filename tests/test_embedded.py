"""The house inside somebody else's process: its settings, its opening and its end."""

import asyncio
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from doorward.accounts.clients import add_known_client
from doorward.accounts.nouns import Origin
from doorward.base.clock import SystemClock
from doorward.base.errors import DoorwardError
from doorward.base.faults import DEV_CLIENT_PRESENT
from doorward.base.secret import Secret
from doorward.config.dev_keys import DEV_CLIENT, DEV_CLIENT_SECRET, DEV_ENCRYPTION_KEY
from doorward.config.findings import SettingsRejected
from doorward.config.loading import Options
from doorward.embedded import HouseThread, open_inside, read_settings
from doorward.gateway.inside import Inside
from doorward.store import open_store
from tests.support import canaries
from tests.support.programs import Program
from tests.support.realms import realm, settings_of

OFF = "[auth.platform]\nenabled = false\n"


def written(place: Path, text: str) -> Path:
    """Write a settings file."""
    file = place / "doorward.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "says who may pass"),
        ('[app]\nupstream = "http://127.0.0.1:3000"\n', "auth"),
        (OFF + "[server]\nworker = 2\n", "worker"),
        (OFF + f'[secrets]\nencryption_key = "{DEV_ENCRYPTION_KEY}"\n', "doorward dev"),
        (OFF + '[database]\nurl = "postgresql://localhost/x"\n', "encryption_key"),
    ],
)
def test_what_serve_refuses_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """Wrong settings, the fixed keys of development, and an application that nobody is asked about."""
    with pytest.raises(SettingsRejected, match=said):
        read_settings(written(tmp_path, text))


def test_the_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with serve, the environment stands above the file; a program may hand over an environment of its own."""
    file = written(tmp_path, OFF + '[server]\npublic_url = "https://a.example"\n')
    monkeypatch.setenv("DOORWARD_SERVER__PUBLIC_URL", "https://b.example")
    assert read_settings(str(file)).server.public_url == "https://b.example"
    given = Options(config=str(file), environment={}, purpose="dev")
    assert read_settings(given).server.public_url == "https://a.example"


def test_without_a_name_the_usual_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is ./doorward.toml where it is there, and serve's defaults where not, which let nobody be asked."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsRejected):
        read_settings(None)
    written(tmp_path, OFF)
    assert read_settings(None).auth.plan is not None


def test_settings_that_are_ready_are_held_to_the_rules(sqlite_url: str) -> None:
    """Whoever makes settings in another way gets no further with the keys of development."""
    settings = settings_of(sqlite_url, "http://127.0.0.1:1")
    assert read_settings(settings).server == settings.server
    with pytest.raises(SettingsRejected, match="doorward dev"):
        read_settings(replace(settings, secrets=replace(settings.secrets, encryption_key=Secret(DEV_ENCRYPTION_KEY))))


def test_an_upstream_has_no_effect(sqlite_url: str) -> None:
    """The application is the one in this process; a setting that names another is said to be idle."""
    settings = read_settings(settings_of(sqlite_url, "http://127.0.0.1:1", app__upstream="http://127.0.0.1:3000"))
    assert settings.app.upstream == ()
    assert "app.upstream" in [finding.setting for finding in settings.warnings]


async def test_the_client_of_development_keeps_it_closed(sqlite_url: str) -> None:
    """A database of development is not served from, as by serve."""
    async with realm(sqlite_url) as one:
        store = await open_store(one.settings.database.url, auto_migrate=True)
        try:
            await add_known_client(store, "dev", DEV_CLIENT, DEV_CLIENT_SECRET, SystemClock().now(), Origin())
        finally:
            await store.close()
        with pytest.raises(DoorwardError) as refused:
            async with open_inside(one.settings):
                pass
    assert refused.value.row is DEV_CLIENT_PRESENT


async def test_a_thread_opens_once_and_closes(sqlite_url: str) -> None:
    """Whoever asks gets the same house, until it is closed; then there is a new one."""
    async with realm(sqlite_url) as one:
        house = HouseThread(read_settings(one.settings))
        first = await asyncio.to_thread(house.open)
        assert isinstance(first.inside, Inside)
        assert await asyncio.to_thread(house.open) is first
        await asyncio.to_thread(house.close)
        assert first.loop.is_closed()
        second = await asyncio.to_thread(house.open)
        assert second is not first
        await asyncio.to_thread(house.close)
        await asyncio.to_thread(house.close)


ENDING = """
import sys
from doorward.embedded import HouseThread, read_settings
house = HouseThread(read_settings(sys.argv[1]))
house.open()
print("open", flush=True)
"""


async def test_a_process_ends_without_being_told(tmp_path: Path) -> None:
    """A program that never closes the house ends in time, and without a word."""
    home = canaries.scanned(uuid.uuid4().hex)
    config = written(home, OFF + '[server]\npublic_url = "https://a.example"\n')
    (home / "ending.py").write_text(ENDING)
    with Program([sys.executable, "-W", "error", "ending.py", str(config)], cwd=home) as program:
        assert await asyncio.to_thread(program.wait) == 0
        assert program.stdout == "open\n"
        assert "Traceback" not in program.stderr
