"""The standard door to the exchange: OAuth 2.0 Token Exchange (RFC 8693), the same checks and the same code.

Owns the parameters of the grant. What we do not support is refused and never copied into a token: no audience or
resource, no scope, no actor (token-exchange reference 3.2).
"""

from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import INVALID_REQUEST, INVALID_TARGET, UNSUPPORTED_GRANT_TYPE
from doorward.exchange.envelope import answer_json
from doorward.exchange.login import Login
from doorward.exchange.messages import read_form
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
SUBJECT_TYPES = ("urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt")
NOT_TAKEN = {
    "audience": INVALID_TARGET,
    "resource": INVALID_TARGET,
    "scope": INVALID_REQUEST,
    "actor_token": INVALID_REQUEST,
    "actor_token_type": INVALID_REQUEST,
}
_PRAGMA = (b"pragma", b"no-cache")  # RFC 6749 section 5.1 asks for it beside Cache-Control


@frozen
class TokenExchange:
    """What the grant asks: the e-mail is the token's own, and everything optional is as when it is left out."""

    azure_ad_token: str
    email: None = None
    full_name: None = None
    auto_create: bool = True
    organization_id: None = None
    nonce: None = None
    unknown_fields: int = 0


def read_token_exchange(visit: Visit, body: bytes) -> TokenExchange:
    """Read the form of the grant.

    Raises `DoorwardError`: `unsupported_grant_type`, `invalid_target`, `invalid_request`.
    """
    form = read_form(visit, body)
    if "grant_type" not in form:
        raise DoorwardError(INVALID_REQUEST, reason="grant_type is missing")
    if form["grant_type"] != GRANT:
        raise DoorwardError(UNSUPPORTED_GRANT_TYPE)
    for name, row in NOT_TAKEN.items():
        if name in form:
            raise DoorwardError(row, reason=f"{name} is not supported")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise DoorwardError(INVALID_REQUEST, reason="requested_token_type is not an access token")
    if form.get("subject_token_type") not in SUBJECT_TYPES:
        raise DoorwardError(INVALID_REQUEST, reason="subject_token_type is not an id_token")
    if "subject_token" not in form:
        raise DoorwardError(INVALID_REQUEST, reason="subject_token is missing")
    return TokenExchange(azure_ad_token=form["subject_token"])


class TokenEndpoint:
    """The handler of `/auth-service/oauth2/token`."""

    def __init__(self, login: Login, clock: Clock, platform_token_name: str) -> None:
        """Exchange through `login`; the opaque token is given under `platform_token_name`."""
        self._login = login
        self._clock = clock
        self._platform_token_name = platform_token_name

    async def token(self, visit: Visit, body: bytes) -> Reply:
        """Answer one token request (RFC 8693 section 2.2.1)."""
        _, pair = await self._login.exchange(visit, read_token_exchange, body)
        answer = answer_json(
            {
                "access_token": pair.access_token,
                "issued_token_type": ACCESS_TOKEN,
                "token_type": "Bearer",
                "expires_in": max(0, int(pair.access_expires_at) - int(self._clock.now())),
                self._platform_token_name: pair.platform_token,
            }
        )
        return Reply(answer.status, answer.body, (*answer.headers, _PRAGMA))
