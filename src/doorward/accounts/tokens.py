"""Platform tokens: issuing, reading, refreshing, revoking (token-exchange reference 3.1, 3.3, 3.4, 3.9).

An exchange begins a family that ends at a fixed time; a refresh adds a pair. Every request checks the stored record,
not only the signature, so that a revocation counts at once. Only digests of opaque tokens are stored.
"""

import hashlib
import re

import msgspec

from doorward.accounts.audit import Subject, record
from doorward.accounts.memory import TokenMemory
from doorward.accounts.nouns import Origin, Presented, TokenPair
from doorward.base.clock import Clock
from doorward.base.entropy import Entropy, opaque_token, ordered_id
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import INVALID_ACCESS_TOKEN
from doorward.keys.ring import KeyRing
from doorward.protocol.signing import NotOurs
from doorward.store import Append, Cursor, Store, token_changes, tokens
from doorward.store.common_time import CommonTime

ACCESS_AUDIENCE = "auth-service"
PLATFORM_AUDIENCE = "platform"
MAX_JWT = 4096
CLOCK_ALLOWANCE = 300.0
"""How far ahead the clock of the replica that issued a token may be. Only our own records count as tokens, so `nbf`
adds nothing to them; what lies further ahead tells of a clock that is wrong.
"""
_OPAQUE = re.compile(r"[0-9a-f]{64}")


@frozen
class TokenRules:
    """What the settings say of platform tokens; lifetimes and the grace window in seconds."""

    issuer: str
    access_lifetime: float
    platform_lifetime: float
    family_lifetime: float
    strict_rotation: bool
    refresh_grace: float


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of the JWT, in the order in which they are written; times are whole seconds."""

    iss: str
    sub: str
    aud: str
    client_id: str
    iat: int
    nbf: int
    exp: int
    jti: str
    family_id: str
    token_use: str


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a family is issued, and through which identity."""

    user_id: int
    organization_id: int
    registration_id: int
    client_id: str
    cloud: str
    tid: str
    oid: str


class TokenOffice:
    """Issues platform tokens and reads those that are presented."""

    def __init__(
        self,
        store: Store,
        ring: KeyRing,
        clock: Clock,
        entropy: Entropy,
        rules: TokenRules,
        common_time: CommonTime | None = None,
        memory: TokenMemory | None = None,
    ) -> None:
        """Work on `store` with the keys of `ring`, by `rules`; without `common_time` all processes share one clock.

        Without a `memory` that somebody keeps true nothing is remembered.
        """
        self._store = store
        self._ring = ring
        self._clock = clock
        self._entropy = entropy
        self.rules = rules
        self.common_time = common_time or CommonTime(store, clock)
        self.memory = memory or TokenMemory(store, clock)

    def issue(self, owner: Owner, now: float) -> tuple[TokenPair, list[Append]]:
        """Make a family with its first pair: the tokens, and the rows to store before they are given away."""
        family_id = ordered_id(self._entropy, now)
        ends = now + self.rules.family_lifetime
        family = (
            family_id,
            owner.user_id,
            owner.registration_id,
            owner.client_id,
            owner.cloud,
            owner.tid,
            owner.oid,
            owner.organization_id,
            1,
            now,
            ends,
        )
        pair, row = self._pair(family_id, 1, owner.user_id, owner.client_id, ends, now)
        return pair, [(tokens.ADD_FAMILY, family), row]

    def next_pair(self, presented: Presented, generation: int, now: float) -> tuple[TokenPair, Append]:
        """Make a further pair of the family that was presented; the row must be stored before it is given away."""
        ends = presented.family_expires_at
        return self._pair(presented.family_id, generation, presented.user.id, presented.client_id, ends, now)

    async def read_access_token(self, token: str) -> Presented:
        """Give what stands behind a JWT.

        Raises `DoorwardError` (`invalid_access_token`) unless we signed it, its times hold, and its record is neither
        revoked nor rotated away. Whether the user and the organization are enabled is the caller's question.
        """
        claims = await self._open(token)
        now = self._clock.now()
        if claims.iss != self.rules.issuer or claims.aud != ACCESS_AUDIENCE or claims.token_use != "access":
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="made for another use")
        if not claims.nbf <= now + CLOCK_ALLOWANCE or now >= claims.exp:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="outside its times")
        row = await self._store.find(tokens.BY_PAIR, claims.jti)
        presented = None if row is None else Presented.of(row)
        if presented is None or now >= presented.access_expires_at:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="no record, or expired")
        return presented

    async def read_platform_token(self, token: str) -> Presented:
        """Give what stands behind an opaque token; raises as `read_access_token` does."""
        if _OPAQUE.fullmatch(token) is None:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="not an opaque token")
        digest = digest_of(token)
        row = await self._store.find(tokens.BY_PLATFORM_DIGEST, digest)
        presented = None if row is None else Presented.of(row)
        if presented is None or self._clock.now() >= presented.platform_expires_at:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="no record, or expired")
        return presented

    async def read_either(self, token: str) -> tuple[Presented, str]:
        """Give what stands behind a token of either kind, and the audience of that kind; raises as above."""
        if _OPAQUE.fullmatch(token) is not None:
            return await self.read_platform_token(token), PLATFORM_AUDIENCE
        return await self.read_access_token(token), ACCESS_AUDIENCE

    def refuse_dead(self, presented: Presented) -> None:
        """Refuse a token that was revoked, or rotated away; raises `DoorwardError` (`invalid_access_token`)."""
        if presented.pair_revoked_at is not None or presented.family_revoked_at is not None:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="revoked")
        if self._clock.now() >= presented.family_expires_at:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="the family has ended")
        if self.rules.strict_rotation and not self._is_current(presented):
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="rotated away")

    def _is_current(self, presented: Presented) -> bool:
        behind = presented.newest_generation - presented.pair_generation
        return behind <= 0 or (behind == 1 and self.is_within_grace(presented))

    def is_within_grace(self, presented: Presented) -> bool:
        """Say whether the newest generation was made so recently that the one before it still counts.

        Another replica may have made it, so both times are of the clock that all share.
        """
        now = self.common_time.of(self._clock.now())
        return presented.rotated_at is not None and now < presented.rotated_at + self.rules.refresh_grace

    async def _open(self, token: str) -> AccessClaims:
        if len(token) > MAX_JWT:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="too long")
        try:
            return msgspec.json.decode(await self._ring.open(token), type=AccessClaims)
        except (NotOurs, msgspec.ValidationError) as error:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason=str(error)) from error

    def _pair(
        self, family_id: str, generation: int, user_id: int, client_id: str, ends: float, now: float
    ) -> tuple[TokenPair, Append]:
        pair_id, platform_token = ordered_id(self._entropy, now), opaque_token(self._entropy)
        # No token outlives its family.
        access_ends = min(now + self.rules.access_lifetime, ends)
        platform_ends = min(now + self.rules.platform_lifetime, ends)
        claims = AccessClaims(
            iss=self.rules.issuer,
            sub=str(user_id),
            aud=ACCESS_AUDIENCE,
            client_id=client_id,
            iat=int(now),
            nbf=int(now),
            exp=int(access_ends),
            jti=pair_id,
            family_id=family_id,
            token_use="access",
        )
        pair = TokenPair(
            access_token=self._ring.sign(msgspec.json.encode(claims)),
            platform_token=platform_token,
            access_expires_at=access_ends,
            platform_expires_at=platform_ends,
        )
        row = (pair_id, family_id, generation, digest_of(platform_token), now, access_ends, platform_ends)
        return pair, (tokens.ADD_PAIR, row)


def digest_of(token: str) -> bytes:
    """Give the SHA-256 under which a token is stored."""
    return hashlib.sha256(token.encode()).digest()


async def revoke_pair(cursor: Cursor, presented: Presented, now: float, origin: Origin) -> None:
    """Revoke one pair: the token that was named and the one that was given away with it."""
    if await cursor.run(tokens.REVOKE_PAIR, presented.pair_id, now):
        await token_changes.note_user(cursor, presented.user.id)
        await _audit_revocation(cursor, presented, now, origin, "pair")


async def revoke_family(cursor: Cursor, presented: Presented, now: float, origin: Origin) -> None:
    """Revoke the family that a token belongs to."""
    if await cursor.run(tokens.REVOKE_FAMILY, presented.family_id, now):
        await token_changes.note_user(cursor, presented.user.id)
        await _audit_revocation(cursor, presented, now, origin, "family")


async def revoke_all_of_user(cursor: Cursor, user_id: int, now: float, origin: Origin) -> int:
    """Revoke every family of a user; gives how many there were."""
    count = await cursor.run(tokens.REVOKE_OF_USER, user_id, now)
    if count:
        await token_changes.note_user(cursor, user_id)
        insert, row = record("token.revoked", now, origin, Subject(user_id=user_id), detail=f"all families: {count}")
        await cursor.insert(insert, *row)
    return count


async def _audit_revocation(cursor: Cursor, presented: Presented, now: float, origin: Origin, what: str) -> None:
    insert, row = record("token.revoked", now, origin, subject_of(presented), detail=f"{what} of {presented.family_id}")
    await cursor.insert(insert, *row)


def subject_of(presented: Presented) -> Subject:
    """Give what audit records about a platform token speak of."""
    return Subject(
        client_id=presented.client_id,
        cloud=presented.cloud,
        tid=presented.tid,
        oid=presented.oid,
        user_id=presented.user.id,
        organization_id=presented.user.organization_id,
    )
