"""huggingface_hub 2.4.0, unmodified, against the plane: the reference client decides what is right."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from huggingface_hub import (
    HfApi,
    InferenceClient,
    InferenceEndpoint,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    constants,
)
from huggingface_hub.errors import BadRequestError, HfHubHTTPError
from openai import OpenAI
from tests.plane.driver import TOKEN, Driver, PlaneOf

from inference_endpoints_local.programs import from_catalogue

pytestmark = pytest.mark.anyio
T = TypeVar("T")

LOCAL: dict[str, Any] = {
    "framework": "pytorch",
    "accelerator": "cpu",
    "vendor": "local",
    "region": "machine",
    "instance_type": "cpu",
    "instance_size": "x1",
}
CLOUD: dict[str, Any] = LOCAL | {"vendor": "aws", "region": "us-east-1", "instance_type": "intel-spr"}


class Hub:
    """Calls of the blocking client, off the loop that serves them."""

    def __init__(self) -> None:
        self.api = HfApi()

    async def __call__(self, method: Callable[..., T], *arguments: Any, **options: Any) -> T:
        return await asyncio.to_thread(method, *arguments, **options)


@pytest.fixture
def hub(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Hub:
    point_at(driver, monkeypatch)
    return Hub()


def point_at(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    url = driver.plane.url
    monkeypatch.setattr(constants, "INFERENCE_ENDPOINTS_ENDPOINT", f"{url}/v2")
    monkeypatch.setattr(constants, "INFERENCE_CATALOG_ENDPOINT", f"{url}/api/v1/catalog")
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


async def test_the_printed_example_of_the_reference_runs(hub: Hub) -> None:
    """Create, wait, update, pause, resume, scale to zero, delete; the namespace found by whoami."""
    endpoint = await hub(hub.api.create_inference_endpoint, "tiny", repository="tiny/echo", **LOCAL)
    assert (endpoint.name, endpoint.namespace, endpoint.status, endpoint.url) == ("tiny", "acme", "pending", None)
    await hub(endpoint.wait, timeout=20, refresh_every=0.05)
    assert endpoint.status == "running"
    assert endpoint.health_route == "/health"
    url = endpoint.url
    await hub(endpoint.update, min_replica=0, scale_to_zero_timeout=15)
    assert endpoint.raw["compute"]["scaling"]["minReplica"] == 0
    with pytest.raises(BadRequestError, match="already running"):
        await hub(endpoint.resume, running_ok=False)
    assert (await hub(endpoint.resume)).status == "running"
    assert (await hub(endpoint.scale_to_zero)).status == "scaledToZero"
    assert endpoint.url == url
    assert (await hub(endpoint.pause)).status == "paused"
    assert (await hub(endpoint.resume)).status == "pending"
    await hub(endpoint.wait, timeout=20, refresh_every=0.05)
    assert endpoint.url == url
    assert await hub(endpoint.delete) is None
    with pytest.raises(HfHubHTTPError, match="404"):
        await hub(endpoint.fetch)


async def test_errors_arrive_as_the_client_expects_them(hub: Hub) -> None:
    await hub(hub.api.create_inference_endpoint, "tiny", repository="tiny/echo", **LOCAL)
    with pytest.raises(HfHubHTTPError) as conflict:
        await hub(hub.api.create_inference_endpoint, "tiny", repository="tiny/echo", **LOCAL)
    assert conflict.value.response.status_code == 409
    assert conflict.value.request_id
    with pytest.raises(BadRequestError, match="only tiny"):
        await hub(hub.api.create_inference_endpoint, "other", repository="org/huge", **LOCAL)
    with pytest.raises(HfHubHTTPError, match="401"):
        await hub(hub.api.list_inference_endpoints, namespace="acme", token="wrong")


async def test_a_failed_endpoint_ends_the_clients_wait(hub: Hub, driver: Driver) -> None:
    fault = {"SIMULATED_FAULT": "image_pull_failure"}
    endpoint = await hub(hub.api.create_inference_endpoint, "bad", repository="gpt2", env=fault, **CLOUD)
    with pytest.raises(InferenceEndpointTimeoutError):
        await hub(endpoint.wait, timeout=0.05, refresh_every=0.05)
    await driver.advance(500)
    with pytest.raises(InferenceEndpointError, match="failed to deploy"):
        await hub(endpoint.wait, timeout=5, refresh_every=0.05)


async def test_lists_hardware_and_catalogue_are_read(hub: Hub) -> None:
    await hub(hub.api.create_inference_endpoint, "a", repository="gpt2", tags=["t"], **CLOUD)
    listed = await hub(hub.api.list_inference_endpoints)
    assert [(type(one), one.name) for one in listed] == [(InferenceEndpoint, "a")]
    hardware = await hub(hub.api.list_inference_endpoints_hardware)
    assert {"local", "aws", "azure", "gcp"} == {one.vendor for one in hardware}
    with pytest.warns(UserWarning, match="experimental"):
        models = await hub(hub.api.list_inference_catalog, task="text-generation")
    assert [model.repo_id for model in models] == ["HuggingFaceTB/SmolLM2-135M-Instruct"]


async def test_an_update_of_image_and_secrets_is_taken(hub: Hub) -> None:
    image = {"url": "ghcr.io/x/y:1", "health_route": "/up"}
    endpoint = await hub(
        hub.api.create_inference_endpoint,
        "a",
        repository="gpt2",
        custom_image=image,
        secrets={"KEY": "v"},
        container_registry_username="me",
        container_registry_password="hunter2",
        **CLOUD,
    )
    assert "hunter2" not in str(endpoint.raw)
    updated = await hub(hub.api.update_inference_endpoint, "a", custom_image={"vLLM": {"url": "v", "maxNumSeqs": 4}})
    assert updated.raw["model"]["image"] == {"vLLM": {"url": "v", "maxNumSeqs": 4}}


@pytest.mark.models
async def test_real_models_answer_the_unmodified_clients(plane_of: PlaneOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chat over OpenAI's client with streaming, embeddings and classification over the hub's."""
    async with plane_of(programs=from_catalogue, cores=3) as driver:
        point_at(driver, monkeypatch)
        hub = Hub()
        models = {
            "chat": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "embed": "sentence-transformers/all-MiniLM-L6-v2",
            "language": "fasttext/lid.176-ftz",
        }
        endpoints = {
            name: await hub(hub.api.create_inference_endpoint, name, repository=repository, **LOCAL)
            for name, repository in models.items()
        }
        for endpoint in endpoints.values():
            await hub(endpoint.wait, timeout=90, refresh_every=0.1)
        assert endpoints["embed"].task == "feature-extraction"

        openai = OpenAI(base_url=f"{endpoints['chat'].url}/v1", api_key=TOKEN)
        ask: Any = {"model": "chat", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
        chunks = await asyncio.to_thread(lambda: list(openai.chat.completions.create(stream=True, **ask)))
        assert len(chunks) > 2
        text = await hub(client(endpoints["chat"]).text_generation, "Once upon a time", max_new_tokens=5)
        assert text
        vectors = await hub(client(endpoints["embed"]).feature_extraction, "a cat")
        assert vectors.shape[-1] == 384
        labels = await hub(client(endpoints["language"]).text_classification, "Wo ist der Bahnhof?")
        assert "de" in labels[0].label

        assert (await hub(endpoints["chat"].scale_to_zero)).status == "scaledToZero"
        answer = await driver.call("POST", await driver.path_of("chat"), {"inputs": "Hi"}, X_Scale_Up_Timeout="60")
        assert answer.status == 200


async def test_a_model_that_cannot_run_here_is_refused_with_those_that_can(plane_of: PlaneOf) -> None:
    async with plane_of(programs=from_catalogue) as driver:
        answer = await driver.create_local(model={"repository": "meta-llama/Llama-3.1-70B"})
        assert answer.status == 400
        assert "HuggingFaceTB/SmolLM2-135M-Instruct" in answer.body["error"]


async def test_a_missing_engine_is_refused_with_the_way_to_get_it(
    plane_of: PlaneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_endpoints_local.catalogue.missing_engine", lambda _: "xllamacpp")
    async with plane_of(programs=from_catalogue) as driver:
        answer = await driver.create_local(model={"repository": "HuggingFaceTB/SmolLM2-135M-Instruct"})
        assert answer.status == 400
        assert "pip install 'inference-endpoints-mcp[local]'" in answer.body["error"]
        container = {"vLLM": {"url": "vllm/vllm-openai"}}
        answer = await driver.create_local(model={"image": container})
        assert answer.status == 400
        assert "no container runs on this machine" in answer.body["error"]


def client(endpoint: InferenceEndpoint) -> InferenceClient:
    return InferenceClient(endpoint.url, token=TOKEN)
