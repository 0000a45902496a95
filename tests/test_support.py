"""The tests' own tools do what the other tests take for granted."""

import base64
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.support import canaries, programs
from tests.support.sources import ROOT


async def test_a_fresh_database_is_empty_and_private(postgres_url: str) -> None:
    """Each test that asks gets a PostgreSQL database of its own, with nothing in it."""
    connection = await asyncpg.connect(postgres_url)
    try:
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert tables == 0
        await connection.execute("CREATE TABLE left_behind (id integer)")
    finally:
        await connection.close()


def test_databases_come_on_both_engines(database_url: str) -> None:
    """A test that asks for `database_url` runs on SQLite and on PostgreSQL."""
    assert database_url.partition(":")[0] in {"sqlite", "postgresql"}


@pytest.fixture
def empty_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a run's directory of its own, in which secrets may come out without failing the real run."""
    monkeypatch.setenv("TEST_RUN_DIRECTORY", "")  # so that monkeypatch puts the real one back
    canaries.open_directory(tmp_path)
    return canaries.scanned("logs") / "out"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_canaries_are_found(empty_run: Path, before: str) -> None:
    """A planted secret is found in plain text and in base64, wherever it begins."""
    said = before + canaries.canary("client")
    for text in (said, base64.b64encode(f"{said}:x".encode()).decode()):
        empty_run.write_text(f"before {text} after")
        assert len(list(canaries.find_leaks())) == 1


def test_kept_secrets_are_found_and_not_repeated(empty_run: Path) -> None:
    """A secret that the program made is found where it comes out, and the report does not print it."""
    secret = canaries.keep_secret("0123456789abcdef" * 4)
    empty_run.write_text(f"token={secret}")
    leaks = list(canaries.find_leaks())
    assert len(leaks) == 1
    assert secret not in leaks[0]


def test_honest_output_passes(empty_run: Path) -> None:
    """Output without a secret is not suspected."""
    canaries.keep_secret("0123456789abcdef" * 4)
    empty_run.write_text("CANARY is a word; 01234567; Q0FOQVJZ")
    assert not list(canaries.find_leaks())


def test_programs_are_watched(tmp_path: Path) -> None:
    """A started program's output can be waited for, and SIGTERM gives its exit status."""
    code = "import signal, sys; signal.signal(15, lambda *_: sys.exit(3)); print('up', flush=True); signal.pause()"
    with programs.Program([sys.executable, "-c", code], cwd=tmp_path) as program:
        program.wait_for_output("up")
        assert program.stop() == 3


def test_programs_that_end_are_noticed(tmp_path: Path) -> None:
    """Waiting for a program that has ended fails at once, with what it said."""
    code = "import sys; sys.exit('no such setting')"
    with (
        programs.Program([sys.executable, "-c", code], cwd=tmp_path) as program,
        pytest.raises(AssertionError, match="no such setting"),
    ):
        program.wait_for_url("http://127.0.0.1:9/readyz")


def test_output_that_is_meant_to_hold_secrets_is_not_searched(empty_run: Path, tmp_path: Path) -> None:
    """A command that prints a token on standard output may; on standard error it may not."""
    code = f"import sys; print('{canaries.canary('token')}')"
    with programs.Program([sys.executable, "-c", code], cwd=tmp_path, prints_secrets=True) as program:
        assert program.wait() == 0
        assert canaries.MARK in program.stdout
    assert not list(canaries.find_leaks())


def test_a_leak_fails_the_run(tmp_path: Path) -> None:
    """A run whose only test passes but prints a secret ends with an error and a non-zero status."""
    (tmp_path / "test_leak.py").write_text(f"def test_leak(): print({canaries.MARK!r})")
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    with programs.Program([*command, str(tmp_path)], cwd=ROOT, env={"TMPDIR": str(tmp_path)}) as run:
        assert run.wait(60) == pytest.ExitCode.TESTS_FAILED
        assert "1 passed, 1 error" in run.stdout
        assert "captured.txt: a canary" in run.stdout


def test_programs_inherit_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A started program sees PATH and what the test gives it, and no setting of whoever runs the tests."""
    monkeypatch.setenv("DOORWARD_SERVER__LISTEN", "0.0.0.0:1")
    code = "import os; print(sorted(os.environ))"
    with programs.Program([sys.executable, "-c", code], cwd=tmp_path, env={"GIVEN": "1"}) as program:
        assert program.wait() == 0
        assert "GIVEN" in program.stdout
        assert "DOORWARD" not in program.stdout
