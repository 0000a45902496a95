"""A process that writes as fast as it can and prints a line for each answer, until it is killed."""

import asyncio
import itertools
import sys

from doorward.store import open_store
from tests.store import rows


async def main(url: str) -> None:
    """Append families and create users for ever."""
    store = await open_store(url, auto_migrate=True)
    user = await store.write(rows.add_user)
    numbers = itertools.count()

    async def append() -> None:
        for number in numbers:
            await store.append([rows.family(f"f{number}", user), rows.pair(f"p{number}", f"f{number}")])
            print("append", number, flush=True)

    async def write() -> None:
        for number in numbers:
            await store.write(lambda cursor, n=number: rows.add_user(cursor, f"{n}@example.com"))
            print("write", number, flush=True)

    await asyncio.gather(*(append() for _ in range(6)), *(write() for _ in range(3)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
