"""Several worker processes behind one public socket, and one process that speaks for them.

Owns the processes: starting, watching and ending them, and asking them how they are. The supervisor holds the listening
socket and hands it down, so that a worker can die and be replaced without the port ever being closed; it serves the
admin listener itself, whose readiness and metrics are those of all workers (interface, "Several processes"). It serves
no public request and opens no database.
"""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, final

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.base.faults import WORKER_NOT_READY
from doorward.base.frozen import frozen
from doorward.identity.visit import Trust
from doorward.inbound.crowd import Limits
from doorward.inbound.door import Door, Seen
from doorward.inbound.listen import Listener
from doorward.inbound.serve import Run, serve, signals
from doorward.operations import admin
from doorward.operations.admin import Objection, Reason
from doorward.operations.metrics import WORKER_STARTS, WORKERS, Snapshot, departed, merged
from doorward.operations.tie import LINE_BYTES, TIE, Line

FIRST_PAUSE, LONGEST_PAUSE, STEADY_SECONDS = 0.1, 30.0, 10.0
GRACE_SECONDS = 3.0

log = logging.getLogger("doorward.supervisor")


@frozen
class Duties:
    """What a supervisor works with: the workers' command and number, the bound sockets, how to serve and stop."""

    argv: Sequence[str]
    workers: int
    public: socket.socket
    admin: socket.socket
    trust: Trust
    clock: Clock
    entropy: Entropy
    drain_timeout: float
    limits: Limits
    reload: Callable[[], None]


async def supervise(duties: Duties) -> int:
    """Keep the workers running until told to stop; gives the exit status.

    It is 0 after a drain, or that of a worker which ended before any had ever served: what keeps one from starting
    keeps all.
    """
    run, end = Run(), Run()
    crew = _Crew(duties, run)
    with signals(run, crew.reload):
        serving = asyncio.create_task(
            serve(
                [Listener(name="admin", socket=duties.admin, app=crew.door(), limits=duties.limits)],
                end,
                clock=duties.clock,
                entropy=duties.entropy,
                drain_timeout=GRACE_SECONDS,
            )
        )
        posts = asyncio.create_task(crew.keep_filled())
        await run.wait_for_stop()
        duties.public.close()  # as long as one process holds it, the kernel takes connections that nobody answers
        await crew.dismiss(posts)
        end.stop()
        await serving
    log.info("process.ended", extra={"facts": {}})
    return crew.status


@final
class _Post:
    """One worker's place, and whoever fills it now."""

    def __init__(self, number: int, duties: Duties, run: Run) -> None:
        self.starts = 0
        self.has_served = False
        self.is_serving = False
        self.last: Snapshot = {}
        self._number = number
        self._duties = duties
        self._run = run
        self._process: asyncio.subprocess.Process | None = None
        self._line: Line | None = None

    async def fill(self) -> int:
        """Start a worker, watch over it, and give its exit status when it has ended."""
        ours, theirs = socket.socketpair()
        self.starts += 1
        with theirs:
            self._process = await self._start(theirs)
        if self._run.is_stopping:
            self.signal(signal.SIGTERM)
        self._line = Line(*await asyncio.open_unix_connection(sock=ours, limit=LINE_BYTES))
        listening = asyncio.create_task(self._line.listen(self._note_serving))
        try:
            return await self._process.wait()
        finally:
            listening.cancel()
            self.is_serving = False
            self._line.close()

    async def _start(self, line: socket.socket) -> asyncio.subprocess.Process:
        fds = (self._duties.public.fileno(), line.fileno())
        # A session of its own: Ctrl-C on a terminal reaches the supervisor alone, which passes it on once.
        return await asyncio.create_subprocess_exec(
            *self._duties.argv,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, TIE: f"{fds[0]},{fds[1]}"},
            pass_fds=fds,
            start_new_session=True,
        )

    def _note_serving(self) -> None:
        self.is_serving = self.has_served = True
        log.info("worker.serving", extra={"facts": self.facts()})

    async def ask(self, question: str) -> Any | None:
        """Ask the worker; None when there is none, or it does not answer in time."""
        return await self._line.ask(question) if self.is_serving and self._line is not None else None

    def signal(self, number: signal.Signals) -> None:
        """Send the worker a signal, if there is one."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def facts(self) -> dict[str, object]:
        """Give what the log says of this worker."""
        return {"worker": self._number, "pid": self._process.pid if self._process else None, "starts": self.starts}


@final
class _Crew:
    """All posts, and what is said of them together."""

    def __init__(self, duties: Duties, run: Run) -> None:
        self.status = 0
        self._duties = duties
        self._run = run
        self._posts = [_Post(number, duties, run) for number in range(1, duties.workers + 1)]
        self._departed: Snapshot = {}

    def door(self) -> Door:
        """Give the admin listener's door."""
        checks = [admin.not_stopping(self._run), *(self._check(post) for post in self._posts)]
        return Door(
            admin.routes(checks=checks, snapshot=self._snapshot),
            trust=self._duties.trust,
            clock=self._duties.clock,
            observe=_unobserved,
            envelopes={"": admin.refuse},
        )

    async def keep_filled(self) -> None:
        """Keep a worker on every post until the run stops."""
        async with asyncio.TaskGroup() as group:
            for post in self._posts:
                group.create_task(self._keep(post))

    async def _keep(self, post: _Post) -> None:
        pause = FIRST_PAUSE
        while not self._run.is_stopping:
            began = self._duties.clock.monotonic()
            status = await self._filled(post)
            if self._run.is_stopping:
                return
            if not any(each.has_served for each in self._posts):
                self.status = status if status > 0 else 1
                self._run.stop()
                return
            if self._duties.clock.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE
            with suppress(TimeoutError):
                await asyncio.wait_for(self._run.wait_for_stop(), pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _filled(self, post: _Post) -> int:
        """Have a worker on this post until it ends; gives its exit status, 1 where none could be started."""
        try:
            status = await post.fill()
        except OSError as error:
            log.error("worker.not_started", extra={"facts": {**post.facts(), "reason": error.strerror}})  # noqa: TRY400 - the reason says it
            return 1
        self._departed = departed([self._departed, post.last])
        post.last = {}
        if not self._run.is_stopping:
            log.error("worker.died", extra={"facts": {**post.facts(), "status": status}})
        return status

    async def dismiss(self, posts: "asyncio.Task[None]") -> None:
        """Have all workers drain; a second request to stop is passed on, and those that do not end are killed."""
        self._signal(signal.SIGTERM)
        force = asyncio.create_task(self._run.wait_for_force())
        limit = self._duties.drain_timeout + GRACE_SECONDS
        await asyncio.wait({posts, force}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not posts.done():
            self._signal(signal.SIGTERM)
            await asyncio.wait({posts}, timeout=GRACE_SECONDS)
        if not posts.done():
            self._signal(signal.SIGKILL)
        force.cancel()
        await posts

    def reload(self) -> None:
        """Pass SIGHUP on."""
        self._duties.reload()
        self._signal(signal.SIGHUP)

    def _signal(self, number: signal.Signals) -> None:
        for post in self._posts:
            post.signal(number)

    def _check(self, post: _Post) -> admin.Check:
        async def check() -> Objection:
            reasons = await post.ask("reasons")
            if reasons is None:
                return admin.reason_of(WORKER_NOT_READY)
            return tuple(Reason(**reason) for reason in reasons)

        return check

    async def _snapshot(self) -> Snapshot:
        answers = await asyncio.gather(*(post.ask("metrics") for post in self._posts))
        for post, answer in zip(self._posts, answers, strict=True):
            if answer is not None:
                post.last = answer
        total = merged([self._departed, *(post.last for post in self._posts)])
        total[WORKERS.name] = [((), [float(sum(post.is_serving for post in self._posts))])]
        total[WORKER_STARTS.name] = [((), [float(sum(post.starts for post in self._posts))])]
        return total


def _unobserved(_visit: Seen, _route: str, _status: int, _seconds: float) -> None:
    """Keep the probes out of the numbers of the public listener."""
