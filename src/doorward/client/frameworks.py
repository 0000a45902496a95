"""How web frameworks are told: the user, or the answer to give.

None of them is a dependency of Doorward. Each is imported by the function that an app of that framework calls, so it is
there by then.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from doorward.client.refusals import PlatformTokenError
from doorward.client.user import PlatformUser

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

View = TypeVar("View", bound=Callable[..., Any])


class Tokens(Protocol):
    """What verifies: `PlatformTokens`."""

    def verify_authorization(self, *values: str | None) -> PlatformUser:
        """Give the user by the Authorization headers of a request."""
        ...

    async def verify_authorization_async(self, *values: str | None) -> PlatformUser:
        """Give the user by the Authorization headers of a request."""
        ...


async def starlette_user(tokens: Tokens, request: "HTTPConnection") -> PlatformUser:
    """Give the user of a request; raises Starlette's `HTTPException`."""
    from starlette.exceptions import HTTPException  # noqa: PLC0415 - see the module's docstring

    try:
        return await tokens.verify_authorization_async(*request.headers.getlist("authorization"))
    except PlatformTokenError as refusal:
        raise HTTPException(refusal.status, refusal.detail, refusal.headers) from refusal


def fastapi_dependency(tokens: Tokens) -> Callable[..., Awaitable[PlatformUser]]:
    """Give a dependency; the app's API description names the bearer."""
    from fastapi import Depends  # noqa: PLC0415 - see the module's docstring
    from fastapi.security import HTTPBearer  # noqa: PLC0415 - see the module's docstring
    from starlette.requests import HTTPConnection  # noqa: PLC0415 - see the module's docstring

    described = Depends(HTTPBearer(scheme_name="Platform token", auto_error=False))

    async def platform_user(connection: HTTPConnection, _: object = described) -> PlatformUser:
        return await starlette_user(tokens, connection)

    return platform_user


def flask_decorator(tokens: Tokens) -> Callable[[View], View]:
    """Give a decorator for views, asynchronous ones too."""
    from flask import current_app, g, request  # noqa: PLC0415 - see the module's docstring

    def protect(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                g.platform_user = tokens.verify_authorization(*request.headers.getlist("Authorization"))
            except PlatformTokenError as refusal:
                return {"detail": refusal.detail}, refusal.status, refusal.headers
            return current_app.ensure_sync(view)(*args, **kwargs)

        return cast("View", guarded)

    return protect
