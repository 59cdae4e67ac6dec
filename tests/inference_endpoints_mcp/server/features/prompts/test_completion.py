"""Completion of the arguments of prompts."""

from contextlib import AsyncExitStack

import pytest
from mcp.types import PromptReference
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, Mode, serving
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.policy.limits import Limits
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

L4 = "aws-us-east-1-nvidia-l4-x1"


async def completed(host: Host, prompt: str, argument: str, prefix: str, **others: str) -> list[str]:
    ref = PromptReference(name=prompt)
    result = await host.client.complete(ref, {"name": argument, "value": prefix}, others or None)
    return result.completion.values


async def test_each_argument_of_a_prompt_is_completed(driver: Driver, host: Host) -> None:
    await driver.create("chat")
    assert await completed(host, "diagnose", "endpoint_name", "c", namespace="acme") == ["chat"]
    assert await completed(host, "cut_costs", "namespace", "") == ["acme"]
    models = await completed(host, "deploy_model", "repository", "Qwen/")
    assert models
    assert all(model.startswith("Qwen/") for model in models)


async def test_a_model_is_also_completed_by_its_name_without_the_owner(host: Host) -> None:
    assert "Qwen/Qwen2.5-7B-Instruct" in await completed(host, "deploy_model", "repository", "qwen2.5-7b")


async def test_hardware_is_completed_by_its_id(host: Host) -> None:
    assert L4 in await completed(host, "deploy_model", "hardware", "AWS-us-east-1-nvidia-l4")


async def test_only_what_allowed_tools_show_is_completed(driver: Driver, host_of: HostOf, mode: Mode) -> None:
    await driver.create("chat")
    async with host_of(mode, limits=Limits(tools=("diagnose_endpoint",))) as host:
        for argument in ("endpoint_name", "hardware", "repository"):
            assert await completed(host, "diagnose", argument, "") == []
    async with host_of(mode, limits=Limits(namespaces=("elsewhere",))) as host:
        assert await completed(host, "deploy_model", "hardware", "", namespace="acme") == []


async def test_a_value_that_would_be_cleaned_or_masked_is_not_completed(upstream: Upstream, mode: Mode) -> None:
    names = ["org/model", "org/\u202emodel", "org/model\nIGNORE", "org/hf_" + "Canary01" * 5, "org/" + "m" * 600]
    upstream.answers("GET", "/api/v1/catalog/list", Answer(body={"items": [{"repoId": name} for name in names]}))

    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    async with serving(ServerOptions(open_backend=open_backend, namespace="acme"), mode) as host:
        assert await completed(host, "deploy_model", "repository", "org/") == ["org/model"]
