"""The plane serves every operation of the service's own document, and answers as it describes.

Metrics and logs have tests of their own: `api/observability/test_metrics_document.py` and `test_logs_document.py`.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.planes.plane_driver import CAN_SLEEP, Driver, cloud
from tests.support.service.service_document import document, needs_document, validate

from inference_endpoints_local.wire import openapi

pytestmark = [pytest.mark.anyio, needs_document]

FAILING = {"model": {"env": {"SIMULATED_FAULT": "out_of_memory"}}}
GPU = {"compute": {"accelerator": "gpu", "instanceType": "nvidia-l4"}}
EVERY_CHANGE = (
    {"type": "public", "tags": ["a"]},
    {"compute": {"scaling": {"minReplica": 0, "maxReplica": 2, "scaleToZeroTimeout": 30}}},
    {"compute": {"scaling": {"measure": {"pendingRequests": 2}}}},
    {"compute": {"instanceType": "intel-spr", "instanceSize": "x2"}},
    {"model": {"repository": "org/other", "revision": "main", "command": ["serve"], "args": ["--fast"]}},
    {"model": {"image": {"custom": {"url": "ghcr.io/a/b:1"}}, "framework": "custom", "task": "text-generation"}},
    {"model": {"env": {"A": "1"}, "secrets": {"KEY": "hunter2"}}},
    {"experimentalFeatures": {"loadBalancer": "sticky"}},
)


def operations_of(paths: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path, methods in paths.items():
        yield from ((method, path) for method in methods if method in {"get", "post", "put", "delete"})


def our_document() -> dict[str, Any]:
    return openapi.document("1", simulated=True)


def test_every_operation_is_served() -> None:
    missing = set(operations_of(document()["paths"])) - set(operations_of(our_document()["paths"]))
    assert missing == set()


def test_every_operation_takes_the_documented_parameters() -> None:
    ours = our_document()["paths"]
    for method, path in operations_of(document()["paths"]):
        theirs = {each["name"] for each in document()["paths"][path][method].get("parameters", ())}
        known = {each["name"] for each in ours[path][method]["parameters"]}
        # Of private services there are none to choose from.
        assert theirs - known <= {"account-id", "shared"}, (method, path)


async def assert_answers(driver: Driver, method: str, path: str, body: Any = None, **names: str) -> Any:
    """The answer of an operation, which fits the document."""
    described = document()["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    answer = await driver.call(method.upper(), path.format(namespace="acme", **names), body)
    assert answer.status == 200, answer.body
    validate(answer.body, described)
    return answer.body


LIST, ONE = "/v2/endpoint/{namespace}", "/v2/endpoint/{namespace}/{name}"


@pytest.mark.parametrize(
    "changes", [{}, FAILING, GPU, {"compute": CAN_SLEEP}], ids=["plain", "failing", "gpu", "sleeps"]
)
async def test_an_endpoint_is_as_documented_through_its_whole_life(driver: Driver, changes: dict[str, Any]) -> None:
    await assert_answers(driver, "post", LIST, cloud("chat", **changes))
    for seconds in (0, 3, 10, 80, 200, 1_000):
        await driver.advance(seconds)
        await assert_answers(driver, "get", ONE, name="chat")
        await assert_answers(driver, "get", LIST)
        await assert_answers(driver, "get", ONE + "/replica", name="chat")
    await assert_answers(driver, "post", ONE + "/agent/debug", name="chat")
    if "compute" in changes and changes["compute"] == CAN_SLEEP:
        await assert_answers(driver, "post", ONE + "/scale-to-zero", name="chat")
    await assert_answers(driver, "post", ONE + "/pause", name="chat")
    await assert_answers(driver, "post", ONE + "/resume", name="chat")
    await assert_answers(driver, "put", ONE, {"tags": ["a"]}, name="chat")
    await assert_answers(driver, "get", ONE, name="chat")
    await assert_answers(driver, "delete", ONE, name="chat")
    await assert_answers(driver, "get", "/v2/audit-logs/{namespace}")


async def test_every_change_is_as_documented_in_answer_and_audit_log(driver: Driver) -> None:
    await driver.create()
    for change in EVERY_CHANGE:
        await assert_answers(driver, "put", ONE, change, name="chat")
    audited = await assert_answers(driver, "get", "/v2/audit-logs/{namespace}")
    kinds = {kind for entry in audited["list"] for kind in entry["reason"].get("endpointUpdated", ())}
    assert {"type", "tags", "instance", "replica", "scalingToZero", "measure", "repository", "command"} <= kinds
    assert {"image", "framework", "task", "env", "secrets", "experimentalFeatures"} <= kinds


@pytest.mark.parametrize(
    "path",
    [
        "/v2/provider",
        "/v2/provider/{namespace}",
        "/v2/provider/quotas/{namespace}",
        "/v2/search/{namespace}",
        "/v2/network/cidr-list/{namespace}",
        "/v2/network/domain/{namespace}",
        "/v2/network/private-service/{namespace}",
    ],
)
async def test_an_answer_about_the_account_is_as_documented(driver: Driver, path: str) -> None:
    await driver.create()
    await assert_answers(driver, "get", path)
