"""The `state` of a sign-in: where to go afterwards, and for some providers the nonce (easy-auth reference 2.1).

`redir=<target, encoded>`, and behind it `&nonce=<nonce>` where the provider carries no nonce of its own. It is not
signed: whoever comes back must bring exactly the state that belongs to the sign-in in their `Nonce` cookie.
"""

import hmac
from urllib.parse import quote

from doorward.protocol.parameters import BadMessage, read_parameters

MAX_TARGET = 2048
"""Characters. The target travels in an address and in a cookie, and neither has room for more."""


def write_state(target: str, nonce: str | None) -> str:
    """Write a state; it is encoded once more when it goes into an address."""
    return f"redir={quote(target, safe='')}" + (f"&nonce={nonce}" if nonce else "")


def nonce_in(state: str) -> str | None:
    """Give the nonce in a state that came back, or None."""
    return _parts(state).get("nonce") or None


def target_in(state: str) -> str | None:
    """Give the target in a state that came back, which nobody has judged again yet, or None."""
    return _parts(state).get("redir") or None


def is_same_state(sent: str, came_back: str) -> bool:
    """Say whether a state came back as it was sent."""
    return hmac.compare_digest(sent.encode(), came_back.encode())


def _parts(state: str) -> dict[str, str]:
    try:
        return dict(read_parameters(state))
    except BadMessage:
        return {}
