"""An app in Flask that stands behind the gateway and greets whoever signed in.

Run it, and the gateway in front of it: python examples/signed_in_flask.py 9000, scripts/dev --app http://127.0.0.1:9000
"""

import sys

from flask import Flask, abort, request

from doorward.client import MalformedPrincipal, current_principal

app = Flask(__name__)


@app.get("/")
def front() -> dict[str, object]:
    """Greet whoever signed in; keep people by provider and id, never by name."""
    try:
        person = current_principal(request)
    except MalformedPrincipal as refusal:
        abort(refusal.status, refusal.detail)
    if person is None:
        abort(401, "Nobody is signed in")
    return {"provider": person.provider, "id": person.id, "name": person.name, "roles": person.roles}


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
