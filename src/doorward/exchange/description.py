"""The description of the token service's API: OpenAPI 3.1, made from the rows that the service itself reads.

Request bodies come from the rows of `messages`, refusals from the catalogue; a test calls the running service by this
description and holds every answer to it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from doorward import __version__
from doorward.base import refusals as r
from doorward.base.errors import ErrorRow
from doorward.exchange.messages import LOGIN_FIELDS, LOGOUT_FIELDS, Field
from doorward.exchange.token_exchange import ACCESS_TOKEN, GRANT, SUBJECT_TYPES

Schema = dict[str, object]

_EXCHANGE_ROWS = (
    r.TOKEN_EXPIRED, r.TOKEN_NOT_YET_VALID, r.INVALID_TOKEN, r.ISSUER_MISMATCH, r.AUDIENCE_MISMATCH,
    r.TENANT_NOT_ALLOWED, r.GUEST_NOT_ALLOWED, r.TOKEN_REPLAYED, r.EMAIL_MISMATCH, r.USER_NOT_FOUND, r.ACCOUNT_EXISTS,
    r.IDENTITY_CONFLICT, r.USER_DISABLED, r.ORGANIZATION_DISABLED, r.ORGANIZATION_NOT_ALLOWED,
    r.ORGANIZATION_NOT_FOUND, r.VALIDATION_ERROR, r.RATE_LIMITED, r.KEYS_UNAVAILABLE,
)  # fmt: skip
_BEARER_ROWS = (r.AUTHENTICATION_REQUIRED, r.INVALID_ACCESS_TOKEN, r.MALFORMED_REQUEST)
_COMMON_ROWS = (
    r.PAYLOAD_TOO_LARGE, r.HTTPS_REQUIRED, r.INVALID_SUBSCRIPTION_KEY, r.STORE_UNAVAILABLE, r.SHUTTING_DOWN,
)  # fmt: skip
_Security = dict[str, list[str]]
_BEARER: list[_Security] = [{"bearer": []}]
_CLIENT: list[_Security] = [{"client": []}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint as it is described; `rows` are the refusals that it may answer with."""

    method: str
    path: str
    summary: str
    answer: Schema
    rows: Sequence[ErrorRow] = ()
    body: Schema | None = None
    form: Schema | None = None
    security: Sequence[_Security] = ()
    is_oauth: bool = False


def describe(issuer: str, platform_token_name: str) -> dict[str, object]:
    """Give the OpenAPI document of the service at `issuer`."""
    paths: dict[str, dict[str, object]] = {}
    for endpoint in _endpoints(platform_token_name):
        paths.setdefault(endpoint.path, {})[endpoint.method] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Doorward token service",
            "version": __version__,
            "description": "A Microsoft Entra id_token in, the platform's own tokens out.",
        },
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {
            "schemas": {"Refusal": _refusal(), "OAuthError": _oauth_error()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "The access_token."},
                "client": {"type": "http", "scheme": "basic", "description": "A client made by doorward clients add."},
            },
        },
    }


def _endpoints(platform_token_name: str) -> tuple[Endpoint, ...]:
    tokens = _enveloped(_tokens(platform_token_name))
    recheck = (
        r.USER_DISABLED, r.ORGANIZATION_DISABLED, r.AUDIENCE_MISMATCH, r.TENANT_NOT_ALLOWED, r.REFRESH_NOT_ALLOWED,
    )  # fmt: skip
    return (
        Endpoint(
            method="post",
            path="/api/v2/sso/microsoft/azure-token-login",
            summary="Exchange an Entra id_token for both platform tokens",
            answer=tokens,
            rows=_EXCHANGE_ROWS,
            body=_object_of(LOGIN_FIELDS),
        ),
        Endpoint(
            method="post",
            path="/api/v2/users/refresh-access-token",
            summary="Give a new pair for the bearer",
            answer=tokens,
            rows=(*_BEARER_ROWS, *recheck),
            security=_BEARER,
        ),
        Endpoint(
            method="get",
            path="/api/v2/users/me",
            summary="Say who the bearer is",
            answer=_enveloped(_user()),
            rows=(*_BEARER_ROWS, *recheck[:3]),
            security=_BEARER,
        ),
        Endpoint(
            method="post",
            path="/api/v2/users/logout",
            summary="End the bearer's tokens",
            answer=_enveloped({"type": "null"}),
            rows=(*_BEARER_ROWS, r.VALIDATION_ERROR),
            body=_object_of(LOGOUT_FIELDS),
            security=_BEARER,
        ),
        *_oauth_endpoints(platform_token_name),
    )


def _oauth_endpoints(platform_token_name: str) -> tuple[Endpoint, ...]:
    return (
        Endpoint(
            method="post",
            path="/oauth2/token",
            summary="Exchange an Entra id_token (RFC 8693)",
            answer=_token_answer(platform_token_name),
            rows=(r.INVALID_REQUEST, r.INVALID_TARGET, r.UNSUPPORTED_GRANT_TYPE, r.RATE_LIMITED, r.KEYS_UNAVAILABLE),
            form=_token_form(),
            is_oauth=True,
        ),
        Endpoint(
            method="post",
            path="/oauth2/introspect",
            summary="Say whether a token holds, and whose it is (RFC 7662)",
            answer=_introspection(),
            rows=(r.INVALID_REQUEST, r.INVALID_CLIENT, r.MALFORMED_REQUEST),
            form=_form({"token": "A platform token of either kind."}, ("token",)),
            security=_CLIENT,
            is_oauth=True,
        ),
        Endpoint(
            method="post",
            path="/oauth2/revoke",
            summary="Revoke a token and its pair (RFC 7009)",
            answer={"type": "object"},
            rows=(r.INVALID_REQUEST, r.INVALID_CLIENT, *_BEARER_ROWS),
            form=_form({"token": "The token to revoke.", "token_type_hint": "Not looked at."}, ("token",)),
            security=[*_BEARER, *_CLIENT],
            is_oauth=True,
        ),
        Endpoint(
            method="get",
            path="/oauth2/jwks",
            summary="Public keys of the access token (RFC 7517); none while signing is symmetric",
            answer=_members({"keys": {"type": "array", "items": {"type": "object"}}}),
            is_oauth=True,
        ),
    )


def _operation(endpoint: Endpoint) -> dict[str, object]:
    operation: dict[str, object] = {
        "operationId": f"{endpoint.method}_{endpoint.path.rsplit('/', 1)[1].replace('-', '_')}",
        "summary": endpoint.summary,
        "responses": {"200": _content("Done", endpoint.answer), **_refusals(endpoint)},
    }
    if endpoint.security:
        operation["security"] = list(endpoint.security)
    if endpoint.body is not None:
        required = bool(endpoint.body.get("required"))
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": endpoint.body}}}
    if endpoint.form is not None:
        form = {"application/x-www-form-urlencoded": {"schema": endpoint.form}}
        operation["requestBody"] = {"required": True, "content": form}
    return operation


def _refusals(endpoint: Endpoint) -> dict[str, object]:
    """Give one answer for each status, with the codes that it may carry."""
    by_status: dict[int, list[ErrorRow]] = {}
    for row in (*endpoint.rows, *_COMMON_ROWS):
        by_status.setdefault(row.status, []).append(row)
    name = "OAuthError" if endpoint.is_oauth else "Refusal"
    schema: Schema = {"$ref": f"#/components/schemas/{name}"}
    return {str(status): _content(_listed(rows), schema) for status, rows in sorted(by_status.items())}


def _listed(rows: Iterable[ErrorRow]) -> str:
    return "; ".join(f"`{row.code}`: {row.message}" for row in rows)


def _content(description: str, schema: Schema) -> dict[str, object]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _object_of(fields: Sequence[Field]) -> Schema:
    required = [field.name for field in fields if field.required]
    schema: Schema = {"type": "object", "properties": {field.name: field.schema() for field in fields}}
    return {**schema, "required": required} if required else schema


def _members(properties: dict[str, Schema], required: Iterable[str] | None = None) -> Schema:
    named = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties, "required": named}


def _enveloped(data: Schema) -> Schema:
    return _members({"success": {"const": True}, "message": {"type": "string"}, "data": data})


def _tokens(platform_token_name: str) -> Schema:
    return _members(
        {
            "access_token": {"type": "string", "description": "A JWT, for /auth-service alone."},
            platform_token_name: {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "For platform APIs."},
            "token_type": {"const": "bearer"},
        }
    )


def _user() -> Schema:
    return _members(
        {
            "id": {"type": "integer"},
            "email": {"type": "string"},
            "full_name": {"type": "string"},
            "organization_id": {"type": "integer"},
            "role": {"enum": ["user", "application_admin", "global_admin"]},
        }
    )


def _token_answer(platform_token_name: str) -> Schema:
    return _members(
        {
            "access_token": {"type": "string"},
            "issued_token_type": {"const": ACCESS_TOKEN},
            "token_type": {"const": "Bearer"},
            "expires_in": {"type": "integer", "minimum": 0},
            platform_token_name: {"type": "string"},
        }
    )


def _token_form() -> Schema:
    form = _form(
        {"subject_token": "The Microsoft Entra id_token."}, ("grant_type", "subject_token_type", "subject_token")
    )
    chosen = {"grant_type": {"const": GRANT}, "subject_token_type": {"enum": list(SUBJECT_TYPES)}}
    properties = form["properties"]
    return {**form, "properties": {**chosen, **(properties if isinstance(properties, dict) else {})}}


def _form(fields: dict[str, str], required: Sequence[str]) -> Schema:
    properties = {name: {"type": "string", "minLength": 1, "description": text} for name, text in fields.items()}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _introspection() -> Schema:
    text: Schema = {"type": "string"}
    number: Schema = {"type": "integer"}
    named: dict[str, Schema] = {
        **dict.fromkeys(("iss", "sub", "aud", "client_id", "username", "token_type"), text),
        **dict.fromkeys(("iat", "exp"), number),
    }
    return _members({"active": {"type": "boolean"}, **named}, ["active"])


def _refusal() -> Schema:
    item = _members({"loc": {"type": "array"}, "msg": {"type": "string"}, "type": {"type": "string"}})
    return _members(
        {
            "success": {"const": False},
            "message": {"type": "string"},
            "detail": {"anyOf": [{"type": "string"}, {"type": "array", "items": item}]},
            "data": {"type": "null"},
            "error": _members({"code": {"type": "string"}, "request_id": {"type": "string"}}),
        }
    )


def _oauth_error() -> Schema:
    text: Schema = {"type": "string"}
    return _members(dict.fromkeys(("error", "error_description", "error_code", "request_id"), text))
