"""Our own program as a process of its own: started, watched, stopped.

What it writes goes to files below the run's scanned directory (see canaries.py), so that every run of the program is
searched for secrets. Ports come from below the range that the system hands out by itself, a share for each worker, so
that nobody takes one between its choice and its use.
"""

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import canaries

DOORWARD = Path(sys.executable).with_name("doorward")
_PORTS_FROM, _PORTS_EACH, _WORKERS = 20000, 1000, 12
_numbers = itertools.count(1)


def free_port() -> int:
    """Give a TCP port on 127.0.0.1 that nobody listens on."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """Give the first of `count` neighbouring ports on 127.0.0.1 that nobody listens on."""
    start = _PORTS_FROM + _worker() % _WORKERS * _PORTS_EACH
    for _ in range(200):
        first = random.SystemRandom().randrange(start, start + _PORTS_EACH - count)
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError("no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _worker() -> int:
    return int("0" + "".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))))


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give an environment that nothing of the caller's leaks into but PATH; `extra` is added."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **(extra or {})}


def run_doorward(
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    within: float = 60,
    prints_secrets: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a `doorward` command to its end, at most `within` seconds, and give its exit status and output as text.

    `prints_secrets` is for commands whose standard output is meant to hold one, such as `emulator token`.
    """
    command = [str(DOORWARD), *arguments]
    with Program(command, cwd=cwd, env=env, stdin=stdin, prints_secrets=prints_secrets) as program:
        code = program.wait(within)
        return subprocess.CompletedProcess(command, code, program.stdout, program.stderr)


def start_doorward(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, prints_secrets: bool = False
) -> "Program":
    """Start a `doorward` command that goes on running, such as `serve`; use it in a `with` statement."""
    return Program([str(DOORWARD), *arguments], cwd=cwd, env=env, prints_secrets=prints_secrets)


class Program:
    """A running process, with a process group of its own; leaving the `with` statement kills what still runs of it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        prints_secrets: bool = False,
    ) -> None:
        """Start `command` in `cwd`, with PATH, HOME and `env` as its whole environment."""
        name = f"{os.getpid()}-{next(_numbers)}-{Path(command[0]).name}"
        self._stdout = (canaries.unscanned if prints_secrets else canaries.scanned)(name) / "stdout"
        self._stderr = canaries.scanned(name) / "stderr"
        given = cwd / f".stdin-{name}"
        given.write_text(stdin)
        with given.open("rb") as read, self._stdout.open("wb") as out, self._stderr.open("wb") as err:
            self.process = subprocess.Popen(
                list(command),
                cwd=cwd,
                env=environment(cwd, env),
                stdin=read,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        given.unlink()

    @property
    def stdout(self) -> str:
        """Give what it has written to standard output so far."""
        return self._stdout.read_text(errors="replace")

    @property
    def stderr(self) -> str:
        """Give what it has written to standard error so far."""
        return self._stderr.read_text(errors="replace")

    def wait(self, within: float = 30) -> int:
        """Wait until it has ended, at most `within` seconds, and give its exit status."""
        return self.process.wait(within)

    def wait_for_url(self, url: str, *, status: int = 200, within: float = 30) -> None:
        """Wait until `url` answers with `status`; fails, with what the program wrote, when it does not."""
        self.wait_until(lambda: _status(url) == status, f"{url} answering {status}", within=within)

    def wait_for_output(self, text: str, *, within: float = 30) -> None:
        """Wait until `text` stands in what it has written."""
        self.wait_until(lambda: text in self.stdout or text in self.stderr, f"output {text!r}", within=within)

    def wait_until(self, condition: Callable[[], bool], what: str, *, within: float = 30) -> None:
        """Wait until `condition` holds; fails if the program ends first or `within` seconds have passed."""
        deadline = time.monotonic() + within
        while not condition():
            ended = self.process.poll()
            if ended is not None or time.monotonic() > deadline:
                how = "still runs" if ended is None else f"ended with {ended}"
                raise AssertionError(f"waited for {what}; the program {how}\n{self.stdout}\n{self.stderr}")
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self, within: float = 40) -> int:
        """Ask it to end with SIGTERM and give its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(within)

    def kill(self) -> None:
        """End it and its children with SIGKILL, as a failing machine would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
