"""How a call to the outside fails, in words that quote nothing the other side sent."""

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3.exceptions import HTTPError


class OutboundFailed(Exception):
    """A document could not be had.

    `reason` names the kind of failure and `host` the host that was asked; neither holds a path, a query, a credential
    or anything that the other side sent.
    """

    def __init__(self, reason: str, host: str) -> None:
        """Say that asking `host` failed because of `reason`."""
        super().__init__(f"{reason} ({host})")
        self.reason = reason
        self.host = host


def reason_of(error: Exception) -> str:
    """Name the kind of a failure without quoting what the other side sent."""
    from urllib3 import exceptions  # noqa: PLC0415 - see the module's docstring

    if isinstance(error, exceptions.ProxyError):
        return f"proxy: {reason_of(error.original_error)}"
    if isinstance(error, exceptions.SSLError | ssl.SSLError):
        return f"TLS: {_tls_reason(error)}"
    kinds: list[tuple[type[Exception], str]] = [
        (exceptions.NameResolutionError, "the name cannot be resolved"),
        (exceptions.NewConnectionError, "no connection"),
        (exceptions.TimeoutError, "no answer in time"),
        (exceptions.ProtocolError, "the connection broke off"),
        (exceptions.LocationValueError, "not an address"),
        (OSError, "no connection"),
    ]
    return next((text for kind, text in kinds if isinstance(error, kind)), f"failed with {type(error).__name__}")


def _tls_reason(error: "HTTPError | ssl.SSLError") -> str:
    inner = error if isinstance(error, ssl.SSLError) else next(iter(error.args), None)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return f"certificate refused: {inner.verify_message}"
    return inner.reason.lower().replace("_", " ") if isinstance(inner, ssl.SSLError) and inner.reason else "failed"
