"""Settings that are not given are chosen and explained; requests that would fail later are refused at once."""

from typing import Any

import pytest
from tests.support.hosts.host import Host
from tests.support.planes.plane_driver import Driver
from tests.support.service.priced_cloud import A100, L4, LLAMA, T4
from tests.support.service.scripted_upstream import Answer, Upstream

pytestmark = pytest.mark.anyio


def sent(upstream: Upstream) -> list[Any]:
    return [seen.json for seen in upstream.seen if seen.method in {"POST", "PUT"}]


async def planned(host: Host, **arguments: Any) -> dict[str, Any]:
    return await host.call("create_endpoint", endpoint_name="new", dry_run=True, **arguments)


async def test_a_model_alone_is_enough_and_each_choice_is_explained(cloud: Host) -> None:
    facts = await planned(cloud, repository=LLAMA)
    assert (facts["hardware"], facts["plan"]["per_hour_at_most_usd"]) == (L4, 0.8)
    model = facts["plan"]["payload"]["model"]
    assert (model["task"], model["framework"]) == ("text-generation", "custom")
    assert model["image"]["vLLM"]["url"].startswith("vllm/")
    hardware, task, engine = facts["chosen"]
    assert f"{L4}, the cheapest available that holds it: it needs at least 19 GB (16.1 GB of weights" in hardware
    assert f"Or {A100}" in hardware
    assert "text-generation" in task
    assert "framework=pytorch lets the service choose" in engine


async def test_several_accelerators_are_all_used(cloud: Host) -> None:
    facts = await planned(cloud, repository="org/giant-70B", task="text-generation")
    assert facts["hardware"] == A100
    assert facts["plan"]["payload"]["model"]["image"]["vLLM"]["tensorParallelSize"] == 4
    assert "estimated from its name" in facts["chosen"][0]


async def test_given_settings_are_not_chosen(cloud: Host) -> None:
    facts = await planned(cloud, repository=LLAMA, hardware=T4, task="fill-mask", framework="pytorch")
    assert facts["hardware"] == T4
    assert facts["plan"]["payload"]["model"]["task"] == "fill-mask"
    assert facts["plan"]["payload"]["model"]["image"] == {"huggingface": {}}
    assert "chosen" not in facts


async def test_a_given_image_stays_unchanged(cloud: Host) -> None:
    image = {"custom": {"url": "registry.example/mine:1"}}
    facts = await planned(cloud, repository=LLAMA, config={"model": {"image": image}})
    assert facts["plan"]["payload"]["model"]["image"] == image


async def test_a_llama_cpp_image_loads_the_one_gguf_file_that_the_catalogue_has(
    cloud: Host, upstream: Upstream
) -> None:
    own = {"repository": "org/chat-GGUF", "hardware": L4, "config": {"model": {"image": {"llamacpp": {"url": "x"}}}}}
    message = await cloud.refused("create_endpoint", "BAD_REQUEST", endpoint_name="new", **own)
    assert "no modelPath" in message
    assert "modelPath is a GGUF file in the model's repository" in message
    recipes = [{"publicId": "a", "engineType": "llamacpp", "accelerator": "gpu", "ggufFile": "chat.Q8_0.gguf"}]
    listed = {"items": [{"repoId": "org/chat-GGUF", "recipes": recipes}]}
    upstream.answers("GET", "/api/v1/catalog/list", Answer(body=listed))
    image = (await planned(cloud, **own))["plan"]["payload"]["model"]["image"]
    assert image == {"llamacpp": {"url": "x", "modelPath": "chat.Q8_0.gguf"}}
    assert sent(upstream) == []


async def test_a_model_of_unknown_size_gets_the_cheapest_gpu_and_a_warning(cloud: Host) -> None:
    facts = await planned(cloud, repository="org/mystery")
    assert facts["hardware"] == T4
    assert "size is unknown" in facts["chosen"][0]


async def test_a_model_too_large_for_all_hardware_is_refused_with_its_need(cloud: Host, upstream: Upstream) -> None:
    message = await cloud.refused("create_endpoint", "NO_CAPACITY", endpoint_name="new", repository="org/huge-405B")
    assert "about 901 GB" in message
    assert A100 in message
    assert sent(upstream) == []


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        ({"hardware": A100, "config": {"model": {"image": {"vLLM": {"url": "x"}}}}}, "one of 4 accelerators"),
        ({"hardware": A100, "config": {"model": {"image": {"sGLang": {"url": "x"}}}}}, "tensorParallelSize=4"),
        ({"config": {"model": {"image": {"vLLM": {"tensorParallelSize": 8}}}}}, "replaces an image as a whole"),
        ({"min_replica": 1, "scale_to_zero_timeout": 30}, "min_replica"),
        ({"config": {"type": "protected"}}, "protected"),
        ({"task": "text-generate"}, "Nearest: text-generation"),
        ({"config": {"compute": {"scaling": {"maxReplicas": 2}}}}, "maxReplica"),
        ({"endpoint_name": "a-name-that-is-longer-than-thirty-two"}, "up to 32"),
    ],
)
async def test_preflight_refuses_before_anything_is_sent(
    cloud: Host, upstream: Upstream, arguments: dict[str, Any], about: str
) -> None:
    request = {"endpoint_name": "new", "repository": LLAMA} | arguments
    assert about in await cloud.refused("create_endpoint", "BAD_REQUEST", **request)
    assert sent(upstream) == []


async def test_parallelism_in_the_engines_arguments_is_accepted(cloud: Host) -> None:
    model = {"image": {"vLLM": {"url": "x"}}, "args": ["--tensor-parallel-size", "4"]}
    assert (await planned(cloud, repository=LLAMA, hardware=A100, config={"model": model}))["hardware"] == A100


async def test_moving_to_several_accelerators_without_parallelism_is_refused(driver: Driver, modern: Host) -> None:
    image = {"vLLM": {"url": "vllm/vllm-openai:v0.23.0"}}
    gpu = {"accelerator": "gpu", "instanceType": "nvidia-l4", "instanceSize": "x1"}
    await driver.create(compute=gpu, model={"image": image, "framework": "custom"})
    large = {"endpoint_name": "chat", "hardware": "aws-us-east-1-nvidia-l4-x4"}
    assert "tensorParallelSize=4" in await modern.refused("update_endpoint", "BAD_REQUEST", **large)
    split = {"model": {"image": {"vLLM": image["vLLM"] | {"tensorParallelSize": 4}}}}
    assert (await modern.call("update_endpoint", **large, config=split))["changed"] is True


async def test_settings_can_be_unset(driver: Driver, host: Host) -> None:
    scaling = {"minReplica": 0, "maxReplica": 1, "scaleToZeroTimeout": 45}
    model = {"args": ["--x"], "command": ["/run"], "revision": "main"}
    await driver.create(model=model, tags=["a"], compute={"scaling": scaling})
    clear = ["args", "command", "tags", "revision", "scale_to_zero_timeout"]
    facts = await host.call("update_endpoint", endpoint_name="chat", clear=clear)
    assert facts["changed"] is True
    now = await driver.get("chat")
    assert not {"args", "command", "revision"} & {key for key, value in now["model"].items() if value}
    assert not now["tags"]
    assert now["compute"]["scaling"]["scaleToZeroTimeout"] != 45
    assert (await host.call("update_endpoint", endpoint_name="chat", clear=clear[:3]))["changed"] is False
