"""Whether the service's document has a request: its method, path, query and body, down to every property.

The document leaves objects open. Here they are closed: a property that it does not name is a mistake of ours.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest
from jsonschema.exceptions import best_match
from tests.support.service.service_document import PATH, document, service_document

from inference_endpoints.transport.http import httpx
from inference_endpoints.transport.operations import PREFIXES

IDLE_MINUTES = range(15, 2881)
"""What the service accepts as `scaleToZeroTimeout`. The document has no limits; the refusal names these."""


@pytest.fixture(autouse=PATH is not None)
def _requests_are_in_the_document(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test in which the client sends what the document does not have, unless it is marked `sends_anything`."""
    problems: list[str] = []
    send = httpx.AsyncHTTPTransport.handle_async_request

    async def check_and_send(transport: httpx.AsyncHTTPTransport, sent: httpx.Request) -> httpx.Response:
        problems.extend(problems_of(sent.method, sent.url.raw_path.decode(), await sent.aread()))
        return await send(transport, sent)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", check_and_send)
    yield
    if request.node.get_closest_marker("sends_anything") is None:
        assert problems == []


def problems_of(method: str, target: str, body: bytes) -> list[str]:
    """What the document does not have of a request to the control plane, in words. Empty for other services."""
    path, _, query = target.partition("?")
    if not path.startswith(tuple(f"{prefix}/" for prefix in PREFIXES.values())):
        return []
    operation = _operation(method, path)
    if operation is None:
        return [f"{method} {path}: no such operation"]
    problems = [*_wrong_parameters(operation, query), *_wrong_body(operation, body)]
    return [f"{method} {path}: {problem}" for problem in problems]


def _operation(method: str, path: str) -> dict[str, Any] | None:
    """The operation with the fewest placeholders whose path matches."""
    for template in sorted(document()["paths"], key=lambda template: template.count("{")):
        pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in document()["paths"][template]:
            found: dict[str, Any] = document()["paths"][template][method.lower()]
            return found
    return None


def _wrong_parameters(operation: dict[str, Any], query: str) -> Iterator[str]:
    known = {one["name"]: one["schema"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            yield f"no parameter {name}"
            continue
        schema = service_document().resolved(known[name])
        typed = json.loads(value) if _is_json(schema, value) else value
        for error in jsonschema.Draft202012Validator(service_document().closed(schema)).iter_errors(typed):
            yield f"parameter {name}: {error.message}"


def _is_json(schema: dict[str, Any], value: str) -> bool:
    """Whether the text of a parameter is a number or a boolean."""
    return "string" not in schema.get("type", "string") and bool(re.fullmatch(r"-?\d+|true|false", value))


def _wrong_body(operation: dict[str, Any], body: bytes) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        if body:
            yield "it has no body"
        return
    sent = json.loads(body)
    for error in _validator(json.dumps(content["schema"])).iter_errors(sent):
        cause = best_match([error]) or error  # of an image: that of the variant that was meant
        yield f"{cause.json_path}: {cause.message[:200]}"
    minutes = ((sent.get("compute") or {}).get("scaling") or {}).get("scaleToZeroTimeout")
    if minutes is not None and minutes not in IDLE_MINUTES:
        yield f"scaleToZeroTimeout {minutes}"


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(service_document().closed(json.loads(schema)))
