"""`/.auth/me`: what is known of the caller, and the provider's tokens (easy-auth reference 4).

The body is made once for a session and then only sent. Refuses whoever is not signed in, unless the settings ask for an
empty list (interface section 7).
"""

from urllib.parse import parse_qsl

from doorward.base.errors import DoorwardError
from doorward.base.refusals_easyauth import SIGN_IN_REQUIRED, TOKEN_STORE_OFF
from doorward.identity.admission import Bad, Recognised
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply, Route
from doorward.providers import by_alias
from doorward.sessions.gate import Gate
from doorward.sessions.session import Caller

JSON_HEADERS = (
    (b"content-type", b"application/json; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
MOST_PARAMETERS = 16
_NOBODY = Reply(200, b"[]", JSON_HEADERS)


class Me:
    """Answers `/.auth/me`."""

    def __init__(self, gate: Gate, *, has_token_store: bool, anonymous_is_empty: bool) -> None:
        """Ask `gate`; `anonymous_is_empty` is `easyauth.me_when_anonymous = "empty"`."""
        self._gate = gate
        self._has_token_store = has_token_store
        self._anonymous_is_empty = anonymous_is_empty

    def routes(self, prefix: str) -> list[Route]:
        """Give the route below `httpSettings.routes.apiPrefix`."""
        return [Route(method="GET", path=f"{prefix}/me", handler=self.answer)]

    async def answer(self, visit: Visit, _body: bytes) -> Reply:
        """Answer one request; raises `DoorwardError`: `token_store_off`, `sign_in_required`, and as `Gate` refuses."""
        if not self._has_token_store:
            raise DoorwardError(TOKEN_STORE_OFF)
        caller = self._gate.recognise_now(visit) or await self._gate.recognise(visit)
        credential = caller.credential
        if isinstance(credential, Recognised):
            if visit.query and not _is_asked_for(visit.query, credential.principal.idp):
                return _NOBODY
            return Reply(200, caller.me, JSON_HEADERS)
        if self._anonymous_is_empty and not isinstance(credential, Bad):
            return _NOBODY
        raise refusal_of(caller)


def refusal_of(caller: Caller) -> DoorwardError:
    """Give the refusal of a caller who is not recognised."""
    if isinstance(caller.credential, Bad):
        return DoorwardError(caller.credential.row, **dict(caller.credential.facts))  # pyright: ignore[reportArgumentType] - facts of another error
    return DoorwardError(SIGN_IN_REQUIRED)


def _is_asked_for(query: str, provider: str) -> bool:
    """Say whether the caller's provider is among those that `?provider=` names; without it all are."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        return False
    asked = [value for name, value in pairs if name == "provider"]
    return not asked or any(_is_named(value, provider) for value in asked)


def _is_named(text: str, provider: str) -> bool:
    known = by_alias(text)
    return provider == (text if known is None else known.name) or text.lower() == provider.lower()
