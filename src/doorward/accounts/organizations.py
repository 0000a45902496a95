"""Organizations: adding, listing, suspending."""

from doorward.accounts.audit import Subject, record
from doorward.accounts.nouns import Organization, Origin
from doorward.base.errors import DoorwardError
from doorward.base.faults import ALREADY_THERE, NOT_THERE, VALUE_REFUSED
from doorward.base.text import NAME_MAX, has_hidden
from doorward.store import Cursor, Store, UniqueViolation, organizations, token_changes

MAX_ID = 2**53 - 1
ATTEMPTS = 8


def checked_name(name: str) -> str:
    """Give a name that may be stored and shown; raises `DoorwardError` (`value_refused`)."""
    trimmed = name.strip()
    if not trimmed or len(trimmed) > NAME_MAX or has_hidden(trimmed):
        raise DoorwardError(VALUE_REFUSED, name=f"must have 1 to {NAME_MAX} visible characters")
    return trimmed


async def add_organization(store: Store, name: str, number: int | None, now: float, origin: Origin) -> Organization:
    """Add an organization, under a given or the next free id.

    Raises `DoorwardError`: `value_refused`, or `already_there` when the id or the name is taken.
    """
    name = checked_name(name)
    if number is not None and not 1 <= number <= MAX_ID:
        raise DoorwardError(VALUE_REFUSED, id=f"must be a number from 1 to {MAX_ID}")

    async def add(cursor: Cursor) -> Organization:
        chosen = number if number is not None else await _next_id(cursor)
        await cursor.run(organizations.ADD, chosen, name, now)
        insert, row = record("organization.created", now, origin, Subject(organization_id=chosen))
        await cursor.insert(insert, *row)
        return Organization(id=chosen, name=name, enabled=True)

    for _ in range(ATTEMPTS):
        try:
            return await store.write(add)
        except UniqueViolation as error:
            # Where the next free id was chosen, somebody else may have been given the same one.
            if number is not None or "id" not in error.columns:
                raise DoorwardError(ALREADY_THERE, organization=name, id=number) from error
    raise DoorwardError(ALREADY_THERE, organization=name)


async def set_organization_enabled(store: Store, number: int, now: float, origin: Origin, *, enabled: bool) -> None:
    """Suspend an organization or let it work again; raises `DoorwardError` (`not_there`)."""

    async def change(cursor: Cursor) -> None:
        if number > MAX_ID or not await cursor.run(organizations.SET_ENABLED, number, int(enabled)):
            raise DoorwardError(NOT_THERE, organization=number)
        await token_changes.note_everybody(cursor)
        event = "organization.enabled" if enabled else "organization.disabled"
        insert, row = record(event, now, origin, Subject(organization_id=number))
        await cursor.insert(insert, *row)

    await store.write(change)


async def list_organizations(store: Store) -> list[Organization]:
    """Give every organization, by id."""
    rows = await store.read(lambda cursor: cursor.all(organizations.ALL))
    return [Organization.of(row) for row in rows]


async def organization_exists(cursor: Cursor, number: int) -> bool:
    """Say whether there is an organization of that id."""
    return number <= MAX_ID and await cursor.one(organizations.BY_ID, number) is not None


async def _next_id(cursor: Cursor) -> int:
    row = await cursor.one(organizations.NEXT_ID)
    return 1 if row is None else int(row[0])
