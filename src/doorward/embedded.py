"""The house inside somebody else's process: what `doorward.asgi` and `doorward.wsgi` stand on.

Reads the settings by the rules of `doorward serve`, opens the database and the keys, keeps them fresh, and closes them;
nothing listens, and nothing of the process is changed: no signal, no log, no garbage collector. `HouseThread` runs it
in an event loop of its own, for servers that have none.
"""

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeAlias, final

from doorward.base.faults import SETTING_MISSING, SETTING_WITHOUT_EFFECT
from doorward.config.crosscheck import cross_check
from doorward.config.findings import SettingsRejected, error, warning
from doorward.config.loading import Options, load
from doorward.config.settings import Settings
from doorward.gateway.inside import Inside
from doorward.gateway.other import Outside
from doorward.house import BackOffice, Front, build_front, new_metrics, open_back_office
from doorward.house.rules import https_site
from doorward.identity.admission import Allow
from doorward.identity.visit import Visit
from doorward.inbound.door import Read, Reply
from doorward.operations import logs
from doorward.operations.metrics import Metrics
from doorward.upkeep import Upkeep

Config: TypeAlias = str | os.PathLike[str] | Options | Settings | None
DEFAULT_CONFIG = "doorward.toml"
CLOSING_SECONDS = 10.0
_UPSTREAM = "app.upstream"

_log = logging.getLogger("doorward.embedded")


# --- the settings ------------------------------------------------------------------------------------------------


def read_settings(config: Config) -> Settings:
    """Read the settings as `doorward serve` does, environment included.

    `config` is the settings file, None for `./doorward.toml` if it is there, or what was made elsewhere: `Options`, or
    `Settings` that are ready. Raises `SettingsRejected`, as well where no auth tree says who may pass.
    """
    if isinstance(config, Settings):
        settings = _held_to_the_rules(config)
    else:
        given = config if isinstance(config, Options) else Options(config=None if config is None else os.fspath(config))
        settings = load(replace(given, purpose="serve"))
    if settings.auth.plan is None:
        what = "Nothing says who may pass to the application."
        fix = "Write [auth] or auth.file; to let everybody pass, write enabled = false in [auth.platform]."
        where = str(settings.origins.get("auth", "default"))
        raise SettingsRejected([error(SETTING_MISSING, where=where, setting="auth", what=what, fix=fix)])
    return _without_upstream(settings)


def _held_to_the_rules(settings: Settings) -> Settings:
    findings = list(cross_check(settings, "serve"))
    if any(finding.severity == "error" for finding in findings):
        raise SettingsRejected(findings)
    return replace(settings, warnings=tuple(findings))


def _without_upstream(settings: Settings) -> Settings:
    """Leave out the application behind the gateway: here it stands in the same process."""
    if not settings.app.upstream:
        return settings
    what, fix = "app.upstream has no effect inside an application.", "Remove it, or run doorward serve in front."
    where = str(settings.origins.get(_UPSTREAM, "default"))
    idle = warning(SETTING_WITHOUT_EFFECT, where=where, setting=_UPSTREAM, what=what, fix=fix)
    return replace(settings, app=replace(settings.app, upstream=()), warnings=(*settings.warnings, idle))


# --- open and closed ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def open_inside(settings: Settings) -> AsyncGenerator[Inside]:
    """Open the house in the running event loop, give the gateway in it, and close it afterwards.

    Raises `DoorwardError` for what keeps `doorward serve` from starting.
    """
    async with open_back_office(settings) as back:
        metrics = new_metrics(back.clock)
        upkeep = Upkeep(back, metrics)
        await upkeep.begin("serve")
        front = build_front(back, settings, metrics)
        if front.sign_in is None:
            raise RuntimeError("settings without an auth tree are refused when they are read")
        upkeep.notices = front.sign_in.notices
        tasks = [asyncio.create_task(task) for task in upkeep.tasks()]
        _log.info("embedded.open", extra={"facts": {}})
        try:
            yield _inside(back, settings, front, metrics)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await front.finish()
    _log.info("embedded.closed", extra={"facts": {}})


def _inside(back: BackOffice, settings: Settings, front: Front, metrics: Metrics) -> Inside:
    if front.sign_in is None:
        raise RuntimeError("there is no sign-in")
    return Inside(
        site=front.site,
        porter=front.sign_in.porter,
        clock=back.clock,
        observe=logs.observing(metrics.request, write_access_log=settings.server.access_log),
        answer_first=Outside(https_site(settings)).insist_on_https,
        keeps_own_cookies=settings.easyauth.forward_session_cookie,
    )


# --- in a thread of its own --------------------------------------------------------------------------------------


@final
class HouseThread:
    """The house in an event loop of its own, opened when it is first needed, once for each process.

    A server may load the application and fork its workers afterwards; what was opened before is the parent's.
    """

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._lock = threading.Lock()
        self._running: Running | None = None
        os.register_at_fork(after_in_child=self._forget)

    def open(self) -> "Running":
        """Give the running house; the first to ask waits until it is open. Raises `DoorwardError` where it cannot."""
        running = self._running
        if running is not None:
            return running
        with self._lock:
            if self._running is None:
                self._running = Running(self._settings)
                atexit.register(self.close)
            return self._running

    def close(self) -> None:
        """Close the house, if it is open; at the end of the process that happens by itself."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            atexit.unregister(self.close)
            running.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._running = None


@final
class Running:
    """An open house and its thread."""

    def __init__(self, settings: Settings) -> None:
        """Begin the thread, and wait until the house is open."""
        self._settings = settings
        self._opened: Future[Inside] = Future()
        self._thread = threading.Thread(target=self._live, name="doorward", daemon=True)
        self._thread.start()
        self.inside = self._opened.result()

    def ask(self, visit: Visit, read: Read) -> "Future[Allow | Reply]":
        """Have the house look at a request; `read` runs in its event loop."""
        return asyncio.run_coroutine_threadsafe(self.inside.ask(visit, read), self.loop)

    def close(self) -> None:
        """End the thread, once what it has begun is finished."""
        self.loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(CLOSING_SECONDS)

    def _live(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - whoever waits for the opening is told
            if self._opened.done():
                _log.error("embedded.failed", extra={"facts": {"reason": type(failure).__name__}})
            else:
                self._opened.set_exception(failure)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        async with open_inside(self._settings) as inside:
            self._opened.set_result(inside)
            await self._ending.wait()
