"""Which user is this: from a checked identity to an account (token-exchange reference 2.9).

The key is (cloud, tid, oid). An e-mail address is only ever compared: it selects an existing account for linking when
every safe rule holds, and otherwise stands in the way with a 409. Everything here runs inside the caller's transaction.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from doorward.accounts.audit import Subject, record
from doorward.accounts.nouns import Organization, Origin, Registration, User
from doorward.base.errors import DoorwardError
from doorward.base.refusals import (
    ACCOUNT_EXISTS,
    IDENTITY_CONFLICT,
    ORGANIZATION_DISABLED,
    ORGANIZATION_NOT_ALLOWED,
    ORGANIZATION_NOT_FOUND,
    USER_DISABLED,
    USER_NOT_FOUND,
)
from doorward.base.text import cleaned, email_key
from doorward.providers.aad import EntraIdentity, address_is_proven
from doorward.store import Cursor, Store, identities, organizations, users

MAX_ID = 2**63 - 1
_SEEN_MAX = 254


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange that passed every check of the token: who, through which registration, with which wishes.

    `email` is the address that the request and the token agree on, in the token's spelling.
    """

    identity: EntraIdentity
    registration: Registration
    email: str
    full_name: str | None
    auto_create: bool
    organization_id: int | None
    origin: Origin
    token_digest: bytes

    def subject(self, user: User | None = None) -> Subject:
        """Give what audit records of this exchange speak of."""
        who = self.identity
        return Subject(
            client_id=who.client_id,
            cloud=who.cloud,
            tid=who.tid,
            oid=who.oid,
            user_id=None if user is None else user.id,
            organization_id=None if user is None else user.organization_id,
            kid=who.kid,
            token_digest=self.token_digest.hex()[:16],
        )


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that is linked, its user, and whether what the token says of it is what was last seen."""

    identity_id: int
    user: User
    organization_enabled: bool
    is_as_last_seen: bool


async def look_up_linked(store: Store, sign_in: SignIn) -> Linked | None:
    """Give the link of the identity, or None, outside of any transaction."""
    who = sign_in.identity
    row = await store.find(identities.SIGNED_IN, who.cloud, who.tid, who.oid, who.client_id)
    return None if row is None else _linked(row, who)


async def find_linked(cursor: Cursor, sign_in: SignIn) -> Linked | None:
    """Give the link of the identity, or None; reads one row."""
    who = sign_in.identity
    row = await cursor.one(identities.SIGNED_IN, who.cloud, who.tid, who.oid, who.client_id)
    return None if row is None else _linked(row, who)


def refuse_suspended(linked: Linked) -> None:
    """Refuse a disabled user or organization; raises `DoorwardError`."""
    if not linked.user.enabled:
        raise DoorwardError(USER_DISABLED, user_id=linked.user.id)
    if not linked.organization_enabled:
        raise DoorwardError(ORGANIZATION_DISABLED, organization_id=linked.user.organization_id)


async def resolve(cursor: Cursor, sign_in: SignIn, now: float, default_organization: int) -> User:
    """Give the user of an identity: linked already, linked now by the safe rules, or created.

    Writes the link, the account and their audit records. Raises `DoorwardError`: `user_disabled`,
    `organization_disabled`, `user_not_found`, `account_exists`, `identity_conflict`, `organization_not_found`,
    `organization_not_allowed`.
    """
    linked = await find_linked(cursor, sign_in)
    if linked is None:
        await _link_or_create(cursor, sign_in, now, default_organization)
        linked = await find_linked(cursor, sign_in)
    if linked is None:
        raise RuntimeError("a link that was just written is not there")
    refuse_suspended(linked)
    if not linked.is_as_last_seen:
        await _note_seen(cursor, linked.identity_id, sign_in.identity, now)
    return linked.user


async def _link_or_create(cursor: Cursor, sign_in: SignIn, now: float, default_organization: int) -> None:
    row = await cursor.one(users.BY_EMAIL, email_key(sign_in.email))
    if row is not None:
        await _link_existing(cursor, sign_in, User.of(row), now)
    elif sign_in.auto_create and sign_in.registration.auto_create:
        await _create(cursor, sign_in, now, default_organization)
    else:
        raise DoorwardError(USER_NOT_FOUND)


async def _link_existing(cursor: Cursor, sign_in: SignIn, user: User, now: float) -> None:
    who = sign_in.identity
    links = {tuple(row) for row in await cursor.all(identities.KEYS_OF_USER, user.id)}
    if (who.cloud, who.tid, who.oid) in links:
        return  # another sign-in of the same person has just made the link
    if links:
        raise DoorwardError(IDENTITY_CONFLICT, user_id=user.id)
    obstacle = _obstacle_to_linking(sign_in, user)
    if obstacle is not None:
        raise DoorwardError(ACCOUNT_EXISTS, user_id=user.id, rule=obstacle)
    await _link(cursor, sign_in, user, now)


def _obstacle_to_linking(sign_in: SignIn, user: User) -> str | None:
    """Name the first safe rule that does not hold, or None: see reference 2.9, and 2.8 for the attack."""
    who, registration = sign_in.identity, sign_in.registration

    def is_authoritative(domain: str) -> bool:
        return registration.is_authoritative(who.tid, domain)

    if user.organization_id not in registration.organizations_of(who.tid):
        return "the tenant is not registered for the account's organization"
    if not address_is_proven(who, sign_in.email, is_authoritative):
        return "the tenant is not authoritative for the address, and the token does not verify it"
    if who.is_guest:
        return "the person is a guest in the tenant"
    if user.role != "user":
        return "the account has an administrative role"
    if not user.enabled:
        return "the account is disabled"
    if not user.verified:
        return "the account's own address is not verified"
    return None


async def _create(cursor: Cursor, sign_in: SignIn, now: float, default_organization: int) -> None:
    organization = await _organization_for(cursor, sign_in, default_organization)
    who = sign_in.identity
    name = sign_in.full_name or who.name or cleaned(sign_in.email.rpartition("@")[0])
    row = await cursor.one(users.ADD, sign_in.email, email_key(sign_in.email), name, organization.id, "user", 0, now)
    if row is None:
        raise RuntimeError("an insert returned no id")
    user = User(
        id=row[0],
        email=sign_in.email,
        full_name=name,
        organization_id=organization.id,
        role="user",
        verified=False,
        enabled=True,
        created_at=now,
    )
    for event in ("user.created", "organization.assigned"):
        await _audit(cursor, event, sign_in, user, now)
    await _link(cursor, sign_in, user, now)


async def _organization_for(cursor: Cursor, sign_in: SignIn, default_organization: int) -> Organization:
    """Decide where a new user goes; what the request asks for is only a wish (reference 1.8)."""
    allowed = sign_in.registration.organizations_of(sign_in.identity.tid)
    wished = sign_in.organization_id
    if wished is None:
        wished = _default_among(allowed, sign_in.registration.default_organization, default_organization)
    row = await cursor.one(organizations.BY_ID, wished) if wished <= MAX_ID else None
    if row is None:
        raise DoorwardError(ORGANIZATION_NOT_FOUND)
    organization = Organization.of(row)
    if organization.id not in allowed:
        raise DoorwardError(ORGANIZATION_NOT_ALLOWED, organization_id=organization.id)
    if not organization.enabled:
        raise DoorwardError(ORGANIZATION_DISABLED, organization_id=organization.id)
    return organization


def _default_among(allowed: Sequence[int], registered: int | None, configured: int) -> int:
    if registered in allowed and registered is not None:
        return registered
    if len(allowed) == 1:
        return allowed[0]
    if configured in allowed:
        return configured
    raise DoorwardError(ORGANIZATION_NOT_ALLOWED, rule="no default organization is open to the tenant")


async def _link(cursor: Cursor, sign_in: SignIn, user: User, now: float) -> None:
    who = sign_in.identity
    row = await cursor.one(identities.ADD, who.cloud, who.tid, who.oid, user.id, who.iss, *_seen(who), now)
    if row is None:
        raise RuntimeError("an insert returned no id")
    await cursor.run(identities.NOTE_SUBJECT, row[0], who.client_id, who.sub)
    await _audit(cursor, "identity.linked", sign_in, user, now)


async def _note_seen(cursor: Cursor, identity_id: int, who: EntraIdentity, now: float) -> None:
    await cursor.run(identities.NOTE_SEEN, identity_id, who.iss, *_seen(who), now)
    await cursor.run(identities.NOTE_SUBJECT, identity_id, who.client_id, who.sub)


async def _audit(cursor: Cursor, event: str, sign_in: SignIn, user: User, now: float) -> None:
    insert, values = record(event, now, sign_in.origin, sign_in.subject(user))
    await cursor.insert(insert, *values)


def _linked(row: Sequence[Any], who: EntraIdentity) -> Linked:
    seen = tuple(row[10:15])
    return Linked(
        identity_id=row[9],
        user=User.of(row[:8]),
        organization_enabled=bool(row[8]),
        # What was stored is cleaned, so a claim that is the same needs no cleaning to be known again.
        is_as_last_seen=seen == (who.iss, who.username, who.email, who.name, who.sub)
        or seen == (who.iss, *_seen(who), who.sub),
    )


def _seen(who: EntraIdentity) -> tuple[str | None, str | None, str | None]:
    """Give what is remembered of a link: username, e-mail and name as last seen, fit to be stored and shown."""
    username, email = (cleaned(text, _SEEN_MAX) if text else None for text in (who.username, who.email))
    return username, email, who.name
