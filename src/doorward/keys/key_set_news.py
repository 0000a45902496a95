"""What is told of the providers' key sets: to the audit trail, to operators, to the numbers."""

from typing import Literal

from doorward.base.frozen import frozen


@frozen
class KeySetEvent:
    """Something the audit trail should know; `reason` is empty for a success."""

    name: Literal["keys.refreshed", "keys.refresh_failed"]
    url: str
    kids: tuple[str, ...] = ()
    reason: str = ""


@frozen
class KeySetStatus:
    """What is known of one address. `age` and `fetched_at` (epoch) are in seconds, None without keys."""

    url: str
    keys: int
    age: float | None
    fetched_at: float | None
    fetches: int
    forced_refreshes: int
    failures: int
    last_error: str | None
