import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from doorward.base import refusals
from doorward.base.errors import ErrorRow
from doorward.base.text import has_hidden
from doorward.exchange.description import describe, endpoints
from doorward.exchange.messages import LOGIN_FIELDS, LOGOUT_FIELDS
from doorward.exchange.metadata import PATH as METADATA
from tests.support.asking import basic, bearer
from tests.support.described import PREFIX, description
from tests.support.houses import JANE, running_house

NOT_DESCRIBED = {
    f"{PREFIX}/openapi.json": "it is the description",
    f"{PREFIX}/docs": "a page for people",
    METADATA: "below /.well-known, described by RFC 8414",
}
NEVER_DESCRIBED = {
    "not_found": "has no endpoint",
    "method_not_allowed": "has no operation",
    "internal_error": "a defect is no promise",
    "shutting_down": "a reason of /readyz, on the other listener",
}
FOR_CLIENTS = ("/oauth2/introspect", "/oauth2/revoke")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    positive_data_acceptance,
]


# --- the document --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wants_key", [False, True])
def test_it_is_valid(*, wants_key: bool) -> None:
    """The document is valid OpenAPI 3.1, by an outside witness."""
    document = describe("https://id.example.com/auth-service", "ejento_access_token", wants_key=wants_key)
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())


async def test_every_route_is_described_or_left_out_for_a_reason(sqlite_url: str) -> None:
    """What the service answers and what is described are the same endpoints."""
    async with running_house(sqlite_url, register=False) as house:
        document = await description(house.caller)
        served = {(m, path) for path, methods in house.front.site.door._routes.items() for m in methods if m != "HEAD"}
    described = {(m.upper(), PREFIX + path) for path, methods in document["paths"].items() for m in methods}
    assert described | {("GET", path) for path in NOT_DESCRIBED} == served
    assert document["servers"] == [{"url": f"{house.settings.server.public_url}{PREFIX}"}]


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/api/v2/sso/microsoft/azure-token-login", LOGIN_FIELDS), ("/api/v2/users/logout", LOGOUT_FIELDS)],
)
def test_bodies_derive_from_the_rows(path: str, fields: Any) -> None:
    """Each field of a message is described as its row says, and no other is."""
    paths: Any = describe("https://a.example/auth-service", "x")["paths"]
    body = paths[path]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == [field.name for field in fields]
    assert schema.get("required", []) == [field.name for field in fields if field.required]
    assert body["required"] == any(field.required for field in fields)
    for field in fields:
        described = schema["properties"][field.name]
        assert described["description"] == field.describes
        assert ("null" in described["type"]) != field.required
        assert described.get("default") == field.default


async def test_the_opaque_token_is_described_under_its_configured_name(sqlite_url: str) -> None:
    """Another `platform_token_name` is in the description, too."""
    async with running_house(sqlite_url, register=False, token_service__platform_token_name="acme_token") as house:
        text = json.dumps(await description(house.caller))
    assert "acme_token" in text
    assert "ejento" not in text


async def test_the_subscription_key_is_described_where_it_is_wanted(sqlite_url: str) -> None:
    """With a key set, each closed endpoint names it beside its own credentials; the open ones do not."""
    async with running_house(sqlite_url, register=False, token_service__subscription_key="k" * 40) as house:
        document = await description(house.caller)
    wanted = {path: op.get("security") for path, methods in document["paths"].items() for op in methods.values()}
    assert wanted.pop("/oauth2/jwks") is None
    assert all(way["subscription"] == [] for ways in wanted.values() for way in ways)
    assert document["components"]["securitySchemes"]["subscription"]["name"] == "Ocp-Apim-Subscription-Key"
    assert "k" * 40 not in json.dumps(document)


def test_every_row_of_the_catalogue_is_described_somewhere() -> None:
    """No refusal is forgotten: a row is described at some endpoint, or is left out for a reason."""
    catalogue = {row.code for row in vars(refusals).values() if isinstance(row, ErrorRow)}
    described = {r.code for e in endpoints("x") for rows in e.refusals().values() for r in rows}
    assert described | set(NEVER_DESCRIBED) == catalogue
    assert not described & set(NEVER_DESCRIBED)


# --- the running service, called by its description ----------------------------------------------------------------


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_the_service_is_what_it_is_described_as(sqlite_url: str, mode: GenerationMode) -> None:
    """Called by its description, with good credentials, the service gives what is described and refuses what is not."""
    async with running_house(sqlite_url) as house:
        access, _ = await house.pair()
        client = basic(*await house.resource_server())
        given_credentials = Credentials(access=access, client=client, id_token=house.mint())
        document = await description(house.caller)
        base = f"http://127.0.0.1:{house.caller.port}{PREFIX}"
        statuses = await asyncio.to_thread(_call_all, document, base, mode, given_credentials)
    successes = {path for path, seen in statuses.items() if 200 in seen}
    refused = {path for path, seen in statuses.items() if seen & {400, 401, 422}}
    if mode.is_positive:
        assert successes == set(document["paths"])
    else:
        with_body = {path for path, methods in document["paths"].items() if "requestBody" in str(methods)}
        assert refused == with_body


@dataclass(frozen=True)
class Credentials:
    """What opens every endpoint: a bearer, a client's header, and an id_token for jane."""

    access: str
    client: tuple[str, str]
    id_token: str


def _call_all(
    document: Mapping[str, Any], base: str, mode: GenerationMode, credentials: Credentials
) -> dict[str, set[int]]:
    """Call every operation and give the statuses that were seen, by path."""
    seen: dict[str, set[int]] = {}
    schema = schemathesis.openapi.from_dict(dict(document))
    schema.config.update(base_url=base)
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if mode.is_negative and operation.definition.raw.get("requestBody") is None:
            continue  # nothing is sent that could be wrong
        _call(operation.as_strategy(generation_mode=mode), credentials, seen.setdefault(operation.path, set()))
    return seen


def _call(strategy: Any, credentials: Credentials, seen: set[int]) -> None:
    @settings(
        max_examples=25,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(case=strategy)
    def call(case: Case[Any]) -> None:
        assume(_made_good(case, credentials))
        scheme, value = credentials.client if case.path in FOR_CLIENTS else bearer(credentials.access)
        response = case.call(headers={scheme: value})
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    call()


def _made_good(case: Case[Any], credentials: Credentials) -> bool:
    """Put what no generator can make into a positive case; gives whether the rest is what the service takes."""
    if case.meta is None or case.meta.generation.mode.is_negative or not isinstance(case.body, dict):
        return True
    if "azure_ad_token" in case.body:
        case.body |= {"azure_ad_token": credentials.id_token, "email": JANE}
        case.body.pop("nonce", None)
    if "subject_token" in case.body:
        case.body["subject_token"] = credentials.id_token
    if "token" in case.body:
        case.body["token"] = "a" * 64
    # A schema cannot tell 1.0 from 1, nor name every character that nobody sees.
    is_whole = not isinstance(case.body.get("organization_id"), float)
    return is_whole and not has_hidden(str(case.body.get("full_name") or "").strip())
