"""Why a request has no user, and what an app answers then.

    PlatformTokenError          has `status`, `detail` and `headers` of the answer, and a `reason` for the app's log
      NoToken             401   the request carries no bearer
      TokenRefused        401   the bearer is malformed, unknown, expired, revoked, or of a kind that is not accepted
      MalformedRequest    400   two Authorization headers
      ServiceUnavailable  503   nobody could say: the token service did not answer, or not as it should

`MalformedPrincipal` stands apart: identity headers that no gateway sends, which an app answers with 400.

None of them ever carries the token (RFC 6750 section 3; token-exchange reference 3.6).
"""

from typing import ClassVar

_REALM = 'Bearer realm="platform"'
_INVALID = f'{_REALM}, error="invalid_token", error_description="The token is invalid or expired"'


class PlatformTokenError(Exception):
    """A request has no user; `status`, `detail` and `headers` are what the app answers, `reason` is for its log."""

    status: ClassVar[int] = 401
    detail: ClassVar[str] = "Token is invalid or expired"
    _headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": _INVALID}

    def __init__(self, reason: str) -> None:
        """Refuse because of `reason`."""
        super().__init__(reason)
        self.reason = reason

    @property
    def headers(self) -> dict[str, str]:
        """Give the headers of the answer."""
        return {**self._headers, "Cache-Control": "no-store"}


class NoToken(PlatformTokenError):
    """The request carries no bearer: the challenge has no error code then (RFC 6750 section 3.1)."""

    detail = "Authentication required"
    _headers = {"WWW-Authenticate": _REALM}  # noqa: RUF012 - a ClassVar by the base class


class TokenRefused(PlatformTokenError):
    """The bearer is no good."""


class MalformedRequest(PlatformTokenError):
    """Two credentials in one request: two readers could believe different ones."""

    status = 400
    detail = "Request is malformed"
    _headers = {  # noqa: RUF012 - a ClassVar by the base class
        "WWW-Authenticate": f'{_REALM}, error="invalid_request", error_description="More than one credential"'
    }


class ServiceUnavailable(PlatformTokenError):
    """Nobody could say whether the bearer is good, so it is not taken; the same request may succeed later."""

    status = 503
    detail = "Tokens cannot be checked at the moment"
    _headers = {"Retry-After": "1"}  # noqa: RUF012 - a ClassVar by the base class


class MalformedPrincipal(ValueError):
    """The identity headers of a request are not such as a gateway sends; `reason` is for the app's log, with no value.

    `status` and `detail` are what to answer. It happens where something other than the gateway reaches the app.
    """

    status: ClassVar[int] = 400
    detail: ClassVar[str] = "Request is malformed"

    def __init__(self, reason: str) -> None:
        """Refuse because of `reason`."""
        super().__init__(reason)
        self.reason = reason
