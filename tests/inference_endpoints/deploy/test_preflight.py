"""Requests that would end badly are known before they are sent."""

from contextlib import nullcontext
from typing import Any

import pytest

from inference_endpoints.deploy import preflight
from inference_endpoints.errors import BadRequest
from inference_endpoints.models import Endpoint, UpdateRequest


@pytest.mark.parametrize(
    ("engine", "settings", "accelerators", "missing"),
    [
        ("vLLM", {}, 4, True),
        ("sGLang", {"port": 1}, 2, True),
        ("vLLM", {"dataParallelSize": 2}, 2, False),
        ("vLLM", {}, 1, False),
        ("tgi", {}, 4, False),
        ("custom", {}, 4, False),
    ],
)
def test_engines_that_need_a_parallelism_setting_for_several_accelerators(
    engine: str, settings: dict[str, Any], accelerators: int, missing: bool
) -> None:
    request = UpdateRequest.model_validate({"model": {"image": {engine: {"url": "x", **settings}}}})
    with pytest.raises(BadRequest, match=f"one of {accelerators}") if missing else nullcontext():
        preflight.check_request(request, accelerators)


@pytest.mark.parametrize("image_key", ["vLLM", "custom", "hfServe", "llamacpp"])
def test_an_image_that_needs_a_url_is_refused_without_one(image_key: str) -> None:
    with pytest.raises(BadRequest, match="has no url"):
        check({"model": {"image": {image_key: {}}}})


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"model": {"task": "text-to-speach"}}, "no value text-to-speach in model.task.*Nearest: text-to-image"),
        ({"model": {"framework": "vllm"}}, "no value vllm in model.framework.*It has custom, llamacpp, pytorch"),
        ({"compute": {"accelerator": "GPU"}}, "no value GPU in compute.accelerator"),
        ({"type": "secret"}, "no value secret in type"),
        ({"\x1b[31mtags\u202e" + "s" * 999: []}, r"no setting \\x1b\[31mtags\\u202es{50,60} in an endpoint"),
        ({"tag": ["a"]}, "no setting tag in an endpoint.*Nearest: tags"),
        ({"compute": {"scaling": {"scaleToZero": 15}}}, "compute.scaling.*It has maxReplica, .*scaleToZeroTimeout"),
        ({"compute": {"scaling": {"measure": {"cpu": 80}}}}, "compute.scaling.measure.*It has hardwareUsage, pending"),
        ({"experimentalFeatures": {"loadBalancer": "round_robin"}}, "experimentalFeatures.loadBalancer is 'random', "),
        ({"notifications": {"email": True}}, "notifications.push is missing"),
        ({"customRouter": {"tag": "1", "ports": 1}}, "no setting ports in customRouter.*It has env, grpcPort, port"),
        ({"model": {"image": {"vllm": {"url": "x"}}}}, "no setting vllm in model.image"),
        ({"model": {"image": {"huggingface": {"url": "x"}}}}, "no setting url in model.image.hugg.*It has no settings"),
        ({"model": {"image": {"llamacpp": {"url": "x"}}}}, "no modelPath.*modelPath is a GGUF file"),
        ({"model": {"image": {"sGLang": {"url": "x", "dataParallelSize": 2}}}}, "no setting dataParallelSize"),
        (
            {"model": {"image": {"vLLM": {"url": "x", "kvCacheDtype": "fp8_e5m2"}}}},
            "kvCacheDtype is 'fp8', 'fp8-e4-m3'",
        ),
    ],
)
def test_what_the_service_does_not_have_is_refused_with_what_it_has(body: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadRequest, match=f"{problem}"):
        check(body)


@pytest.mark.parametrize(
    "body",
    [
        {"model": {"task": "text-to-video"}, "aNewSetting": {"a": 2}},
        {"model": {"image": {"vLLM": {"url": "y", "aNewSetting": 2}}}},
        {"experimentalFeatures": {"aNewFeature": False}},
    ],
)
def test_what_an_endpoint_of_a_newer_service_has_already_can_be_sent(body: dict[str, Any]) -> None:
    model = {"task": "text-to-video", "image": {"vLLM": {"url": "x", "aNewSetting": 1}}}
    features = {"experimentalFeatures": {"aNewFeature": True}, "aNewSetting": {"a": 1}}
    current = {"name": "chat", "status": {"state": "running"}, "model": model, **features}
    check(body, Endpoint.model_validate(current))


def check(body: dict[str, Any], current: Endpoint | None = None) -> None:
    preflight.check_request(UpdateRequest.model_validate(body), 1, current)
