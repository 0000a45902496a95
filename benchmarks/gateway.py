"""The benchmark of the gateway: what a request through it costs, against bare proxies and itself without sign-in.

Every proxy has one worker on the server's core and the same application behind it; each round asks all of them in turn,
with browser-like requests that carry the cookies of many sessions. What cannot be measured here is told.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import proxies, wrk
from benchmarks.easyauth import scratch, serving
from benchmarks.processes import LOAD_CORE, Child, pin
from benchmarks.ratios import Mark, Ratios
from benchmarks.signed_in import Setting, sign_in
from benchmarks.tools import MissingToolError
from tests.support.programs import free_ports

OURS, OPEN, NGINX, HAPROXY, ENVOY = "doorward", "doorward without sign-in", "nginx", "haproxy", "envoy"
_USUAL, _FEW, _MANY = 32, 1, 256
_SIZES = {"/": "100 B", "/10k": "10 KiB", "/1m": "1 MiB"}
IDLE, P99_OURS, P99_ENVOY = "idle latency added to nginx's, ms", "doorward, p99, ms", "envoy, p99, ms"
MEMORY = "doorward, MiB of memory after all"


def _named(who: str, path: str = "/", connections: int = _USUAL) -> str:
    return f"{who}, {_SIZES[path]}, {connections} connection{'s' if connections > 1 else ''}"


MARKS = [
    Mark(name="with a session, share of bare nginx", of=_named(OURS), to=_named(NGINX), bound=0.55, aim=0.7),
    Mark(name="with a session, times bare Envoy", of=_named(OURS), to=_named(ENVOY), bound=2.0, aim=2.5),
    Mark(
        name="with a session, share of the gateway without sign-in", of=_named(OURS), to=_named(OPEN), bound=0.75,
        aim=0.85,
    ),
    Mark(name="1 MiB answers, share of bare nginx", of=_named(OURS, "/1m"), to=_named(NGINX, "/1m"), bound=0.8),
    Mark(name="idle latency added, ms", of=IDLE, to=None, bound=0.25, at_most=True),
    Mark(name="p99, times Envoy's", of=P99_OURS, to=P99_ENVOY, bound=1.0, at_most=True),
    Mark(name="MiB of memory", of=MEMORY, to=None, bound=200.0, at_most=True),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, and how long; `sessions` are asked from, `further` ones only lie in the database."""

    sessions: int
    further: int
    seconds: float
    rounds: int


@dataclass(slots=True)
class _Stand:
    """Who is asked: ports by name and those that are free, what could not be had, and the process that is weighed."""

    free: Iterator[int]
    ports: dict[str, int] = field(default_factory=dict[str, int])
    missing: list[str] = field(default_factory=list[str])
    ours: Child | None = None


def measure(plan: Plan) -> Ratios:
    """Measure everything that `plan` asks for."""
    with scratch() as directory, ExitStack() as running:
        ports = itertools.count(free_ports(16), 2)
        stage = proxies.Stage(directory=directory, application=next(ports))
        setting = Setting(
            port=next(ports),
            url=f"sqlite:///{directory}/doorward.db",
            upstream=f"http://127.0.0.1:{stage.application}",
        )
        cookies = sign_in(setting.write(directory), range(1, plan.sessions + 1))
        sign_in(setting.write(directory), range(plan.sessions + 1, plan.sessions + plan.further + 1))
        pin(LOAD_CORE)
        stand = _Stand(free=ports)
        running.enter_context(proxies.application(stage))
        _start_ours(running, stand, setting, directory)
        _start_others(running, stand, stage)
        suite = _Suite(plan, stand, _scripts(directory, cookies))
        suite.warm_up()
        rounds = [suite.round() for _ in range(plan.rounds)]
        return Ratios(about=_about(plan), rounds=rounds, marks=MARKS, missing=stand.missing)


def _about(plan: Plan) -> str:
    return (
        f"Requests with 16 headers from {plan.sessions} sessions, with {plan.further} more on SQLite; {plan.rounds}"
        " rounds; every proxy with one worker on one core; requests per second unless it says otherwise."
    )


def _scripts(directory: Path, cookies: list[str]) -> dict[str, Path]:
    file = directory / "cookies"
    file.write_text("\n".join(cookies))
    return {path: wrk.script(directory / f"browser-{number}.lua", file, path) for number, path in enumerate(_SIZES)}


def _start_ours(running: ExitStack, stand: _Stand, setting: Setting, directory: Path) -> None:
    """Start the gateway twice, with sign-in and without, each on a database of its own."""
    stand.ports[OURS] = setting.port
    stand.ours = running.enter_context(serving(setting.write(directory), setting.port, directory))
    bare = replace(setting, port=next(stand.free), url=f"sqlite:///{directory}/open.db", enabled=False)
    running.enter_context(serving(bare.write(directory), bare.port, directory))
    stand.ports[OPEN] = bare.port


def _start_others(running: ExitStack, stand: _Stand, stage: proxies.Stage) -> None:
    makers = {NGINX: proxies.bare_nginx, HAPROXY: proxies.haproxy, ENVOY: proxies.envoy}
    for name, make in makers.items():
        port = next(stand.free)
        try:
            running.enter_context(make(stage, port))
        except (MissingToolError, RuntimeError) as error:
            stand.missing.append(f"{name}: {error}")
        else:
            stand.ports[name] = port
    stand.missing.append("Apache with mod_auth_openidc: its sessions need a sign-in of their own, which is not built.")


class _Suite:
    """One run."""

    def __init__(self, plan: Plan, stand: _Stand, scripts: dict[str, Path]) -> None:
        self._plan = plan
        self._stand = stand
        self._scripts = scripts

    def warm_up(self) -> None:
        """Have every session remembered, and every connection to the application opened."""
        for name in self._stand.ports:
            self._ask(name, "/", _USUAL)

    def round(self) -> dict[str, float]:
        """Measure everything once."""
        found: dict[str, float] = {}
        asked = {name: self._ask(name, "/", _USUAL) for name in self._stand.ports}
        found |= {_named(name): each.rate for name, each in asked.items()}
        found |= {f"{name}, p99, ms": each.p99 * 1000 for name, each in asked.items() if name in {OURS, ENVOY}}
        for path in ("/10k", "/1m"):
            for name in (OURS, NGINX):
                found |= self._rate(name, path, _USUAL)
        for name in (OURS, NGINX):
            found |= self._rate(name, "/", _MANY)
        idle = {name: self._ask(name, "/", _FEW) for name in (OURS, NGINX) if name in self._stand.ports}
        if len(idle) == 2:
            found[IDLE] = (idle[OURS].p50 - idle[NGINX].p50) * 1000
        if self._stand.ours is not None:
            found[MEMORY] = self._stand.ours.peak_memory
        return found

    def _rate(self, name: str, path: str, connections: int) -> dict[str, float]:
        if name not in self._stand.ports:
            return {}
        return {_named(name, path, connections): self._ask(name, path, connections).rate}

    def _ask(self, name: str, path: str, connections: int) -> wrk.Asked:
        return wrk.ask(self._stand.ports[name], connections, self._plan.seconds, self._scripts[path])
