"""The OAuth endpoints for platform tokens: introspection (RFC 7662), revocation (RFC 7009), public keys (RFC 7517).

An app asks about the same token again and again, so what was answered is remembered as bytes (`accounts/memory.py`),
and whoever asks in the plainest form is answered without another look at the database. Every other form, and whatever
is not remembered, goes the long way; both ways say the same.
"""

import hashlib
import math
import re
from collections.abc import Callable

from doorward.accounts.clients import is_client
from doorward.accounts.memory import MAX_AGE, Filling, Kept
from doorward.accounts.nouns import Presented, Registration
from doorward.accounts.registrations import refuse_unadmitted
from doorward.accounts.tokens import PLATFORM_AUDIENCE, TokenOffice, digest_of, revoke_pair
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
from doorward.exchange.envelope import JSON, answer_json
from doorward.exchange.login import origin_of
from doorward.exchange.messages import FORM, read_form
from doorward.identity.visit import Visit
from doorward.inbound.door import Reply
from doorward.keys.ring import KeyRing
from doorward.store import Store

_INACTIVE: dict[str, object] = {"active": False}
# No character in it that a form would encode, so the bytes are the token.
_PLAIN = re.compile(rb"token=([0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+)?)(?:&token_type_hint=[a-z_]+)?")


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
        return self._remembered(visit, body) or await self._looked_up(visit, body)

    def _remembered(self, visit: Visit, body: bytes) -> Reply | None:
        """Answer from memory, or not at all."""
        asked, credentials, is_form = _PLAIN.fullmatch(body), None, False
        for name, value in visit.raw_headers:
            if name == b"authorization":
                if credentials is not None:
                    return None
                credentials = value
            elif name == b"content-type":
                if is_form or value != FORM:
                    return None
                is_form = True
        if asked is None or credentials is None or not is_form:
            return None
        kept = self._office.memory.find(_digest(credentials), _digest(asked[1]))
        if kept is None or not self._still_rests(kept.grounds):
            return None
        return Reply(200, kept.answer, JSON)

    def _still_rests(self, grounds: tuple[object, ...]) -> bool:
        """Say whether what an answer rests on, beside the tables that the memory follows, is what it was."""
        registration, generation, rules = grounds
        return (
            isinstance(registration, Registration)
            and self._find_registration(registration.client_id) is registration
            and generation == self._ring.generation
            and rules is self._office.rules
        )

    async def _looked_up(self, visit: Visit, body: bytes) -> Reply:
        with self._office.memory.filling() as filling:
            generation = self._ring.generation
            await self._authenticate_client(visit, filling)
            token = _token_of(visit, body)
            try:
                presented, audience = await self._office.read_either(token)
                self._office.refuse_dead(presented)
            except DoorwardError as refusal:
                if refusal.row is not INVALID_ACCESS_TOKEN:
                    raise
                return answer_json(_INACTIVE)
            registration = self._admitted(presented)
            if registration is None:
                return answer_json(_INACTIVE)
            reply = answer_json(self._described(presented, audience))
            grounds = (registration, generation, self._office.rules)
            until = self._good_until(presented, audience)
            kept = Kept(answer=reply.body, user_id=presented.user.id, until=until, grounds=grounds)
            self._office.memory.keep(filling, digest_of(token), kept)
            return reply

    def _good_until(self, presented: Presented, audience: str) -> float:
        """Give until when the answer may be given again: no token is remembered beyond any of its ends.

        What counts only by the grace of strict rotation is not remembered at all.
        """
        if self._office.rules.strict_rotation and presented.newest_generation > presented.pair_generation:
            return -math.inf
        is_platform = audience == PLATFORM_AUDIENCE
        ends = presented.platform_expires_at if is_platform else int(presented.access_expires_at)
        return min(ends, presented.family_expires_at, self._clock.now() + MAX_AGE)

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
            self._office.memory.forget_user(presented.user.id)
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

    async def _authenticate_client(self, visit: Visit, filling: Filling | None = None) -> None:
        """Refuse whoever is no client; with a `filling` it may be remembered that these credentials are good."""
        found = authorization(visit)
        if found is None or found[0] != b"basic":
            raise DoorwardError(INVALID_CLIENT, reason="no Basic credentials")
        key = _digest(visit.header(b"authorization") or b"")
        if filling is not None and self._office.memory.knows_client(key):
            return
        client_id, secret = basic_text(found[1])
        if not await is_client(self._store, client_id, secret):
            raise DoorwardError(INVALID_CLIENT, reason="unknown client or wrong secret")
        if filling is not None:
            self._office.memory.keep_client(filling, key)

    def _admitted(self, presented: Presented) -> Registration | None:
        """Give the registration that lets the token count, or None where it, user or organization do not."""
        try:
            registration = refuse_unadmitted(self._find_registration(presented.client_id), presented)
        except DoorwardError:
            return None
        return registration if presented.user.enabled and presented.organization_enabled else None

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


def _digest(presented: bytes) -> bytes:
    """Give the key under which something presented is remembered; of a token it is that of `digest_of`."""
    return hashlib.sha256(presented).digest()


def _token_of(visit: Visit, body: bytes) -> str:
    token = read_form(visit, body).get("token")
    if token is None:
        raise DoorwardError(INVALID_REQUEST, reason="the parameter token is missing")
    return token
