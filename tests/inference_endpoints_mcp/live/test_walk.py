"""Calling every operation that only reads, and comparing each answer with what is documented."""

from collections.abc import Iterable
from typing import Any

import pytest
from tests.support.planes.log_lines import write_log
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream, events
from tests.support.service.service_document import document, needs_document, service_document

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import local
from inference_endpoints.transport.operations import PREFIXES, Operation
from inference_endpoints_mcp.live import walk
from inference_endpoints_mcp.live.report import Report
from inference_endpoints_mcp.live.service_document import ServiceDocument
from inference_endpoints_mcp.live.walk import READING, OperationOutcome, Result, Walk

pytestmark = pytest.mark.anyio

ONE = "/v2/endpoint/acme/chat"
GPU: dict[str, Any] = {"compute": {"accelerator": "gpu", "instanceType": "nvidia-l4"}}


@pytest.fixture(autouse=True)
def _streams_are_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "STREAM_TIME_S", 0.2)


@pytest.fixture
def service(upstream: Upstream) -> Upstream:
    """A service with one endpoint, which answers these and 404 to everything else."""
    upstream.answers("GET", "/api/whoami-v2", Answer(body={"type": "user", "name": "acme"}))
    upstream.answers("GET", "/v2/endpoint/acme", Answer(body={"items": [upstream.endpoint("running")]}))
    upstream.shows("running")
    return upstream


async def walked(url: str, document: ServiceDocument | None = None) -> dict[str, OperationOutcome]:
    async with AsyncEndpointsClient(local(url, TOKEN)) as client:
        outcomes = await Walk(client, "acme", document).run()
    return {outcome.operation.name: outcome for outcome in outcomes}


def remarks(outcomes: dict[str, OperationOutcome], operation: Operation[Any]) -> list[str]:
    return Report([*outcomes.values()], None).remarks(outcomes[operation.name])


def named(outcomes: dict[str, OperationOutcome], result: Result) -> set[str]:
    return {name for name, outcome in outcomes.items() if outcome.result is result}


def names(several: Iterable[Operation[Any]]) -> set[str]:
    return {operation.name for operation in several}


@needs_document
def test_every_reading_operation_of_the_document_is_called() -> None:
    reading = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method, described in methods.items()
        if "[READ]" in described.get("summary", "") or "[PUBLIC]" in described.get("summary", "")
    }
    called = {(one.method, one.documented_path) for one in READING if one.service in PREFIXES}
    assert called == reading


@pytest.mark.parametrize("given", [pytest.param(True, marks=needs_document), False], ids=["document", "models"])
async def test_every_operation_of_the_embedded_plane_is_as_documented(driver: Driver, given: bool) -> None:
    await driver.create(**GPU)
    write_log(driver, [(1, "info", "INFO one")])
    await driver.advance(600)
    outcomes = await walked(driver.url, service_document() if given else None)
    assert named(outcomes, Result.NOT_TRIED) == {operations.DEBUG.name}
    assert named(outcomes, Result.AS_DOCUMENTED) == names(READING) - {operations.DEBUG.name}
    assert outcomes[operations.FOLLOW_LOGS.name].answer


async def test_without_endpoints_the_rest_is_called_and_the_reason_given(driver: Driver) -> None:
    outcomes = await walked(driver.url)
    of_one = {operation for operation in READING if "{name}" in operation.path}
    assert named(outcomes, Result.NOT_TRIED) == names(of_one)
    assert remarks(outcomes, operations.GET) == ["the namespace has no endpoint"]
    assert named(outcomes, Result.AS_DOCUMENTED) == names(READING) - names(of_one)


async def test_nothing_is_changed_or_woken(service: Upstream) -> None:
    asleep = service.endpoint("scaledToZero")
    service.answers("GET", "/v2/endpoint/acme", Answer(body={"items": [asleep]}))
    await walked(service.url)
    assert service.calls() == []
    sent = {(seen.method, seen.path.partition("?")[0]) for seen in service.seen}
    assert {path.startswith(f"{ONE}/metrics") for method, path in sent if method != "GET"} == {True}
    assert {method for method, _ in sent} == {"GET", "POST"}


async def test_a_running_endpoint_is_chosen_for_what_is_read_of_one(service: Upstream) -> None:
    paused = service.endpoint("paused") | {"name": "old"}
    service.answers("GET", "/v2/endpoint/acme", Answer(body={"items": [paused, service.endpoint("running")]}))
    await walked(service.url)
    assert not [seen.path for seen in service.seen if "/old" in seen.path]


async def test_what_differs_is_shown_with_its_place_and_what_is_refused_with_its_reason(service: Upstream) -> None:
    service.answers("GET", ONE, Answer(body={"name": "chat", "status": {"readyReplica": "two"}}))
    service.answers("GET", f"{ONE}/replica", Answer(body={"items": [{"status": {"stage": "running"}}, {}]}))
    service.answers("GET", f"{ONE}/logs", Answer(body={"error": "no list"}))
    service.answers("GET", "/v2/provider/acme", Answer(body=b"busy", headers={"content-type": "text/plain"}))
    refusal = {"error": "Forbidden: missing permissions: inference.endpoints.read", "code": "FORBIDDEN"}
    service.answers("GET", "/v2/audit-logs/acme", Answer(403, refusal))
    service.answers("GET", "/v3/endpoint/acme/chat/logs/sse", events({"line": 7}))
    outcomes = await walked(service.url)

    assert named(outcomes, Result.DIFFERS) == names(
        [operations.GET, operations.REPLICAS, operations.HARDWARE, operations.FOLLOW_LOGS, operations.LOGS_V2]
    )
    assert remarks(outcomes, operations.REPLICAS) == ["$.items[].id is missing"]
    assert "$.status.state is missing" in remarks(outcomes, operations.GET)
    assert remarks(outcomes, operations.HARDWARE) == ["$ is not application/json"]
    (why,) = remarks(outcomes, operations.AUDIT_LOGS)
    assert why.startswith("403 FORBIDDEN: Could not read the audit log of {namespace}")
    assert "the token lacks inference.endpoints.read" in why


@needs_document
async def test_the_document_finds_what_the_models_let_pass(service: Upstream) -> None:
    replica = {"id": "r", "versionId": "v", "status": {"stage": "melting", "live": True, "updating": False}}
    service.answers("GET", f"{ONE}/replica", Answer(body={"items": [replica]}))
    service.answers("GET", "/v2/search/acme", Answer(body={"items": [{"name": "chat", "newField": 1}], "page": 2}))
    service.answers("GET", "/v2/network/domain/acme", Answer(body={"items": [{"domain": "a.example"}]}))
    service.answers("GET", "/v3/endpoint/acme/chat/logs", Answer(501, {"error": "Not Implemented"}))
    outcomes = await walked(service.url, service_document())

    assert "$.items[].status.stage is not a documented value: melting" in remarks(outcomes, operations.REPLICAS)
    assert remarks(outcomes, operations.DOMAINS) == ["$.items[].createdAt is missing", "$.items[].status is missing"]
    assert outcomes[operations.SEARCH.name].result is Result.AS_DOCUMENTED
    assert set(remarks(outcomes, operations.SEARCH)) == {
        "$.items[].newField is not in the document",
        "$.page is not in the document",
    }
    assert outcomes[operations.LOGS.name].result is Result.AS_DOCUMENTED
    assert remarks(outcomes, operations.LOGS)[0].startswith("501")
    assert outcomes[operations.REPLICAS.name].result is Result.DIFFERS
