"""Every function and method of huggingface_hub's reference, in both forms: what it does, returns and refuses."""

import asyncio
import json
import re
from typing import Any, get_args

import huggingface_hub
import pytest
from tests.inference_endpoints.hub_surface.conftest import CLOUD, LOCAL, READY_S, CallStyle
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import Driver
from tests.support.service.scripted_upstream import Upstream

from inference_endpoints import (
    AlreadyExists,
    AlreadyRunning,
    BadRequest,
    InferenceEndpointError,
    InferenceEndpointType,
    NotFound,
    Unauthorized,
)
from inference_endpoints.models.settings.literals import AccessType, ScalingMetric

pytestmark = pytest.mark.anyio


async def created(call: CallStyle, name: str = "chat", **changes: Any) -> Any:
    return await call.function("create_inference_endpoint", name, repository="gpt2", **CLOUD | changes)


async def test_the_printed_example_of_the_reference_runs_with_another_import(default_driver: Driver) -> None:
    """The example is read from huggingface_hub's own documentation; an ellipsis stands for a prompt."""
    lines = re.findall(r">>> (.*)", huggingface_hub.InferenceEndpoint.__doc__ or "")
    example = "\n".join(lines).replace("huggingface_hub", "inference_endpoints").replace("(...)", '("a cat")')
    assert "endpoint.wait()" in example
    await default_driver.create_local("my-text-to-image")
    await default_driver.reach("my-text-to-image", "running")
    names: dict[str, object] = {}
    await asyncio.to_thread(exec, example, names)
    assert repr(names["endpoint"]).startswith("InferenceEndpoint(name='my-text-to-image', ")
    assert await default_driver.state("my-text-to-image") == "running"


async def test_creating_sends_the_references_defaults_and_returns_a_handle(
    call: CallStyle, default_driver: Driver
) -> None:
    endpoint = await created(call)
    assert type(endpoint) is call.handle
    assert (endpoint.name, endpoint.namespace, endpoint.repository) == ("chat", "acme", "gpt2")
    assert (endpoint.status, endpoint.type) == ("pending", "authenticated")
    assert endpoint.url == endpoint.raw["status"]["url"]
    assert (endpoint.framework, endpoint.revision, endpoint.task) == ("pytorch", None, "custom")
    assert endpoint.health_route == "/health"
    assert endpoint.created_at == endpoint.updated_at
    assert endpoint.raw == await default_driver.get("chat")
    scaling = endpoint.raw["compute"]["scaling"]
    assert (scaling["minReplica"], scaling["maxReplica"], scaling["scaleToZeroTimeout"]) == (1, 1, None)


async def test_creating_passes_every_argument_on(call: CallStyle, default_driver: Driver) -> None:
    endpoint = await created(
        call,
        private_link_account_id="123",
        private_link_region="eu-west-1",
        min_replica=0,
        max_replica=2,
        scaling_metric="pendingRequests",
        scaling_threshold=3.0,
        scale_to_zero_timeout=30,
        revision="main",
        task="text-generation",
        custom_image={"url": "registry.example/x:1", "port": 8080},
        container_registry_username="me",
        container_registry_password="hunter2",
        container_command=["serve"],
        container_args=["--fast"],
        env={"A": "1"},
        secrets={"B": "2"},
        type="public",
        domain="x.example",
        path="/v",
        cache_http_responses=True,
        tags=["t"],
    )
    raw = endpoint.raw
    assert raw["privateService"] == {"accountId": "123", "region": "eu-west-1"}
    assert raw["compute"]["scaling"]["measure"] == {"pendingRequests": 3.0}
    assert raw["compute"]["scaling"]["scaleToZeroTimeout"] == 30
    assert raw["model"]["image"]["custom"]["url"] == "registry.example/x:1"
    assert "hunter2" not in str(raw)
    assert (raw["model"]["command"], raw["model"]["args"]) == (["serve"], ["--fast"])
    assert (raw["model"]["env"], raw["model"]["secrets"]) == ({"A": "1"}, {"B": None})
    assert raw["route"] == {"domain": "x.example", "path": "/v"}
    assert (raw["cacheHttpResponses"], raw["tags"], raw["type"]) == (True, ["t"], "public")


@pytest.mark.parametrize("metric", get_args(ScalingMetric))
@pytest.mark.parametrize("access", [*get_args(AccessType), InferenceEndpointType.PUBLIC])
async def test_settings_take_the_services_values(
    call: CallStyle, default_driver: Driver, metric: str, access: str
) -> None:
    endpoint = await created(call, type=access, scaling_metric=metric, accelerator="cpu", framework="custom")
    assert endpoint.type is InferenceEndpointType(access)
    assert endpoint.raw["compute"]["scaling"]["measure"] == {metric: None}


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "protected"},
        {"private_link_account_id": "123"},
        {"container_registry_username": "me"},
        {"custom_image": {"url": "x"}, "container_registry_password": "hunter2"},
        {"min_replica": 3},
        {"name": "Not A Name"},
        {"scale_to_zero_timeout": 15},
    ],
)
async def test_contradictory_settings_of_create_are_a_value_error_and_send_nothing(
    call: CallStyle, default_driver: Driver, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the class is what the reference promises
        await created(call, **wrong)
    assert isinstance(refused.value, BadRequest)
    assert "hunter2" not in str(refused.value)
    assert await call.function("list_inference_endpoints") == []


async def test_an_account_id_is_ignored_with_a_warning(call: CallStyle, default_driver: Driver) -> None:
    with pytest.warns(FutureWarning, match="private_link_account_id"):
        await created(call, account_id="123")


async def test_getting_and_listing_return_handles(call: CallStyle, default_driver: Driver) -> None:
    first, second = await created(call, "a"), await created(call, "b")
    assert await call.function("get_inference_endpoint", "a") == first
    listed = await call.function("list_inference_endpoints", namespace="acme")
    assert isinstance(listed, list)
    assert sorted(listed, key=lambda endpoint: endpoint.name) == [first, second]
    with pytest.raises(NotFound):
        await call.function("get_inference_endpoint", "c")
    with pytest.raises(AlreadyExists):
        await created(call, "a")


async def test_the_functions_pause_resume_scale_update_and_delete(call: CallStyle, default_driver: Driver) -> None:
    await created(call, min_replica=0)
    await default_driver.advance(READY_S)
    with pytest.raises(AlreadyRunning):
        await call.function("resume_inference_endpoint", "chat", running_ok=False)
    assert (await call.function("resume_inference_endpoint", "chat")).status == "running"
    assert (await call.function("scale_to_zero_inference_endpoint", "chat")).status == "scaledToZero"
    assert (await call.function("pause_inference_endpoint", "chat")).status == "paused"
    assert (await call.function("resume_inference_endpoint", "chat")).status == "pending"
    updated = await call.function("update_inference_endpoint", "chat", max_replica=4, tags=["t"])
    assert updated.raw["compute"]["scaling"]["maxReplica"] == 4
    assert updated.raw["tags"] == ["t"]
    assert await call.function("delete_inference_endpoint", "chat") is None
    assert await call.function("list_inference_endpoints") == []


async def test_the_handle_changes_in_place_and_returns_itself(call: CallStyle, default_driver: Driver) -> None:
    endpoint = await created(call)
    await default_driver.advance(READY_S)
    assert endpoint.status == "pending"
    assert await call(endpoint.fetch) is endpoint
    assert endpoint.status == "running"
    assert await call(endpoint.pause) is endpoint
    assert endpoint.status == "paused"
    assert await call(endpoint.resume) is endpoint
    await default_driver.advance(READY_S)
    assert await call(endpoint.wait, timeout=HANG_TIMEOUT_S, refresh_every=0.05) is endpoint
    assert endpoint.status == "running"
    assert await call(endpoint.update, min_replica=0, scale_to_zero_timeout=30) is endpoint
    assert endpoint.raw["compute"]["scaling"]["scaleToZeroTimeout"] == 30
    assert await call(endpoint.scale_to_zero) is endpoint
    assert endpoint.status == "scaledToZero"
    assert await call(endpoint.delete) is None
    with pytest.raises(NotFound):
        await call(endpoint.fetch)


async def test_an_update_that_changes_nothing_is_a_value_error(call: CallStyle, default_driver: Driver) -> None:
    endpoint = await created(call)
    before = await default_driver.get("chat")
    with pytest.raises(ValueError, match="Nothing to change"):
        await call(endpoint.update)
    with pytest.raises(ValueError, match="Nothing to change"):
        await call.function("update_inference_endpoint", "chat")
    assert await default_driver.get("chat") == before


async def test_parallelism_goes_into_the_image_that_is_there(call: CallStyle, default_driver: Driver) -> None:
    image = {"vLLM": {"url": "vllm/vllm-openai:v1", "maxNumSeqs": 4}}
    endpoint = await created(call, custom_image=image)
    await call(endpoint.update, tensor_parallel_size=2)
    assert endpoint.raw["model"]["image"] == {"vLLM": image["vLLM"] | {"tensorParallelSize": 2}}
    for other in ({"tgi": {"url": "tgi:3"}}, {"sGLang": {"url": "sglang:1"}}):
        with pytest.raises(ValueError, match="has no setting for data_parallel_size"):
            await call(endpoint.update, custom_image=other, data_parallel_size=2)
    assert (await call(endpoint.fetch)).raw["model"]["image"] == {"vLLM": image["vLLM"] | {"tensorParallelSize": 2}}
    secret = {"url": "x/y:1"}
    private = await created(
        call, "private", custom_image=secret, container_registry_username="me", container_registry_password="p"
    )
    with pytest.raises(ValueError, match="cannot be sent back"):
        await call(private.update, tensor_parallel_size=2)


async def test_an_endpoint_moves_to_another_vendor_and_region(call: CallStyle, default_driver: Driver) -> None:
    endpoint = await created(call)
    with pytest.raises(ValueError, match="vendor and region are given together"):
        await call(endpoint.update, region="us-east4")
    await call(endpoint.update, vendor="gcp", region="us-east4")
    assert endpoint.raw["provider"] == {"vendor": "gcp", "region": "us-east4"}
    back = await call.function("update_inference_endpoint", "chat", vendor="aws", region="us-east-1")
    assert back.raw["provider"] == {"vendor": "aws", "region": "us-east-1"}


async def test_a_handle_is_made_of_a_raw_answer(call: CallStyle, default_driver: Driver) -> None:
    raw = (await created(call)).raw
    endpoint = call.handle.from_raw(raw, "acme")
    assert endpoint.raw is raw
    assert (await call(endpoint.pause)).status == "paused"


async def test_there_is_no_client_until_it_has_an_address(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.shows("pending", url=None)
    endpoint = await call.function("get_inference_endpoint", "chat", namespace="acme")
    for name in ("client", "async_client"):
        with pytest.raises(InferenceEndpointError, match="has no address to call: it is pending"):
            getattr(endpoint, name)


async def test_a_real_process_is_called_through_both_clients(call: CallStyle, default_driver: Driver) -> None:
    endpoint = await call.function("create_inference_endpoint", "tiny", repository="tiny/echo", **LOCAL)
    await call(endpoint.wait, timeout=HANG_TIMEOUT_S, refresh_every=0.05)
    blocking = await asyncio.to_thread(endpoint.client.post, json={"inputs": "hi"})
    awaited = await endpoint.async_client.post(json={"inputs": "hi"})
    for response in (blocking, awaited):
        assert json.loads(response.json()["body"]) == {"inputs": "hi"}
    assert await endpoint.async_client.health_check()
    assert (await endpoint.async_client.get_endpoint_info())["path"] == "/info"


async def test_a_token_is_never_shown(call: CallStyle, default_driver: Driver) -> None:
    endpoint = await created(call)
    assert endpoint.token == "secret-token"
    assert repr(endpoint) == (
        f"{call.handle.__name__}(name='chat', namespace='acme', repository='gpt2', status='pending', "
        f"url={endpoint.url!r})"
    )
    assert "secret-token" not in f"{endpoint!r} {endpoint} {[endpoint]} {endpoint.raw}"


async def test_a_wrong_token_is_unauthorized(call: CallStyle, default_driver: Driver) -> None:
    with pytest.raises(Unauthorized):
        await call.function("list_inference_endpoints", token="wrong")
