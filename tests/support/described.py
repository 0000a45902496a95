"""The API description as a judge of answers."""

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.asking import Answer, Caller

PREFIX = "/auth-service"
Document = Mapping[str, Any]


async def description(caller: Caller) -> Document:
    """Give the description that a running service publishes."""
    answer = await caller.ask("GET", f"{PREFIX}/openapi.json")
    assert answer.status == 200, answer
    return answer.json()


def codes(document: Document) -> set[tuple[str, str, int, str]]:
    """Give every refusal that is described: method, path, status and code."""
    return {
        (method.upper(), PREFIX + path, int(status), code)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for status, response in operation["responses"].items()
        if status != "200"
        for code in _codes_of(response)
    }


def hold(document: Document, method: str, path: str, answer: Answer) -> None:
    """Hold one answer to what is described of its endpoint: status, media type, headers and body."""
    operation = document["paths"][path.removeprefix(PREFIX)][method.lower()]
    response = operation["responses"][str(answer.status)]
    schema = response["content"][answer.headers["content-type"]]["schema"]
    whole = {**schema, "components": document["components"]}
    Draft202012Validator(whole).validate(json.loads(answer.body))
    for name in response["headers"]:
        assert name.lower() in answer.headers, (method, path, answer.status, name)


def _codes_of(response: Mapping[str, Any]) -> list[str]:
    _, narrowed = response["content"]["application/json"]["schema"]["allOf"]
    properties = narrowed["properties"]
    code = properties.get("error_code") or properties["error"]["properties"]["code"]
    return code["enum"]
