"""What every test may ask for: a fresh database of either engine, a directory that is searched for secrets.

Owns the run's directory, which all workers share, the one PostgreSQL server in it, and the search for secrets when the
run ends.
"""

import fcntl
import json
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import canaries
from tests.support.postgres import PostgresServer, find_binaries, start_postgres

# --- the run's directory, and the search for secrets in it ---------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Make the run's directory; xdist's workers inherit it through the environment."""
    if not hasattr(config, "workerinput"):
        directory = Path(tempfile.mkdtemp(prefix="doorward-tests-"))
        directory.chmod(0o711)  # as root, PostgreSQL runs as another user and must get to its data
        canaries.open_directory(directory)
    logging.getLogger().addHandler(RecordWriter())


class RecordWriter(logging.Handler):
    """Writes whole log records, facts and stack included, to where they are searched for secrets."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._file = (canaries.scanned("logs") / f"{os.getpid()}.log").open("a")

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        facts = getattr(record, "facts", None)
        print(record.name, self.format(record), repr(facts), file=self._file, flush=True)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a test printed, to be searched for secrets."""
    if report.sections and "PYTEST_XDIST_WORKER" not in os.environ:
        with (canaries.scanned("logs") / "captured.txt").open("a") as file:
            file.writelines(f"{report.nodeid}: {text}\n" for _, text in report.sections)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what the run shared, and fail it if a secret came out."""
    if hasattr(session.config, "workerinput"):
        return
    state = canaries.directory() / "postgres" / "server.json"
    if state.exists():
        _server_from(state).stop()
    leaks = list(canaries.find_leaks())
    if leaks:
        _report_leaks(session, leaks)
    else:
        shutil.rmtree(canaries.directory(), ignore_errors=True)


def _report_leaks(session: pytest.Session, leaks: list[str]) -> None:
    text = "\n".join([f"Secrets came out; the files are below {canaries.directory()}", *leaks])
    report = pytest.TestReport(
        nodeid="secrets",
        location=("tests", None, "secrets"),
        keywords={},
        outcome="failed",
        longrepr=text,
        when="setup",
    )
    session.config.hook.pytest_runtest_logreport(report=report)
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


# --- databases -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """Give the run's one PostgreSQL server, started by whichever worker asks first.

    Without a server to be had, the test is skipped; where CI is set it fails instead.
    """
    directory = canaries.directory() / "postgres"
    directory.mkdir(mode=0o711, exist_ok=True)
    state = directory / "server.json"
    with (canaries.directory() / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not state.exists():
            binaries = find_binaries()
            if binaries is None:
                give_up = pytest.fail if os.environ.get("CI") else pytest.skip
                give_up("no PostgreSQL server here: use scripts/test, or apt-get install postgresql")
            server = start_postgres(binaries, directory)
            facts = {"binaries": str(server.binaries), "data": str(server.data), "port": server.port}
            state.write_text(json.dumps(facts))
    return _server_from(state)


def _server_from(state: Path) -> PostgresServer:
    facts = json.loads(state.read_text())
    return PostgresServer(binaries=Path(facts["binaries"]), data=Path(facts["data"]), port=facts["port"])


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the address of a fresh, empty PostgreSQL database of this test's own."""
    with postgres_server.fresh_database(f"test_{uuid.uuid4().hex}") as url:
        yield url


@pytest.fixture
def sqlite_url(scanned_path: Path) -> str:
    """Give the address of an SQLite database of this test's own that does not exist yet; its file is searched."""
    return f"sqlite:///{scanned_path / 'doorward.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Run the test twice: with a fresh database on SQLite, and with one on PostgreSQL."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
def scanned_path() -> Path:
    """Give a fresh directory in which no secret may stand in the clear when the run ends."""
    return canaries.scanned(uuid.uuid4().hex)
