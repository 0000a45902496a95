"""The log of what applications ask of the pretend providers, and of what they are answered: decoded, newest first.

Owns the masking: what could be used again (codes, tokens, secrets, verifiers) is shown by its length alone, and of a
JWT the header and the claims. Kept in memory, the last few hundred.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

import msgspec

from doorward.base.clock import Clock, rfc3339
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.protocol.jose import base64url_decode

KEPT = 300
_SECRETS = frozenset(
    {
        "access_token", "appsecret_proof", "assertion", "authentication_token", "client_assertion", "client_secret",
        "code", "code_verifier", "id_token", "id_token_hint", "input_token", "oauth_signature", "oauth_token_secret",
        "oauth_verifier", "refresh_token",
    }
)  # fmt: skip


class Shown(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One parameter as the log shows it: masked, or as it is; `decoded` are the lines of what is inside it."""

    name: str
    value: str
    decoded: tuple[tuple[str, str], ...] = ()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer."""

    number: int
    time: str
    provider: str
    endpoint: str
    method: str
    path: str
    asked: tuple[Shown, ...]
    status: int
    answered: tuple[Shown, ...]
    note: str


class Traffic:
    """The log."""

    def __init__(self, clock: Clock) -> None:
        """Begin empty."""
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._count = 0

    def note(
        self,
        *,
        provider: str,
        endpoint: str,
        method: str,
        path: str,
        asked: Iterable[tuple[str, str]],
        status: int,
        answered: Iterable[tuple[str, str]],
        note: str,
    ) -> None:
        """Note a request and its answer; the values are masked here."""
        self._count += 1
        entry = Entry(
            number=self._count,
            time=rfc3339(self._clock.now()),
            provider=provider,
            endpoint=endpoint,
            method=method,
            path=path,
            asked=tuple(shown(name, value) for name, value in asked),
            status=status,
            answered=tuple(shown(name, value) for name, value in answered),
            note=note,
        )
        self._entries.appendleft(entry)

    def entries(self) -> list[Entry]:
        """Give the entries, newest first."""
        return list(self._entries)

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()


def shown(name: str, value: str) -> Shown:
    """Give a parameter as it may be shown."""
    inside = _jwt(value)
    if name in _SECRETS or inside:
        return Shown(name=name, value=f"({len(value)} characters)" if value else "", decoded=inside)
    return Shown(name=name, value=value, decoded=_state(value) if name == "state" else ())


def texts(members: Mapping[str, object]) -> list[tuple[str, str]]:
    """Write the members of a JSON object as parameters, for the log."""
    return [
        (name, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        for name, value in members.items()
    ]


def _jwt(value: str) -> tuple[tuple[str, str], ...]:
    parts = value.split(".")
    if len(parts) != 3 or not value.startswith("eyJ"):
        return ()
    try:
        head, claims = (decode_object(base64url_decode(part.encode())) for part in parts[:2])
    except (ValueError, NotStrictJson):
        return ()
    return tuple(texts({f"header.{name}": member for name, member in head.items()} | claims))


def _state(value: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_qsl(value, keep_blank_values=True)) if "=" in value else ()
