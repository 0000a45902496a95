"""Whether somebody is still signed in who opened something that lasts, such as a WebSocket.

A request is judged when it comes. What goes on after it is looked at again from time to time: by the credential that it
came with, else by the session that this was of, since a refresh may have replaced a cookie or a token meanwhile.
"""

from typing import final

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.identity.admission import Recognised
from doorward.identity.visit import Visit
from doorward.sessions.desk import SessionDesk
from doorward.sessions.gate import Gate


@final
class Lasting:
    """Looks again at who came."""

    def __init__(self, gate: Gate, desk: SessionDesk, clock: Clock) -> None:
        """Ask `gate` about credentials, and `desk` about sessions."""
        self._gate = gate
        self._desk = desk
        self._clock = clock

    def session_of(self, visit: Visit) -> str:
        """Give the id of the session that a visit just came with, empty where it is none of ours."""
        caller = self._gate.recognise_now(visit)
        return "" if caller is None or caller.session is None else caller.session.id

    def is_known(self, visit: Visit) -> bool:
        """Say whether memory knows that the credential of a visit still counts; never waits."""
        caller = self._gate.recognise_now(visit)
        return caller is not None and isinstance(caller.credential, Recognised)

    async def lasts(self, visit: Visit, session_id: str) -> bool:
        """Say whether somebody is still signed in who came with `visit`, by the session `session_id` if by any.

        True as long as nobody can be asked: a database that is away ends no session.
        """
        try:
            caller = await self._gate.recognise(visit)
            if isinstance(caller.credential, Recognised):
                return True
            session = await self._desk.find_by_id(session_id) if session_id else None
        except DoorwardError:
            return True
        return session is not None and self._clock.now() < session.expires_at
