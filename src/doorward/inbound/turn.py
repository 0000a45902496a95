"""Taking connections from a socket, one at a time.

The event loops take all that wait in one go, so that of several workers one may get a whole burst of long-lived
connections while the others stand idle. Here each takes one, and the next after it has served what it has: whoever is
idle comes first. And out of file descriptors, uvloop closes whoever comes, without a word; here they wait in the
kernel's queue until there is room, and the log says so.
"""

import asyncio
import logging
import socket
from collections.abc import Callable

from doorward.inbound.listen import Listener

BREATH_SECONDS = 0.1
EPISODE_SECONDS = 60.0

log = logging.getLogger("doorward.inbound")


class Turn:
    """The taking of connections of one listener, from now until `close`.

    `make_room` is called when there are no descriptors for another, to close those that can be spared.
    """

    def __init__(
        self, listener: Listener, protocol: Callable[[], asyncio.BaseProtocol], make_room: Callable[[], None]
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._make_room = make_room
        self._loop = asyncio.get_running_loop()
        self._arriving: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._exhausted_until = 0.0  # failures before this belong to the episode that is in the log
        self._resume()

    def close(self) -> None:
        """Take no more connections, and let the socket go."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listener.socket.fileno())
            self._listener.socket.close()

    def _resume(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener.socket.fileno(), self._take)

    def _take(self) -> None:
        try:
            connection, _ = self._listener.socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # somebody else's turn, or a client that has left already
        except OSError as error:
            # Out of file descriptors or memory: the socket stays readable, and asking on would be a busy loop.
            self._tell(error)
            self._make_room()
            self._loop.remove_reader(self._listener.socket.fileno())
            self._loop.call_later(BREATH_SECONDS, self._resume)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._adopt(connection))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    def _tell(self, error: OSError) -> None:
        now = self._loop.time()
        if now > self._exhausted_until:
            log.error(
                "listener.exhausted", extra={"facts": {"listener": self._listener.name, "reason": error.strerror}}
            )
        self._exhausted_until = now + EPISODE_SECONDS

    async def _adopt(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection, ssl=self._listener.tls)
        except OSError:  # a TLS handshake that came to nothing, among others
            connection.close()
