"""The real API, with reads only, against the captures in tests/captures. Needs HF_TOKEN and INFERENCE_ENDPOINTS_LIVE=1.

What every capture of a kind has must still be there. What no capture has is no failure, since models keep unknown
fields; it is recorded in the report (`--junit-xml`) as `unknown_keys`.
"""

import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.captures import CAPTURES

from inference_endpoints import AsyncEndpointsClient, InferenceEndpointError
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import default_backend
from inference_endpoints.transport.operations import Operation
from inference_endpoints.transport.token import hugging_face_token

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        os.environ.get("INFERENCE_ENDPOINTS_LIVE") != "1" or hugging_face_token() is None,
        reason="reads the real API: set INFERENCE_ENDPOINTS_LIVE=1 and HF_TOKEN",
    ),
]

FREE = {"env", "secrets", "image", "measure", "auth"}
"""Objects whose keys are the user's, or one of many; and the token's own details."""
OPTIONAL = {
    ".billingMode",
    ".vendors[].regions[].computes[].numCpus",
    ".items[].recipes[].ggufFile",
    ".items[].recipes[].revision",
}
"""In the captures' examples, and documented as left out where there is none."""
Record = Callable[[str, object], None]


@pytest.fixture
async def client(anyio_backend: str) -> AsyncIterator[AsyncEndpointsClient]:
    async with AsyncEndpointsClient(default_backend()) as client:
        yield client


async def test_whoami_has_the_captured_shape(client: AsyncEndpointsClient, record_property: Record) -> None:
    compare(await raw(client, operations.WHOAMI), ["whoami-user", "whoami-org"], record_property)


async def test_pages_of_endpoints_have_the_captured_shape(
    client: AsyncEndpointsClient, record_property: Record
) -> None:
    page = await raw(client, operations.LIST, {"limit": 100}, namespace=await client.resolve_namespace())
    assert {"items", "nextCursor"} <= page.keys()
    for endpoint in page["items"]:
        compare(endpoint, ENDPOINTS, record_property)


async def test_each_endpoint_and_its_insides_have_the_captured_shape(
    client: AsyncEndpointsClient, record_property: Record
) -> None:
    namespace = await client.resolve_namespace()
    listed = await client.list(namespace)
    if not listed:
        pytest.skip("the namespace has no endpoint to look at")
    name = listed[0].name
    compare(await raw(client, operations.GET, namespace=namespace, name=name), ENDPOINTS, record_property)
    compare(await raw(client, operations.REPLICAS, namespace=namespace, name=name), ["replicas"], record_property)
    assert all(isinstance(entry.line, str) for entry in await client.logs(name, namespace, tail=20))


async def test_the_hardware_listing_has_the_captured_shape(
    client: AsyncEndpointsClient, record_property: Record
) -> None:
    compare(
        await raw(client, operations.HARDWARE, namespace=await client.resolve_namespace()), ["vendors"], record_property
    )


async def test_quotas_have_the_captured_shape(client: AsyncEndpointsClient, record_property: Record) -> None:
    namespace = await client.resolve_namespace()
    compare(await raw(client, operations.QUOTAS, namespace=namespace), ["vendor-quotas"], record_property)


async def test_what_is_not_published_is_recorded(client: AsyncEndpointsClient, record_property: Record) -> None:
    """The fields of audit logs and of suggestions, where the plan has them."""
    namespace, model = await client.resolve_namespace(), (await client.catalogue(limit=1))[0].repo_id
    requests: list[tuple[Operation[Any], dict[str, Any], dict[str, str]]] = [
        (operations.AUDIT_LOGS, {"limit": 5}, {"namespace": namespace}),
        (operations.SUGGESTION, {"model_id": model}, {}),
    ]
    for operation, query, arguments in requests:
        try:
            record_property(operation.name, sorted(keys(await raw(client, operation, query, **arguments))))
        except InferenceEndpointError as refusal:
            record_property(operation.name, refusal.code)


async def test_the_catalogue_has_the_captured_shape(client: AsyncEndpointsClient, record_property: Record) -> None:
    compare(await raw(client, operations.CATALOGUE, {"limit": 5}), ["catalogue"], record_property)


ENDPOINTS = [path.stem for path in CAPTURES.glob("endpoint-*.json")]


async def raw(
    client: AsyncEndpointsClient, operation: Operation[Any], query: dict[str, Any] | None = None, **arguments: Any
) -> Any:
    """The body of the response, unparsed. The operation only reads."""
    assert operation.method == "GET"
    unparsed = replace(operation, returns=Any)
    return await client.http.send(unparsed.build(query=query, **arguments), unparsed)


def compare(document: Any, captures: list[str], record_property: Record) -> None:
    known = [keys(json.loads((CAPTURES / f"{name}.json").read_text())) for name in captures]
    found = keys(document)
    assert set[str].intersection(*known) - OPTIONAL <= found
    record_property("unknown_keys", sorted(found - set[str].union(*known)))


def keys(value: Any, path: str = "") -> set[str]:
    """Every key in it by its path; the items of a list share one."""
    if isinstance(value, list):
        return {key for item in value for key in keys(item, f"{path}[]")}
    if not isinstance(value, dict):
        return set()
    inner = {key for name, item in value.items() if name not in FREE for key in keys(item, f"{path}.{name}")}
    return inner | {f"{path}.{name}" for name in value}
