"""What the command line asks of a running emulator, and what it answers: one value a message, both directions.

The client writes what the emulator reads and the reverse, over `POST /_emulator/token`.
"""

from typing import Literal, Self

import msgspec

from doorward.base.strict_json import NotStrictJson, decode_object

MINT_PATH = "/_emulator/token"
PEOPLE_PATH = "/_emulator/people"

Fault = Literal["unpublished_key", "consumer_key", "wrong_audience", "not_yet_valid"]


class BadMessage(ValueError):
    """A message is not what it should be; the text says what, in words for the person at the command line."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    def to_json(self) -> bytes:
        """Write the message as JSON; what has its default value is left out."""
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, raw: bytes) -> Self:
        """Read what `to_json` wrote; raises `BadMessage` for anything else, an unknown member included."""
        try:
            return msgspec.convert(decode_object(raw), cls)
        except (NotStrictJson, msgspec.ValidationError) as error:
            raise BadMessage(str(error)) from error


class MintRequest(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which token to mint; everything left out is what a good token for the pretend platform has.

    `claims` replace or add members of the token as they stand, `without` leaves members out. `version` is the token's
    own. `guest` makes the person a guest of the tenant, `unverified` says that nobody verified the e-mail address.
    `rotate_key` first makes a new key that signs from then on; with `withdraw_keys` the older ones are published no
    more. `fault` makes one thing wrong.
    """

    provider: str = "aad"
    kind: Literal["id_token", "access_token"] = "id_token"
    version: Literal["1.0", "2.0"] = "2.0"
    email: str | None = None
    name: str | None = None
    tenant: str | None = None
    audience: str | None = None
    nonce: str | None = None
    claims: dict[str, object] = {}
    without: tuple[str, ...] = ()
    guest: bool = False
    unverified: bool = False
    expired: bool = False
    rotate_key: bool = False
    withdraw_keys: bool = False
    fault: Fault | None = None


class MintResponse(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A token in compact form."""

    token: str


class Refusal(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Why the emulator did not do what it was asked."""

    message: str
