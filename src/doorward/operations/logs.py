"""The log: one JSON object a line on standard error, or readable lines for a terminal.

Owns the shape of every line. A record of ours is an event name and a dictionary of facts; one of a library becomes the
event `library.message`. Values come from strangers, so whatever could end a line or move a terminal's cursor is
escaped, in both formats. A record that cannot be written is dropped: logging never fails a request. Tracebacks are
printed as places, without the values they would quote.
"""

import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal, TextIO, TypeAlias, cast, final

import msgspec

from doorward.base.clock import rfc3339
from doorward.inbound.blame import frames
from doorward.inbound.door import Observe, Seen, current_request

Format: TypeAlias = Literal["json", "text"]
Level: TypeAlias = Literal["debug", "info", "warning", "error"]
Facts: TypeAlias = Mapping[str, object]

OURS = "doorward"
MAX_VALUE = 4096  # characters of one value; a head may be 32 KiB, and a path of that length helps nobody
_HEAD = frozenset({"time", "level", "event", "logger"})
_PLAIN = re.compile(r"[!-~]+")
_QUOTES = re.compile(r"[\"'=\\]")

access_log = logging.getLogger("doorward.access")


def configure(*, format: Format, level: Level, stream: TextIO | None = None) -> None:  # noqa: A002 - the setting's name
    """Send every log record of the process to `stream`, standard error by default, replacing what was set up before.

    `level` holds for our own records; libraries speak from `warning` up.
    """
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = _Handler(_json_line if format == "json" else _text_line, stream or sys.stderr)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(level.upper())


def access(visit: Seen, status: int, seconds: float) -> None:
    """Write the access line of one request: never its query, which may hold a code or a token."""
    if access_log.isEnabledFor(logging.INFO):
        facts = {
            "request_id": visit.request_id,
            "method": visit.method,
            "path": visit.path,
            "status": status,
            "seconds": round(seconds, 6),
            "address": visit.address,
        }
        # As `access_log.info` would, without looking for the place in the code that it was called from.
        record = access_log.makeRecord(
            access_log.name, logging.INFO, "", 0, "http.request", (), None, extra={"facts": facts}
        )
        access_log.handle(record)


def observing(count: Callable[[str, str, int, float], None], *, write_access_log: bool) -> Observe:
    """Give what a door reports its requests to: `count` (route, method, status, seconds) and, if wanted, the log."""

    def observe(visit: Seen, route: str, status: int, seconds: float) -> None:
        count(route, visit.method, status, seconds)
        if write_access_log:
            access(visit, status, seconds)

    return observe


@final
class _Handler(logging.Handler):
    """Writes one line a record and swallows every failure.

    Within an event loop, lines up to `info` are held until the loop's present turn is over and then written at once:
    writing each for itself costs a busy service a tenth of its time. Whatever is worse than `info` is written
    immediately, with all that was held.
    """

    def __init__(self, line: Callable[[logging.LogRecord], str], stream: TextIO) -> None:
        super().__init__()
        self._line = line
        self._stream = stream
        self._held: list[str] = []
        self._flushing: asyncio.AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._held.append(self._line(record) + "\n")
            if record.levelno > logging.INFO or not self._will_flush():
                self._write_held()
        except Exception:  # noqa: BLE001, S110 - a full disk or a closed terminal must not fail a request, and where to say it?
            pass

    def flush(self) -> None:
        """Write what is held; also called when the process ends."""
        self.acquire()
        try:
            with suppress(Exception):  # see emit
                self._write_held()
        finally:
            self.release()

    def _will_flush(self) -> bool:
        """Have the running loop flush at the end of its turn, unless it will already; False where no loop runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self._flushing is not loop:
            self._flushing = loop
            loop.call_soon(self.flush)
        return True

    def _write_held(self) -> None:
        lines, self._held, self._flushing = self._held, [], None
        self._stream.write("".join(lines))
        self._stream.flush()


def _json_line(record: logging.LogRecord) -> str:
    entry = _entry(record)
    try:
        line = _ENCODER.encode(entry)
        if line.isascii() and b"\x7f" not in line:
            return line.decode()
    except (ValueError, OverflowError, TypeError, RecursionError):
        pass
    # Half a surrogate pair, a huge integer, or characters that some readers take for the end of a line.
    return _ascii_json(entry)


def _text_line(record: logging.LogRecord) -> str:
    entry = _entry(record)
    time, level, event, _ = (str(entry.pop(name)) for name in ("time", "level", "event", "logger"))
    facts = " ".join(f"{_word(name)}={_word(value)}" for name, value in entry.items())
    return f"{time[11:23]} {level:<7} {_word(event)} {facts}".rstrip()


def _word(value: object) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not _QUOTES.search(value):
        return value
    return _ascii_json(value)


def _ascii_json(value: object) -> str:
    """Give JSON in printable ASCII; the library leaves DEL as it is."""
    return json.dumps(value, default=_shown, skipkeys=True).replace("\x7f", "\\u007f")


def _entry(record: logging.LogRecord) -> dict[str, object]:
    is_ours = record.name.startswith(OURS)
    entry: dict[str, object] = {
        "time": rfc3339(record.created),
        "level": record.levelname.lower(),
        "event": record.msg if is_ours else "library.message",
        "logger": record.name,
    }
    request_id = current_request.get()
    if request_id:
        entry["request_id"] = request_id
    for name, value in _facts(record, is_ours=is_ours).items():
        entry[f"fact_{name}" if name in _HEAD else name] = _cut(value) if isinstance(value, str) else value
    return entry


def _facts(record: logging.LogRecord, *, is_ours: bool) -> Facts:
    facts = cast("Facts", getattr(record, "facts", {}))
    if not is_ours or record.args:
        facts = {"message": record.getMessage(), **facts}
    if record.exc_info and record.exc_info[1] is not None:
        facts = {**facts, **frames(record.exc_info[1])}
    return facts


def _cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}..."


def _shown(value: object) -> str:
    """Give the text of a value that JSON has no form for; secrets show stars."""
    return _cut(str(value))


_ENCODER = msgspec.json.Encoder(enc_hook=_shown)
