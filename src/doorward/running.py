"""The run of a serving process: from settings to the exit status.

Binds before anything is opened, so that a taken port costs nothing; opens the database, the keys and the registrations;
keeps them fresh in the background; drains and closes in the reverse order. SIGHUP reads settings and certificates again
and keeps the old ones when the new are wrong.
"""

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from ssl import SSLContext

from doorward import __version__
from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import KEYS_UNAVAILABLE
from doorward.config.findings import SettingsRejected
from doorward.config.loading import Options, load
from doorward.config.settings import Settings
from doorward.gateway.listener import PublicListener
from doorward.house import (
    BackOffice,
    Front,
    build_front,
    new_metrics,
    open_back_office,
    trust_of,
)
from doorward.inbound.crowd import Limits
from doorward.inbound.door import Door, Seen
from doorward.inbound.listen import Listener, bind, load_certificate, tls_context
from doorward.inbound.serve import Run, run_loop, serve, signals
from doorward.operations import admin, logs
from doorward.operations.metrics import Snapshot
from doorward.operations.tie import Tie, Worker, inherited
from doorward.supervisor import Duties, supervise
from doorward.upkeep import Upkeep

RESTART_NEEDED = ("server.listen", "server.admin_listen", "server.workers", "database.url", "secrets.encryption_key",
                  "secrets.signing_key", "token_service.signing_algorithm")  # fmt: skip
_log = logging.getLogger("doorward.running")


@frozen
class Sockets:
    """The bound sockets, of which nobody is accepted yet."""

    public: socket.socket
    admin: socket.socket | None


def bind_all(settings: Settings) -> Sockets:
    """Bind the listeners' addresses; raises `DoorwardError` when one is taken or unusable."""
    public = bind(str(settings.server.listen))
    try:
        return Sockets(public=public, admin=bind(str(settings.server.admin_listen)))
    except DoorwardError:
        public.close()
        raise


def run(options: Options, settings: Settings) -> int:
    """Serve until told to stop; gives the exit status. Raises `DoorwardError` for what keeps it from starting."""
    tie = inherited()
    configure_logs(settings)
    if tie is not None:
        return run_loop(Service(options, settings, Sockets(public=tie.public, admin=None), tie).run())
    sockets = bind_all(settings)
    if settings.server.workers > 1 and sockets.admin is not None:
        _spare_the_collector()
        return run_loop(supervise(_duties(options, settings, sockets.public, sockets.admin)))
    return run_loop(Service(options, settings, sockets).run())


def _duties(options: Options, settings: Settings, public: socket.socket, admin_socket: socket.socket) -> Duties:
    """Say how several workers are to be run: each by the command line that this process was started with."""
    entropy = SystemEntropy()

    def reload() -> None:
        with suppress(DoorwardError):  # every worker says for itself what is wrong
            configure_logs(load(options))

    return Duties(
        argv=[sys.executable, "-m", "doorward", *sys.argv[1:]],
        workers=settings.server.workers,
        public=public,
        admin=admin_socket,
        trust=trust_of(settings, entropy),
        clock=SystemClock(),
        entropy=entropy,
        drain_timeout=settings.server.drain_timeout,
        limits=limits_of(settings),
        reload=reload,
    )


def limits_of(settings: Settings) -> Limits:
    """Give how long and how large requests may be, by the settings."""
    server = settings.server
    return Limits(head_bytes=server.head_limit, head_seconds=server.head_timeout, idle_seconds=server.idle_timeout)


def configure_logs(settings: Settings) -> None:
    """Write the log as the settings ask, on a terminal as text unless they say otherwise."""
    chosen = settings.log.format or ("text" if sys.stderr.isatty() else "json")
    logs.configure(format=chosen, level=settings.log.level)


class Service:
    """One serving process."""

    def __init__(self, options: Options, settings: Settings, sockets: Sockets, tie: Tie | None = None) -> None:
        """Serve by `settings`, which `options` give again on SIGHUP; with a `tie`, as a worker of its supervisor."""
        self._options = options
        self._settings = settings
        self._sockets = sockets
        self._tls: SSLContext | None = None
        self._tie = tie
        self._when_started: list[Callable[[], None]] = []
        self._is_accepting = False

    async def run(
        self,
        extra: Sequence[Listener] = (),
        started: Callable[[BackOffice], None] | None = None,
        stopper: Run | None = None,
    ) -> int:
        """Open, serve, drain `extra` last, close; `started` is told when all answer, `stopper` stands for signals."""
        async with open_back_office(self._settings) as back:
            self._metrics = new_metrics(back.clock)
            self._upkeep = Upkeep(back, self._metrics)
            await self._upkeep.begin(self._options.purpose)
            self._front = self._build_front(back)
            self._public = PublicListener(self._front.site)
            run = stopper or Run()
            worker = self._worker(run, back)
            tasks = [asyncio.create_task(task) for task in (*self._upkeep.tasks(), *(w.report() for w in worker))]
            try:
                with signals(run, lambda: self._reload(back)) if stopper is None else nullcontext():
                    await self._serve(run, back, extra, started)
            finally:
                await _end(tasks)
                await self._front.finish()
        _log.info("process.ended", extra={"facts": {}})
        return 0

    async def _serve(
        self,
        run: Run,
        back: BackOffice,
        extra: Sequence[Listener],
        started: Callable[[BackOffice], None] | None,
    ) -> None:
        def note_started() -> None:
            self._is_accepting = True
            _spare_the_collector()
            _log.info("process.ready", extra={"facts": {"version": __version__}})
            for tell in self._when_started:
                tell()
            if started is not None:
                started(back)

        await serve(
            [*self._listeners(run, back), *extra],
            run,
            clock=back.clock,
            entropy=back.entropy,
            drain_timeout=self._settings.server.drain_timeout,
            started=note_started,
        )

    def _listeners(self, run: Run, back: BackOffice) -> list[Listener]:
        server = self._settings.server
        limits = limits_of(self._settings)
        if server.tls_certificate:
            self._tls = tls_context(Path(server.tls_certificate), Path(server.tls_key))
        public = Listener(
            name="public",
            socket=self._sockets.public,
            connect=self._public.connect,
            limits=limits,
            tls=self._tls,
        )
        if self._sockets.admin is None:
            return [public]
        return [public, Listener(name="admin", socket=self._sockets.admin, app=self._admin(run, back), limits=limits)]

    def _admin(self, run: Run, back: BackOffice) -> Door:
        return Door(
            admin.routes(checks=[admin.not_stopping(run), *self.checks(back)], snapshot=self._snapshot),
            trust=trust_of(self._settings, back.entropy),
            clock=back.clock,
            observe=_ignore,
            envelopes={"": admin.refuse},
        )

    async def _snapshot(self) -> Snapshot:
        self._upkeep.note_keys()
        return self._metrics.snapshot()

    def _worker(self, run: Run, back: BackOffice) -> list[Worker]:
        """Give this process's end of the line to its supervisor, if it has one."""
        if self._tie is None:
            return []
        worker = Worker(self._tie, run, checks=self.checks(back), snapshot=self._snapshot)
        self._when_started.append(worker.started)
        return [worker]

    def checks(self, back: BackOffice) -> list[admin.Check]:
        """Give what readiness asks: the listeners, the database, and the keys of every cloud that is registered."""

        async def listening() -> admin.Reason | None:
            if self._is_accepting:
                return None
            return admin.Reason(code="starting", message="The listeners do not accept connections yet")

        async def store() -> admin.Reason | None:
            await back.store.ping()
            return None

        async def keys() -> admin.Reason | None:
            missing = clouds_without_keys(back)
            if not missing:
                return None
            message = f"{KEYS_UNAVAILABLE.message}: {', '.join(missing)}"
            return admin.Reason(code=KEYS_UNAVAILABLE.code, message=message)

        return [listening, store, keys]

    def _reload(self, back: BackOffice) -> None:
        """Read settings and certificates again; what is wrong changes nothing."""
        try:
            settings = load(self._options)
            if self._tls is not None:
                server = settings.server
                load_certificate(self._tls, Path(server.tls_certificate), Path(server.tls_key))
        except DoorwardError as error:
            _log.error("settings.kept", extra={"facts": _facts_of(error)})
            return
        for name in _changed(self._settings, settings):
            _log.warning("settings.need_restart", extra={"facts": {"setting": name}})
        configure_logs(settings)
        self._exchange_front(back, settings)
        _log.info("settings.reloaded", extra={"facts": {}})

    def _build_front(self, back: BackOffice) -> Front:
        front = build_front(back, self._settings, self._metrics, explains=self._options.purpose == "dev")
        self._upkeep.notices = None if front.sign_in is None else front.sign_in.notices
        return front

    def _exchange_front(self, back: BackOffice, settings: Settings) -> None:
        previous = self._front
        back.apply(settings)
        self._settings = settings
        self._front = self._build_front(back)
        self._public.site = self._front.site
        self._retiring = asyncio.create_task(previous.finish())


def _ignore(_visit: Seen, _route: str, _status: int, _seconds: float) -> None:
    """Probes are neither counted nor logged: they come all the time."""


def _spare_the_collector() -> None:
    """Take what was made at the start out of the garbage collector's rounds, and let it go round less often.

    Nearly everything that a request makes goes when its last name goes; each round over the rest costs requests time.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 50)


def clouds_without_keys(back: BackOffice) -> list[str]:
    """Name the clouds in use by a registration of which no key set is loaded."""
    return [
        cloud
        for cloud, urls in sorted(back.clouds.registered_key_urls().items())
        if not any(back.provider_keys.loaded(url) for url in urls)
    ]


async def _end(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            _log.error("background.failed", extra={"facts": {"reason": type(outcome).__name__}})


def _changed(old: Settings, new: Settings) -> list[str]:
    """Name the settings that only a restart can change and that differ."""
    return [name for name in RESTART_NEEDED if _value(old, name) != _value(new, name)]


def _value(settings: Settings, name: str) -> object:
    section, _, key = name.partition(".")
    return getattr(getattr(settings, section), key)


def _facts_of(error: DoorwardError) -> dict[str, object]:
    if isinstance(error, SettingsRejected):
        return {"code": error.code, "findings": [f"{f.where}: {f.what}" for f in error.findings]}
    return {"code": error.code, **error.facts}
