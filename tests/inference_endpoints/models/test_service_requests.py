"""The check of requests against the service's document finds what the document does not have."""

import json
from typing import Any

import pytest
from tests.support.service.service_document import needs_document
from tests.support.service.service_requests import problems_of

pytestmark = needs_document

ONE = "/v2/endpoint/acme/chat"


@pytest.mark.parametrize(
    ("method", "target", "body", "problem"),
    [
        ("POST", f"{ONE}/stop", None, "no such operation"),
        ("GET", "/v2/endpoint/acme?size=1", None, "no parameter size"),
        ("GET", "/v2/endpoint/acme?limit=many", None, "parameter limit"),
        ("POST", f"{ONE}/pause", {}, "it has no body"),
        ("PUT", ONE, {"cacheHttpResponses": True}, "'cacheHttpResponses' was unexpected"),
        ("PUT", ONE, {"model": {"framework": "tensorflow"}}, "$.model.framework"),
        ("PUT", ONE, {"model": {"image": {"tgi": {}}}}, "$.model.image"),
        ("PUT", ONE, {"model": {"image": {"sGLang": {"url": "a", "dataParallelSize": 2}}}}, "dataParallelSize"),
        ("PUT", ONE, {"model": {"image": {"vLLM": {"url": "a", "kvCacheDtype": "auto"}}}}, "kvCacheDtype"),
        ("PUT", ONE, {"compute": {"scaling": {"scaleToZeroTimeout": 5}}}, "scaleToZeroTimeout 5"),
        ("POST", f"{ONE}/metrics", {"start": "2026-01-01T00:00:00Z"}, "'stop' is a required property"),
    ],
)
def test_what_the_document_does_not_have_is_found(method: str, target: str, body: Any, problem: str) -> None:
    (found,) = problems_of(method, target, b"" if body is None else json.dumps(body).encode())
    assert problem in found


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/v2/endpoint/acme?limit=100&state=running", None),
        ("PUT", ONE, {"provider": {"vendor": "aws", "region": "eu-west-1"}, "type": "public"}),
        ("PUT", ONE, {"model": {"image": {"llamacpp": {"url": "a", "modelPath": "m.gguf"}}}}),
        ("GET", "/api/whoami-v2", None),
    ],
)
def test_what_the_document_has_is_no_problem(method: str, target: str, body: Any) -> None:
    assert problems_of(method, target, b"" if body is None else json.dumps(body).encode()) == []
