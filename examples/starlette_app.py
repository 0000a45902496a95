"""An app in Starlette that is called with platform tokens.

Run it: AUTH_URL=http://127.0.0.1:8080 AUTH_CLIENT_ID=... AUTH_CLIENT_SECRET=... python examples/starlette_app.py 9000
"""

import os
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from doorward.client import PlatformTokens

tokens = PlatformTokens(os.environ["AUTH_URL"], os.environ["AUTH_CLIENT_ID"], os.environ["AUTH_CLIENT_SECRET"])


async def front(_: Request) -> JSONResponse:
    """Answer everybody."""
    return JSONResponse({"hello": "stranger"})


async def me(request: Request) -> JSONResponse:
    """Answer those whose token is good: 401 without one, 503 while nobody can say."""
    user = await tokens.starlette(request)
    return JSONResponse({"id": user.id, "email": user.email})


app = Starlette(routes=[Route("/", front), Route("/me", me)])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]))
