"""The bodies that the token service reads (token-exchange reference 1.2 and 1.8).

Strict: types are not coerced, duplicate names are refused, and every wrong field is named at once. Unknown fields are
ignored for compatibility and counted. Nothing that was sent is repeated in what is said about it.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, final
from urllib.parse import parse_qsl

import msgspec

from doorward.base.errors import DoorwardError
from doorward.base.frozen import frozen
from doorward.base.refusals import INVALID_REQUEST
from doorward.base.strict_json import FEW_PARTS, DuplicateName, NotStrictJson, decode
from doorward.base.text import EMAIL_MAX, NAME_MAX, email_key, has_hidden
from doorward.exchange.envelope import ValidationFailed
from doorward.identity.visit import Visit

Kind = Literal["email", "text", "name", "boolean", "positive"]
MAX_PARAMETERS = 32
FORM = b"application/x-www-form-urlencoded"
_SCHEMAS: Mapping[Kind, Mapping[str, object]] = {
    # Wider than what is taken: no pattern says all of RFC 5321 and IDNA, and one that is too narrow turns people away.
    "email": {
        "type": "string",
        "maxLength": EMAIL_MAX,
        "pattern": r'^\s*[^\s@"(),:;<>\[\]\\]+@[^\s@"(),:;<>\[\]\\]+\s*$',
    },
    "text": {"type": "string"},
    "name": {"type": "string", "maxLength": NAME_MAX, "pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"},
    "boolean": {"type": "boolean"},
    "positive": {"type": "integer", "minimum": 1},
}


@frozen
class Field:
    """One field of a JSON body: how it is read and how it is described; an optional field may also be null."""

    name: str
    kind: Kind
    describes: str
    required: bool = False
    default: bool | None = None

    def schema(self) -> dict[str, object]:
        """Give the field's JSON Schema (draft 2020-12)."""
        schema = {**_SCHEMAS[self.kind], "description": self.describes}
        if not self.required:
            schema["type"] = [schema["type"], "null"]
        return schema if self.default is None else {**schema, "default": self.default}


LOGIN_FIELDS: Final = (
    Field(
        name="email",
        kind="email",
        required=True,
        describes="The person's e-mail address; equal to the token's preferred_username (v1.0: upn).",
    ),
    Field(name="azure_ad_token", kind="text", required=True, describes="The Microsoft Entra id_token, as received."),
    Field(name="full_name", kind="name", describes="Display name, used only when the account is created."),
    Field(
        name="auto_create",
        kind="boolean",
        default=True,
        describes="With false an unknown user is answered 404 instead of being created.",
    ),
    Field(
        name="organization_id",
        kind="positive",
        describes="Organization of a user who is created by this exchange; the registration must allow it.",
    ),
    Field(
        name="nonce",
        kind="text",
        describes="The nonce of the client's own sign-in request; if sent, the token must carry the same.",
    ),
)
LOGOUT_FIELDS: Final = (
    Field(name="all", kind="boolean", default=False, describes="Whether every token of the user ends, not only these."),
)
KNOWN_FIELDS: Final = frozenset(field.name for field in LOGIN_FIELDS)


class LoginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What `azure-token-login` is asked: `email` is trimmed, absent optional fields are None."""

    email: str
    azure_ad_token: str
    full_name: str | None
    auto_create: bool
    organization_id: int | None
    nonce: str | None
    unknown_fields: int


def read_login(visit: Visit, body: bytes) -> LoginRequest:
    """Read the body of the exchange; raises `ValidationFailed` with every wrong field."""
    reader = _Reader(_read_object(visit, body))
    values: dict[str, Any] = {field.name: reader.take(field) for field in LOGIN_FIELDS}
    reader.finish()
    return LoginRequest(**values, unknown_fields=reader.unknown(KNOWN_FIELDS))


def read_logout(visit: Visit, body: bytes) -> bool:
    """Read the optional body of a logout; gives whether every family is to end. Raises `ValidationFailed`."""
    if not body.strip():
        return False
    reader = _Reader(_read_object(visit, body))
    everything = reader.boolean("all", default=False)
    reader.finish()
    return everything


def read_form(visit: Visit, body: bytes) -> dict[str, str]:
    """Read a form body (RFC 6749 appendix B); empty parameters count as absent.

    Raises `DoorwardError` (`invalid_request`) for another Content-Type, a repeated parameter, or what is not UTF-8.
    """
    if _media_type(visit) != FORM:
        raise DoorwardError(INVALID_REQUEST, reason="Content-Type is not application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise DoorwardError(INVALID_REQUEST, reason="not a form") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise DoorwardError(INVALID_REQUEST, reason="a parameter is repeated")
    return {name: value for name, value in form.items() if value}


def _read_object(visit: Visit, body: bytes) -> Mapping[str, object]:
    if not body:
        raise ValidationFailed([_item("Field required", "missing")])
    if _media_type(visit) != b"application/json":
        raise ValidationFailed([_item("Content-Type should be application/json", "value_error")])
    try:
        value = decode(body, FEW_PARTS)
    except DuplicateName as error:
        raise ValidationFailed([_item("Member names should be unique", "value_error")]) from error
    except NotStrictJson as error:
        raise ValidationFailed([_item("JSON decode error", "json_invalid")]) from error
    if not isinstance(value, dict):
        raise ValidationFailed([_item("Input should be a JSON object", "value_error")])
    return value  # pyright: ignore[reportUnknownVariableType] - a decoded object always has string keys


def _media_type(visit: Visit) -> bytes:
    types = visit.headers(b"content-type")
    return types[0].partition(b";")[0].strip().lower() if len(types) == 1 else b""


def _item(message: str, kind: str, field: str | None = None) -> dict[str, object]:
    return {"loc": ["body"] if field is None else ["body", field], "msg": message, "type": kind}


@final
class _Reader:
    """Takes fields out of a decoded object and remembers what is wrong with them."""

    def __init__(self, members: Mapping[str, object]) -> None:
        self._members = members
        self._items: list[dict[str, object]] = []

    def take(self, field: Field) -> object:
        """Take a field as its row says; most optional ones are absent."""
        if not field.required and self._members.get(field.name) is None:
            return field.default
        match field.kind:
            case "email":
                return self.email(field.name)
            case "text":
                return self.text(field.name) if field.required else self.optional_text(field.name)
            case "name":
                return self.name(field.name)
            case "boolean":
                return self.boolean(field.name, default=bool(field.default))
            case "positive":
                return self.positive(field.name)

    def text(self, field: str) -> str:
        """Take a required string."""
        if field not in self._members:
            self._items.append(_item("Field required", "missing", field))
            return ""
        value = self._members[field]
        return value if isinstance(value, str) else self._wrong(field, "Input should be a valid string", "string_type")

    def email(self, field: str) -> str:
        """Take a required e-mail address, without the white space around it."""
        value = self.text(field).strip()
        if isinstance(self._members.get(field), str) and email_key(value) is None:
            self._wrong(field, "Value error, not an email address", "value_error")
        return value

    def optional_text(self, field: str) -> str | None:
        """Take a string that may be absent or null."""
        return None if self._members.get(field) is None else self.text(field)

    def name(self, field: str) -> str | None:
        """Take a display name that may be absent, null or blank."""
        value = (self.optional_text(field) or "").strip()
        if len(value) > NAME_MAX:
            self._wrong(field, f"Value error, longer than {NAME_MAX} characters", "value_error")
        elif has_hidden(value):
            self._wrong(field, "Value error, control or invisible characters", "value_error")
        return value or None

    def boolean(self, field: str, *, default: bool) -> bool:
        """Take a JSON boolean; strings and numbers are not coerced."""
        value = self._members.get(field)
        if value is None:
            return default
        if not isinstance(value, bool):
            self._wrong(field, "Input should be a valid boolean", "bool_type")
            return default
        return value

    def positive(self, field: str) -> int | None:
        """Take a JSON integer from 1 up that may be absent or null."""
        value = self._members.get(field)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong(field, "Input should be a valid integer", "int_type")
        elif value < 1:
            self._wrong(field, "Value error, should be greater than or equal to 1", "value_error")
        else:
            return value
        return None

    def unknown(self, known: frozenset[str]) -> int:
        """Count the members that no field takes."""
        return len(self._members.keys() - known)

    def finish(self) -> None:
        """Refuse if any field was wrong; raises `ValidationFailed`."""
        if self._items:
            raise ValidationFailed(self._items)

    def _wrong(self, field: str, message: str, kind: str) -> str:
        self._items.append(_item(message, kind, field))
        return ""
