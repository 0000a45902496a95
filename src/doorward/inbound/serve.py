"""All listeners in one event loop, from the first connection to the last.

Owns the run of a serving process: signals, the graceful stop and its time limit. When asked to stop, listeners are
drained one after another in the order given, so the admin listener, named last, can be asked about the others until the
end. uvicorn's own `Server` is not used: it takes the signals for itself, ends by raising them again, and knows one
listener. A second request to stop cuts everything off.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any, TypeVar, final

from doorward.base.clock import Clock
from doorward.base.entropy import Entropy
from doorward.identity.visit import REQUEST_ID_BYTES
from doorward.inbound.crowd import Connect, Connected, Crowd
from doorward.inbound.listen import Listener, address_of
from doorward.inbound.turn import Turn
from doorward.inbound.wire import asgi

T = TypeVar("T")
TICK_SECONDS = 1.0
SETTLE_SECONDS = 0.05
CUT_SECONDS = 1.0

log = logging.getLogger("doorward.inbound")


@final
class Run:
    """One run of the process, and whether somebody has asked it to end; made inside the event loop."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()

    @property
    def is_stopping(self) -> bool:
        """Say whether the process has been asked to end; readiness is off from then on."""
        return self._stopping.is_set()

    @property
    def is_forced(self) -> bool:
        """Say whether it has been asked twice, and waits for nobody."""
        return self._forced.is_set()

    def stop(self) -> None:
        """Ask for the end; a second call asks for it at once."""
        if self._stopping.is_set():
            self._forced.set()
        self._stopping.set()

    async def wait_for_stop(self) -> None:
        """Wait until somebody asks for the end."""
        await self._stopping.wait()

    async def wait_for_force(self) -> None:
        """Wait until somebody asks for the end a second time."""
        await self._forced.wait()


@contextmanager
def signals(run: Run, reload: Callable[[], None]) -> Generator[None]:
    """Let SIGTERM and SIGINT stop `run` and SIGHUP call `reload`, in the event loop of the main thread."""
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGTERM: run.stop, signal.SIGINT: run.stop, signal.SIGHUP: reload}
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in handlers:
            loop.remove_signal_handler(number)


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in an event loop of the kind that serves fastest here, and give its result."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


async def serve(
    listeners: Sequence[Listener],
    run: Run,
    *,
    clock: Clock,
    entropy: Entropy,
    drain_timeout: float,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Answer on all listeners until `run` is stopped, then drain them in their order.

    `started` is called once all of them answer. Returns when the last connection is closed, or `drain_timeout` seconds
    after the stop, when those still open were cut off.
    """
    loop = asyncio.get_running_loop()
    doors = [_Accepting(listener, clock, entropy) for listener in listeners]
    for door in doors:
        door.open()
    ticker = loop.create_task(_tick(doors))
    started()
    await run.wait_for_stop()
    log.info("process.draining", extra={"facts": {"seconds": drain_timeout}})
    deadline = loop.time() + drain_timeout
    try:
        for door in doors:
            await door.drain(run, deadline)
    finally:
        ticker.cancel()


@final
class _Accepting:
    """A listener at work: its connections, and the requests that run on them."""

    def __init__(self, listener: Listener, clock: Clock, entropy: Entropy) -> None:
        self._listener = listener
        self._clock = clock
        self._crowd = Crowd(
            limits=listener.limits,
            scheme="http" if listener.tls is None else "https",
            request_id=lambda: entropy.draw(REQUEST_ID_BYTES).hex(),
        )
        self._protocol = _connect_of(listener)(self._crowd)
        self._turn: Turn | None = None

    def open(self) -> None:
        """Begin to take connections."""
        self.tick()
        address = address_of(self._listener.socket)
        self._turn = Turn(self._listener, self._protocol, self._make_room)
        log.info("listener.open", extra={"facts": {"listener": self._listener.name, "address": address}})

    def tick(self) -> None:
        """Renew the Date header and end connections whose clients are late; called once a second."""
        self._crowd.default_headers[:] = [(b"date", formatdate(self._clock.now(), usegmt=True).encode())]
        now = asyncio.get_running_loop().time()
        for connection in self._connections():
            connection.end_if_late(now)

    async def drain(self, run: Run, deadline: float) -> None:
        """Take no more connections, answer what has been asked, and close; after `deadline`, or by force, cut."""
        if self._turn is not None:
            self._turn.close()
        for connection in self._connections():
            connection.announce_end()
        # What the kernel has already taken for us is read once more before idle connections are closed under it.
        await asyncio.sleep(0 if run.is_forced else SETTLE_SECONDS)
        for connection in self._connections():
            connection.shutdown()
        await self._settle(run, deadline)
        if self._crowd.connections or self._crowd.tasks:
            await self._cut()
        log.info("listener.closed", extra={"facts": {"listener": self._listener.name}})

    async def _settle(self, run: Run, deadline: float) -> None:
        """Wait until nothing runs any more, or for the deadline or force, whichever comes first."""
        loop = asyncio.get_running_loop()
        ends = {loop.create_task(self._all_done()), loop.create_task(run.wait_for_force())}
        await asyncio.wait(ends, timeout=max(0.0, deadline - loop.time()), return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()

    async def _all_done(self) -> None:
        while pending := [*self._crowd.tasks, *(connection.lost for connection in self._connections())]:
            await asyncio.wait(pending)

    async def _cut(self) -> None:
        facts = {"listener": self._listener.name, "requests": len(self._crowd.tasks)}
        log.warning("listener.cut_off", extra={"facts": facts})
        for connection in self._connections():
            connection.cut()
        tasks = list(self._crowd.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CUT_SECONDS)

    def _connections(self) -> list[Connected]:
        return list(self._crowd.connections)

    def _make_room(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in self._connections():
            connection.end_if_spare(now)


def _connect_of(listener: Listener) -> Connect:
    if listener.connect is not None:
        return listener.connect
    if listener.app is None:
        raise ValueError("nobody answers on the listener")
    return asgi(listener.app)


async def _tick(doors: Sequence[_Accepting]) -> None:
    while True:
        await asyncio.sleep(TICK_SECONDS)
        for door in doors:
            door.tick()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - there is none for every platform, and asyncio's own loop serves as well
    except ImportError:
        return None
    return uvloop.new_event_loop
