# Django has no types; what it is given and gives is checked where it is used.
# pyright: basic, reportMissingTypeStubs=false, reportAttributeAccessIssue=false
"""A Django site in one module: it says who asks. Django's settings are of the whole process, so there is one site."""

from functools import cache
from typing import Any, final

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import re_path


def who(request: HttpRequest | ASGIRequest) -> JsonResponse:
    """Answer with who asks, by which scheme, and how long the body was."""
    name = request.headers.get("X-Ms-Client-Principal-Name")
    return JsonResponse([name, request.scheme, len(request.body)], safe=False)


urlpatterns = [re_path("^(sub/)?who$", lambda request, *_: who(request))]


@final
class DJANGO:
    """The site, as either kind of application."""

    @staticmethod
    @cache
    def _set_up() -> None:
        if not settings.configured:  # other tests may have been first
            settings.configure(ALLOWED_HOSTS=["*"])
        settings.ROOT_URLCONF = __name__
        django.setup()

    @staticmethod
    def asgi() -> Any:
        """Give it for ASGI."""
        DJANGO._set_up()
        return get_asgi_application()

    @staticmethod
    def wsgi() -> Any:
        """Give it for WSGI."""
        DJANGO._set_up()
        return get_wsgi_application()
