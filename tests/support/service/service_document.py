"""The service's own OpenAPI document. It is not part of this repository: SERVICE_OPENAPI names a copy of it."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from inference_endpoints.transport.operations import OPERATIONS, PREFIXES, Operation
from inference_endpoints_mcp.live.service_document import ServiceDocument

PATH = os.environ.get("SERVICE_OPENAPI")
needs_document = pytest.mark.skipif(PATH is None, reason="SERVICE_OPENAPI names no file with the service's document")


@cache
def service_document() -> ServiceDocument:
    return ServiceDocument.read(Path(PATH or ""))


def document() -> dict[str, Any]:
    return service_document().content


def documented_operations() -> list[Operation[Any]]:
    """Every operation of the client that the document describes: those of the control plane."""
    return [operation for operation in OPERATIONS if operation.service in PREFIXES]


def validate(value: Any, schema: dict[str, Any]) -> None:
    """Raises `jsonschema.ValidationError` where the value does not fit this part of the document."""
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(service_document().whole(schema), format_checker=checker).validate(value)
