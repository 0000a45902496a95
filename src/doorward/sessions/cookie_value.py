"""The values that the cookie of one session has had, and until when each of them counts.

A value is the secret of the session, and since the first refresh by cookie a mark behind it, random like the secret, so
that who holds an old value cannot write the new one. A process that remembers the session as it was does not know the
new value, and reads the session anew. What a refresh replaced counts on for a short grace, since a page asks for
several things at once, and never for longer than it would have without the refresh.
"""

import hmac
import re
from collections.abc import Iterator
from typing import final

import msgspec

GRACE = 60.0
"""For how many seconds a value that was replaced still counts."""
MOST_FORMER = 32
MARK_BYTES = 16
_FORM = re.compile(r"([A-Za-z0-9_-]{43})(?:\.([A-Za-z0-9_-]{22}))?")


@final
class Former(msgspec.Struct, frozen=True, array_like=True):
    """A mark that was replaced at a time, and when its value would have expired, both in seconds since the epoch."""

    mark: str
    replaced_at: float
    expires_at: float


@final
class CookieValues(msgspec.Struct, frozen=True, omit_defaults=True):
    """The mark of a session now, empty before the first refresh, and those before, the newest first."""

    mark: str = ""
    former: tuple[Former, ...] = ()

    def replaced_by(self, mark: str, now: float, expires_at: float) -> "CookieValues":
        """Give the values once a refresh has handed out `mark` in place of the one that would end at `expires_at`."""
        living = (former for former in self.former if now < former.replaced_at + GRACE)
        return CookieValues(mark, (Former(self.mark, now, expires_at), *living)[:MOST_FORMER])

    def until(self, mark: str, expires_at: float, extension: float = 0.0) -> float | None:
        """Give until when the value with `mark` counts, None for one that the session never had, or has no more.

        `expires_at` is when the newest value expires; `extension` is for how long after its end a refresh is allowed.
        """
        if hmac.compare_digest(mark, self.mark):
            return expires_at + extension
        return next(self._ends(mark, extension), None)

    def _ends(self, mark: str, extension: float) -> Iterator[float]:
        for former in self.former:
            if hmac.compare_digest(mark, former.mark):
                yield min(former.replaced_at + GRACE, former.expires_at + extension)


def read_value(cookie: str) -> tuple[str, str] | None:
    """Give the secret and the mark of a cookie, None for what is no cookie of ours."""
    parts = _FORM.fullmatch(cookie)
    return None if parts is None else (parts[1], parts[2] or "")


def write_value(cookie: str, mark: str) -> str:
    """Give the value with the secret of `cookie`, and with `mark`."""
    secret = cookie.partition(".")[0]
    return f"{secret}.{mark}" if mark else secret
