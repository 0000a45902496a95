"""An app in Starlette that stands behind the gateway and greets whoever signed in.

Run it, and the gateway in front of it: python examples/signed_in_starlette.py 9000, scripts/dev --app http://127.0.0.1:9000
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from doorward.client import MalformedPrincipal, current_principal


def front(request: Request) -> JSONResponse:
    """Greet whoever signed in; keep people by provider and id, never by name."""
    try:
        person = current_principal(request)
    except MalformedPrincipal as refusal:
        raise HTTPException(refusal.status, refusal.detail) from refusal
    if person is None:
        raise HTTPException(401, "Nobody is signed in")
    return JSONResponse(
        {"provider": person.provider, "id": person.id, "name": person.name, "roles": list(person.roles)}
    )


app = Starlette(routes=[Route("/", front)])

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
