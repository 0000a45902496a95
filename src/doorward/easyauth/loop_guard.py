"""The loop guard: how often in a row this browser was sent to a provider without coming back (reference 2.1).

The cookie `RedirectCount` holds the number, and behind a dot what was asked for: somebody who opens many tabs at once
goes in no circle, while a circle always comes back to the same address. It is no secret and protects nobody but its
holder, so it is neither sealed nor signed.
"""

import hashlib
import re

from doorward.base.errors import DoorwardError
from doorward.base.refusals_sign_in import REDIRECT_LOOP
from doorward.identity.visit import RawHeaders
from doorward.protocol.easyauth import COUNT_COOKIE, Header, cookie_values, set_cookie

MOST_REDIRECTS = 5
_COUNT = re.compile(r"([0-9]{1,2})(?:\.([0-9a-f]{8}))?")


def count_redirect(raw_headers: RawHeaders, target: str, *, https: bool) -> Header:
    """Give the cookie that counts one more redirect on the way to `target`.

    Raises `DoorwardError` (`redirect_loop`) when there were five already.
    """
    mark = hashlib.sha256(target.encode()).hexdigest()[:8]
    count = max((_count(value, mark) for value in cookie_values(raw_headers, COUNT_COOKIE)), default=0)
    if count >= MOST_REDIRECTS:
        raise DoorwardError(REDIRECT_LOOP, redirects=count)
    return set_cookie(COUNT_COOKIE, f"{count + 1}.{mark}", https=https)


def _count(value: str, mark: str) -> int:
    """Read a count; one for another address does not go on, and one without an address counts for all."""
    parts = _COUNT.fullmatch(value)
    return 0 if parts is None or parts[2] not in (None, mark) else int(parts[1])
