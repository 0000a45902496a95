"""Users, as an operator handles them: adding, suspending, signing out, deleting, and the ways out of a 409."""

from collections.abc import Awaitable, Callable
from typing import cast

from doorward.accounts.audit import Subject, record
from doorward.accounts.nouns import ROLES, Origin, User
from doorward.accounts.organizations import checked_name, organization_exists
from doorward.accounts.tokens import revoke_all_of_user
from doorward.base.clock import rfc3339
from doorward.base.errors import DoorwardError
from doorward.base.faults import ALREADY_THERE, NOT_THERE, VALUE_REFUSED
from doorward.base.frozen import frozen
from doorward.base.text import email_key, given_guid
from doorward.store import Cursor, Store, UniqueViolation, identities, token_changes, users

MAX_ID = 2**53 - 1


@frozen
class NewUser:
    """What `users add` is given."""

    email: str
    full_name: str | None
    organization_id: int
    role: str
    verified: bool


async def list_users(store: Store) -> list[User]:
    """Give every user, by id."""
    rows = await store.read(lambda cursor: cursor.all(users.ALL))
    return [User.of(row) for row in rows]


async def show_user(store: Store, number: int) -> dict[str, object]:
    """Give a user with the linked identities, as `users show` prints them; raises `DoorwardError` (`not_there`)."""

    async def read(cursor: Cursor) -> dict[str, object]:
        user = await _find(cursor, number)
        links = await cursor.all(identities.OF_USER, number)
        return {**user.to_json(), "identities": [_link_to_json(link) for link in links]}

    return await store.read(read)


async def add_user(store: Store, new: NewUser, now: float, origin: Origin) -> User:
    """Add an account that nobody is linked to yet.

    Raises `DoorwardError`: `value_refused`, `not_there` for the organization, `already_there` for the address.
    """
    email, key = new.email.strip(), email_key(new.email)
    if key is None:
        raise DoorwardError(VALUE_REFUSED, email="is not an e-mail address")
    if new.role not in ROLES:
        raise DoorwardError(VALUE_REFUSED, role=f"must be one of {', '.join(ROLES)}")
    name = checked_name(new.full_name or email.rpartition("@")[0])

    async def add(cursor: Cursor) -> User:
        if not await organization_exists(cursor, new.organization_id):
            raise DoorwardError(NOT_THERE, organization=new.organization_id)
        row = await cursor.one(users.ADD, email, key, name, new.organization_id, new.role, int(new.verified), now)
        if row is None:
            raise RuntimeError("an insert returned no id")
        user = await _find(cursor, int(row[0]))
        await _audit(cursor, "user.created", user, now, origin)
        return user

    try:
        return await store.write(add)
    except UniqueViolation as error:
        raise DoorwardError(ALREADY_THERE, email=email) from error


async def set_user_enabled(store: Store, number: int, now: float, origin: Origin, *, enabled: bool) -> None:
    """Suspend a user, or let them in again; raises `DoorwardError` (`not_there`)."""
    event = "user.enabled" if enabled else "user.disabled"
    await _change(store, number, now, origin, event, lambda c: c.run(users.SET_ENABLED, number, int(enabled), now))


async def verify_user(store: Store, number: int, now: float, origin: Origin) -> None:
    """Mark a user's address as known to be theirs, so that it may link them; raises `DoorwardError` (`not_there`)."""
    await _change(store, number, now, origin, "user.verified", lambda c: c.run(users.SET_VERIFIED, number, now))


async def delete_user(store: Store, number: int, now: float, origin: Origin) -> None:
    """Delete a user with links and tokens; the audit trail stays. Raises `DoorwardError` (`not_there`)."""
    await _change(store, number, now, origin, "user.deleted", lambda c: c.run(users.DELETE, number))


async def sign_out_user(store: Store, number: int, now: float, origin: Origin) -> int:
    """Revoke every token of a user; gives how many families there were. Raises `DoorwardError` (`not_there`)."""

    async def change(cursor: Cursor) -> int:
        await _find(cursor, number)
        return await revoke_all_of_user(cursor, number, now, origin)

    return await store.write(change)


async def link_user(store: Store, number: int, cloud: str, tenant: str, oid: str, now: float, origin: Origin) -> None:
    """Link a person of a tenant to an account, by an operator's decision.

    Raises `DoorwardError`: `value_refused`, `not_there`, or `already_there` when the person is linked to any account.
    """
    tid, object_id = given_guid(tenant), given_guid(oid)
    if tid is None or object_id is None:
        raise DoorwardError(VALUE_REFUSED, link="--tenant and --oid must be GUIDs")

    async def change(cursor: Cursor) -> None:
        user = await _find(cursor, number)
        owner = await cursor.one(identities.OWNER, cloud, tid, object_id)
        if owner is not None:
            raise DoorwardError(ALREADY_THERE, link=f"this identity belongs to user {owner[0]}")
        await cursor.one(identities.ADD, cloud, tid, object_id, number, "", None, None, None, now)
        subject = Subject(cloud=cloud, tid=tid, oid=object_id, user_id=number, organization_id=user.organization_id)
        insert, row = record("identity.linked", now, origin, subject)
        await cursor.insert(insert, *row)

    try:
        await store.write(change)
    except UniqueViolation as error:
        raise DoorwardError(ALREADY_THERE, link="this identity belongs to a user") from error


async def unlink_user(store: Store, number: int, now: float, origin: Origin) -> int:
    """Take every link of an account away and end the tokens that were issued through them.

    Gives how many links there were; raises `DoorwardError` (`not_there`) for an unknown user or one without links.
    """

    async def change(cursor: Cursor) -> int:
        user = await _find(cursor, number)
        count = await cursor.run(identities.UNLINK, number)
        if not count:
            raise DoorwardError(NOT_THERE, link=f"user {number} is not linked")
        await token_changes.note_user(cursor, number)
        await revoke_all_of_user(cursor, number, now, origin)
        await _audit(cursor, "identity.unlinked", user, now, origin)
        return count

    return await store.write(change)


async def _change(
    store: Store,
    number: int,
    now: float,
    origin: Origin,
    event: str,
    statement: Callable[[Cursor], Awaitable[int]],
) -> None:
    async def change(cursor: Cursor) -> None:
        user = await _find(cursor, number)
        await statement(cursor)
        await token_changes.note_user(cursor, number)
        await _audit(cursor, event, user, now, origin)

    await store.write(change)


async def _find(cursor: Cursor, number: int) -> User:
    row = await cursor.one(users.BY_ID, number) if 0 < number <= MAX_ID else None
    if row is None:
        raise DoorwardError(NOT_THERE, user=number)
    return User.of(row)


async def _audit(cursor: Cursor, event: str, user: User, now: float, origin: Origin) -> None:
    subject = Subject(user_id=user.id, organization_id=user.organization_id)
    insert, row = record(event, now, origin, subject)
    await cursor.insert(insert, *row)


def _link_to_json(link: tuple[object, ...]) -> dict[str, object]:
    _, cloud, tid, oid, username, email, name, linked_at, seen_at = link
    return {
        "cloud": cloud,
        "tenant": tid,
        "oid": oid,
        "preferred_username": username,
        "email": email,
        "name": name,
        "linked_at": rfc3339(cast("float", linked_at)),
        "seen_at": rfc3339(cast("float", seen_at)),
    }
