"""An API in Flask that is called with platform tokens.

Run it: AUTH_URL=http://127.0.0.1:8080 AUTH_CLIENT_ID=... AUTH_CLIENT_SECRET=... python examples/flask_app.py 9000
"""

import os
import sys

from flask import Flask, g

from doorward.client import PlatformTokens

tokens = PlatformTokens(os.environ["AUTH_URL"], os.environ["AUTH_CLIENT_ID"], os.environ["AUTH_CLIENT_SECRET"])
app = Flask(__name__)


@app.get("/")
def front() -> dict[str, str]:
    """Answer everybody."""
    return {"hello": "stranger"}


@app.get("/me")
@tokens.flask()
def me() -> dict[str, object]:
    """Answer those whose token is good: 401 without one, 503 while nobody can say."""
    return {"id": g.platform_user.id, "email": g.platform_user.email}


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
