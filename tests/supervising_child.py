"""A supervisor with workers, for tests/test_supervisor.py: `python supervising_child.py PORT ADMIN_PORT WORKERS FLAW`.

On the public listener `/pid` names the worker, `/wait` never answers, `/die` ends the worker, `/sulk` makes it unready.
With the flaw `start` no worker can start, with `broken` the command does not exist.
"""

import asyncio
import os
import signal
import sys

from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.identity.visit import Trust, Visit
from doorward.inbound.crowd import Limits
from doorward.inbound.door import Door, Reply, Route
from doorward.inbound.listen import Listener, bind
from doorward.inbound.serve import Run, run_loop, serve, signals
from doorward.operations import admin, logs
from doorward.operations.metrics import Metrics, Snapshot
from doorward.operations.tie import Tie, Worker, inherited
from doorward.supervisor import Duties, supervise

CLOCK, ENTROPY = SystemClock(), SystemEntropy()
TRUST = Trust(entropy=ENTROPY, public_url="http://a.example")


async def pid(_visit: Visit, _body: bytes) -> Reply:
    return Reply(200, str(os.getpid()).encode())


async def wait(_visit: Visit, _body: bytes) -> Reply:
    print("waiting", flush=True)
    await asyncio.Event().wait()
    return Reply(200)


async def die(_visit: Visit, _body: bytes) -> Reply:
    os.kill(os.getpid(), signal.SIGKILL)
    return Reply(200)


async def work(tie: Tie) -> int:
    run, metrics = Run(), Metrics(clock=CLOCK, version="1")
    moods: list[admin.Reason] = []

    async def sulk(_visit: Visit, _body: bytes) -> Reply:
        moods.append(admin.reason_of(STORE_UNAVAILABLE))
        return Reply(200)

    async def mood() -> admin.Objection:
        return tuple(moods)

    async def snapshot() -> Snapshot:
        return metrics.snapshot()

    handlers = {"/pid": pid, "/wait": wait, "/die": die, "/sulk": sulk}
    routes = [Route(method="GET", path=path, handler=handler) for path, handler in handlers.items()]
    observe = logs.observing(metrics.request, write_access_log=False)
    door = Door(routes, trust=TRUST, clock=CLOCK, observe=observe, envelopes={"": admin.refuse})
    worker = Worker(tie, run, checks=[mood], snapshot=snapshot)
    listener = Listener(name="public", socket=tie.public, app=door)
    with signals(run, lambda: print("reloaded", os.getpid(), flush=True)):
        reporting = asyncio.create_task(worker.report())
        await serve([listener], run, clock=CLOCK, entropy=ENTROPY, drain_timeout=5, started=worker.started)
        reporting.cancel()
    return 0


async def oversee(port: str, admin_port: str, workers: str, flaw: str) -> int:
    command = [sys.executable, __file__, port, admin_port, workers, flaw]
    return await supervise(
        Duties(
            argv=["/nowhere/doorward"] if flaw == "broken" else command,
            workers=int(workers),
            public=bind(f"127.0.0.1:{port}"),
            admin=bind(f"127.0.0.1:{admin_port}"),
            trust=TRUST,
            clock=CLOCK,
            entropy=ENTROPY,
            drain_timeout=5,
            limits=Limits(),
            reload=lambda: print("reloaded supervisor", flush=True),
        )
    )


def main() -> int:
    logs.configure(format="json", level="info")
    tie = inherited()
    if tie is None:
        return run_loop(oversee(*sys.argv[1:]))
    return 3 if sys.argv[4] == "start" else run_loop(work(tie))


if __name__ == "__main__":
    sys.exit(main())
