"""Who is measured by the benchmark of the gateway: ourselves in several ways, and the proxies to compare with.

All stand before the same application and have the server's core alone to themselves while they are asked. What cannot
be had is noted, where that is allowed.
"""

import itertools
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import proxies, wrk
from benchmarks.apache import COOKIE, Ports, apache
from benchmarks.easyauth import serving
from benchmarks.gateway_figures import (
    APACHE,
    CADDY,
    DECIDED,
    ENVOY,
    HAPROXY,
    NGINX,
    OPEN,
    OURS,
    SIZES,
    TWO,
)
from benchmarks.processes import Child
from benchmarks.signed_in import Setting
from benchmarks.tools import MissingToolError, program
from tests.support.programs import free_ports

_PORTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """One of them: its port, its processes, and the requests for each path, which carry cookies that it knows."""

    port: int
    processes: tuple[Child, ...]
    scripts: Mapping[str, Path]

    @property
    def processor_seconds(self) -> float:
        """Give the processor time that its processes have had so far."""
        return sum(child.processor_seconds for child in self.processes)


@dataclass(slots=True, kw_only=True)
class Stand:
    """Everybody who could be had, by name, and why others could not."""

    stage: proxies.Stage
    ports: Iterator[int]
    setting: Setting
    everybody: dict[str, One] = field(default_factory=dict[str, One])
    missing: list[str] = field(default_factory=list[str])

    @property
    def ours(self) -> Child:
        """Give the process of the gateway with sign-in."""
        return self.everybody[OURS].processes[0]


def needed_programs() -> None:
    """Find or fetch everything that is compared with; raises `MissingToolError`."""
    for name in ("wrk", NGINX, HAPROXY, ENVOY, CADDY, "apache2"):
        program(name)


def make_stand(directory: Path) -> Stand:
    """Choose ports, each with a free one after it, and the setting of the gateway."""
    ports = itertools.count(free_ports(_PORTS), 2)
    stage = proxies.Stage(directory=directory, application=next(ports))
    url, upstream = f"sqlite:///{directory}/doorward.db", f"http://127.0.0.1:{stage.application}"
    return Stand(stage=stage, ports=ports, setting=Setting(port=next(ports), url=url, upstream=upstream))


@contextmanager
def standing(stand: Stand, cookies: list[str], *, allows_missing: bool) -> Generator[None]:
    """Start the application and everybody; raises `MissingToolError` and `RuntimeError` unless that is allowed."""
    with ExitStack() as running:
        running.enter_context(proxies.application(stand.stage))
        scripts = _scripts(stand.stage.directory, "ours", cookies)
        _start_ours(running, stand, scripts)
        makers: dict[str, Callable[[int], AbstractContextManager[One]]] = {
            NGINX: lambda port: _bare(proxies.bare_nginx, stand.stage, port, scripts),
            HAPROXY: lambda port: _bare(proxies.haproxy, stand.stage, port, scripts),
            ENVOY: lambda port: _bare(proxies.envoy, stand.stage, port, scripts),
            CADDY: lambda port: _bare(proxies.caddy, stand.stage, port, scripts),
            DECIDED: lambda port: _decided(stand, port, scripts),
            APACHE: lambda port: _apache(stand, port),
        }
        for name, make in makers.items():
            try:
                stand.everybody[name] = running.enter_context(make(next(stand.ports)))
            except (MissingToolError, RuntimeError) as error:
                if not allows_missing:
                    raise
                stand.missing.append(f"{name}: {error}")
        yield


def _start_ours(running: ExitStack, stand: Stand, scripts: Mapping[str, Path]) -> None:
    """Start the gateway with sign-in, without, and with two workers for the one core."""
    directory, ours = stand.stage.directory, stand.setting
    settings = {
        OURS: ours,
        OPEN: replace(ours, port=next(stand.ports), url=f"sqlite:///{directory}/open.db", enabled=False),
        TWO: replace(ours, port=next(stand.ports), workers=2),
    }
    for name, setting in settings.items():
        place = stand.stage.place(name.replace(" ", "-"))
        child = running.enter_context(serving(setting.write(directory), setting.port, place))
        stand.everybody[name] = One(port=setting.port, processes=(child,), scripts=scripts)


@contextmanager
def _bare(
    make: Callable[[proxies.Stage, int], AbstractContextManager[Child]],
    stage: proxies.Stage,
    port: int,
    scripts: Mapping[str, Path],
) -> Generator[One]:
    with make(stage, port) as child:
        yield One(port=port, processes=(child,), scripts=scripts)


@contextmanager
def _decided(stand: Stand, port: int, scripts: Mapping[str, Path]) -> Generator[One]:
    """Run Caddy, which asks a service of its own about each request; both are on the server's core."""
    setting = replace(stand.setting, port=next(stand.ports), upstream=None)
    place = stand.stage.place("doorward-for-caddy")
    with (
        serving(setting.write(stand.stage.directory), setting.port, place) as service,
        proxies.deciding_caddy(stand.stage, port, setting.port) as caddy,
    ):
        yield One(port=port, processes=(caddy, service), scripts=scripts)


@contextmanager
def _apache(stand: Stand, port: int) -> Generator[One]:
    with apache(stand.stage, Ports(apache=port, provider=next(stand.ports))) as (child, cookies):
        scripts = _scripts(stand.stage.directory, "apache", cookies, COOKIE)
        yield One(port=port, processes=(child,), scripts=scripts)


def _scripts(directory: Path, whose: str, cookies: list[str], name: str | None = None) -> dict[str, Path]:
    file = directory / f"cookies-of-{whose}"
    file.write_text("\n".join(cookies))
    named = {} if name is None else {"cookie": name}
    return {
        path: wrk.script(directory / f"{whose}-{number}.lua", file, path, **named) for number, path in enumerate(SIZES)
    }
