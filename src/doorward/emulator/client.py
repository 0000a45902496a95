"""Asking a running emulator for a token: what `doorward emulator token` does.

Speaks to this machine only, so none of the care that calls to the outside need applies: no proxy, no TLS, no redirect.
"""

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from doorward.base.errors import DoorwardError
from doorward.base.faults import EMULATOR_REFUSED, EMULATOR_UNREACHABLE
from doorward.base.loopback import is_loopback_host
from doorward.emulator.messages import MINT_PATH, BadMessage, MintRequest, MintResponse, Refusal

TIMEOUT = 10.0


def mint(url: str, request: MintRequest) -> str:
    """Ask the emulator at `url` for a token.

    Raises `DoorwardError`: `emulator_unreachable` when nothing answers there, `emulator_refused` with the emulator's
    own words as `reason`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise DoorwardError(EMULATOR_REFUSED, reason=f"not an address: {url}") from None
    if parts.scheme != "http" or not is_loopback_host(host):
        raise DoorwardError(EMULATOR_REFUSED, reason=f"not an http: address on this machine: {url}")
    try:
        status, body = _post(host, port, request.to_json())
    except (OSError, HTTPException) as error:
        raise DoorwardError(EMULATOR_UNREACHABLE, url=url, reason=type(error).__name__) from None
    return _token(status, body)


def _post(host: str, port: int, body: bytes) -> tuple[int, bytes]:
    connection = HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.request("POST", MINT_PATH, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _token(status: int, body: bytes) -> str:
    try:
        if status == 200:
            return MintResponse.from_json(body).token
        reason = Refusal.from_json(body).message
    except BadMessage:
        reason = f"status {status}, which is not an emulator's answer"
    raise DoorwardError(EMULATOR_REFUSED, reason=reason)
