"""Metrics: what the gateway counts and the processes use, summarized."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.hosts.host import Host, serving
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.captures import CAPTURES
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import HUGGING_FACE, Backend, local
from inference_endpoints_local.control.endpoint_metrics import EndpointMetrics
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio


ONE = "/v2/endpoint/acme/tiny"
TINY = {"endpoint_name": "tiny"}


@pytest.fixture
async def tiny(driver: Driver) -> str:
    """The address of an endpoint that answered two calls and failed one, as a real process."""
    await driver.create_local("tiny")
    await driver.reach("tiny", "running")
    path = await driver.path_of("tiny")
    for route in ("/a", "/slow"):
        assert (await driver.call("POST", path + route, {})).status == 200
    assert (await driver.call("POST", path + "/a", {}, token="wrong")).status == 401
    return path


def rows(facts: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["metric"], row["of"]): row for row in facts["metrics"]}


async def test_requests_latency_and_the_process_are_measured(tiny: str, driver: Driver, modern: Host) -> None:
    facts = await modern.call("get_endpoint_metric", **TINY)
    found = rows(facts)
    (replica,) = (await modern.call("get_endpoint_replicas", **TINY))["replicas"]
    assert found["response-status-code", "2xx"]["total"] == 2
    assert found["response-status-code", "4xx"]["total"] == 1
    assert 0.9 < found["response-elapsed", "p99"]["maximum"] < 5
    assert found["response-elapsed", "p50"]["unit"] == "seconds"
    assert found["replica-running", "running"]["now"] == 1
    assert 0 <= found["cpu", replica["replica"]]["now"] <= 110
    assert found["memory", replica["replica"]]["now"] > 1_000_000
    assert facts["now"] == "Responses in 30 min: 2 2xx, 1 4xx."
    assert facts["backend"] == "local"
    assert not any("points" in row for row in facts["metrics"])


async def test_one_metric_is_shown_in_detail_with_its_series_on_request(tiny: str, modern: Host) -> None:
    facts = await modern.call("get_endpoint_metric", **TINY, metric="response-status-code", series=True)
    found = rows(facts)
    assert set(found) == {("response-status-code", "200"), ("response-status-code", "401")}
    points = found["response-status-code", "200"]["points"]
    assert sum(point["value"] for point in points) == 2
    assert facts["window_s"] == 15


async def test_a_pending_request_counts_as_load(driver: Driver, tiny: str, modern: Host) -> None:
    call = asyncio.create_task(driver.call("POST", tiny + "/events", {}))
    async with asyncio.timeout(HANG_TIMEOUT_S):
        pending = 0.0
        while pending <= 0:
            facts = await modern.call("get_endpoint_metric", **TINY, metric="pending-request")
            pending = rows(facts)["pending-request", "pending"]["now"]
    await driver.call("POST", tiny + "/release", {})
    await call


async def test_a_simulated_endpoint_counts_only_real_calls(driver: Driver, modern: Host) -> None:
    await driver.create()
    await driver.advance(200)
    before = await modern.call("get_endpoint_metric", endpoint_name="chat")
    assert before["now"].startswith("No request was answered in 30 min. Simulated: ")
    assert {metric for metric, _ in rows(before)} <= {"pending-request", "replica-running", "replica-status"}
    await driver.call("POST", await driver.path_of("chat"), {})
    after = await modern.call("get_endpoint_metric", endpoint_name="chat")
    assert rows(after)["response-status-code", "5xx"]["total"] == 1
    assert after["backend"] == "simulated"


async def test_the_services_graphs_are_summarized_without_units(upstream: Upstream) -> None:
    upstream.shows("running")
    upstream.answers(
        "POST", "/v2/endpoint/acme/chat/metrics", Answer(body=json.loads((CAPTURES / "all-graphs.json").read_text()))
    )

    async def open_backend(_: AsyncExitStack) -> Backend:
        return replace(local(upstream.url, TOKEN), name=HUGGING_FACE)

    async with serving(ServerOptions(open_backend=open_backend, namespace="acme")) as host:
        facts = await host.call("get_endpoint_metric", endpoint_name="chat", minutes=5)
    found = rows(facts)
    assert not any("unit" in row for row in facts["metrics"])
    assert found["response-elapsed", "p95"]["now"] == 1.25
    assert found["gpu", "6pajyw3k-z7ghx 1"]["maximum"] == 95
    assert facts["now"] == "Responses in 5 min: 118 2xx, 2 5xx. The service publishes no units."
    assert found["requests waiting", "6pajyw3k-z7ghx"]["maximum"] == 2
    assert found["response-status-code", "2xx"]["total"] == 118
    assert facts["replica_stages"][0] == {
        "stage": "running",
        "of": "6pajyw3k-z7ghx",
        "since": "2026-09-14T08:01:00Z",
        "until": "2026-09-14T08:02:00Z",
    }
    body = next(seen for seen in upstream.seen if seen.method == "POST").json
    start, stop = (datetime.fromisoformat(body[key]) for key in ("start", "stop"))
    assert (stop - start).total_seconds() == 300, "more than was asked for has wider windows"


async def test_the_engine_and_its_gpus_are_shown_by_name_and_for_each_replica(driver: Driver, modern: Host) -> None:
    compute = {"accelerator": "gpu", "instanceType": "nvidia-l4", "scaling": {"minReplica": 2, "maxReplica": 2}}
    await driver.create(compute=compute, model={"image": {"vLLM": {"url": "vllm/vllm-openai:v0.30.0"}}})
    await driver.call("POST", "/local/load", {"name": "chat", "requests": 600})
    await driver.advance(600)
    one, other = (replica.id for replica in driver.endpoint("chat").replicas)

    async def shown(metric: str, **which: Any) -> dict[tuple[str, str], Any]:
        facts = await modern.call("get_endpoint_metric", endpoint_name="chat", metric=metric, **which)
        assert "Simulated: " in facts["now"]
        return {key: (row["now"], row["unit"]) for key, row in rows(facts).items()}

    assert await shown("inference/requests") == {
        ("requests waiting", one): (44, "requests"),
        ("requests waiting", other): (44, "requests"),
        ("requests running", one): (256, "requests"),
        ("requests running", other): (256, "requests"),
    }
    assert await shown("inference/kv-cache", replica=one) == {("kv cache", one): (1, "fraction in use")}
    assert await shown("hardware-gpu", replica=other) == {("gpu", f"{other} 0"): (100, "percent")}
    assert await shown("inference/ttft") == {}, "no token is simulated"


async def test_a_day_of_points_still_gives_a_small_output(driver: Driver, modern: Host) -> None:
    await driver.create()
    endpoint = driver.endpoint("chat")
    now = endpoint.metrics.since
    endpoint.metrics = metrics = EndpointMetrics(now - 40_000)
    for number in range(4_000):
        at = now - 39_990 + 9.9 * number
        metrics.request_started(at)
        metrics.request_ended(at + 0.5, 0.5 + number / 4_000, (200, 201, 400, 404, 422, 429, 500, 502, 503)[number % 9])
    for metric in ("", "response-status-code", "response-elapsed"):
        facts = await modern.call("get_endpoint_metric", endpoint_name="chat", metric=metric, minutes=600, series=True)
        assert len(json.dumps(facts)) < 28_000
        assert facts["metrics"][0]["points"]
    assert rows(facts)["response-elapsed", "p50"]["trend"] == "rising"
