"""The benchmark of sign-in: what it costs to be recognised, when a proxy asks and when a page asks who is here.

`/.auth/me` on a warm session stands against the bare server with a body of that size; nginx with our decision against
nginx without, both before the same application. Each round measures all of them, in turn.
"""

import itertools
import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks import proxies, wrk
from benchmarks.load import Load
from benchmarks.processes import LOAD_CORE, ROOT, Child, generate, pin, python
from benchmarks.ratios import Mark, Ratios
from benchmarks.signed_in import ENVIRONMENT, Setting, browser_headers, browser_request, check_request, sign_in
from benchmarks.tools import program
from tests.support.programs import free_ports

ME = "/.auth/me"
CHECK = "/.auth/check"
_BARE, _ME, _CHECK = "bare server, body of /.auth/me", ME, CHECK
_NGINX, _DECIDED, _REMEMBERED = (
    "bare nginx",
    "nginx with our decision",
    "nginx that remembers our decision for a second",
)


def _processor(who: str) -> str:
    return f"{who}, µs of processor"


MARKS = [
    Mark(name="/.auth/me, share of the bare server", of=_ME, to=_BARE, bound=0.5),
    Mark(name="nginx with our decision, share of bare nginx", of=_DECIDED, to=_NGINX, bound=0.4, aim=0.45),
    Mark(name="the same by processor time: /.auth/me, share of the bare server", of=_processor(_BARE),
         to=_processor(_ME), bound=0.5),
    Mark(name="nginx with our decision, share of bare nginx, by processor time", of=_processor(_NGINX),
         to=_processor(_DECIDED), bound=0.4, aim=0.45),
    Mark(name="nginx that remembers our decision, share of bare nginx, by processor time", of=_processor(_NGINX),
         to=_processor(_REMEMBERED), bound=0.4, aim=0.45),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, and how long: `seconds` for one measurement, each made once in every round."""

    sessions: int
    connections: int
    seconds: float
    rounds: int


def measure(plan: Plan) -> Ratios:
    """Measure everything that `plan` asks for; raises `MissingToolError` without wrk and nginx."""
    for name in ("wrk", "nginx"):
        program(name)
    with scratch() as directory:
        names: list[str] = ["bare", "doorward", "application", "nginx", "decided", "remembered"]
        ports = dict(zip(names, itertools.count(free_ports(2 * len(names)), 2), strict=False))
        setting = Setting(port=ports["doorward"], url=f"sqlite:///{directory}/doorward.db")
        config = setting.write(directory)
        cookies = sign_in(config, range(1, plan.sessions + 1))
        pin(LOAD_CORE)
        stage = proxies.Stage(directory=directory, application=ports["application"])
        with (
            proxies.application(stage),
            serving(config, setting.port, directory) as service,
            _bare(ports["bare"], _me_of(setting.port, cookies[0]), directory) as bare,
            proxies.bare_nginx(stage, ports["nginx"]) as nginx,
            proxies.deciding_nginx(stage, ports["decided"], setting.port) as decided,
            proxies.deciding_nginx(stage, ports["remembered"], setting.port, remembers=True) as remembered,
        ):
            behind = {
                _BARE: (bare,),
                _ME: (service,),
                _CHECK: (service,),
                _NGINX: (nginx,),
                _DECIDED: (decided, service),
                _REMEMBERED: (remembered, service),
            }
            suite = _Suite(plan, directory, cookies, ports, behind)
            suite.warm_up()
            return Ratios(about=_about(plan), rounds=[suite.round() for _ in range(plan.rounds)], marks=MARKS)


def _about(plan: Plan) -> str:
    return (
        f"{plan.sessions} sessions on SQLite, {plan.connections} connections, {plan.rounds} rounds; requests with 16"
        " headers; server and proxy on one core; requests per second."
    )


class _Suite:
    """One run: the requests, and who is asked."""

    def __init__(
        self,
        plan: Plan,
        directory: Path,
        cookies: list[str],
        ports: dict[str, int],
        behind: dict[str, tuple[Child, ...]],
    ) -> None:
        self._plan = plan
        self._behind = behind
        self._ports = ports
        self._mine = directory / "me.cycle"
        self._mine.write_bytes(msgspec.msgpack.encode([browser_request(cookie, ME) for cookie in cookies]))
        self._checks = directory / "checks.cycle"
        self._checks.write_bytes(msgspec.msgpack.encode([check_request(cookie) for cookie in cookies]))
        file = directory / "cookies"
        file.write_text("\n".join(cookies))
        self._lua = wrk.script(directory / "browser.lua", file, "/")

    def warm_up(self) -> None:
        """Have every session remembered before anything is measured."""
        for _ in range(2):
            self.round()

    def round(self) -> dict[str, float]:
        """Measure everything once."""
        plan, ports = self._plan, self._ports
        asking: dict[str, Callable[[], Load | wrk.Asked]] = {
            _BARE: lambda: generate(ports["bare"], plan.connections, plan.seconds, self._mine),
            _ME: lambda: generate(ports["doorward"], plan.connections, plan.seconds, self._mine),
            _CHECK: lambda: generate(ports["doorward"], plan.connections, plan.seconds, self._checks),
            _NGINX: lambda: wrk.ask(ports["nginx"], plan.connections, plan.seconds, self._lua),
            _DECIDED: lambda: wrk.ask(ports["decided"], plan.connections, plan.seconds, self._lua),
            _REMEMBERED: lambda: wrk.ask(ports["remembered"], plan.connections, plan.seconds, self._lua),
        }
        found: dict[str, float] = {}
        for name, ask in asking.items():
            before = sum(child.processor_seconds for child in self._behind[name])
            asked = ask()
            taken = sum(child.processor_seconds for child in self._behind[name]) - before
            found[name], found[_processor(name)] = asked.rate, taken / asked.requests * 1e6
        return found


@contextmanager
def scratch() -> Generator[Path]:
    """Give a directory on the checkout's disk, since /tmp may be memory, and remove it afterwards."""
    parent = ROOT / "bench-results"
    parent.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=parent, prefix="work-"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def serving(config: Path, port: int, directory: Path) -> Generator[Child]:
    """Run the service by a configuration, until it is ready."""
    command = python("-m", "doorward.cli.main", "serve", "--config", config)
    with Child(command, directory, environment=ENVIRONMENT) as service:
        service.wait_for(f"http://127.0.0.1:{port + 1}/readyz")
        yield service


def _me_of(port: int, cookie: str) -> bytes:
    """Ask once who is here; the bare server answers the same bytes."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{ME}", headers=browser_headers(cookie))
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - ours
        return response.read()


@contextmanager
def _bare(port: int, body: bytes, directory: Path) -> Generator[Child]:
    file = directory / "answers"
    file.write_bytes(msgspec.msgpack.encode({ME: body}))
    with Child(python("-m", "benchmarks.bare", port, file), directory) as bare:
        bare.wait_for(f"http://127.0.0.1:{port}{ME}")
        yield bare
