"""One call under way: in a thread of its own, on a connection that can be cut off from outside."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool

T = TypeVar("T")


class Flight:
    """One call under way in a thread, and the means to cut it off from outside.

    Timeouts of a socket bound each single read, so a server that drips bytes would hold a thread for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wire: socket.socket | None = None
        self._over = False

    def hold(self, wire: socket.socket) -> socket.socket:
        """Remember the connection. The copy stays valid when TLS takes the original's place."""
        with self._lock:
            if self._over:
                wire.close()
                raise TimeoutError("cut off")
            self._wire = wire.dup()
        return wire

    def cut(self) -> None:
        """End the connection, whatever is being read or written on it."""
        with self._lock:
            self._over = True
            if self._wire is not None:
                with suppress(OSError):
                    self._wire.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._over = True
            if self._wire is not None:
                self._wire.close()
                self._wire = None


class _Holder(threading.local):
    """The flight of the call that runs in this thread."""

    flight: Flight


held_by = _Holder()


@cache
def pool_classes() -> "dict[str, type[HTTPConnectionPool]]":
    """Give urllib3's connection pools with connections that report to their flight."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool  # noqa: PLC0415 - see the module's docstring
    from urllib3.connection import HTTPConnection, HTTPSConnection  # noqa: PLC0415 - see the module's docstring

    logging.getLogger("urllib3").setLevel(logging.WARNING)  # its debug lines hold whole addresses, query included

    class HeldPlain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return held_by.flight.hold(super()._new_conn())

    class HeldTls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return held_by.flight.hold(super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = HeldPlain  # pyright: ignore[reportAssignmentType] - as urllib3's own, whose protocol is too narrow

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = HeldTls  # pyright: ignore[reportAssignmentType] - see above

    return {"http": PlainPool, "https": TlsPool}


async def in_thread(call: Callable[[], T], when_done: Callable[[], None]) -> T:
    """Run `call` in a daemon thread and `when_done` in the loop once that thread has ended.

    Not an executor: the interpreter waits for an executor's threads at exit, and one that hangs in a name look-up would
    keep a stopped server from stopping.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        when_done()
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(cast("T", value))

    def run() -> None:
        value, error = None, None
        try:
            value = call()
        except Exception as raised:  # noqa: BLE001 - handed to the waiting task unchanged
            error = raised
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, error)

    try:
        threading.Thread(target=run, name="doorward-outbound", daemon=True).start()
    except RuntimeError:  # the system gives no more threads
        when_done()
        raise
    return await answer
