"""An app in FastAPI that stands behind the gateway and greets whoever signed in.

Run it, and the gateway in front of it: python examples/signed_in_fastapi.py 9000, scripts/dev --app http://127.0.0.1:9000
"""

import sys
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request

from doorward.client import ClientPrincipal, MalformedPrincipal, current_principal


def signed_in(request: Request) -> ClientPrincipal:
    """Give who signed in; without anybody, or with headers that no gateway sends, the request is answered."""
    try:
        principal = current_principal(request)
    except MalformedPrincipal as refusal:
        raise HTTPException(refusal.status, refusal.detail) from refusal
    if principal is None:
        raise HTTPException(401, "Nobody is signed in")
    return principal


app = FastAPI()


@app.get("/")
def front(person: Annotated[ClientPrincipal, Depends(signed_in)]) -> dict[str, object]:
    """Greet whoever signed in; keep people by provider and id, never by name."""
    return {"provider": person.provider, "id": person.id, "name": person.name, "roles": person.roles}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
