"""The line between a worker process and its supervisor.

Owns both ends: what a worker inherits, its answers about readiness and numbers, and the questions. Questions and
answers are lines of JSON over a socket pair, so each side notices at once when the other is gone: a worker whose
supervisor has died stops (interface, "Several processes").
"""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from typing import Any, final

from doorward.base.frozen import frozen
from doorward.inbound.serve import Run
from doorward.operations import admin
from doorward.operations.metrics import Snapshot

TIE = "_DOORWARD_WORKER"  # names the inherited file descriptors; no setting, so not below DOORWARD_
ANSWER_SECONDS = 2.5  # a little more than a check may take
LINE_BYTES = 1 << 24

log = logging.getLogger("doorward.operations")


@frozen
class Tie:
    """What a worker inherits: the public socket, listening already, and the line to its supervisor."""

    public: socket.socket
    line: socket.socket


def inherited() -> Tie | None:
    """Give what this process inherited as a worker, or None when nobody supervises it."""
    named = os.environ.pop(TIE, "")
    if not named:
        return None
    public, line = (socket.socket(fileno=int(number)) for number in named.split(","))
    for each in (public, line):
        each.set_inheritable(False)
        each.setblocking(False)
    return Tie(public=public, line=line)


@final
class Worker:
    """A worker's end of the line: says when it serves, answers how it is, and stops when nobody asks any more."""

    def __init__(
        self, tie: Tie, run: Run, *, checks: Sequence[admin.Check], snapshot: Callable[[], Awaitable[Snapshot]]
    ) -> None:
        self._tie = tie
        self._run = run
        self._checks = checks
        self._snapshot = snapshot
        self._serving = asyncio.Event()

    def started(self) -> None:
        """Note that all listeners answer."""
        self._serving.set()

    async def report(self) -> None:
        """Answer the supervisor until it is gone, then stop this process; runs as a task beside `serve`."""
        reader, writer = await asyncio.open_unix_connection(sock=self._tie.line, limit=LINE_BYTES)
        await self._serving.wait()
        with suppress(ConnectionError):
            _write(writer, {"serving": True})
            async with asyncio.TaskGroup() as answers:
                while question := await reader.readline():
                    answers.create_task(self._answer(writer, json.loads(question)))
        writer.close()
        if not self._run.is_stopping:
            log.warning("supervisor.gone", extra={"facts": {}})
            self._run.stop()

    async def _answer(self, writer: asyncio.StreamWriter, question: Mapping[str, Any]) -> None:
        if question["ask"] == "reasons":
            answer: object = [asdict(reason) for reason in await admin.reasons_against(self._checks)]
        else:
            answer = await self._snapshot()
        _write(writer, {"to": question["id"], "answer": answer})


def _write(writer: asyncio.StreamWriter, message: Mapping[str, object]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")


@final
class Line:
    """The supervisor's end of the line to one worker."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._questions = count(1)

    async def listen(self, serving: Callable[[], None]) -> None:
        """Take in what the worker says until it is gone; `serving` is told when it has begun to serve."""
        with suppress(ConnectionError):
            while line := await self._reader.readline():
                message = json.loads(line)
                if "serving" in message:
                    serving()
                elif (future := self._asked.get(message["to"])) is not None and not future.done():
                    future.set_result(message["answer"])

    async def ask(self, question: str) -> Any | None:
        """Ask for `reasons` or `metrics`; None when no answer comes in time."""
        number = next(self._questions)
        self._asked[number] = asyncio.get_running_loop().create_future()
        _write(self._writer, {"ask": question, "id": number})
        try:
            return await asyncio.wait_for(self._asked[number], ANSWER_SECONDS)
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
