"""The catalogue of models, and recommended configurations."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import Host, serving
from tests.support.planes.plane_driver import TOKEN, Driver, PlaneOf
from tests.support.planes.scenarios import LENDS_A_TOKEN
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import HUGGING_FACE, Backend, local
from inference_endpoints_local.engines.programs import from_catalogue
from inference_endpoints_local.models import catalogue
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

QWEN, LARGE = "Qwen/Qwen2.5-7B-Instruct", "meta-llama/Llama-3.3-70B-Instruct"


@pytest.fixture
async def driver(plane_of: PlaneOf, anyio_backend: str) -> AsyncIterator[Driver]:
    """With the models that really run, and room for all of them."""
    async with plane_of(programs=from_catalogue, cores=len(catalogue.installed_models()), cloud_quota=4) as driver:
        yield driver


async def deployed(host: Host, repository: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recommendation, and the output of its next call, made unchanged."""
    found = await host.call("get_recommended_config", repository=repository)
    return found, await host.call(found["next"][0]["tool"], **found["next"][0]["arguments"])


@pytest.fixture
async def lending(host_of: HostOf, anyio_backend: str) -> AsyncIterator[Host]:
    async with host_of(**LENDS_A_TOKEN) as host:
        yield host


async def test_the_recommended_call_deploys_every_model_of_the_catalogue(driver: Driver, lending: Host) -> None:
    models = (await lending.call("list_catalog_items", limit=100))["models"]
    assert len(models) > len(catalogue.installed_models())
    for model in models:
        found, created = await deployed(lending, model["repository"])
        assert found["in_catalog"] is True
        assert (created["changed"], created["hardware"]) == (True, found["hardware"])
        assert created["task"] == model["task"]
        assert created["backend"] == found["backend"]
        await driver.do(created["endpoint_name"], "pause")


async def test_a_model_that_really_runs_is_recommended_on_this_machine(driver: Driver, modern: Host) -> None:
    found = await modern.call("get_recommended_config", repository="fasttext/lid.176-ftz")
    assert (found["backend"], found["hardware"], found["price_per_hour_usd"]) == ("local", "local-machine-cpu-x1", 0)
    assert found["config"]["model"]["task"] == "text-classification"


async def test_each_choice_has_a_reason_and_hardware_alternatives(driver: Driver, modern: Host) -> None:
    found = await modern.call("get_recommended_config", repository=LARGE)
    assert [reason.partition(":")[0] for reason in found["why"]] == ["Hardware", "Task", "Engine", "Context"]
    assert "sharded over 4 accelerators" in found["why"][2]
    assert found["config"]["model"]["image"]["vLLM"]["tensorParallelSize"] == 4
    assert len(found["alternatives"]) == 2
    assert "simulated" in found["now"]


async def test_hardware_over_quota_is_replaced_by_the_cheapest_that_holds_the_model(
    driver: Driver, lending: Host
) -> None:
    first, _ = await deployed(lending, LARGE)
    second, created = await deployed(lending, LARGE)
    assert created["endpoint_name"] == "llama-3-3-70b-instruct-2"
    assert second["hardware"] == first["alternatives"][0].partition(" ")[0] != first["hardware"]
    assert f"as much memory as {first['hardware']}, which is suggested but not available" in second["why"][0]
    assert second["price_per_hour_usd"] > first["price_per_hour_usd"]


async def test_a_gated_model_without_a_token_says_what_people_do_first_and_proposes_no_call(modern: Host) -> None:
    found = await modern.call("get_recommended_config", repository=LARGE)
    assert "It would fail: The model is gated, and the endpoint has no secret HF_TOKEN" in found["now"]
    assert "--lend HF_TOKEN" in found["now"]
    assert found["next"] == []


async def test_an_unknown_model_gets_no_recommendation(driver: Driver, modern: Host) -> None:
    message = await modern.refused("get_recommended_config", "NOT_FOUND", repository="org/unheard-of")
    assert "get_vendors" in message


async def test_a_catalogue_lookup_needs_the_whole_name(driver: Driver, modern: Host) -> None:
    there = await modern.call("has_catalog_item", repository=QWEN.lower())
    assert (there["in_catalog"], there["repository"], there["engines"]) == (True, QWEN, ["vLLM"])
    part = await modern.call("has_catalog_item", repository="Qwen/Qwen2.5-7B")
    assert part["in_catalog"] is False
    assert part["next"][0]["arguments"] == {"repository": "Qwen/Qwen2.5-7B"}


async def test_without_a_suggestion_the_catalogue_decides_and_the_reason_names_what_was_not_checked(
    upstream: Upstream,
) -> None:
    gpu = {"id": "aws-us-east-1-nvidia-t4-x1", "accelerator": "gpu", "pricePerHour": 0.5}
    cpu = {"id": "aws-us-east-1-intel-spr-x1", "accelerator": "cpu", "pricePerHour": 0.1}
    vendors = {"vendors": [{"name": "aws", "regions": [{"name": "us-east-1", "computes": [cpu, gpu]}]}]}
    item = {"repoId": "org/model", "task": "text-generation", "recipes": [{"accelerator": "gpu", "engineType": "vLLM"}]}
    upstream.answers("GET", "/v2/provider/acme", Answer(body=vendors))
    upstream.answers("GET", "/api/v1/catalog/list", Answer(body={"items": [item]}))

    async def open_backend(_: AsyncExitStack) -> Backend:
        return replace(local(upstream.url, TOKEN), name=HUGGING_FACE)

    async with serving(ServerOptions(open_backend=open_backend, namespace="acme")) as host:
        found = await host.call("get_recommended_config", repository="org/model")
        assert found["hardware"] == "aws-us-east-1-nvidia-t4-x1"
        assert "whether the model fits is not checked" in found["why"][0]
        upstream.answers("GET", "/api/configuration", Answer(body={"suggestedCompute": cpu["id"], "more": [1]}))
        assert (await host.call("get_recommended_config", repository="org/model"))["hardware"] == cpu["id"]
    requests = [seen for seen in upstream.seen if seen.path.startswith("/api/configuration")]
    assert requests
    assert not [seen for seen in requests if "authorization" in seen.headers], "that route needs no token"


async def test_the_catalogue_is_filtered_by_task_and_text(modern: Host) -> None:
    everything = await modern.call("list_catalog_items")
    chat = await modern.call("list_catalog_items", task="text-generation")
    assert 0 < chat["total"] < everything["total"]
    assert (await modern.call("list_catalog_items", search="minilm"))["total"] >= 1
    assert (await modern.call("list_catalog_items", limit=1))["now"] == f"1 of {everything['total']} shown."
