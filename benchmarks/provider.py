"""A pretend provider in a process of its own, where people sign in before a proxy that keeps its own sessions.

Usage: python -m benchmarks.provider PORT REDIRECT_URI. It is the emulator's plain OpenID Connect provider with one
application; it has nothing to do any more once everybody is signed in.
"""

import sys

import uvicorn

from doorward.base.clock import SystemClock
from doorward.base.entropy import SystemEntropy
from doorward.emulator.app import EmulatorApp
from doorward.emulator.clients import Client

NAME, CLIENT_ID, CLIENT_SECRET = "contoso", "benchmark", "made-up-secret-of-the-benchmark"


def metadata_of(port: int) -> str:
    """Give the address of its metadata."""
    return f"http://127.0.0.1:{port}/oidc/{NAME}/.well-known/openid-configuration"


def main(port: int, redirect_uri: str) -> None:
    """Serve it until the process is told to end."""
    client = Client(provider=NAME, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uris=(redirect_uri,))
    app = EmulatorApp(f"http://127.0.0.1:{port}", SystemClock(), SystemEntropy(), clients=[client], custom=[NAME])
    uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, proxy_headers=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
