"""Attacks on the operator's bounds: each names a model, a container or a duration that they exclude in another way."""

from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.guarded_client import guarded
from tests.support.planes.plane_driver import CAN_SLEEP, TOKEN, Driver, cloud

from inference_endpoints.errors import Refused
from inference_endpoints.models import CreateRequest
from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.approval.approval_policy import ApprovalMethod, ApprovalPolicy
from inference_endpoints_mcp.policy.limits import Limits

pytestmark = pytest.mark.anyio

ACME = Limits(repositories=("acme/*",), images=("ghcr.io/acme/*", "ghcr.io/ggml-org/*", "docker.io/vllm/vllm-openai:*"))
OFF = ApprovalPolicy(ApprovalMethod.OFF)
NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "acme/m", "hardware": "aws-us-east-1-nvidia-l4-x1"}
CHAT = {"endpoint_name": "chat"}
LLAMA = {"url": "ghcr.io/ggml-org/llama.cpp:server"}
GPU = {"accelerator": "gpu", "instanceType": "nvidia-l4"}


def image(**engine: Any) -> dict[str, Any]:
    return {"config": {"model": {"image": engine}}}


def model(**settings: Any) -> dict[str, Any]:
    return {"config": {"model": settings}}


OTHER_MODELS: dict[str, dict[str, Any]] = {
    "another owner": {"repository": "evil/m"},
    "a way round": {"repository": "acme/../evil/m"},
    "a deeper path": {"repository": "acme/m/../../evil/m"},
    "a scheme": {"repository": "acme/m@https://evil.example"},
    "a newline": {"repository": "acme/m\nevil/m"},
    "the repository in config": model(repository="evil/m"),
    "a pull request": {"revision": "refs/pr/1"},
    "a custom container": image(custom={"url": "registry.example/evil:1"}),
    "an engine's container of a stranger": image(vLLM={"url": "registry.example/vllm/vllm-openai:1"}),
    "a look-alike on Docker Hub": image(custom={"url": "acme/evil:1"}),
    "a container beside the one that is allowed": image(custom={"url": "ghcr.io/acme/../evil/m:1"}),
    "an argument and its value": model(args=["--model", "evil/m"]),
    "an argument with its value": model(args=["--model=evil/m"]),
    "an abbreviated argument": model(args=["--mod", "evil/m"]),
    "an argument by position": model(args=["evil/m"]),
    "an old model without an owner": model(args=["--model", "gpt2"]),
    "a short argument": model(args=["-mgpt2"]),
    "an adapter": model(args=["--lora-modules", '{"name": "a", "path": "evil/m"}']),
    "a file that is not of the model": model(args=["--config", "/repository/../etc/evil.yaml"]),
    "a command": model(command=["vllm", "serve", "evil/m"]),
    "MODEL_ID": {"env": {"MODEL_ID": "evil/m"}},
    "a variable nobody has heard of": {"env": {"NEW_MODEL": "gpt2"}},
    "where it downloads from": {"env": {"HF_ENDPOINT": "https://evil.example"}},
    "a file outside the model": image(llamacpp=LLAMA | {"modelPath": "/etc/evil.gguf"}),
    "a file above the model": image(llamacpp=LLAMA | {"modelPath": "../evil.gguf"}),
}
OWN_MODELS: dict[str, dict[str, Any]] = {
    "the model alone": {},
    "an engine's own container": image(vLLM={"url": "vllm/vllm-openai:v0.23.0", "tensorParallelSize": 1}),
    "a container of the operator": image(custom={"url": "ghcr.io/acme/server:1", "port": 80, "healthRoute": "/ok"}),
    "a file of the model": image(llamacpp=LLAMA | {"modelPath": "q4/model.gguf", "ctxSize": 4096}),
    "arguments that name nothing": model(args=["--max-model-len", "4096", "--dtype=bfloat16", "--enforce-eager"]),
    "arguments that name the model": model(args=["--model", "/repository", "--tokenizer=acme/m"]),
    "variables that name nothing": {"env": {"MAX_LENGTH": "4096", "LOG_LEVEL": "info", "MODEL_ID": "/repository"}},
}


@pytest.mark.sends_anything
@pytest.mark.parametrize("way", OTHER_MODELS)
async def test_no_other_way_of_naming_a_model_passes_the_bound(driver: Driver, host_of: HostOf, way: str) -> None:
    await driver.create(model={"repository": "acme/m"})
    before = await driver.get("chat")
    async with host_of(limits=ACME, approval=OFF) as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW | OTHER_MODELS[way])
        assert message.endswith("(--repositories).")
        await host.refused("update_endpoint", "REFUSED", **CHAT | OTHER_MODELS[way])
    assert await driver.get("chat") == before
    assert len((await driver.call("GET", "/v2/endpoint/acme")).body["items"]) == 1


async def test_what_certainly_runs_an_allowed_model_passes(driver: Driver, host_of: HostOf) -> None:
    async with host_of(limits=ACME, approval=OFF) as host:
        for number, way in enumerate(OWN_MODELS.values()):
            facts = await host.call("create_endpoint", **NEW | way | {"endpoint_name": f"new-{number}"})
            assert facts["changed"] is True


async def test_what_was_there_before_is_not_started_either(driver: Driver, host_of: HostOf) -> None:
    await driver.create(model={"repository": "acme/m", "args": ["--model", "evil/m"]}, compute=GPU | CAN_SLEEP)
    await driver.do("chat", "pause")
    async with host_of(limits=ACME, approval=OFF) as host:
        assert "An argument" in await host.refused("resume_endpoint", "REFUSED", **CHAT)


@pytest.mark.sends_anything
@pytest.mark.parametrize("other", [{"repository": "acme/../evil/m"}, {"repository": "acme/m", "adapter": "evil/m"}])
async def test_the_bound_holds_for_scripts_too(driver: Driver, other: dict[str, Any]) -> None:
    request = CreateRequest.model_validate(cloud("new", model=other))
    async with guarded(local(driver.plane.url, TOKEN), ACME) as client:
        with pytest.raises(Refused):
            await client.create(request)


async def test_a_bound_on_containers_alone_leaves_the_model_open(driver: Driver, host_of: HostOf) -> None:
    async with host_of(limits=Limits(images=("ghcr.io/acme/*",)), approval=OFF) as host:
        message = await host.refused("create_endpoint", "REFUSED", **NEW, **image(custom={"url": "evil/m:1"}))
        assert message.endswith("(--images).")
        assert (await host.call("create_endpoint", **NEW | {"repository": "org/m"}))["changed"] is True


@pytest.mark.parametrize(
    "scaling",
    [
        {"minReplica": 0, "scaleToZeroTimeout": None},
        {"minReplica": 0, "scaleToZeroTimeout": 10**9},
        {"minReplica": 1, "scaleToZeroTimeout": None},
    ],
    ids=["no time-out", "a time-out of two thousand years", "a replica that stays"],
)
async def test_nothing_is_always_on_by_its_time_out(driver: Driver, host_of: HostOf, scaling: dict[str, Any]) -> None:
    await driver.create(compute=GPU | CAN_SLEEP)
    await driver.advance(200)
    before = await driver.get("chat")
    config = {"compute": {"scaling": scaling}}
    async with host_of(limits=Limits(no_always_on=True), approval=OFF) as host:
        for tool, arguments in (("create_endpoint", NEW), ("update_endpoint", CHAT)):
            result = await host.send(tool, **arguments, config=config)
            assert result.is_error
    assert await driver.get("chat") == before
