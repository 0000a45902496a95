"""Revocation by an operator: one family, or all of a user, an audience, a tenant or a person (reference 3.3, 3.12)."""

from doorward.accounts.audit import Subject, record
from doorward.accounts.nouns import Origin
from doorward.base.clock import rfc3339
from doorward.base.errors import DoorwardError
from doorward.base.faults import NOT_THERE, VALUE_REFUSED
from doorward.base.frozen import frozen
from doorward.base.text import guid
from doorward.store import Cursor, Sql, Store, token_changes, tokens


@frozen
class Which:
    """Which families to revoke: exactly one of these, and `oid` only with `tenant`."""

    family_id: str | None = None
    user_id: int | None = None
    client_id: str | None = None
    tenant: str | None = None
    oid: str | None = None


async def list_families(store: Store, user_id: int | None, now: float) -> list[dict[str, object]]:
    """Give the living families, of one user or of all, as `tokens list` prints them."""
    if user_id is None:
        rows = await store.read(lambda cursor: cursor.all(tokens.LIVING, now))
    else:
        rows = await store.read(lambda cursor: cursor.all(tokens.LIVING_OF_USER, now, user_id))
    return [
        {
            "id": family_id,
            "user_id": owner,
            "client_id": client_id,
            "created_at": rfc3339(created_at),
            "expires_at": rfc3339(expires_at),
        }
        for family_id, owner, client_id, created_at, expires_at in rows
    ]


async def revoke(store: Store, which: Which, now: float, origin: Origin) -> int:
    """Revoke what `which` names; gives how many families ended.

    Raises `DoorwardError`: `value_refused` unless exactly one kind is named, `not_there` when a family of that id does
    not exist or has ended.
    """
    statement, values, subject = _statement(which, now)

    async def change(cursor: Cursor) -> int:
        count = await cursor.run(statement, *values)
        if which.family_id is not None and not count:
            raise DoorwardError(NOT_THERE, family=which.family_id)
        if count:
            await _tell(cursor, which)
            insert, row = record("token.revoked", now, origin, subject, detail=f"families: {count}")
            await cursor.insert(insert, *row)
        return count

    return await store.write(change)


async def _tell(cursor: Cursor, which: Which) -> None:
    """Tell every process whose tokens they were, where that is one user's."""
    user_id = which.user_id
    if which.family_id is not None:
        row = await cursor.one(tokens.OWNER_OF_FAMILY, which.family_id)
        user_id = None if row is None else int(row[0])
    if user_id is None:
        await token_changes.note_everybody(cursor)
    else:
        await token_changes.note_user(cursor, user_id)


def _statement(which: Which, now: float) -> tuple[Sql, tuple[str | int | float, ...], Subject]:
    named = [which.family_id, which.user_id, which.client_id, which.tenant]
    if sum(value is not None for value in named) != 1 or (which.oid is not None and which.tenant is None):
        raise DoorwardError(VALUE_REFUSED, which="name one of ID, --user, --client, --tenant; --oid needs --tenant")
    if which.family_id is not None:
        return tokens.REVOKE_FAMILY, (which.family_id, now), Subject()
    if which.user_id is not None:
        return tokens.REVOKE_OF_USER, (which.user_id, now), Subject(user_id=which.user_id)
    if which.client_id is not None:
        client_id = guid(which.client_id) or which.client_id
        return tokens.REVOKE_OF_CLIENT, (client_id, now), Subject(client_id=client_id)
    return _of_tenant(which, now)


def _of_tenant(which: Which, now: float) -> tuple[Sql, tuple[str | int | float, ...], Subject]:
    tid, oid = guid(which.tenant), guid(which.oid)
    if tid is None or (which.oid is not None and oid is None):
        raise DoorwardError(VALUE_REFUSED, which="--tenant and --oid must be GUIDs")
    if oid is None:
        return tokens.REVOKE_OF_TENANT, (tid, now), Subject(tid=tid)
    return tokens.REVOKE_OF_IDENTITY, (tid, oid, now), Subject(tid=tid, oid=oid)
