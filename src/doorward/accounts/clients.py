"""Clients: the resource servers that may introspect and revoke (RFC 7662 section 2.1, RFC 7009 section 2)."""

import hashlib
import hmac

from doorward.accounts.audit import record
from doorward.accounts.nouns import Origin
from doorward.accounts.organizations import checked_name
from doorward.base.clock import rfc3339
from doorward.base.entropy import Entropy, opaque_token, ordered_id
from doorward.base.errors import DoorwardError
from doorward.base.faults import ALREADY_THERE, NOT_THERE
from doorward.store import Cursor, Store, clients, token_changes

_NOBODY = hashlib.sha256(b"no client has this secret").digest()


async def add_client(store: Store, name: str, entropy: Entropy, now: float, origin: Origin) -> tuple[str, str]:
    """Add a client; gives its id and its secret, of which only the SHA-256 is kept.

    Raises `DoorwardError`: `value_refused`, or `already_there` for the name.
    """
    client_id, secret = ordered_id(entropy, now), opaque_token(entropy)
    await add_known_client(store, checked_name(name), client_id, secret, now, origin)
    return client_id, secret


async def add_known_client(store: Store, name: str, client_id: str, secret: str, now: float, origin: Origin) -> None:
    """Add a client whose id and secret are known beforehand; raises `DoorwardError` (`already_there`)."""

    async def add(cursor: Cursor) -> None:
        if await cursor.one(clients.BY_NAME, name) is not None:
            raise DoorwardError(ALREADY_THERE, client=name)
        await cursor.run(clients.ADD, client_id, name, _digest(secret), now)
        insert, row = record("client.created", now, origin, detail=client_id)
        await cursor.insert(insert, *row)

    await store.write(add)


async def list_clients(store: Store) -> list[dict[str, object]]:
    """Give every client as `clients list` prints it."""
    rows = await store.read(lambda cursor: cursor.all(clients.ALL))
    return [{"id": i, "client_id": i, "name": name, "created_at": rfc3339(created)} for i, name, created in rows]


async def remove_client(store: Store, client_id: str, now: float, origin: Origin) -> None:
    """Remove a client; raises `DoorwardError` (`not_there`)."""

    async def remove(cursor: Cursor) -> None:
        if not await cursor.run(clients.REMOVE, client_id):
            raise DoorwardError(NOT_THERE, client=client_id)
        await token_changes.note_everybody(cursor)
        insert, row = record("client.removed", now, origin, detail=client_id)
        await cursor.insert(insert, *row)

    await store.write(remove)


async def is_client(store: Store, client_id: str, secret: str) -> bool:
    """Say whether `secret` is that of the client; the comparison takes the same time for every answer."""
    row = await store.find(clients.SECRET_OF, client_id)
    expected = _NOBODY if row is None else bytes(row[0])
    return hmac.compare_digest(expected, _digest(secret)) and row is not None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
