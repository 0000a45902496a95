"""An API in Django that is called with platform tokens; the decorator below is all that Django needs.

Run it: AUTH_URL=http://127.0.0.1:8080 AUTH_CLIENT_ID=... AUTH_CLIENT_SECRET=... python examples/django_app.py 9000
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from wsgiref.simple_server import make_server

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from doorward.client import PlatformTokenError, PlatformTokens, PlatformUser

tokens = PlatformTokens(os.environ["AUTH_URL"], os.environ["AUTH_CLIENT_ID"], os.environ["AUTH_CLIENT_SECRET"])


def platform_user_required(view: Callable[[HttpRequest, PlatformUser], HttpResponse]) -> Callable[..., HttpResponse]:
    """Give the view the user of the request, or answer in its place."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        try:
            user = tokens.verify_authorization(request.headers.get("Authorization"))
        except PlatformTokenError as refusal:
            return JsonResponse({"detail": refusal.detail}, status=refusal.status, headers=refusal.headers)
        return view(request, user)

    return guarded


def front(_: HttpRequest) -> HttpResponse:
    """Answer everybody."""
    return JsonResponse({"hello": "stranger"})


@platform_user_required
def me(_: HttpRequest, user: PlatformUser) -> HttpResponse:
    """Answer those whose token is good: 401 without one, 503 while nobody can say."""
    return JsonResponse({"id": user.id, "email": user.email})


urlpatterns = [path("", front), path("me", me)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"])
application = get_wsgi_application()

if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), application).serve_forever()
