"""huggingface_hub 2.4.0, unmodified, against the plane: the reference client decides what is right."""

import inspect
from typing import Any

import pytest
from huggingface_hub import HfApi, InferenceEndpoint, InferenceEndpointError, InferenceEndpointTimeoutError
from huggingface_hub.errors import BadRequestError, HfHubHTTPError
from huggingface_hub.utils._http import get_session
from tests.clients.conftest import CLOUD, LOCAL

from inference_endpoints_local.daemon.connect import RunningPlane

SOON: dict[str, Any] = {"timeout": 20, "refresh_every": 0.02}
GPU: dict[str, Any] = CLOUD | {"accelerator": "gpu", "instance_type": "nvidia-l4"}
CHAT = "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_an_endpoint_goes_through_its_whole_life(hub: HfApi) -> None:
    """The namespace is found by whoami, the address stays while it sleeps."""
    endpoint = hub.create_inference_endpoint("life", repository="gpt2", **CLOUD)
    assert (endpoint.name, endpoint.namespace, endpoint.status) == ("life", "acme", "pending")
    assert endpoint.wait(**SOON).status == "running"
    url = endpoint.url
    assert endpoint.update(min_replica=0).raw["compute"]["scaling"]["scaleToZeroTimeout"] == 15
    assert endpoint.scale_to_zero().status == "scaledToZero"
    assert endpoint.url == url
    assert endpoint.pause().status == "paused"
    assert endpoint.url == url
    assert endpoint.resume().status == "pending"
    assert endpoint.wait(**SOON).url == url
    endpoint.delete()
    with pytest.raises(HfHubHTTPError, match="404"):
        endpoint.fetch()


def test_the_functions_do_what_the_methods_of_an_endpoint_do(hub: HfApi) -> None:
    hub.create_inference_endpoint("life", repository="gpt2", min_replica=0, scale_to_zero_timeout=2_880, **CLOUD).wait(
        **SOON
    )
    assert hub.scale_to_zero_inference_endpoint("life").status == "scaledToZero"
    assert hub.pause_inference_endpoint("life").status == "paused"
    assert hub.resume_inference_endpoint("life", running_ok=False).status == "pending"
    hub.delete_inference_endpoint("life")
    assert hub.list_inference_endpoints() == []


def test_resuming_a_running_endpoint_is_an_error_only_with_running_ok_false(hub: HfApi) -> None:
    endpoint = hub.create_inference_endpoint("life", repository="gpt2", **CLOUD).wait(**SOON)
    assert endpoint.resume().status == "running"
    with pytest.raises(BadRequestError, match="already running"):
        endpoint.resume(running_ok=False)


def test_an_endpoint_that_may_sleep_does_so_by_itself(hub: HfApi, plane: RunningPlane) -> None:
    endpoint = hub.create_inference_endpoint("life", repository="gpt2", min_replica=0, **CLOUD)
    body, headers = {"advance_s": 3_600}, {"Authorization": f"Bearer {plane.token}"}
    get_session().post(f"{plane.url}/local/clock", json=body, headers=headers).raise_for_status()
    assert endpoint.fetch().status == "scaledToZero"


def test_a_wait_ends_at_its_limit_and_with_a_failure(hub: HfApi) -> None:
    fault = {"SIMULATED_FAULT": "image_pull_failure"}
    endpoint = hub.create_inference_endpoint("bad", repository="gpt2", env=fault, **CLOUD)
    with pytest.raises(InferenceEndpointTimeoutError):
        endpoint.wait(timeout=0, refresh_every=1)
    with pytest.raises(InferenceEndpointError, match="failed to deploy"):
        endpoint.wait(**SOON)


def test_errors_arrive_as_the_client_expects_them(hub: HfApi) -> None:
    hub.create_inference_endpoint("life", repository="gpt2", **CLOUD)
    with pytest.raises(HfHubHTTPError) as conflict:
        hub.create_inference_endpoint("life", repository="gpt2", **CLOUD)
    assert conflict.value.response.status_code == 409
    assert "already exists" in str(conflict.value)
    assert conflict.value.request_id
    with pytest.raises(BadRequestError, match=f"These can: {CHAT}"):
        hub.create_inference_endpoint("other", repository="meta-llama/Llama-3.1-70B", **LOCAL)
    with pytest.raises(HfHubHTTPError, match="401"):
        hub.list_inference_endpoints(namespace="acme", token="wrong")
    with pytest.raises(HfHubHTTPError, match="404"):
        hub.list_inference_endpoints(namespace="someone-else")


def test_a_list_is_one_page_long_since_the_client_follows_none(hub: HfApi) -> None:
    for number in range(25):
        hub.create_inference_endpoint(f"e{number:02}", repository="gpt2", **CLOUD).pause()
    listed = hub.list_inference_endpoints()
    assert all(isinstance(endpoint, InferenceEndpoint) for endpoint in listed)
    assert [endpoint.name for endpoint in listed] == [f"e{number:02}" for number in range(24, 4, -1)]


def test_every_argument_reaches_the_request(hub: HfApi) -> None:
    """But for what belongs to the account rather than the endpoint."""
    endpoint = hub.create_inference_endpoint(
        "full",
        repository="org/model",
        min_replica=0,
        max_replica=3,
        scale_to_zero_timeout=30,
        scaling_metric="pendingRequests",  # type: ignore[arg-type]  # its documentation allows a string
        scaling_threshold=2.5,
        revision="abc",
        task="text-generation",
        custom_image={"url": "registry/image:1", "port": 8080, "healthRoute": "/up"},
        container_registry_username="me",
        container_registry_password="hunter2",
        container_command=["serve"],
        container_args=["--fast"],
        env={"A": "1"},
        secrets={"KEY": "hidden"},
        type="private",
        private_link_account_id="123456789012",
        private_link_region="us-east-1",
        domain="chat.example.com",
        path="/chat",
        cache_http_responses=True,
        tags=["team-a"],
        **CLOUD,
    )
    assert without(endpoint.raw, "status", "name", "provider") == {
        "type": "private",
        "healthRoute": "/up",
        "compute": {
            "id": "aws-us-east-1-intel-spr-x1",
            "accelerator": "cpu",
            "instanceType": "intel-spr",
            "instanceSize": "x1",
            "scaling": {
                "minReplica": 0,
                "maxReplica": 3,
                "scaleToZeroTimeout": 30,
                "measure": {"pendingRequests": 2.5},
                "metric": "pendingRequests",
            },
        },
        "model": {
            "repository": "org/model",
            "framework": "pytorch",
            "revision": "abc",
            "task": "text-generation",
            "image": {
                "custom": {
                    "url": "registry/image:1",
                    "port": 8080,
                    "healthRoute": "/up",
                    "credentials": {"username": "", "password": None},
                }
            },
            "command": ["serve"],
            "args": ["--fast"],
            "env": {"A": "1"},
            "secrets": {"KEY": None},
        },
        "privateService": {"accountId": "123456789012", "region": "us-east-1"},
        "route": {"domain": "chat.example.com", "path": "/chat"},
        "cacheHttpResponses": True,
        "experimentalFeatures": {},
        "notifications": {"email": False, "push": False},
        "tags": ["team-a"],
    }


CHANGES: dict[str, Any] = {
    "accelerator": "gpu",
    "instance_type": "nvidia-l4",
    "instance_size": "x4",
    "min_replica": 0,
    "max_replica": 3,
    "scale_to_zero_timeout": 30,
    "scaling_metric": "pendingRequests",
    "scaling_threshold": 2.5,
    "repository": "org/other",
    "framework": "custom",
    "revision": "def",
    "task": "text-generation",
    "custom_image": {"vLLM": {"url": "vllm/vllm-openai:v1"}},
    "container_command": ["serve"],
    "container_args": ["--fast"],
    "tensor_parallel_size": 2,
    "data_parallel_size": 2,
    "env": {"B": "2"},
    "secrets": {"KEY": "hidden"},
    "domain": "chat.example.com",
    "path": "/chat",
    "cache_http_responses": True,
    "tags": ["team-a"],
}


def test_every_argument_of_an_update_has_its_effect(hub: HfApi) -> None:
    hub.create_inference_endpoint("full", repository="org/model", env={"A": "1"}, **CLOUD)
    # By the service's document an update has no `cacheHttpResponses`, which huggingface_hub sends: it is dropped.
    raw = hub.update_inference_endpoint("full", **CHANGES).raw
    assert without(raw, "status", "name", "provider", "type", "healthRoute") == {
        "compute": {
            "id": "aws-us-east-1-nvidia-l4-x4",
            "accelerator": "gpu",
            "instanceType": "nvidia-l4",
            "instanceSize": "x4",
            "scaling": {
                "minReplica": 0,
                "maxReplica": 3,
                "scaleToZeroTimeout": 30,
                "measure": {"pendingRequests": 2.5},
                "metric": "pendingRequests",
            },
        },
        "model": {
            "repository": "org/other",
            "framework": "custom",
            "revision": "def",
            "task": "text-generation",
            "image": {"vLLM": {"url": "vllm/vllm-openai:v1", "tensorParallelSize": 2, "dataParallelSize": 2}},
            "command": ["serve"],
            "args": ["--fast"],
            "env": {"A": "1", "B": "2"},
            "secrets": {"KEY": None},
        },
        "route": {"domain": "chat.example.com", "path": "/chat"},
        "experimentalFeatures": {},
        "notifications": {"email": False, "push": False},
        "tags": ["team-a"],
    }


def test_no_argument_of_an_update_was_forgotten_above(hub: HfApi) -> None:
    known = set(inspect.signature(hub.update_inference_endpoint).parameters)
    assert known - {"name", "namespace", "token"} == set(CHANGES)


def test_a_split_is_set_on_the_image_that_is_there(hub: HfApi) -> None:
    """The client reads the image and sends it back whole."""
    image = {"vLLM": {"url": "vllm/vllm-openai:v1", "maxNumSeqs": 8}}
    hub.create_inference_endpoint("full", repository="org/model", custom_image=image, **GPU)
    raw = hub.update_inference_endpoint("full", tensor_parallel_size=1).raw
    assert raw["model"]["image"] == {"vLLM": {**image["vLLM"], "tensorParallelSize": 1}}


def test_an_update_of_nothing_changes_nothing(hub: HfApi) -> None:
    before = hub.create_inference_endpoint("full", repository="org/model", **CLOUD).raw
    assert without(hub.update_inference_endpoint("full").raw, "status") == without(before, "status")


def test_hardware_is_that_of_the_clouds_and_of_this_machine(hub: HfApi) -> None:
    hardware = {one.id: one for one in hub.list_inference_endpoints_hardware()}
    assert {one.vendor for one in hardware.values()} == {"local", "aws", "azure", "gcp"}
    hub.create_inference_endpoint("big", repository="gpt2", **GPU)
    card = next(one for one in hub.list_inference_endpoints_hardware() if one.id == "aws-us-east-1-nvidia-l4-x1")
    assert (card.price_per_hour, card.gpu_memory_gb, card.used_accelerators) == (0.8, 24, 1)


@pytest.mark.filterwarnings("ignore:.*is experimental:UserWarning")  # the client's word on its catalogue functions
def test_the_catalogue_is_read_and_what_it_lacks_is_not_deployed(hub: HfApi) -> None:
    (model,) = hub.list_inference_catalog(task="text-generation", accelerator="cpu", engine="llamacpp", limit=5)
    assert model.repo_id == CHAT
    (recipe,) = model.recipes
    assert (recipe.engine, recipe.gguf_file) == ("llamacpp", "SmolLM2-135M-Instruct.Q4_1.gguf")
    for lacking in (
        {"repo_id": "meta-llama/Llama-3.1-70B"},
        {"repo_id": CHAT, "accelerator": "gpu"},
        {"repo_id": CHAT, "gguf_file": "other.gguf"},
        {"recipe_id": "sizzling-biryani-g4xsi1ac"},
    ):
        with pytest.raises(HfHubHTTPError, match="404"):
            hub.create_inference_endpoint_from_catalog(**lacking)
    assert hub.list_inference_endpoints() == []


def without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}
