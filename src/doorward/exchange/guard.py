"""What every request to the token service must satisfy before its endpoint looks at it.

HTTPS, where the public address is https: (refused, never redirected: whatever was sent has been readable on the way),
and, where the settings ask for it, the gateway's subscription key (token-exchange reference 1.2).
"""

import hmac

from doorward.base.errors import DoorwardError
from doorward.base.refusals import HTTPS_REQUIRED, INVALID_SUBSCRIPTION_KEY
from doorward.base.secret import Secret
from doorward.identity.visit import Visit
from doorward.inbound.door import Handler, Refuse, Reply

SUBSCRIPTION_HEADER = b"ocp-apim-subscription-key"


class Guard:
    """Wraps handlers."""

    def __init__(self, *, requires_https: bool, subscription_key: Secret) -> None:
        """Demand HTTPS and, unless it is empty, the key."""
        self._requires_https = requires_https
        self._key = subscription_key.reveal().encode()

    @property
    def wants_key(self) -> bool:
        """Say whether closed endpoints want the subscription key."""
        return bool(self._key)

    def open(self, handler: Handler) -> Handler:
        """Guard an endpoint that anybody may read."""

        async def guarded(visit: Visit, body: bytes) -> Reply:
            self._check_scheme(visit)
            return await handler(visit, body)

        return guarded if self._requires_https else handler

    def closed(self, handler: Handler) -> Handler:
        """Guard an endpoint that also wants the subscription key; plain HTTP never tells whether a key is good."""

        async def guarded(visit: Visit, body: bytes) -> Reply:
            self._check_key(visit)
            return await handler(visit, body)

        return self.open(guarded if self._key else handler)

    def words(self, refuse: Refuse) -> Refuse:
        """Give the words for refusals: to a plain request there is only one, whatever else is wrong with it."""

        def refused(visit: Visit, error: DoorwardError) -> Reply:
            return refuse(visit, error if visit.scheme == "https" else DoorwardError(HTTPS_REQUIRED))

        return refused if self._requires_https else refuse

    def _check_scheme(self, visit: Visit) -> None:
        if visit.scheme != "https":
            raise DoorwardError(HTTPS_REQUIRED)

    def _check_key(self, visit: Visit) -> None:
        if not hmac.compare_digest(visit.header(SUBSCRIPTION_HEADER) or b"", self._key):
            raise DoorwardError(INVALID_SUBSCRIPTION_KEY)
