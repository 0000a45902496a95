"""Calls under way, each shared by all who want the same answer, in a bounded number of threads.

A burst of requests with one token, which is what a page that loads its parts makes, costs one call. Whoever waits does
so for bounded seconds, in a thread or in an event loop of asyncio.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar, final

from doorward.base.clock import Clock
from doorward.client.refusals import ServiceUnavailable

T = TypeVar("T")
THREADS = 8


@final
class Flights(Generic[T]):
    """Calls by what they ask for."""

    def __init__(self, clock: Clock, timeout: float) -> None:
        """Let nobody wait longer than `timeout` seconds for a call."""
        self._clock = clock
        self._timeout = timeout
        self._lock = Lock()
        self._under_way: dict[bytes, Future[T]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def wait(self, key: bytes, call: Callable[[], T]) -> T:
        """Give what `call` gives, or a call that is under way for the same `key`.

        Raises what the call raises, `ServiceUnavailable` when it takes too long.
        """
        flight = self._join(key, call)
        try:
            return flight.result(timeout=self._timeout)
        except TimeoutError as error:
            raise _too_late(self._timeout) from error
        except ServiceUnavailable as error:
            raise ServiceUnavailable(error.reason) from error  # one exception for each who waits

    async def wait_async(self, key: bytes, call: Callable[[], T]) -> T:
        """Give the same in an event loop; a waiter that is cancelled leaves the call to the others."""
        flight = asyncio.wrap_future(self._join(key, call))
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(flight)
        except TimeoutError as error:
            raise _too_late(self._timeout) from error
        except ServiceUnavailable as error:
            raise ServiceUnavailable(error.reason) from error  # one exception for each who waits

    def _join(self, key: bytes, call: Callable[[], T]) -> "Future[T]":
        with self._lock:
            pool = self._pool_of_this_process()
            flight = self._under_way.get(key)
            if flight is not None:
                return flight
            flight = self._under_way[key] = pool.submit(self._in_time, call, self._clock.monotonic() + self._timeout)
        flight.add_done_callback(lambda done: self._land(key, done))
        return flight

    def _in_time(self, call: Callable[[], T], deadline: float) -> T:
        """Make the call, unless everybody has given up on it while it waited for a thread."""
        if self._clock.monotonic() >= deadline:
            raise _too_late(self._timeout)
        return call()

    def _land(self, key: bytes, flight: "Future[T]") -> None:
        with self._lock:
            if self._under_way.get(key) is flight:
                del self._under_way[key]

    def _pool_of_this_process(self) -> ThreadPoolExecutor:
        # Servers that load the app and then fork leave the threads, and whatever they had under way, behind.
        if self._pool is None or self._process != os.getpid():
            self._under_way.clear()
            self._pool, self._process = ThreadPoolExecutor(THREADS, "doorward-client"), os.getpid()
        return self._pool


def _too_late(timeout: float) -> ServiceUnavailable:
    return ServiceUnavailable(f"the token service does not answer within {timeout:g} seconds")
