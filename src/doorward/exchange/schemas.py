"""The shapes of the token service's bodies as JSON Schema (draft 2020-12), for the description of the API.

A schema here never forbids what the service takes; where it cannot say a rule exactly, the service is the stricter.
"""

from collections.abc import Iterable, Sequence

from doorward.exchange.messages import Field
from doorward.exchange.token_exchange import ACCESS_TOKEN, GRANT, NOT_TAKEN, SUBJECT_TYPES

Schema = dict[str, object]


def fields_body(fields: Sequence[Field]) -> Schema:
    """Give the JSON body that these fields make; further members are ignored."""
    required = [field.name for field in fields if field.required]
    schema: Schema = {"type": "object", "properties": {field.name: field.schema() for field in fields}}
    return {**schema, "required": required} if required else schema


def members(properties: dict[str, Schema], required: Iterable[str] | None = None) -> Schema:
    """Give an object with these members, all of them there unless `required` names fewer."""
    named = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties, "required": named}


def enveloped(data: Schema) -> Schema:
    """Give the envelope of a success (token-exchange reference 1.3)."""
    return members({"success": {"const": True}, "message": {"type": "string"}, "data": data})


def tokens(platform_token_name: str) -> Schema:
    """Give both tokens as the contract names them."""
    return members(
        {
            "access_token": {"type": "string", "description": "A JWT, for /auth-service alone."},
            platform_token_name: _platform_token(),
            "token_type": {"const": "bearer"},
        }
    )


def user() -> Schema:
    """Give what `users/me` says of the caller."""
    return members(
        {
            "id": {"type": "integer"},
            "email": {"type": "string"},
            "full_name": {"type": "string"},
            "organization_id": {"type": "integer"},
            "role": {"enum": ["user", "application_admin", "global_admin"]},
        }
    )


def token_answer(platform_token_name: str) -> Schema:
    """Give the answer of the token endpoint (RFC 8693 section 2.2.1)."""
    return members(
        {
            "access_token": {"type": "string"},
            "issued_token_type": {"const": ACCESS_TOKEN},
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "minimum": 0},
            platform_token_name: _platform_token(),
        }
    )


def token_form() -> Schema:
    """Give the form of the token endpoint; what is not supported may only be empty, which counts as absent."""
    refused: dict[str, Schema] = {
        name: {"type": "string", "maxLength": 0, "description": f"Not supported: answered {row.code}."}
        for name, row in NOT_TAKEN.items()
    }
    return _parameters(
        {
            "grant_type": {"const": GRANT},
            "subject_token_type": {"enum": list(SUBJECT_TYPES)},
            "subject_token": {"type": "string", "minLength": 1, "description": "The Microsoft Entra id_token."},
            "requested_token_type": {"enum": [ACCESS_TOKEN, ""]},
            **refused,
        },
        ("grant_type", "subject_token_type", "subject_token"),
    )


def form(fields: dict[str, str], required: Sequence[str]) -> Schema:
    """Give a form of named texts with their descriptions; further parameters are ignored."""
    properties: dict[str, Schema] = {name: {"type": "string", "description": text} for name, text in fields.items()}
    for name in required:
        properties[name]["minLength"] = 1
    return _parameters(properties, required)


def introspection() -> Schema:
    """Give the answer of introspection (RFC 7662 section 2.2); of a token that does not hold, `active` alone."""
    text: Schema = {"type": "string"}
    number: Schema = {"type": "integer"}
    named: dict[str, Schema] = {
        **dict.fromkeys(("iss", "sub", "aud", "client_id", "username", "token_type"), text),
        **dict.fromkeys(("iat", "exp"), number),
    }
    return members({"active": {"type": "boolean"}, **named}, ["active"])


def refusal() -> Schema:
    """Give the envelope of a refusal (token-exchange reference 1.5)."""
    return members(
        {
            "success": {"const": False},
            "message": {"type": "string"},
            "detail": {"anyOf": [{"type": "string"}, _wrong_fields()]},
            "data": {"type": "null"},
            "error": members({"code": {"type": "string"}, "request_id": {"type": "string"}}),
        }
    )


def problem() -> Schema:
    """Give a refusal as problem details (RFC 9457)."""
    text: Schema = {"type": "string"}
    named: dict[str, Schema] = {
        **dict.fromkeys(("type", "title", "detail", "instance", "code", "request_id"), text),
        "status": {"type": "integer"},
    }
    return members({**named, "errors": _wrong_fields()}, named)


def oauth_error() -> Schema:
    """Give a refusal below `/oauth2` (RFC 6749 section 5.2), with our own code beside OAuth's."""
    text: Schema = {"type": "string"}
    return members(dict.fromkeys(("error", "error_description", "error_code", "request_id"), text))


def _parameters(properties: dict[str, Schema], required: Iterable[str]) -> Schema:
    """Give a form; whatever else stands in it is ignored, but it is text as well: a list would be a repetition."""
    return {**members(properties, required), "additionalProperties": {"type": "string"}}


def _platform_token() -> Schema:
    return {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "For platform APIs."}


def _wrong_fields() -> Schema:
    loc: Schema = {"type": "array", "items": {"type": "string"}}
    item = members({"loc": loc, "msg": {"type": "string"}, "type": {"type": "string"}})
    return {"type": "array", "items": item}
