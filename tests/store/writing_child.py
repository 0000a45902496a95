"""A second process on the same database: appends a number of families of its own user, and ends."""

import asyncio
import sys

from doorward.store import open_store
from tests.store import rows


async def main(url: str, number: int) -> None:
    """Append `number` families."""
    store = await open_store(url, auto_migrate=True)
    user = await store.write(rows.add_user)
    for index in range(number):
        await store.append([rows.family(f"child{index}", user)])
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
