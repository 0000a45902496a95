"""Reverse proxies of other people, with the configurations below deploy/ changed in addresses and places alone."""

import asyncio


async def listening(port: int) -> None:
    """Wait until somebody listens on a port of this machine."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
