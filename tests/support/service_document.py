"""The service's own OpenAPI document. It is not part of this repository: SERVICE_OPENAPI names a copy of it."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from inference_endpoints.transport.operations import OPERATIONS, Operation, Service

PATH = os.environ.get("SERVICE_OPENAPI")
needs_document = pytest.mark.skipif(PATH is None, reason="SERVICE_OPENAPI names no file with the service's document")
PREFIXES = {Service.CONTROL_PLANE: "/v2", Service.CONTROL_PLANE_V3: "/v3"}
"""Of the paths of the control plane."""


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(Path(PATH or "").read_text("utf-8"))
    return loaded


def documented_operations() -> list[Operation[Any]]:
    """Every operation of the client that the document describes: those of the control plane."""
    return [operation for operation in OPERATIONS if operation.service in PREFIXES]


def described(operation: Operation[Any]) -> dict[str, Any]:
    """What the document states about an operation."""
    found: dict[str, Any] = document()["paths"][PREFIXES[operation.service] + operation.path][operation.method.lower()]
    return found


def answer_schema(operation: Operation[Any]) -> dict[str, Any] | None:
    """The schema of the JSON answer; None where the answer is text, or of no stated form."""
    content = described(operation)["responses"]["200"].get("content", {})
    schema: dict[str, Any] | None = content.get("application/json", {}).get("schema")
    return schema


def validate(value: Any, schema: dict[str, Any]) -> None:
    """Raises `jsonschema.ValidationError` where the value does not fit this part of the document."""
    whole = schema | {"components": document()["components"]}
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(whole, format_checker=checker).validate(value)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that a reference names; the schema itself if it is none."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def object_properties(schema: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """All properties of an object, also of the schemas that it is combined from, and which of them are required."""
    properties, required = dict(schema.get("properties", {})), set(schema.get("required", ()))
    for part in schema.get("allOf", ()):
        more, needed = object_properties(resolved(part))
        properties |= more
        required |= needed
    return properties, required
