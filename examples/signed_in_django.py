"""An app in Django that stands behind the gateway and greets whoever signed in.

Run it, and the gateway in front of it: python examples/signed_in_django.py 9000, scripts/dev --app http://127.0.0.1:9000
"""

import sys
from wsgiref.simple_server import make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from doorward.client import MalformedPrincipal, current_principal


def front(request: HttpRequest) -> JsonResponse:
    """Greet whoever signed in; keep people by provider and id, never by name."""
    try:
        person = current_principal(request)
    except MalformedPrincipal as refusal:
        return JsonResponse({"detail": refusal.detail}, status=refusal.status)
    if person is None:
        return JsonResponse({"detail": "Nobody is signed in"}, status=401)
    return JsonResponse({"provider": person.provider, "id": person.id, "name": person.name, "roles": person.roles})


urlpatterns = [path("", front)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])
application = get_wsgi_application()

if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
