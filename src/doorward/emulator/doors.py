"""The doors of pretend providers of OAuth 2 and OpenID Connect: which module answers at which."""

from doorward.emulator import authorize, leave, redeem
from doorward.emulator.pretend import Spot
from doorward.emulator.rules import OAuthRules
from doorward.emulator.web import Ask, Reply


class OAuthProvider(OAuthRules):
    """A pretend provider whose doors are those of OAuth 2 or OpenID Connect."""

    def answer(self, ask: Ask, spot: Spot) -> Reply:
        """Answer at a door; raises `Refused`."""
        match spot.door:
            case "authorize":
                return authorize.answer(self, ask, spot.realm)
            case "token":
                return redeem.answer(self, ask, spot.realm)
            case "end_session":
                return leave.answer(self, ask)
            case _:
                return redeem.profile(self, ask)
