"""vLLM on accelerators of a cluster: a stand-in with its flags, routes and metrics, as a real process on a node."""

import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver, PlaneOf
from tests.support.planes.ray_stand_in import RayStandIn, standing_in
from tests.support.polling import eventually, until_ended

from inference_endpoints_local.daemon.cluster.cluster_engine import Cluster
from inference_endpoints_local.engines.programs import from_catalogue
from inference_endpoints_local.engines.ray.cluster_hardware import AcceleratorFacts, ClusterPrices
from inference_endpoints_local.engines.serving_engines.commands import with_serving_engines
from inference_endpoints_local.engines.serving_engines.exposition import VLLM, ExpositionMeter

pytestmark = pytest.mark.anyio

STAND_IN = Path(__file__).parents[3] / "support" / "planes" / "vllm_stand_in.py"
MODEL = "Qwen/Qwen2.5-7B-Instruct"
PRICES = ClusterPrices(region="rack", accelerators={"A100-80G": AcceleratorFacts(per_hour=2.5, memory_gb=80)})
IMAGE: dict[str, Any] = {"url": "vllm/vllm-openai", "tensorParallelSize": 2, "kvCacheDtype": "fp8-e4-m3"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node has a program `vllm` in its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "vllm"
    program.write_text(f"#!{sys.executable}\n" + STAND_IN.read_text())
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("A_SECRET_OF_THE_NODE", "not for engines")
    return program


@pytest.fixture
async def ray(anyio_backend: str) -> AsyncIterator[RayStandIn]:
    accelerators = {"n2": ("A100-80G", 4.0)}
    async with standing_in(nodes={"n1": 2.0, "n2": 8.0}, accelerators=accelerators, programs=None) as cluster:
        yield cluster


@pytest.fixture
async def driver(ray: RayStandIn, plane_of: PlaneOf) -> AsyncIterator[Driver]:
    async with plane_of(cluster=Cluster(ray.address, PRICES), programs=None) as driver:
        await eventually(lambda: not driver.plane.lifecycle.instances.own.unavailable_reason, "the cluster is known")
        yield driver


def on_accelerators(**model: Any) -> dict[str, Any]:
    return {
        "provider": {"region": "rack"},
        "compute": {"accelerator": "gpu", "instanceType": "a100-80g", "instanceSize": "x2"},
        "model": {"repository": MODEL, "task": "text-generation", "image": {"vLLM": IMAGE}} | model,
    }


async def deploy(driver: Driver, **model: Any) -> dict[str, Any]:
    created = await driver.create_local(**on_accelerators(**model))
    assert created.status == 200, created.body
    return await driver.reach("tiny", "running", "failed")


async def tell(driver: Driver) -> dict[str, Any]:
    answer = await driver.call_endpoint("/v1/chat/completions", {"model": MODEL})
    assert answer.status == 200, answer
    return dict(answer.body["told"])


async def test_the_accelerators_of_a_cluster_are_hardware_by_type_with_prices_and_quota(driver: Driver) -> None:
    offered = (await driver.call("GET", "/v2/provider/acme")).body["vendors"][0]["regions"][0]["computes"]
    found = {each["id"]: each for each in offered if each["accelerator"] == "gpu"}
    assert {name: (each["pricePerHour"], each["gpuMemoryGb"]) for name, each in found.items()} == {
        "local-rack-a100-80g-x1": (2.5, 80),
        "local-rack-a100-80g-x2": (5, 160),
        "local-rack-a100-80g-x4": (10, 320),
    }
    quotas = (await driver.call("GET", "/v2/provider/quotas/acme")).body["vendors"][0]["quotas"]
    assert {each["instanceType"]: each["maxAccelerators"] for each in quotas} == {"cpu": 10, "a100-80g": 4}


async def test_vllm_runs_with_the_settings_of_the_endpoint_and_ends_with_it(
    installed: Path, driver: Driver, ray: RayStandIn
) -> None:
    args = ["--max-model-len", "8192", "--dtype=bfloat16", "--enforce-eager"]
    secrets = {"HF_TOKEN": "hf_of_the_endpoint"}
    assert (await deploy(driver, args=args, revision="v1.0", secrets=secrets))["status"]["state"] == "running"
    (placed,) = ray.ours.values()
    assert (placed.node, placed.options["num_gpus"], placed.options["accelerator_type"]) == ("n2", 2, "A100-80G")
    told = await tell(driver)
    words = [word for word in told["words"] if not word.startswith("--port=")]
    assert words == [
        *("serve", MODEL, "--revision", "v1.0", "--tensor-parallel-size", "2", "--kv-cache-dtype", "fp8_e4m3"),
        *("--max-model-len", "8192", "--dtype=bfloat16", "--enforce-eager", "--host=127.0.0.1"),
    ]
    assert told["environment"]["HF_TOKEN"] == "hf_of_the_endpoint"
    await eventually(lambda: driver.endpoint("tiny").replicas[0].engine_counters is not None, "its metrics are read")
    assert told["environment"]["HF_TOKEN_PATH"] == os.devnull  # not the token of the node's user
    assert "A_SECRET_OF_THE_NODE" not in told["environment"]
    assert told["files"] == []  # no name of a model is a path there
    assert told["environment"]["VLLM_API_KEY"] not in str(ray.puts)
    assert b"Starting vLLM API server" in (await driver.call("GET", "/v2/endpoint/acme/tiny/logs")).body
    await driver.do("tiny", "pause")
    await until_ended(told["pid"])


async def test_an_engine_that_dies_is_replaced_and_its_last_words_are_kept(installed: Path, driver: Driver) -> None:
    await deploy(driver)
    first = (await tell(driver))["pid"]
    assert (await driver.call_endpoint("/v1/chat/completions", {"model": MODEL, "stop_engine": True})).status >= 500
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: bool(endpoint.ended))
    await driver.wait_until(driver.endpoint("tiny"), lambda endpoint: bool(endpoint.ready))
    assert (await tell(driver))["pid"] != first
    assert b"CUDA out of memory" in (await driver.call("GET", "/v2/endpoint/acme/tiny/logs")).body


async def test_a_node_without_the_engine_is_named_as_the_cause(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert shutil.which("vllm", path=str(tmp_path)) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    failed = (await deploy(driver))["status"]
    assert failed["state"] == "failed"
    assert "vllm is not installed on this node" in failed["errorMessage"]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"args": ["--trust-remote-code"]}, "--trust-remote-code is not among the arguments"),
        ({"args": ["--api-key", "mine"]}, "--api-key is not among the arguments"),
        ({"args": ["--max-model-len"]}, "--max-model-len has no value"),
        ({"command": ["sh", "-c", "id"]}, "Leave the command out"),
        ({"repository": "--config=/etc/x"}, "no repository of the Hub"),
        ({"image": {"vLLM": IMAGE | {"tensorParallelSize": 4}}}, "more than the 2 accelerators"),
        ({"image": {"huggingface": {}}}, "vLLM and SGLang run"),
        ({"env": {"LD_PRELOAD": "x.so"}}, "LD_PRELOAD"),
    ],
)
async def test_what_would_run_code_of_a_caller_or_cannot_work_is_refused(
    driver: Driver, model: dict[str, Any], reason: str
) -> None:
    refused = await driver.create_local(**on_accelerators(**model))
    assert refused.status in (400, 422), refused.body
    assert reason in refused.body["error"]


async def test_without_free_accelerators_an_endpoint_waits_with_the_reason(
    driver: Driver, ray: RayStandIn, installed: Path
) -> None:
    ray.nodes["n3"], ray.accelerators["n2"], ray.accelerators["n3"] = 8.0, ("A100-80G", 3.0), ("A100-80G", 1.0)
    await eventually(lambda: driver.plane.lifecycle.instances.own.quota("cpu") == 18)
    await deploy(driver)
    assert (await driver.create_local("second", **on_accelerators())).status == 200
    assert (await driver.get("second"))["status"]["message"] == (
        "Endpoint waiting to be scheduled: no node of the cluster has 2 free A100-80G (2 of 4 are free, on 2 nodes)"
    )
    ray.accelerators["n3"] = ("A100-80G", 2.0)
    await driver.reach("second", "running")


def test_sglang_gets_its_own_flags() -> None:
    compute = {"accelerator": "gpu", "instanceType": "a100-80g", "instanceSize": "x2"}
    image = {"sGLang": {"url": "lmsysorg/sglang", "tensorParallelSize": 2, "chunkedPrefillSize": 4096}}
    model = {"repository": MODEL, "image": image, "args": ["--context-length", "8192"]}
    program = with_serving_engines(from_catalogue)({"compute": compute, "model": model})
    assert program.settings["command"] == [
        *("python", "-m", "sglang.launch_server", "--model-path", MODEL, "--enable-metrics"),
        *("--tp-size", "2", "--chunked-prefill-size", "4096", "--context-length", "8192"),
    ]


def test_its_metrics_become_counters_of_the_documented_graphs() -> None:
    now = [100.0]
    meter = ExpositionMeter(VLLM, lambda: now[0])
    text = 'vllm:num_requests_waiting{engine="0"} 1.0\nvllm:num_requests_running{engine="0"} 2.0\n'
    text += 'vllm:num_requests_running{engine="1"} 1.0\nvllm:kv_cache_usage_perc{engine="0"} 0.5\n'
    text += 'vllm:time_to_first_token_seconds_sum{engine="0"} 2.0\nvllm:time_to_first_token_seconds_count 4.0\n'
    text += "vllm:time_per_output_token_seconds_sum 3.0\nvllm:time_per_output_token_seconds_count 100\n"
    text += "vllm:prompt_tokens_total 50\nvllm:prefix_cache_hits_total 25\n# HELP x y\nnonsense\nvllm:x NaN\n"
    before = meter.count(text)
    now[0] = 110.0
    counted = meter.count(text) - before
    assert (counted.seconds, counted.waiting_s, counted.running_s, counted.kv_cache_s) == (10, 10, 30, 5)
    assert (before.first_tokens, before.first_token_s, before.next_tokens, before.next_token_s) == (4, 2, 100, 3)
    assert (before.prompt_tokens, before.cached_tokens) == (50, 25)
