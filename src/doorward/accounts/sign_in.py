"""The last steps of an exchange, all or nothing: user, link, tokens and audit record (token-exchange reference 1.7).

Somebody who has signed in before and of whom nothing has changed costs one read and one append, which the store
commits together with those of other people. Everything else is one transaction.
"""

import logging

from doorward.accounts.audit import record
from doorward.accounts.nouns import TokenPair, User
from doorward.accounts.resolve import SignIn, look_up_linked, refuse_suspended, resolve
from doorward.accounts.tokens import Owner, TokenOffice
from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import TOKEN_REPLAYED
from doorward.store import Append, Cursor, ForeignKeyViolation, Store, UniqueViolation, tokens

ATTEMPTS = 4
KEEP_SEEN = 360.0
"""For how many seconds after its `exp` a token stays known as used: the longest leeway that can be set, and a minute.

Not for the leeway of the moment, since a longer one that is read while the service runs makes expired tokens good
again.
"""
_log = logging.getLogger("doorward.accounts")


@frozen
class SignInRules:
    """What the settings say: `replay` is off, detect or reject."""

    replay: str
    default_organization: int


class SignInDesk:
    """Signs people in whose id_token has passed every check."""

    def __init__(self, store: Store, office: TokenOffice, rules: SignInRules) -> None:
        """Keep accounts in `store` and have tokens made by `office`."""
        self._store = store
        self._office = office
        self._rules = rules

    async def refuse_replay(self, digest: bytes) -> None:
        """Refuse a token that was exchanged before, where the settings say so, before any account is looked at.

        Two simultaneous uses both pass here; `sign_in` then lets exactly one of them succeed. Raises `DoorwardError`
        (`token_replayed`).
        """
        if self._rules.replay != "reject":
            return
        if await self._store.find(tokens.IS_SEEN, digest) is not None:
            raise DoorwardError(TOKEN_REPLAYED)

    async def sign_in(self, sign_in: SignIn, now: float) -> tuple[User, TokenPair]:
        """Give the user and the new tokens; everything is on disk when this returns. Raises as `resolve` does."""
        if self._rules.replay != "reject":
            linked = await look_up_linked(self._store, sign_in)
            if linked is not None and linked.is_as_last_seen:
                refuse_suspended(linked)
                pair = await self._append_tokens(sign_in, linked.user, now)
                if pair is not None:
                    return linked.user, pair
        return await self._settle(sign_in, now)

    async def _append_tokens(self, sign_in: SignIn, user: User, now: float) -> TokenPair | None:
        """Issue to a known user; None when the user was deleted at this very moment."""
        pair, rows = self._issue(sign_in, user, now)
        replay = self._seen_row(sign_in)
        try:
            inserted = await self._store.append([*rows, *replay])
        except ForeignKeyViolation:
            return None
        if replay and not inserted[-1]:
            await self._store.append([_replayed(sign_in, user, now)])
        return pair

    async def _settle(self, sign_in: SignIn, now: float) -> tuple[User, TokenPair]:
        """Resolve and issue in one transaction; whoever loses a race for a new account reads the winner's."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._store.write(lambda cursor: self._resolve_and_issue(cursor, sign_in, now))
            except UniqueViolation:
                _log.info("exchange.raced", extra={"facts": {"attempt": attempt}})
                if attempt == ATTEMPTS:
                    raise
        raise RuntimeError("unreachable: the last attempt returns or raises")

    async def _resolve_and_issue(self, cursor: Cursor, sign_in: SignIn, now: float) -> tuple[User, TokenPair]:
        user = await resolve(cursor, sign_in, now, self._rules.default_organization)
        pair, rows = self._issue(sign_in, user, now)
        for insert, row in rows:
            await cursor.insert(insert, *row)
        for insert, row in self._seen_row(sign_in):
            if not await cursor.insert(insert, *row):
                await self._replayed_within(cursor, sign_in, user, now)
        return user, pair

    async def _replayed_within(self, cursor: Cursor, sign_in: SignIn, user: User, now: float) -> None:
        if self._rules.replay == "reject":
            raise DoorwardError(TOKEN_REPLAYED)
        insert, row = _replayed(sign_in, user, now)
        await cursor.insert(insert, *row)

    def _issue(self, sign_in: SignIn, user: User, now: float) -> tuple[TokenPair, list[Append]]:
        who = sign_in.identity
        owner = Owner(
            user_id=user.id,
            organization_id=user.organization_id,
            registration_id=sign_in.registration.id,
            client_id=who.client_id,
            cloud=who.cloud,
            tid=who.tid,
            oid=who.oid,
        )
        pair, rows = self._office.issue(owner, now)
        return pair, [*rows, record("exchange.succeeded", now, sign_in.origin, sign_in.subject(user))]

    def _seen_row(self, sign_in: SignIn) -> list[Append]:
        if self._rules.replay == "off":
            return []
        return [(tokens.ADD_SEEN, (sign_in.token_digest, sign_in.identity.expires_at + KEEP_SEEN))]


def _replayed(sign_in: SignIn, user: User, now: float) -> Append:
    return record("token.replayed", now, sign_in.origin, sign_in.subject(user))
