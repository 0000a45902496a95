"""What the command line asks of a running emulator, and what it answers: one value a message, both directions.

The client writes what the emulator reads and the reverse, over `POST /_emulator/token`.
"""

from typing import Literal, Self

import msgspec

from doorward.base.strict_json import NotStrictJson, decode_object

MINT_PATH = "/_emulator/token"
PEOPLE_PATH = "/_emulator/people"

AUTHORIZE_PATH = "/_emulator/authorize-as"
CLIENTS_PATH = "/_emulator/clients"
FAULTS_PATH = "/_emulator/faults"
LOG_PATH = "/_emulator/log"

Fault = Literal[
    "expired_token", "not_yet_valid", "wrong_audience", "wrong_issuer", "wrong_nonce", "no_nonce", "wrong_signature",
    "unpublished_key", "consumer_key", "algorithm_none", "algorithm_hs256", "bad_c_hash", "bad_at_hash", "key_rotation",
    "unverified_email", "subject_changed",
]  # fmt: skip


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

    @property
    def faults(self) -> tuple[str, ...]:
        """Give everything that is to be wrong, by the names of `faults`."""
        flags = {"expired_token": self.expired, "unverified_email": self.unverified}
        named = (name for name, is_on in flags.items() if is_on and name != self.fault)
        return (*named, *((self.fault,) if self.fault else ()))


class MintResponse(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A token in compact form; `secret` is the secret of a token of OAuth 1.0a."""

    token: str
    secret: str = ""


class AuthorizeAs(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Sign a person in without a browser: `url` is the address that the application sent its browser to."""

    url: str
    email: str
    faults: tuple[str, ...] = ()


class Authorized(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the browser would do next: get `url`, or post `fields` to it."""

    method: Literal["GET", "POST"]
    url: str
    fields: dict[str, str] = {}

    def __repr__(self) -> str:
        """Show the method alone: the rest holds codes."""
        return f"Authorized({self.method!r})"


class SetFaults(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Faults for the next `count` sign-ins at a provider, None for all that follow; no faults switches them off.

    `at_refresh` means the next refreshes in place of sign-ins. `slow_seconds` is how late `slow` is, for everybody.
    """

    provider: str
    faults: tuple[str, ...] = ()
    count: int | None = 1
    at_refresh: bool = False
    slow_seconds: float | None = None


class Refusal(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Why the emulator did not do what it was asked."""

    message: str
