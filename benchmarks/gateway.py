"""The benchmark of the gateway: what a request through it costs, against bare proxies and itself without sign-in.

Every proxy has one worker on the server's core and the same application behind it; each round asks all of them in turn,
with browser-like requests that carry the cookies of many sessions. What cannot be measured here is told.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from benchmarks import proxies, wrk
from benchmarks.easyauth import scratch, serving
from benchmarks.processes import LOAD_CORE, Child, generate, pin
from benchmarks.ratios import Mark, Ratios
from benchmarks.signed_in import Setting, brief_request, sign_in
from benchmarks.tools import MissingToolError, program
from tests.support.programs import free_ports

OURS, OPEN, NGINX, HAPROXY, ENVOY = "doorward", "doorward without sign-in", "nginx", "haproxy", "envoy"
_USUAL, _FEW, _MANY = 32, 1, 256
_SIZES = {"/": "100 B", "/10k": "10 KiB", "/1m": "1 MiB"}
IDLE, P99_OURS, P99_ENVOY = "idle latency added to nginx's, ms", "doorward, p99, ms", "envoy, p99, ms"
MEMORY, MEMORY_OF_ALL = "doorward, MiB of memory after all", "doorward, MiB of memory with 100000 sessions seen"
_ALL, _WEIGHING_SECONDS = 100_000, 60.0


def _named(who: str, path: str = "/", connections: int = _USUAL) -> str:
    return f"{who}, {_SIZES[path]}, {connections} connection{'s' if connections > 1 else ''}"


def _processor(who: str) -> str:
    return f"{who}, µs of processor for a request (100 B, {_USUAL} connections)"


MARKS = [
    Mark(name="with a session, share of bare nginx", of=_named(OURS), to=_named(NGINX), bound=0.55, aim=0.7),
    Mark(name="with a session, times bare Envoy", of=_named(OURS), to=_named(ENVOY), bound=2.0, aim=2.5),
    Mark(
        name="with a session, share of the gateway without sign-in", of=_named(OURS), to=_named(OPEN), bound=0.75,
        aim=0.85,
    ),
    Mark(
        name="the same by processor time: share of bare nginx", of=_processor(NGINX), to=_processor(OURS), bound=0.55,
        aim=0.7,
    ),
    Mark(name="times bare Envoy", of=_processor(ENVOY), to=_processor(OURS), bound=2.0, aim=2.5),
    Mark(name="share of the gateway without sign-in", of=_processor(OPEN), to=_processor(OURS), bound=0.75, aim=0.85),
    Mark(name="1 MiB answers, share of bare nginx", of=_named(OURS, "/1m"), to=_named(NGINX, "/1m"), bound=0.8),
    Mark(name="idle latency added, ms", of=IDLE, to=None, bound=0.25, at_most=True),
    Mark(name="p99, times Envoy's", of=P99_OURS, to=P99_ENVOY, bound=1.0, at_most=True),
    Mark(name="MiB of memory with 100000 sessions", of=MEMORY_OF_ALL, to=None, bound=200.0, at_most=True),
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, and how long; `sessions` are asked from, `further` ones only lie in the database."""

    sessions: int
    further: int
    seconds: float
    rounds: int
    allows_missing: bool = False


@dataclass(slots=True)
class _Stand:
    """Who is asked: ports by name and those that are free, processes by name, and what could not be had."""

    free: Iterator[int]
    ports: dict[str, int] = field(default_factory=dict[str, int])
    children: dict[str, Child] = field(default_factory=dict[str, Child])
    missing: list[str] = field(default_factory=list[str])

    def has(self, name: str, port: int, child: Child) -> None:
        """Take note of who listens where."""
        self.ports[name], self.children[name] = port, child


def measure(plan: Plan) -> Ratios:
    """Measure everything that `plan` asks for; raises `MissingToolError` unless it allows for what is missing."""
    if not plan.allows_missing:
        for name in ("wrk", NGINX, HAPROXY, ENVOY):
            program(name)
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
        _start_others(running, stand, stage, allows_missing=plan.allows_missing)
        suite = _Suite(plan, stand, _scripts(directory, cookies))
        suite.warm_up()
        rounds = [suite.round() for _ in range(plan.rounds)]
        try:
            rounds[-1][MEMORY_OF_ALL] = _weigh(stand, setting.write(directory), plan, directory)
        except RuntimeError as error:  # the rest has been measured, and is worth telling
            stand.missing.append(f"memory with {_ALL} sessions: {error}")
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
    ours = running.enter_context(serving(setting.write(directory), setting.port, directory))
    stand.has(OURS, setting.port, ours)
    bare = replace(setting, port=next(stand.free), url=f"sqlite:///{directory}/open.db", enabled=False)
    stand.has(OPEN, bare.port, running.enter_context(serving(bare.write(directory), bare.port, directory)))


def _weigh(stand: _Stand, config: Path, plan: Plan, directory: Path) -> float:
    """Have so many people come by once, and give the greatest memory that the gateway has had, in MiB."""
    begun = plan.sessions + plan.further
    cookies = sign_in(config, range(begun + 1, begun + max(0, _ALL - plan.sessions) + 1))
    file = directory / "everybody"
    file.write_bytes(msgspec.msgpack.encode([brief_request(cookie) for cookie in cookies]))
    generate(stand.ports[OURS], _USUAL, _WEIGHING_SECONDS, file)
    return stand.children[OURS].peak_memory


def _start_others(running: ExitStack, stand: _Stand, stage: proxies.Stage, *, allows_missing: bool) -> None:
    makers = {NGINX: proxies.bare_nginx, HAPROXY: proxies.haproxy, ENVOY: proxies.envoy}
    for name, make in makers.items():
        port = next(stand.free)
        try:
            child = running.enter_context(make(stage, port))
        except (MissingToolError, RuntimeError) as error:
            if not allows_missing:
                raise
            stand.missing.append(f"{name}: {error}")
        else:
            stand.has(name, port, child)
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
        asked: dict[str, wrk.Asked] = {}
        for name, child in self._stand.children.items():
            before = child.processor_seconds
            asked[name] = self._ask(name, "/", _USUAL)
            found[_processor(name)] = (child.processor_seconds - before) / asked[name].requests * 1e6
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
        found[MEMORY] = self._stand.children[OURS].peak_memory
        return found

    def _rate(self, name: str, path: str, connections: int) -> dict[str, float]:
        if name not in self._stand.ports:
            return {}
        return {_named(name, path, connections): self._ask(name, path, connections).rate}

    def _ask(self, name: str, path: str, connections: int) -> wrk.Asked:
        return wrk.ask(self._stand.ports[name], connections, self._plan.seconds, self._scripts[path])
