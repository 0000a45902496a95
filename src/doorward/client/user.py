"""Whose token it is, and the kinds of token there are."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["platform", "access"]
"""`platform` is the opaque token for the platform's own APIs, `access` the JWT for `/auth-service`."""

KIND_OF_AUDIENCE: dict[object, Kind] = {"platform": "platform", "auth-service": "access"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformUser:
    """The user of a token that was verified; only `PlatformTokens` makes one.

    `id` is the user's number in Doorward, which never changes. `email` is None where the token was verified by its
    signature, since a JWT does not carry it. `client_id` is the Entra application that signed the user in. Times are
    whole seconds since the epoch.
    """

    id: int
    email: str | None
    client_id: str
    kind: Kind
    issued_at: int
    expires_at: int
