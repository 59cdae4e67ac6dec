"""A simulated model that is too large for its hardware fails as on real hardware, in the words of its engine."""

from typing import Any

import pytest
from tests.support.planes.plane_driver import Driver

pytestmark = pytest.mark.anyio

VLLM = {"vLLM": {"url": "vllm/vllm-openai:v0.23.0"}}
TOKEN = {"HF_TOKEN": "hf_" + "x" * 30}
LLAMA = {
    "repository": "meta-llama/Llama-3.1-8B-Instruct",
    "task": "text-generation",
    "image": VLLM,
    "secrets": TOKEN,
}
HOUR_S = 3_600
ALWAYS_ON = {"minReplica": 1, "maxReplica": 1}


async def outcome(driver: Driver, name: str, instance: str, **model: Any) -> tuple[str, str]:
    """The state after all attempts to start, and what was printed."""
    gpu = {"accelerator": "gpu", "instanceType": instance, "instanceSize": "x1", "scaling": ALWAYS_ON}
    assert (await driver.create(name, compute=gpu, model=model)).status == 200
    for _ in range(4):
        await driver.advance(HOUR_S)
    state = await driver.state(name)
    logs = (await driver.call("GET", f"/v2/endpoint/acme/{name}/logs")).body
    await driver.do(name, "pause")
    return state, logs.decode()


async def test_memory_follows_from_model_hardware_and_settings(driver: Driver) -> None:
    state, logs = await outcome(driver, "weights", "nvidia-t4", **LLAMA)
    assert state == "failed"
    assert "CUDA out of memory" in logs
    assert "total capacity of 13.04 GiB, which the weights of 14.96 GiB leave no room in" in logs

    state, logs = await outcome(driver, "context", "nvidia-l4", **LLAMA)
    assert state == "failed"
    assert "max seq len (131072), (16.00 GiB KV cache is needed" in logs
    assert "available KV cache memory (4.23 GiB)" in logs
    assert "the estimated maximum model length is 33792" in logs

    state, _ = await outcome(driver, "shorter", "nvidia-l4", **LLAMA, args=["--max-model-len", "33792"])
    assert state == "running"
    state, _ = await outcome(driver, "tgi", "nvidia-l4", **LLAMA | {"image": {"tgi": {"url": "tgi:3"}}})
    assert state == "running", "this engine takes the context that fits"
    state, logs = await outcome(
        driver, "tgi-long", "nvidia-l4", **LLAMA | {"image": {"tgi": {"url": "t", "maxTotalTokens": 131_072}}}
    )
    assert state == "failed"
    assert "Not enough memory to handle 131072 prefill tokens" in logs
    state, _ = await outcome(driver, "named", "nvidia-t4", **LLAMA | {"repository": "org/other-13B"})
    assert state == "failed", "the size in a name counts"
    state, _ = await outcome(driver, "unknown", "nvidia-t4", **LLAMA | {"repository": "org/other"})
    assert state == "running", "nothing is known against it"


async def test_a_first_start_takes_as_long_as_measured_and_waking_is_short(driver: Driver) -> None:
    l4 = {"accelerator": "gpu", "instanceType": "nvidia-a10g", "instanceSize": "x1"}
    model = {"repository": "Qwen/Qwen2.5-7B-Instruct", "task": "text-generation", "image": VLLM}
    scaling = {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 15}
    await driver.create(compute=l4 | {"scaling": scaling}, model=model)
    await driver.advance(455)
    assert await driver.state("chat") == "initializing"
    await driver.advance(5)
    assert await driver.state("chat") == "running"
    await driver.do("chat", "scale-to-zero")
    await driver.call("POST", await driver.path_of("chat"), {"inputs": "x"})
    await driver.advance(36)
    assert await driver.state("chat") == "initializing"
    await driver.advance(6)
    assert await driver.state("chat") == "running"


async def test_a_gated_model_without_a_token_fails(driver: Driver) -> None:
    state, logs = await outcome(driver, "gated", "nvidia-l40s", **LLAMA | {"secrets": {}})
    assert (state, "Cannot access gated repo for url" in logs) == ("failed", True)
    assert (await outcome(driver, "token", "nvidia-l40s", **LLAMA))[0] == "running"


@pytest.mark.parametrize(
    ("image", "args", "state"),
    [
        ({"url": "vllm/vllm-openai:v0.23.0", "port": 80}, [], "initializing"),
        ({"url": "vllm/vllm-openai:v0.23.0"}, [], "initializing"),
        ({"url": "vllm/vllm-openai:v0.23.0", "port": 8000}, [], "running"),
        ({"url": "vllm/vllm-openai:v0.23.0", "port": 80}, ["--port", "80"], "running"),
        ({"url": "vllm/vllm-openai:v0.23.0", "port": 8000}, ["--port=9000"], "initializing"),
        ({"url": "registry.example/mine:1", "port": 5000}, [], "running"),
    ],
)
async def test_a_container_that_listens_on_another_port_never_becomes_ready(
    driver: Driver, image: dict[str, Any], args: list[str], state: str
) -> None:
    model = {"repository": "org/other", "image": {"custom": image}, "framework": "custom", "args": args}
    await driver.create(model=model)
    await driver.advance(850)
    assert await driver.state("chat") == state
