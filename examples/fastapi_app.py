"""An API in FastAPI that is called with platform tokens.

Run it: AUTH_URL=http://127.0.0.1:8080 AUTH_CLIENT_ID=... AUTH_CLIENT_SECRET=... python examples/fastapi_app.py 9000
"""

import os
import sys
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI

from doorward.client import PlatformTokens, PlatformUser

tokens = PlatformTokens(os.environ["AUTH_URL"], os.environ["AUTH_CLIENT_ID"], os.environ["AUTH_CLIENT_SECRET"])
User = Annotated[PlatformUser, Depends(tokens.fastapi())]

app = FastAPI()


@app.get("/")
def front() -> dict[str, str]:
    """Answer everybody."""
    return {"hello": "stranger"}


@app.get("/me")
async def me(user: User) -> dict[str, object]:
    """Answer those whose token is good: 401 without one, 503 while nobody can say."""
    return {"id": user.id, "email": user.email}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]))
