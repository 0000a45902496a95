"""How a token is refused: the check that refused it, the kind of fault, and a reason in words.

Every check has a name and a sentence that `doorward explain` can print, and stands in a list in the order in which it
is made. What a fault means on the wire (code, status) is decided by the room that asked, since the exchange and the
gateway answer the same fault differently.
"""

from enum import Enum

from doorward.base.frozen import frozen


class Fault(Enum):
    """What is wrong with a token, as far as anybody outside needs to know."""

    INVALID = "invalid"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUER = "issuer"
    AUDIENCE = "audience"


@frozen
class Check:
    """One check of a token: its name, what it demands, and the source of the rule."""

    name: str
    demands: str
    source: str


class TokenRefused(Exception):
    """A check refused a token.

    `reason` is for the log and for `doorward explain`: it names claims and rules, and never quotes the token's
    signature. `facts` are identifiers that the log and the audit trail may keep.
    """

    def __init__(self, check: Check, reason: str, fault: Fault = Fault.INVALID, **facts: str) -> None:
        """Refuse by `check` because of `reason`."""
        super().__init__(reason)
        self.check = check
        self.reason = reason
        self.fault = fault
        self.facts = facts
