"""Whether a database that refused a write takes one again.

A full disk lets everything be read, and lets little be written here and there where a file still has room inside. So
what proves that the trouble is over is a write of its own, larger than those of a busy moment, which is taken back.
"""

import hashlib
from typing import TYPE_CHECKING

from doorward.base.errors import DoorwardError
from doorward.base.refusals import STORE_UNAVAILABLE
from doorward.store.sql import Cursor, Sql

if TYPE_CHECKING:
    from doorward.store.sql import Store

PROOF_BYTES = 256 * 1024
_ADDRESS = "doorward:proof"  # no provider's: whoever reads key sets passes over addresses that nobody asked for
_FILL = Sql(
    "INSERT INTO key_sets (url, document, fetched_at) VALUES ($1, $2, 0)"
    " ON CONFLICT (url) DO UPDATE SET document = excluded.document"
)
_CLEAR = Sql("DELETE FROM key_sets WHERE url = $1")


async def prove_writable(store: "Store") -> None:
    """Write, and take it back; raises `DoorwardError` (`store_unavailable`) while there is no room for it.

    The text does not compress, or PostgreSQL would make next to nothing of it.
    """
    text = hashlib.shake_256(_ADDRESS.encode()).hexdigest(PROOF_BYTES // 2)

    async def fill(cursor: Cursor) -> None:
        await cursor.run(_FILL, _ADDRESS, text)

    async def clear(cursor: Cursor) -> None:
        await cursor.run(_CLEAR, _ADDRESS)

    await store.write(fill)
    await store.write(clear)


def is_trouble(error: BaseException) -> bool:
    """Say whether a write failed for trouble of the database itself."""
    return isinstance(error, DoorwardError) and error.row is STORE_UNAVAILABLE
