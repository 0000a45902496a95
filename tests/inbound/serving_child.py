"""A process that serves as ours do, for the tests of signals:
`python serving_child.py PORT ADMIN_PORT DRAIN_SECONDS uvicorn|gateway`, by whose protocol the public listener serves.

`/wait` answers when `/go` has been asked on the admin listener; `/never` does not answer.
"""

import asyncio
import sys
from typing import Any

from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.base.errors import DoorwardError
from doorward.gateway.listener import PublicListener, Site
from doorward.identity.visit import Trust, Visit
from doorward.inbound.door import Door, Reply, Route
from doorward.inbound.listen import Listener, bind
from doorward.inbound.serve import Run, run_loop, serve, signals
from doorward.operations import admin, logs
from doorward.operations.metrics import Metrics


def refuse(_visit: Visit, error: DoorwardError) -> Reply:
    return Reply(error.row.status, error.code.encode())


async def main(port: str, admin_port: str, drain: str, reader: str) -> int:
    logs.configure(format="json", level="info")
    run, clock, entropy = Run(), SystemClock(), SystemEntropy()
    going = asyncio.Event()
    metrics = Metrics(clock=clock, version="1")

    async def snapshot() -> object:
        return metrics.snapshot()

    async def wait(_visit: Visit, _body: bytes) -> Reply:
        print("waiting", flush=True)
        await going.wait()
        return Reply(200, b"waited")

    async def never(_visit: Visit, _body: bytes) -> Reply:
        print("waiting", flush=True)
        await asyncio.Event().wait()
        return Reply(200)

    async def go(_visit: Visit, _body: bytes) -> Reply:
        going.set()
        return Reply(200)

    def door(*routes: Route) -> Door:
        trust = Trust(entropy=entropy, public_url="http://a.example")
        observe = logs.observing(metrics.request, write_access_log=True)
        return Door(routes, trust=trust, clock=clock, observe=observe, envelopes={"": refuse})

    probes = admin.routes(checks=[admin.not_stopping(run)], snapshot=snapshot)  # pyright: ignore[reportArgumentType]
    public = door(Route(method="GET", path="/wait", handler=wait), Route(method="GET", path="/never", handler=never))
    private = door(*probes, Route(method="GET", path="/go", handler=go))
    answering: dict[str, Any] = {"app": public}
    if reader == "gateway":
        answering = {"connect": PublicListener(Site(door=public)).connect}
    listeners = [
        Listener(name="public", socket=bind(f"127.0.0.1:{port}"), **answering),
        Listener(name="admin", socket=bind(f"127.0.0.1:{admin_port}"), app=private),
    ]
    with signals(run, lambda: print("reload", flush=True)):
        await serve(listeners, run, clock=clock, entropy=entropy, drain_timeout=float(drain))
    return 0


if __name__ == "__main__":
    sys.exit(run_loop(main(*sys.argv[1:])))
