"""The description of the token service's API: OpenAPI 3.1, made from the rows that the service itself reads.

Request bodies come from the rows of `messages`, refusals from the catalogue, their statuses from `envelope`; a test
calls the running service by this description and holds every answer to it.
"""

from collections.abc import Sequence

from doorward import __version__
from doorward.base import refusals as r
from doorward.base.errors import ErrorRow
from doorward.base.frozen import frozen
from doorward.exchange import schemas
from doorward.exchange.envelope import oauth_error, token_request_error
from doorward.exchange.messages import LOGIN_FIELDS, LOGOUT_FIELDS
from doorward.exchange.schemas import Schema

LOGIN = "/api/v2/sso/microsoft/azure-token-login"
REFRESH = "/api/v2/users/refresh-access-token"
ME = "/api/v2/users/me"
LOGOUT = "/api/v2/users/logout"
TOKEN = "/oauth2/token"
INTROSPECT = "/oauth2/introspect"
REVOKE = "/oauth2/revoke"
JWKS = "/oauth2/jwks"

_TOKEN_ROWS = (
    r.TOKEN_EXPIRED, r.TOKEN_NOT_YET_VALID, r.INVALID_TOKEN, r.ISSUER_MISMATCH, r.AUDIENCE_MISMATCH,
    r.TENANT_NOT_ALLOWED, r.GUEST_NOT_ALLOWED, r.TOKEN_REPLAYED, r.EMAIL_MISMATCH, r.USER_NOT_FOUND, r.ACCOUNT_EXISTS,
    r.IDENTITY_CONFLICT, r.USER_DISABLED, r.ORGANIZATION_DISABLED, r.ORGANIZATION_NOT_ALLOWED, r.RATE_LIMITED,
    r.KEYS_UNAVAILABLE,
)  # fmt: skip
_BEARER_ROWS = (r.AUTHENTICATION_REQUIRED, r.INVALID_ACCESS_TOKEN, r.MALFORMED_REQUEST)
_OWNER_ROWS = (r.USER_DISABLED, r.ORGANIZATION_DISABLED, r.AUDIENCE_MISMATCH, r.TENANT_NOT_ALLOWED)
_CLOSED_ROWS = (r.PAYLOAD_TOO_LARGE, r.INVALID_SUBSCRIPTION_KEY, r.STORE_UNAVAILABLE)
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_PROBLEM = "application/problem+json"
_KEY_SCHEME = "subscription"


@frozen
class Endpoint:
    """One endpoint as it is described; `rows` are the refusals of its own that it may answer with.

    Each name in `credentials` is a way to authenticate, and one of them is enough. An open endpoint wants no
    subscription key, reads no body and does not ask the database.
    """

    method: str
    path: str
    summary: str
    answer: Schema
    rows: Sequence[ErrorRow] = ()
    body: Schema | None = None
    form: Schema | None = None
    credentials: Sequence[str] = ()
    is_open: bool = False

    def refusals(self) -> dict[int, list[ErrorRow]]:
        """Give every row that it may answer with, by the status that it has here, lowest first."""
        by_status: dict[int, list[ErrorRow]] = {}
        for row in (*self.rows, r.HTTPS_REQUIRED, *(() if self.is_open else _CLOSED_ROWS)):
            by_status.setdefault(self._status(row), []).append(row)
        return dict(sorted(by_status.items()))

    @property
    def is_oauth(self) -> bool:
        """Say whether it refuses in OAuth's words."""
        return self.path.startswith("/oauth2/")

    def _status(self, row: ErrorRow) -> int:
        if self.path == TOKEN:
            return token_request_error(row)[1]
        return oauth_error(row)[1] if self.is_oauth else row.status


def describe(issuer: str, platform_token_name: str, *, wants_key: bool = False) -> dict[str, object]:
    """Give the OpenAPI document of the service at `issuer`; `wants_key` tells that it has a subscription key set."""
    paths: dict[str, dict[str, object]] = {}
    for endpoint in endpoints(platform_token_name):
        paths.setdefault(endpoint.path, {})[endpoint.method] = _operation(endpoint, wants_key=wants_key)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Doorward token service",
            "version": __version__,
            "description": "A Microsoft Entra id_token in, the platform's own tokens out.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": _components(wants_key=wants_key),
    }


def endpoints(platform_token_name: str) -> tuple[Endpoint, ...]:
    """Give every endpoint that is described."""
    return (*_contract(platform_token_name), *_oauth(platform_token_name))


def _contract(platform_token_name: str) -> tuple[Endpoint, ...]:
    tokens = schemas.enveloped(schemas.tokens(platform_token_name))
    return (
        Endpoint(
            method="post",
            path=LOGIN,
            summary="Exchange an Entra id_token for both platform tokens",
            answer=tokens,
            rows=(*_TOKEN_ROWS, r.ORGANIZATION_NOT_FOUND, r.VALIDATION_ERROR),
            body=schemas.fields_body(LOGIN_FIELDS),
        ),
        Endpoint(
            method="post",
            path=REFRESH,
            summary="Give a new pair for the bearer",
            answer=tokens,
            rows=(*_BEARER_ROWS, *_OWNER_ROWS, r.REFRESH_NOT_ALLOWED),
            credentials=("bearer",),
        ),
        Endpoint(
            method="get",
            path=ME,
            summary="Say who the bearer is",
            answer=schemas.enveloped(schemas.user()),
            rows=(*_BEARER_ROWS, *_OWNER_ROWS),
            credentials=("bearer",),
        ),
        Endpoint(
            method="post",
            path=LOGOUT,
            summary="End the bearer's tokens",
            answer=schemas.enveloped({"type": "null"}),
            rows=(*_BEARER_ROWS, r.VALIDATION_ERROR),
            body=schemas.fields_body(LOGOUT_FIELDS),
            credentials=("bearer",),
        ),
    )


def _oauth(platform_token_name: str) -> tuple[Endpoint, ...]:
    token = {"token": "A platform token of either kind.", "token_type_hint": "Not looked at."}
    return (
        Endpoint(
            method="post",
            path=TOKEN,
            summary="Exchange an Entra id_token (RFC 8693)",
            answer=schemas.token_answer(platform_token_name),
            rows=(r.INVALID_REQUEST, r.INVALID_TARGET, r.UNSUPPORTED_GRANT_TYPE, *_TOKEN_ROWS),
            form=schemas.token_form(),
        ),
        Endpoint(
            method="post",
            path=INTROSPECT,
            summary="Say whether a token holds, and whose it is (RFC 7662)",
            answer=schemas.introspection(),
            rows=(r.INVALID_REQUEST, r.INVALID_CLIENT, r.MALFORMED_REQUEST),
            form=schemas.form(token, ("token",)),
            credentials=("client",),
        ),
        Endpoint(
            method="post",
            path=REVOKE,
            summary="Revoke a token and its pair (RFC 7009)",
            answer={"type": "object"},
            rows=(r.INVALID_REQUEST, r.INVALID_CLIENT, *_BEARER_ROWS),
            form=schemas.form(token, ("token",)),
            credentials=("bearer", "client"),
        ),
        Endpoint(
            method="get",
            path=JWKS,
            summary="Public keys of the access token (RFC 7517); none while signing is symmetric",
            answer=schemas.members({"keys": {"type": "array", "items": {"type": "object"}}}),
            is_open=True,
        ),
    )


def _operation(endpoint: Endpoint, *, wants_key: bool) -> dict[str, object]:
    operation: dict[str, object] = {
        "operationId": f"{endpoint.method}_{endpoint.path.rsplit('/', 1)[1].replace('-', '_')}",
        "summary": endpoint.summary,
        "responses": {"200": _done(endpoint.answer), **_refusals(endpoint)},
    }
    if security := _security(endpoint, wants_key=wants_key):
        operation["security"] = security
    if endpoint.body is not None:
        required = bool(endpoint.body.get("required"))
        operation["requestBody"] = {"required": required, "content": {_JSON: {"schema": endpoint.body}}}
    if endpoint.form is not None:
        operation["requestBody"] = {"required": True, "content": {_FORM: {"schema": endpoint.form}}}
    return operation


def _security(endpoint: Endpoint, *, wants_key: bool) -> list[dict[str, list[str]]]:
    key: dict[str, list[str]] = {_KEY_SCHEME: []} if wants_key and not endpoint.is_open else {}
    if not endpoint.credentials:
        return [key] if key else []
    return [{name: [], **key} for name in endpoint.credentials]


def _done(schema: Schema) -> dict[str, object]:
    return {"description": "Done", "headers": _headers(200), "content": {_JSON: {"schema": schema}}}


def _refusals(endpoint: Endpoint) -> dict[str, object]:
    """Give one answer for each status, with the codes that it may carry."""
    return {str(status): _refused(endpoint, status, rows) for status, rows in endpoint.refusals().items()}


def _refused(endpoint: Endpoint, status: int, rows: Sequence[ErrorRow]) -> dict[str, object]:
    code: Schema = {"enum": [row.code for row in rows]}
    if endpoint.is_oauth:
        content = {_JSON: _narrowed("OAuthError", {"error_code": code})}
    else:
        error: Schema = {"properties": {"code": code}}
        content = {_JSON: _narrowed("Refusal", {"error": error}), _PROBLEM: _narrowed("Problem", {"code": code})}
    described = "\n".join(f"- `{row.code}`: {row.message}" for row in rows)
    return {"description": described, "headers": _headers(status), "content": content}


def _narrowed(name: str, properties: dict[str, Schema]) -> dict[str, object]:
    return {"schema": {"allOf": [{"$ref": f"#/components/schemas/{name}"}, {"properties": properties}]}}


def _headers(status: int) -> dict[str, object]:
    """Give the headers that an answer of this status always has."""
    named = ["X-Request-ID", "Cache-Control"]
    named += ["WWW-Authenticate"] if status == 401 else []
    named += ["Retry-After"] if status in {429, 503} else []
    return {name: {"$ref": f"#/components/headers/{name}"} for name in named}


def _components(*, wants_key: bool) -> dict[str, object]:
    key = {"type": "apiKey", "in": "header", "name": "Ocp-Apim-Subscription-Key", "description": "The operator's key."}
    return {
        "schemas": {
            "Refusal": schemas.refusal(),
            "Problem": schemas.problem(),
            "OAuthError": schemas.oauth_error(),
        },
        "headers": {
            "X-Request-ID": _header("Names this request in the service's log.", {"type": "string"}),
            "Cache-Control": _header("Tokens and refusals are never kept.", {"const": "no-store"}),
            "WWW-Authenticate": _header("What would help (RFC 9110 section 11.6.1).", {"type": "string"}),
            "Retry-After": _header("Seconds to wait.", {"type": "integer", "minimum": 1}),
        },
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer", "description": "The access_token."},
            "client": {"type": "http", "scheme": "basic", "description": "A client made by doorward clients add."},
            **({_KEY_SCHEME: key} if wants_key else {}),
        },
    }


def _header(description: str, schema: Schema) -> dict[str, object]:
    return {"description": description, "required": True, "schema": schema}
