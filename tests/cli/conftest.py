"""The command line in the test's own process, with a directory and an environment of its own."""

import asyncio
import io
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from doorward.base.clock import SystemClock
from doorward.cli.main import run
from doorward.emulator.aad import cloud_settings
from doorward.emulator.client import mint
from doorward.emulator.messages import MintRequest
from doorward.emulator.people import CONTOSO, DEV_CLIENT_ID
from tests.support.emulators import RunningEmulator, running_emulator


@dataclass(frozen=True)
class Outcome:
    """What a command line came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Give standard output read as JSON."""
        return json.loads(self.out)


class CommandLine:
    """Runs command lines in `directory`."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, stdin: str = "") -> Outcome:
        """Run one command line and give what it came to."""
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        self._capsys.readouterr()
        status = run(arguments)
        captured = self._capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    def ok(self, *arguments: str, stdin: str = "") -> Outcome:
        """Run one command line that must succeed."""
        outcome = self(*arguments, stdin=stdin)
        assert outcome.status == 0, (arguments, outcome)
        return outcome

    def json(self, *arguments: str) -> Any:
        """Run one command line with --json and give what it printed."""
        return self.ok(*arguments, "--json").json

    def refused(self, code: str, *arguments: str) -> Outcome:
        """Run one command line that must be refused with `code`, in two lines on standard error."""
        outcome = self(*arguments)
        assert outcome.status == 1, (arguments, outcome)
        assert not outcome.out
        what, fix = outcome.err.splitlines()
        assert what.startswith("error: ")
        assert what.endswith(f"[{code}]")
        assert fix.startswith("fix: ")
        return outcome

    def refused_settings(self, *arguments: str) -> Outcome:
        """Run one command line whose settings must be refused."""
        outcome = self(*arguments)
        assert outcome.status == 1, (arguments, outcome)
        assert not outcome.out
        return outcome

    def misused(self, *arguments: str) -> Outcome:
        """Run one command line that must be wrong usage."""
        outcome = self(*arguments)
        assert outcome.status == 2, (arguments, outcome)
        assert not outcome.out
        return outcome

    def settings(self, **sections: dict[str, Any]) -> None:
        """Write doorward.toml; section names have two underscores for the point."""
        lines: list[str] = []
        for section, values in sections.items():
            lines.append(f"[{section.replace('__', '.')}]")
            lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        (self.directory / "doorward.toml").write_text("\n".join(lines) + "\n")

    def register(self, *more: str) -> Any:
        """Register the pretend platform's application for contoso."""
        return self.json(
            "registrations", "add", DEV_CLIENT_ID, "--name", "Pretend", "--tenant", CONTOSO, "--org", "1", *more
        )


@pytest.fixture
def cli(scanned_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Give the command line, in a fresh directory."""
    monkeypatch.chdir(scanned_path)
    for name in [name for name in os.environ if name.startswith(("DOORWARD_", "WEBSITE_AUTH_"))]:
        monkeypatch.delenv(name)
    return CommandLine(scanned_path, monkeypatch, capsys)


@pytest.fixture(scope="session")
def emulator() -> Iterator[RunningEmulator]:
    """Run the pretend providers in a thread: commands have an event loop of their own."""
    running: list[RunningEmulator] = []
    up, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with running_emulator(SystemClock()) as one:
            running.append(one)
            up.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(30)
    yield running[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


@pytest.fixture
def entra(cli: CommandLine, emulator: RunningEmulator) -> RunningEmulator:
    """Point the settings' global cloud at the pretend providers."""
    cli.settings(clouds__global=cloud_settings(emulator.url))
    return emulator


def minted(emulator: RunningEmulator, **how: Any) -> str:
    """Have the pretend Entra make a token; `how` are the members of `MintRequest`."""
    return mint(emulator.url, MintRequest(**how))
