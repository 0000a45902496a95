"""Processes under measurement: each on a core of its own, started, watched, stopped.

The server under test has core 0; the load generator, the database server and the application behind a proxy have the
other.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from benchmarks.load import Load

ROOT = Path(__file__).resolve().parent.parent
SERVER_CORE, LOAD_CORE = 0, max(os.sched_getaffinity(0))


def pin(core: int) -> None:
    """Keep this process, and those that it starts from now on, on one core."""
    os.sched_setaffinity(0, {core})


class Child:
    """A server in a process of its own, on the server's core."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        *,
        core: int = SERVER_CORE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start `command` in `directory`, where its output goes to the file `output`, with more `environment`."""
        self.started = time.perf_counter()
        with (directory / "output").open("ab") as output:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(core), *command],
                cwd=directory,
                env={
                    **os.environ,
                    "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
                    "PYTHONDONTWRITEBYTECODE": "",
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self._output = directory / "output"

    def wait_for(self, url: str, within: float = 20.0) -> float:
        """Wait until `url` answers 200; gives the seconds since the process was started."""
        while not _answers(url):
            if self._process.poll() is not None or time.perf_counter() - self.started > within:
                raise RuntimeError(f"{url} does not answer\n{self._output.read_text()[-3000:]}")
            time.sleep(0.001)
        return time.perf_counter() - self.started

    @property
    def peak_memory(self) -> float:
        """Give the greatest resident memory so far, in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kibibytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(kibibytes) / 1024

    @property
    def processor_seconds(self) -> float:
        """Give the processor time that it and its children have had so far; what others take does not count."""
        return sum(_processor_seconds(number) for number in _family(self._process.pid))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _family(number: int) -> list[int]:
    children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    return [number, *(each for child in children for each in _family(int(child)))]


def _processor_seconds(number: int) -> float:
    """Give user and system time; the name in the second field may hold spaces."""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def python(*arguments: str | int | Path) -> list[str]:
    """Give the command line of this interpreter with `arguments`."""
    return [sys.executable, *map(str, arguments)]


def generate(port: int, connections: int, seconds: float, requests: Path) -> Load:
    """Run the load generator to its end, on its own core; raises `RuntimeError` when an answer was no 200."""
    command = python("-m", "benchmarks.load", str(port), str(connections), str(seconds), requests)
    finished = subprocess.run(["taskset", "-c", str(LOAD_CORE), *command], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    load = msgspec.json.decode(finished.stdout, type=Load)
    if load.refused:
        raise RuntimeError(f"{load.refused} of {load.requests} requests were refused")
    return load


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own server
            return response.status == 200
    except OSError:
        return False
