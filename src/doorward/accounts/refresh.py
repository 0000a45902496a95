"""Refreshing: a new pair for a living family (token-exchange reference 1.9 and 3.9).

`off` keeps the old pair valid until its own expiry, as the contract promises; `strict` is the rotation of RFC 9700 with
a grace window, in which a second refresh with the same generation gets a fresh pair of the same next generation, and
with reuse detection, which ends the whole family. The registration, the tenant, the user and the organization are
checked again at every refresh: forgetting that lets a leaver refresh for ever.
"""

from collections.abc import Callable

from doorward.accounts.audit import record
from doorward.accounts.nouns import Origin, Presented, Registration, TokenPair
from doorward.accounts.registrations import refuse_unadmitted
from doorward.accounts.tokens import TokenOffice, revoke_family, subject_of
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import (
    AUDIENCE_MISMATCH,
    INVALID_ACCESS_TOKEN,
    ORGANIZATION_DISABLED,
    REFRESH_NOT_ALLOWED,
    USER_DISABLED,
)
from doorward.store import Cursor, Store, registrations, token_changes, tokens


@frozen(kw_only=False)
class _Reused:
    """A generation that was rotated away was presented again."""


class RefreshDesk:
    """Gives new pairs for old ones."""

    def __init__(
        self, store: Store, office: TokenOffice, find_registration: Callable[[str], Registration | None]
    ) -> None:
        """Work on `store`; `find_registration` gives an enabled registration by client ID."""
        self._store = store
        self._office = office
        self._find_registration = find_registration

    async def refresh(self, token: str, now: float, origin: Origin) -> tuple[Presented, TokenPair]:
        """Give a new pair for an access token.

        Raises `DoorwardError`: `invalid_access_token`, `user_disabled`, `organization_disabled`, `audience_mismatch`,
        `tenant_not_allowed`, `refresh_not_allowed`.
        """
        presented = await self._office.read_access_token(token)
        if presented.pair_revoked_at is not None or presented.family_revoked_at is not None:
            raise await self._store.read(lambda cursor: _revoked(cursor, presented))
        self._recheck(presented)
        outcome = await self._store.write(lambda cursor: self._rotate(cursor, presented, now, origin))
        if self._office.rules.strict_rotation:
            self._office.memory.forget_user(presented.user.id)
        if isinstance(outcome, _Reused):
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="a rotated generation was used again", family="revoked")
        return presented, outcome

    def _recheck(self, presented: Presented) -> None:
        refuse_suspended_owner(presented)
        registration = refuse_unadmitted(self._find_registration(presented.client_id), presented)
        if not registration.refresh:
            raise DoorwardError(REFRESH_NOT_ALLOWED, client_id=presented.client_id)

    async def _rotate(self, cursor: Cursor, presented: Presented, now: float, origin: Origin) -> TokenPair | _Reused:
        await cursor.one(tokens.LOCK_FAMILY, presented.family_id)
        row = await cursor.one(tokens.BY_PAIR, presented.pair_id)
        if row is None:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="deleted meanwhile")
        current = Presented.of(row)
        if current.pair_revoked_at is not None or current.family_revoked_at is not None:
            raise await _revoked(cursor, current)
        if now >= current.family_expires_at:
            raise DoorwardError(INVALID_ACCESS_TOKEN, reason="the family has ended")
        if self._office.rules.strict_rotation and self._is_reuse(current):
            await self._end_reused(cursor, current, now, origin)
            return _Reused()
        return await self._add_pair(cursor, current, now, origin)

    def _is_reuse(self, current: Presented) -> bool:
        behind = current.newest_generation - current.pair_generation
        return behind > 1 or (behind == 1 and not self._office.is_within_grace(current))

    async def _add_pair(self, cursor: Cursor, current: Presented, now: float, origin: Origin) -> TokenPair:
        generation = current.pair_generation + 1
        rotated_at = self._office.common_time.of(now)
        await cursor.run(tokens.ADVANCE, current.family_id, generation, rotated_at, current.pair_generation)
        pair, (insert, row) = self._office.next_pair(current, generation, now)
        await cursor.insert(insert, *row)
        if self._office.rules.strict_rotation:
            await token_changes.note_user(cursor, current.user.id)
        insert, row = record("token.refreshed", now, origin, subject_of(current))
        await cursor.insert(insert, *row)
        return pair

    async def _end_reused(self, cursor: Cursor, current: Presented, now: float, origin: Origin) -> None:
        insert, row = record("token.reuse_detected", now, origin, subject_of(current))
        await cursor.insert(insert, *row)
        await revoke_family(cursor, current, now, origin)


async def _revoked(cursor: Cursor, presented: Presented) -> DoorwardError:
    """Say why a revoked token is refused: with its registration gone, that is the more helpful reason.

    The database is asked, since this process may not have heard yet of the removal that revoked it.
    """
    if await cursor.one(registrations.IS_ENABLED, presented.registration_id) is None:
        return DoorwardError(AUDIENCE_MISMATCH, client_id=presented.client_id)
    return DoorwardError(INVALID_ACCESS_TOKEN, reason="revoked")


def refuse_suspended_owner(presented: Presented) -> None:
    """Refuse the token of a disabled user or organization; raises `DoorwardError`."""
    if not presented.user.enabled:
        raise DoorwardError(USER_DISABLED, user_id=presented.user.id)
    if not presented.organization_enabled:
        raise DoorwardError(ORGANIZATION_DISABLED, organization_id=presented.user.organization_id)
