"""The bare server: uvicorn with httptools and uvloop, which reads a body and answers bytes that were ready before.

Usage: python -m benchmarks.bare PORT FILE, with the answers by path as a msgpack map. It also publishes the pretended
provider's keys.
"""

import sys
from pathlib import Path
from typing import Any

import msgspec
import uvicorn


class Bare:
    """The least that an ASGI application can do with a POST."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        """Answer each path with its bytes."""
        self._answers = answers

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Read the body, answer."""
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        answer = self._answers[scope["path"]]
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    uvicorn.run(
        Bare(msgspec.msgpack.decode(Path(sys.argv[2]).read_bytes(), type=dict[str, bytes])),
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
