"""Every body that the service's document describes, compared name by name with the bodies that the plane accepts."""

import pytest
from tests.support.service.schema_facts import Facts, facts_of
from tests.support.service.service_document import needs_document, service_document

from inference_endpoints_local.wire import openapi
from inference_endpoints_mcp.live.service_document import ServiceDocument

pytestmark = needs_document

DIFFERENCES = {
    # The older spelling of `measure`. Answers have it, and may be sent back.
    "post /v2/endpoint/{namespace}": {".compute.scaling.metric", ".compute.scaling.threshold"},
    "put /v2/endpoint/{namespace}/{name}": {
        *(".compute.scaling.metric", ".compute.scaling.threshold"),
        # Null removes a variable. How the service removes one is not published.
        ".model.env.*",
        # The document allows null, which the service was seen to refuse.
        ".model.task",
    },
}
"""The paths in which the plane differs, each with its reason."""


def bodies_of(described: ServiceDocument) -> dict[str, Facts]:
    """The bodies of a document, by operation."""
    return {
        f"{method} {path}": facts_of(operation["requestBody"]["content"]["application/json"]["schema"], described)
        for path, operations in described.content["paths"].items()
        for method, operation in operations.items()
        if "requestBody" in operation
    }


@pytest.fixture(scope="module")
def ours() -> dict[str, Facts]:
    return bodies_of(ServiceDocument(openapi.document("1", simulated=True)))


def test_every_body_has_the_documented_names_types_and_values(ours: dict[str, Facts]) -> None:
    theirs = bodies_of(service_document())
    assert len(theirs) == 20
    for operation, facts in theirs.items():
        paths = ours[operation].keys() | facts.keys()
        different = {path for path in paths if ours[operation].get(path) != facts.get(path)}
        assert different == DIFFERENCES.get(operation, set()), operation


def test_the_comparison_reads_images_enums_and_nested_objects(ours: dict[str, Facts]) -> None:
    create = ours["post /v2/endpoint/{namespace}"]
    assert create[".model.image.llamacpp.modelPath"] == {"string", "required"}
    assert create[".model.image.vLLM.kvCacheDtype"] == {"fp8", "fp8-e4-m3", "fp8-e5-m2", "null"}
    assert {"text-ranking", "custom"} < create[".model.task"]
    assert create[".experimentalFeatures.mcpLb.stateful"] == {"boolean"}
    assert ".model.image.sGLang.dataParallelSize" not in create
