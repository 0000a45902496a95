"""What a process remembers of callers: a bounded map from the digest of a credential.

A request that comes with a remembered credential costs one digest and one look into this map. What was used longest
ago is forgotten first, by count and by size, so that nobody's many sessions fill the memory.

A browser sends the same Cookie header with each request, so which key a whole header comes to is remembered as well,
and then it need not be read again. That is a property of the header alone: whether the key still counts for anything is
found out by looking it up, each time.

Requests may come in several threads (`doorward.wsgi`). Whoever changes something holds a lock; whoever looks does not,
and does nothing that another thread could see half done.
"""

import hashlib
import threading
from collections import OrderedDict
from enum import Enum

from doorward.identity.admission import Recognised
from doorward.sessions.session import Caller

MOST_CALLERS = 200_000
MOST_BYTES = 64 << 20
LONGEST_LINE = 4096
MOST_LINE_BYTES = 8 << 20
_OVERHEAD = 1280
_LINE_OVERHEAD = 256


class Kind(bytes, Enum):
    """Which credential a digest is of: the same text means another thing in another place."""

    COOKIE = b"cookie "
    SESSION_TOKEN = b"session token "
    BEARER = b"bearer "


def key_of(kind: Kind, credential: bytes) -> bytes:
    """Give the key under which a credential is remembered."""
    return hashlib.sha256(kind + credential).digest()


class Memory:
    """Callers by key, and the keys of each session."""

    def __init__(self, *, most_callers: int = MOST_CALLERS, most_bytes: int = MOST_BYTES) -> None:
        """Remember nobody yet, and never more than so many callers or bytes."""
        self._lock = threading.Lock()
        self._most_callers = most_callers
        self._most_bytes = most_bytes
        self._bytes = 0
        self._callers: OrderedDict[bytes, Caller] = OrderedDict()
        self._keys: dict[str, tuple[bytes, ...]] = {}
        self._lines: OrderedDict[bytes, bytes] = OrderedDict()
        self.line_bytes = 0
        """How many bytes the Cookie headers take, with what is kept of each."""

    def __len__(self) -> int:
        """Count the callers."""
        return len(self._callers)

    def get(self, key: bytes) -> Caller | None:
        """Give a caller, who then counts as just used."""
        caller = self._callers.get(key)
        if caller is not None:
            try:
                self._callers.move_to_end(key)
            except KeyError:  # another thread has forgotten it since
                return None
        return caller

    def put(self, key: bytes, caller: Caller) -> None:
        """Remember a caller in place of any other under this key."""
        with self._lock:
            self._forget(key)
            self._callers[key] = caller
            self._bytes += _weight(caller)
            if caller.session is not None:
                self._keys[caller.session.id] = (*self._keys.get(caller.session.id, ()), key)
            while len(self._callers) > self._most_callers or self._bytes > self._most_bytes:
                self._let_go(*self._callers.popitem(last=False))

    def get_by_line(self, line: bytes) -> Caller | None:
        """Give the caller whose key a whole Cookie header is known to come to."""
        key = self._lines.get(line)
        return None if key is None else self.get(key)

    def put_line(self, line: bytes, key: bytes) -> None:
        """Remember which key a whole Cookie header comes to; the oldest headers make room."""
        if len(line) > LONGEST_LINE:
            return
        with self._lock:
            if line in self._lines:
                return
            self._lines[line] = key
            self.line_bytes += len(line) + _LINE_OVERHEAD
            while self.line_bytes > MOST_LINE_BYTES:
                self.line_bytes -= len(self._lines.popitem(last=False)[0]) + _LINE_OVERHEAD

    def forget(self, key: bytes) -> None:
        """Forget one credential."""
        with self._lock:
            self._forget(key)

    def _forget(self, key: bytes) -> None:
        caller = self._callers.pop(key, None)
        if caller is not None:
            self._let_go(key, caller)

    def _let_go(self, key: bytes, caller: Caller) -> None:
        self._bytes -= _weight(caller)
        if caller.session is not None:
            keys = tuple([other for other in self._keys.pop(caller.session.id) if other != key])
            if keys:
                self._keys[caller.session.id] = keys

    def drop(self, session_id: str) -> None:
        """Forget every credential of one session."""
        with self._lock:
            for key in self._keys.get(session_id, ()):
                self._forget(key)

    def clear(self) -> None:
        """Forget everybody."""
        with self._lock:
            self._callers.clear()
            self._keys.clear()
            self._lines.clear()
            self._bytes = self.line_bytes = 0


def _weight(caller: Caller) -> int:
    """Estimate the bytes that a caller takes; claims stand in the headers as well, at about the same size."""
    credential = caller.credential
    lines = credential.principal.lines if isinstance(credential, Recognised) else b""
    return _OVERHEAD + len(caller.me) + 2 * len(lines)
