"""The OAuth endpoints for platform tokens: introspection (RFC 7662), revocation (RFC 7009), public keys (RFC 7517)."""

from collections.abc import Callable

from doorward.accounts.clients import is_client
from doorward.accounts.nouns import Presented, Registration
from doorward.accounts.registrations import refuse_unadmitted
from doorward.accounts.tokens import TokenOffice, revoke_pair
from doorward.base.clock import Clock
from doorward.base.errors import DoorwardError
from doorward.base.refusals import (
    AUTHENTICATION_REQUIRED,
    INVALID_ACCESS_TOKEN,
    INVALID_CLIENT,
    INVALID_REQUEST,
    STORE_UNAVAILABLE,
)
from doorward.exchange.credentials import authorization, basic_text, bearer_text
from doorward.exchange.envelope import answer_json
from doorward.exchange.login import origin_of
from doorward.exchange.messages import read_form
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from doorward.keys.ring import KeyRing
from doorward.store import Store

_INACTIVE: dict[str, object] = {"active": False}


class OAuth:
    """The handlers below `/auth-service/oauth2`."""

    def __init__(
        self,
        store: Store,
        office: TokenOffice,
        ring: KeyRing,
        clock: Clock,
        find_registration: Callable[[str], Registration | None],
    ) -> None:
        """Read tokens through `office`; `find_registration` gives an enabled registration by client ID."""
        self._store = store
        self._office = office
        self._ring = ring
        self._clock = clock
        self._find_registration = find_registration

    async def introspect(self, visit: Visit, body: bytes) -> Reply:
        """Tell an authenticated resource server whether a token of either kind holds, and whose it is (RFC 7662)."""
        await self._authenticate_client(visit)
        token = _token_of(visit, body)
        try:
            presented, audience = await self._office.read_either(token)
            self._office.refuse_dead(presented)
        except DoorwardError as refusal:
            if refusal.row is not INVALID_ACCESS_TOKEN:
                raise
            return answer_json(_INACTIVE)
        if not self._is_in_force(presented):
            return answer_json(_INACTIVE)
        return answer_json(self._described(presented, audience))

    async def revoke(self, visit: Visit, body: bytes) -> Reply:
        """Revoke a token and its pair (RFC 7009).

        A client may revoke any token, a bearer those of its own user; for anything else the answer is the same 200, so
        that nobody learns whether a token exists.
        """
        owner = await self._caller(visit)
        token = _token_of(visit, body)
        try:
            presented, _ = await self._office.read_either(token)
        except DoorwardError as refusal:
            if refusal.row is STORE_UNAVAILABLE:
                raise
            return answer_json({})
        if owner is None or owner == presented.user.id:
            now, origin = self._clock.now(), origin_of(visit)
            await self._store.write(lambda cursor: revoke_pair(cursor, presented, now, origin))
        return answer_json({})

    async def jwks(self, _visit: Visit, _body: bytes) -> Reply:
        """Publish the public keys; an empty set while signing is symmetric."""
        return answer_json({"keys": self._ring.public_keys()})

    async def _caller(self, visit: Visit) -> int | None:
        """Give the user whose bearer calls, or None for a client; raises `DoorwardError` for nobody."""
        found = authorization(visit)
        if found is None or found[0] not in {b"bearer", b"basic"}:
            raise DoorwardError(AUTHENTICATION_REQUIRED)
        if found[0] == b"basic":
            await self._authenticate_client(visit)
            return None
        presented = await self._office.read_access_token(bearer_text(found[1]))
        self._office.refuse_dead(presented)
        return presented.user.id

    async def _authenticate_client(self, visit: Visit) -> None:
        found = authorization(visit)
        if found is None or found[0] != b"basic":
            raise DoorwardError(INVALID_CLIENT, reason="no Basic credentials")
        client_id, secret = basic_text(found[1])
        if not await is_client(self._store, client_id, secret):
            raise DoorwardError(INVALID_CLIENT, reason="unknown client or wrong secret")

    def _is_in_force(self, presented: Presented) -> bool:
        """Say whether user, organization and registration let the token count."""
        registration = self._find_registration(presented.client_id)
        try:
            refuse_unadmitted(registration, presented)
        except DoorwardError:
            return False
        return presented.user.enabled and presented.organization_enabled

    def _described(self, presented: Presented, audience: str) -> dict[str, object]:
        is_platform = audience != "auth-service"
        expires = presented.platform_expires_at if is_platform else presented.access_expires_at
        return {
            "active": True,
            "iss": self._office.rules.issuer,
            "sub": str(presented.user.id),
            "aud": audience,
            "client_id": presented.client_id,
            "username": presented.user.email,
            "token_type": "bearer",
            "iat": int(presented.issued_at),
            "exp": int(expires),
        }


def _token_of(visit: Visit, body: bytes) -> str:
    token = read_form(visit, body).get("token")
    if token is None:
        raise DoorwardError(INVALID_REQUEST, reason="the parameter token is missing")
    return token
