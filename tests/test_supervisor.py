"""Several workers behind one port: they share it, are replaced, end together, and are spoken for by one."""

import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.programs import Program, free_ports

CHILD = Path(__file__).with_name("supervising_child.py")


@dataclass
class Crew:
    """A supervisor, and where to ask its workers and itself."""

    program: Program
    port: int

    def ask(self, path: str, *, admin: bool = False) -> str:
        """Ask the public or the admin listener and give the body, whatever the status."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port + admin}{path}", timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode()

    def wait_until_ready(self) -> None:
        """Wait until all workers are ready."""
        self.program.wait_for_url(f"http://127.0.0.1:{self.port + 1}/readyz")

    def workers(self) -> set[int]:
        """Give the process ids of the workers that run."""
        return {child.pid for child in psutil.Process(self.program.process.pid).children()}

    def metric(self, name: str) -> float:
        """Give the sum of all samples of this name."""
        families = text_string_to_metric_families(self.ask("/metrics", admin=True))
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def events(self) -> list[str]:
        """Give the events that the supervisor and its workers have logged."""
        return [json.loads(line)["event"] for line in self.program.stderr.splitlines()]


@contextmanager
def crew(tmp_path: Path, *, workers: int = 2, flaw: str = "none") -> Generator[Crew]:
    port = free_ports(2)
    command = [sys.executable, str(CHILD), str(port), str(port + 1), str(workers), flaw]
    with Program(command, cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join(sys.path)}) as program:
        yield Crew(program, port)


def test_one_answer_speaks_for_all(tmp_path: Path) -> None:
    """Requests of all workers are counted together, and one that is not ready makes the whole not ready."""
    with crew(tmp_path) as running:
        running.wait_until_ready()
        pids = {int(running.ask("/pid")) for _ in range(20)}
        assert pids <= running.workers()
        assert running.metric("doorward_http_requests_total") == 20
        assert running.metric("doorward_workers") == 2
        running.ask("/sulk")
        answer = json.loads(running.ask("/readyz", admin=True))
        assert answer["ready"] is False
        assert [reason["code"] for reason in answer["reasons"]] == ["store_unavailable"]


def test_a_dead_worker_is_replaced(tmp_path: Path) -> None:
    """A worker that dies is started again behind the port that stays open, and its numbers are not forgotten."""
    with crew(tmp_path) as running:
        running.wait_until_ready()
        for _ in range(5):
            running.ask("/pid")
        assert running.metric("doorward_http_requests_total") == 5
        before = running.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        running.program.wait_until(lambda: running.events().count("worker.serving") == 4, "new workers")
        running.wait_until_ready()
        assert not running.workers() & before
        assert int(running.ask("/pid")) in running.workers()
        assert running.metric("doorward_http_requests_total") == 6
        assert running.metric("doorward_worker_starts_total") == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_end_together(tmp_path: Path, number: signal.Signals) -> None:
    """A signal to the supervisor drains every worker, and the exit status is 0."""
    with crew(tmp_path) as running:
        running.wait_until_ready()
        workers = running.workers()
        running.program.signal(number)
        assert running.program.wait(15) == 0
        assert not [pid for pid in workers if psutil.pid_exists(pid)]
        assert "worker.died" not in running.events()


def test_a_second_signal_reaches_the_workers(tmp_path: Path) -> None:
    """A second signal cuts off what the workers have in flight."""
    with crew(tmp_path) as running:
        running.wait_until_ready()
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as waiting:
            waiting.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            running.program.wait_for_output("waiting")
            running.program.signal(signal.SIGTERM)
            running.program.wait_for_output("process.draining")
            running.program.wait_for_url(f"http://127.0.0.1:{running.port + 1}/readyz", status=503)
            running.program.signal(signal.SIGTERM)
            assert running.program.wait(15) == 0
    assert "listener.cut_off" in running.events()


def test_workers_do_not_outlive_their_supervisor(tmp_path: Path) -> None:
    """When the supervisor is killed, its workers end by themselves."""
    with crew(tmp_path) as running:
        running.wait_until_ready()
        workers = [psutil.Process(pid) for pid in running.workers()]
        os.kill(running.program.process.pid, signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=15)
        assert not alive


def test_sighup_reaches_everybody(tmp_path: Path) -> None:
    """SIGHUP reloads the supervisor and each worker, and nobody ends."""
    with crew(tmp_path) as running:
        running.wait_until_ready()
        workers = running.workers()
        running.program.signal(signal.SIGHUP)
        for who in ("supervisor", *workers):
            running.program.wait_for_output(f"reloaded {who}")
        assert running.workers() == workers


@pytest.mark.parametrize(("flaw", "status"), [("start", 3), ("broken", 1)])
def test_what_keeps_all_from_starting_ends_the_run(tmp_path: Path, flaw: str, status: int) -> None:
    """A worker that ends before any has served is not tried again; the supervisor ends as it did."""
    with crew(tmp_path, flaw=flaw) as running:
        assert running.program.wait(15) == status
