"""The messages of OAuth 2.0 and OpenID Connect, each one frozen value with both directions.

What the sign-in writes the emulator reads, and the reverse, so both hold the same value. A parameter without a value
counts as absent (RFC 6749 section 3.1), so an empty string is how absence is written here. Whatever a message carries
beyond the parameters it knows stands in `further`, in its order. Tokens, codes and secrets are never printed.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import field, fields
from hashlib import sha256
from typing import ClassVar, Self, cast

import msgspec

from doorward.base.frozen import frozen
from doorward.base.strict_json import NotStrictJson, decode_object
from doorward.protocol.jose import base64url_encode
from doorward.protocol.parameter_message import ParameterMessage
from doorward.protocol.parameters import BadMessage, Pairs, read_form, write_parameters

Further = Mapping[str, object]
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_SECONDS = 10**10


@frozen
class AuthorizationRequest(ParameterMessage):
    """What the browser carries to the provider (RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2.1, RFC 7636 4.3)."""

    response_type: str = ""
    redirect_uri: str = ""
    client_id: str = ""
    scope: str = ""
    login_hint: str = ""
    domain_hint: str = ""
    prompt: str = ""
    max_age: str = ""
    access_type: str = ""
    further: Pairs = ()
    response_mode: str = ""
    resource: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""
    nonce: str = field(default="", repr=False)
    state: str = field(default="", repr=False)


@frozen
class AuthorizationResponse(ParameterMessage):
    """What the browser brings back, in a query, a fragment or a posted form (RFC 6749 4.1.2, OAuth 2.0 Form Post)."""

    code: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    token_type: str = ""
    expires_in: str = ""
    scope: str = ""
    error: str = ""
    error_description: str = ""
    error_uri: str = ""
    state: str = field(default="", repr=False)
    session_state: str = ""
    iss: str = ""
    further: Pairs = field(default=(), repr=False)


@frozen
class CodeRedemption(ParameterMessage):
    """A code for tokens (RFC 6749 section 4.1.3); the client proves itself by secret or assertion (RFC 7523 2.2)."""

    GRANT: ClassVar[str] = "authorization_code"

    code: str = field(default="", repr=False)
    redirect_uri: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_assertion_type: str = ""
    client_assertion: str = field(default="", repr=False)
    code_verifier: str = field(default="", repr=False)
    scope: str = ""
    resource: str = ""
    further: Pairs = field(default=(), repr=False)


@frozen
class RefreshRequest(ParameterMessage):
    """A refresh token for new tokens (RFC 6749 section 6)."""

    GRANT: ClassVar[str] = "refresh_token"

    refresh_token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    client_assertion_type: str = ""
    client_assertion: str = field(default="", repr=False)
    scope: str = ""
    resource: str = ""
    further: Pairs = field(default=(), repr=False)


@frozen
class EndSessionRequest(ParameterMessage):
    """Sign-out at the provider (OpenID Connect RP-Initiated Logout 1.0 section 2)."""

    id_token_hint: str = field(default="", repr=False)
    logout_hint: str = ""
    client_id: str = ""
    post_logout_redirect_uri: str = ""
    state: str = ""
    ui_locales: str = ""
    further: Pairs = ()


def read_token_request(body: bytes) -> CodeRedemption | RefreshRequest:
    """Read what is sent to a token endpoint; raises `BadMessage`, as `unsupported_grant_type` for another grant."""
    pairs = read_form(body)
    match dict(pairs).get("grant_type", ""):
        case "authorization_code":
            return CodeRedemption.from_pairs(pairs)
        case "refresh_token":
            return RefreshRequest.from_pairs(pairs)
        case "":
            raise BadMessage("grant_type is absent")
        case _:
            raise BadMessage("grant_type is neither authorization_code nor refresh_token", "unsupported_grant_type")


# --- answers of the token endpoint ---------------------------------------------------------------------------------


@frozen
class _Answer:
    """An answer of the token endpoint: members, most of them text.

    `further` are the members that are not named here; in a form they can be text alone.
    """

    further: Further = field(default_factory=dict[str, object], repr=False)

    def members(self) -> dict[str, object]:
        """Give the members that have a value."""
        known = {one.name: cast("object", getattr(self, one.name)) for one in fields(self) if one.name != "further"}
        return {name: value for name, value in known.items() if value not in (None, "")} | dict(self.further)

    @classmethod
    def from_members(cls, members: Further) -> Self:
        """Make the answer of its members; raises `BadMessage`."""
        rest = dict(members)
        read: dict[str, object] = {}
        for one in fields(cls):
            if one.name != "further":
                value = rest.pop(one.name, None)
                read[one.name] = _seconds(value) if one.name == "expires_in" else _text(one.name, value)
        answer = cls(**cast("dict[str, Further]", read), further=rest)
        answer.check()
        return answer

    def check(self) -> None:
        """Raise `BadMessage` when a member that must be there is absent."""

    def to_json(self) -> bytes:
        """Write it as JSON."""
        return msgspec.json.encode(self.members())

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read what `to_json` wrote; raises `BadMessage`."""
        return cls.from_members(_object(body))

    def to_form(self) -> bytes:
        """Write it form-encoded, as GitHub does unless it is asked for JSON."""
        return write_parameters((name, str(value)) for name, value in self.members().items()).encode()

    @classmethod
    def from_form(cls, body: bytes) -> Self:
        """Read what `to_form` wrote; raises `BadMessage`."""
        return cls.from_members(dict(read_form(body)))


@frozen
class TokenResponse(_Answer):
    """Tokens (RFC 6749 section 5.1, OpenID Connect Core 3.1.3.3). `expires_in` counts seconds; None is absent."""

    access_token: str = field(repr=False)
    token_type: str = ""
    expires_in: int | None = None
    refresh_token: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    scope: str = ""

    def check(self) -> None:
        """Raise `BadMessage` when there is no access token."""
        if not self.access_token:
            raise BadMessage("access_token is absent")


@frozen
class TokenError(_Answer):
    """A refusal of the token endpoint (RFC 6749 section 5.2)."""

    error: str
    error_description: str = ""
    error_uri: str = ""

    def check(self) -> None:
        """Raise `BadMessage` when there is no error."""
        if not self.error:
            raise BadMessage("error is absent")


def read_token_answer(media_type: str, body: bytes) -> TokenResponse | TokenError:
    """Read an answer of a token endpoint, JSON or form-encoded by its media type; raises `BadMessage`.

    Whoever answers 200 with an `error`, as GitHub does, has refused; so has who answers with an object of one, as
    Facebook's Graph does.
    """
    kind = media_type.partition(";")[0].strip().lower()
    members: dict[str, object] = dict(read_form(body)) if kind in {FORM, "text/plain"} else _object(body)
    if isinstance(members.get("error"), dict):
        members = _graph_error(cast("dict[str, object]", members["error"]))
    return TokenError.from_members(members) if "error" in members else TokenResponse.from_members(members)


@frozen
class UserInfo:
    """What a provider says of a person: the UserInfo answer (OpenID Connect Core 5.3.2), or a profile of its own."""

    members: Further = field(repr=False)

    def to_json(self) -> bytes:
        """Write it as JSON."""
        return msgspec.json.encode(dict(self.members))

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read what `to_json` wrote; raises `BadMessage`."""
        return cls(members=_object(body))


def challenge_of(verifier: str) -> str:
    """Give the S256 code challenge of a verifier (RFC 7636 section 4.2)."""
    return base64url_encode(sha256(verifier.encode()).digest()).decode()


def basic_authorization(client_id: str, client_secret: str) -> str:
    """Give the Authorization header with which a client proves itself (RFC 6749 section 2.3.1)."""
    escaped = (write_parameters([("", part)])[1:] for part in (client_id, client_secret))
    return f"Basic {b64encode(':'.join(escaped).encode()).decode()}"


def _object(body: bytes) -> dict[str, object]:
    try:
        return decode_object(body)
    except NotStrictJson as error:
        raise BadMessage(f"the answer is {error}") from error


def _graph_error(error: dict[str, object]) -> dict[str, object]:
    """Put Graph's object of an error, with `type`, `code` and `message`, into OAuth's members."""
    kind, message = error.get("type"), error.get("message")
    if not isinstance(kind, str) or not kind:
        raise BadMessage("error is neither text nor an object with a type")
    return {"error": kind, "error_description": message if isinstance(message, str) else ""}


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadMessage(f"{name} is not text")
    return value


def _seconds(value: object) -> int | None:
    """Read a number of seconds; Entra's version 1.0 writes it as text."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SECONDS:
        raise BadMessage("expires_in is not a number of seconds")
    return value
