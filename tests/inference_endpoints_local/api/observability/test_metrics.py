"""Metrics over REST: the routes of each graph, one replica alone, engines, GPUs, and OpenMetrics."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import Driver, PlaneOf
from tests.support.polling import eventually

from inference_endpoints_local.engines.programs import from_catalogue

pytestmark = pytest.mark.anyio

GPUS: dict[str, Any] = {
    "compute": {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x4"},
    "model": {"image": {"vLLM": {"url": "vllm/vllm-openai:v0.30.0", "tensorParallelSize": 4}}},
}
QUESTION = {"messages": [{"role": "user", "content": "Name a colour."}], "max_tokens": 8}
ROUTES = {
    "hardware-cpu": (None, {"cpu": "hardwareCpu", "ram": "hardwareMem"}),
    "hardware-gpu": (None, {"gpu": "hardwareGpu", "ram": "hardwareGpuMem"}),
    "inference/itl": ("inference.itl", {}),
    "inference/kv-cache": ("inference.kvCache", {}),
    "inference/prefix-cache": ("inference.prefixCache", {}),
    "inference/requests": ("inference.requests", {}),
    "inference/ttft": ("inference.ttft", {}),
    "pending-request": ("pendingRequest", {}),
    "replica-ids": ("replicaIds", {}),
    "replica-running": ("replicasRunning", {}),
    "replica-status": ("replicasStatus", {}),
    "response-elapsed": ("responseElapsed", {}),
    "response-status-code": ("responseStatusCode", {}),
    "response-status-code-grouped": ("responseStatusCodeGrouped", {}),
}
"""Where `AllGraphs` has the answer of each route: at one path, or in parts."""


def last_hour(**more: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"start": (now - timedelta(hours=1)).isoformat(), "stop": now.isoformat(), **more}


async def graphs_of(driver: Driver, name: str, route: str = "", **body: Any) -> Any:
    answer = await driver.call("POST", f"/v2/endpoint/acme/{name}/metrics{route}", last_hour(**body))
    assert answer.status == 200, answer
    return answer.body


async def under_load(driver: Driver, requests: int, **changes: Any) -> str:
    """The name of a simulated endpoint that has so many requests in flight since it is ready."""
    assert (await driver.create("large", **(GPUS | changes))).status == 200
    await driver.call("POST", "/local/load", {"name": "large", "requests": requests})
    await driver.advance(600)
    return "large"


def newest(graph: dict[str, Any]) -> list[float]:
    return [series["data"][-1]["y"] for series in graph["series"]]


@pytest.mark.parametrize("route", ROUTES)
async def test_a_route_of_its_own_returns_the_same_as_the_whole(driver: Driver, route: str) -> None:
    name = await under_load(driver, 300)
    body = last_hour()
    whole, alone = [
        (await driver.call("POST", f"/v2/endpoint/acme/{name}/metrics{path}", body)).body for path in ("", f"/{route}")
    ]
    path, parts = ROUTES[route]
    if path:
        for key in path.split("."):
            whole = whole[key]
        assert alone == whole
    else:
        frame = {key: whole[key] for key in ("start", "stop", "timeWindowSeconds")}
        assert alone == frame | {key: whole[other] for key, other in parts.items()}


async def test_simulated_gpus_and_queue_follow_from_the_simulated_load(driver: Driver) -> None:
    graphs = await graphs_of(driver, await under_load(driver, 300))
    assert [series["deviceId"] for series in graphs["hardwareGpu"]["series"]] == [0, 1, 2, 3]
    assert newest(graphs["hardwareGpu"]) == [100] * 4
    engine = graphs["inference"]
    assert newest(engine["requests"]["waiting"]) == [44]
    assert newest(engine["requests"]["running"]) == [256]
    assert newest(engine["kvCache"]) == [1]
    assert not engine["ttft"]["series"], "no tokens are simulated"
    assert not graphs["hardwareCpu"]["series"], "no process is measured"


async def test_the_simulated_load_is_spread_over_the_replicas(driver: Driver) -> None:
    scaling = {"minReplica": 2, "maxReplica": 2}
    graphs = await graphs_of(driver, await under_load(driver, 5, compute=GPUS["compute"] | {"scaling": scaling}))
    assert sorted(newest(graphs["inference"]["requests"]["running"])) == [2, 3]


async def test_a_simulated_cpu_without_a_language_model_has_neither_gpu_nor_engine(driver: Driver) -> None:
    await driver.create("small")
    await driver.call("POST", "/local/load", {"name": "small", "requests": 5})
    await driver.advance(600)
    graphs = await graphs_of(driver, "small")
    assert graphs["inference"] is None
    assert not graphs["hardwareGpu"]["series"]
    assert (await graphs_of(driver, "small", "/inference/ttft")) == {"series": []}


@pytest.mark.parametrize(
    ("image", "args", "measures"),
    [
        ({"vLLM": {"url": "x"}}, [], True),
        ({"sGLang": {"url": "x"}}, ["--enable-metrics"], True),
        ({"sGLang": {"url": "x"}}, [], False),
        ({"custom": {"url": "vllm/vllm-openai:v0.30.0", "port": 8000}}, [], True),
        ({"tgi": {"url": "x"}}, [], False),
    ],
)
async def test_the_status_shows_whether_there_are_metrics_of_the_engine(
    driver: Driver, image: dict[str, Any], args: list[str], measures: bool
) -> None:
    created = (await driver.create(model={"image": image, "args": args})).body
    assert created["status"]["inferenceMetricsEnabled"] is measures
    await driver.advance(1_000)
    assert ((await graphs_of(driver, "chat"))["inference"] is not None) is measures


async def test_a_replica_is_shown_alone_on_request(driver: Driver) -> None:
    await driver.create_local("tiny", compute={"scaling": {"minReplica": 2, "maxReplica": 2}})
    endpoint = driver.endpoint("tiny")
    await driver.wait_until(endpoint, lambda endpoint: len(endpoint.ready) == 2)
    assert (await driver.call_endpoint("/a")).status == 200
    assert (await driver.call("POST", await driver.path_of("tiny"), token="wrong")).status == 401
    both = sorted(replica.id for replica in endpoint.replicas)
    whole = await graphs_of(driver, "tiny")
    assert whole["replicaIds"] == both == await graphs_of(driver, "tiny", "/replica-ids")
    assert statuses(whole) == {"200": 1, "401": 1}
    alone = [await graphs_of(driver, "tiny", replicaId=name) for name in both]
    assert sorted(map(statuses, alone), key=len) == [{}, {"200": 1}]
    for name, graphs in zip(both, alone, strict=True):
        assert graphs["replicaIds"] == [name]
        assert [series["replicaId"] for series in graphs["hardwareMem"]["series"]] == [name]
        ranges = [one for series in graphs["replicasStatus"]["series"] for one in series["data"]]
        assert {one["y"] for one in ranges} == {name}


def statuses(graphs: dict[str, Any]) -> dict[str, float]:
    return {series["statusCode"]: series["sum"] for series in graphs["responseStatusCode"]["series"]}


async def test_both_times_are_required_and_in_order(driver: Driver) -> None:
    await driver.create("chat")
    times = last_hour()
    for body in ({}, {"start": times["start"]}, {"stop": times["stop"]}):
        assert (await driver.call("POST", "/v2/endpoint/acme/chat/metrics", body)).status in {400, 422}
    backwards = {"start": times["stop"], "stop": times["start"]}
    assert (await driver.call("POST", "/v2/endpoint/acme/chat/metrics/replica-ids", backwards)).status == 400


@pytest.mark.parametrize("moment", ["yesterday", "2026-01-01", "2026-01-01T00:00:00", "20260101T000000Z", 5, True])
async def test_times_are_in_rfc_3339(driver: Driver, moment: Any) -> None:
    await driver.create("chat")
    assert (await driver.call("POST", "/v2/endpoint/acme/chat/metrics", last_hour(start=moment))).status == 400


async def test_open_metrics_have_the_documented_names_and_are_valid(driver: Driver) -> None:
    await driver.create_local("tiny")
    await driver.reach("tiny", "running")
    await driver.call_endpoint("/a")
    await driver.call("POST", await driver.path_of("tiny"), token="wrong")
    (replica,) = driver.endpoint("tiny").replicas
    found = {(sample.name, *sample.labels.values()): sample.value for sample in await samples_of(driver, "tiny")}
    assert found["http_requests_total", replica.id, "200"] == 1
    assert found["http_requests_total", "", "401"] == 1
    assert found["latency_distribution_count",] == 2
    assert 0 < found["latency_distribution", "0.5"] <= found["latency_distribution", "0.99"]
    assert found["memory_usage_bytes", replica.id] > 1_000_000


async def test_open_metrics_of_simulated_gpus_name_each_device(driver: Driver) -> None:
    samples = await samples_of(driver, await under_load(driver, 1))
    used = {sample.labels["device_id"]: sample.value for sample in samples if sample.name == "gpu_usage_percent"}
    assert used == {"0": 100, "1": 100, "2": 100, "3": 100}


async def test_open_metrics_show_no_hardware_of_replicas_that_have_ended(driver: Driver) -> None:
    await driver.create_local("tiny")
    await driver.reach("tiny", "running")
    assert any(sample.name == "memory_usage_bytes" for sample in await samples_of(driver, "tiny"))
    await driver.do("tiny", "pause")
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: not endpoint.replicas)
    names = {sample.name for sample in await samples_of(driver, "tiny")}
    assert names == {"latency_distribution_count", "latency_distribution_sum"}


async def samples_of(driver: Driver, name: str) -> list[Any]:
    answer = await driver.call("GET", f"/v2/endpoint/acme/{name}/open-metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families: Any = text_string_to_metric_families(answer.body.decode())  # type: ignore[no-untyped-call]
    return [sample for family in families for sample in family.samples]


async def is_measured(driver: Driver, name: str) -> bool:
    return bool((await graphs_of(driver, name, "/inference/ttft"))["series"])


@pytest.mark.models
async def test_a_real_engine_measures_its_tokens_queue_and_caches(plane_of: PlaneOf) -> None:
    async with plane_of(programs=from_catalogue) as driver:
        await driver.create_local("chat", model={"repository": "HuggingFaceTB/SmolLM2-135M-Instruct"})
        await driver.reach("chat", "running")
        for _ in range(2):
            assert (await driver.call_endpoint("/v1/chat/completions", QUESTION, name="chat")).status == 200
        # The plane reads an engine every few seconds.
        await eventually(lambda: is_measured(driver, "chat"))
        engine = (await graphs_of(driver, "chat"))["inference"]
        (first_token,), (next_token,) = newest(engine["ttft"]), newest(engine["itl"])
        assert 0 < next_token < first_token < HANG_TIMEOUT_S
        (cached,) = newest(engine["prefixCache"])
        assert 0 < cached < 1, "the second prompt was in the cache, the first was not"
        assert 0 < engine["requests"]["running"]["series"][0]["max"] <= 1
        assert 0 < engine["kvCache"]["series"][0]["max"] < 1
