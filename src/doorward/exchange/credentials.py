"""Credentials in the Authorization header: a bearer (RFC 6750 section 2.1) or a client's id and secret (RFC 7617).

One header, one scheme. Tokens in the query or in a form are not credentials here.
"""

import base64
import binascii
from urllib.parse import unquote_plus

from doorward.base.errors import DoorwardError
from doorward.base.refusals import AUTHENTICATION_REQUIRED, INVALID_ACCESS_TOKEN, INVALID_CLIENT, MALFORMED_REQUEST
from doorward.identity.visit import Visit


def authorization(visit: Visit) -> tuple[bytes, bytes] | None:
    """Give scheme (lower case) and credentials of the Authorization header, or None without one.

    Raises `DoorwardError` (`malformed_request`) for two headers: two readers could believe different ones.
    """
    values = visit.headers(b"authorization")
    if not values:
        return None
    if len(values) > 1:
        raise DoorwardError(MALFORMED_REQUEST, reason="two Authorization headers")
    scheme, _, credentials = values[0].strip().partition(b" ")
    return scheme.lower(), credentials.strip()


def bearer(visit: Visit) -> str:
    """Give the bearer of a request; raises `DoorwardError` (`authentication_required`, `invalid_access_token`)."""
    found = authorization(visit)
    if found is None or found[0] != b"bearer":
        raise DoorwardError(AUTHENTICATION_REQUIRED)
    return bearer_text(found[1])


def bearer_text(credentials: bytes) -> str:
    """Give bearer credentials as text; raises `DoorwardError` (`invalid_access_token`) when they are none."""
    if not credentials or not credentials.isascii():
        raise DoorwardError(INVALID_ACCESS_TOKEN, reason="empty, or not ASCII")
    return credentials.decode("ascii")


def basic_text(credentials: bytes) -> tuple[str, str]:
    """Give client id and secret of Basic credentials (RFC 6749 section 2.3.1: each form-encoded before they are
    joined).

    Raises `DoorwardError` (`invalid_client`).
    """
    try:
        client_id, colon, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise DoorwardError(INVALID_CLIENT, reason="not Basic credentials") from error
    pair = unquote_plus(client_id), unquote_plus(secret)
    if not colon or "\0" in pair[0]:  # looked for after unquoting: PostgreSQL cannot be asked for a NUL
        raise DoorwardError(INVALID_CLIENT, reason="not Basic credentials")
    return pair
