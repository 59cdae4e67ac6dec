"""Whether a model fits on hardware with its engine set as requested, and what would make it fit."""

from typing import Any

import pytest
from tests.support.service.model_configs import LLAMA_3_1_8B
from tests.support.service.offers import instance, offers_at

from inference_endpoints.deploy.offers import require_offer
from inference_endpoints.deploy.sizing.known_model import HubFacts, KnownModel
from inference_endpoints.deploy.sizing.memory_check import (
    MemoryCheck,
    cheapest_that_holds,
    check_memory,
    host_memory_is_short,
)
from inference_endpoints.engines.model_config import ModelConfig, NotComputable
from inference_endpoints.models import ModelInfo, ModelSettings

OFFERS = offers_at(
    aws_east=[
        instance("l4", 0.8, gpuMemoryGb=24, memoryGb=12),
        instance("l4", 3.8, 4, gpuMemoryGb=96),
        instance("a100", 2.5, gpuMemoryGb=80),
        instance("odd", 1.0),
    ],
    aws_west=[instance("l40s", 1.8, gpuMemoryGb=48)],
)
L4 = require_offer(OFFERS, "aws-east-l4-x1")
INFO = {
    "safetensors": {"parameters": {"BF16": 8_030_000_000}},
    "siblings": [{"rfilename": "a.gguf", "size": 5 * 10**9}],
}
LLAMA = KnownModel("org/llama", hub=HubFacts(ModelInfo.model_validate(INFO), ModelConfig.model_validate(LLAMA_3_1_8B)))


def settings(engine: str = "vLLM", *args: str, **image: Any) -> ModelSettings:
    return ModelSettings.model_validate({"task": "text-generation", "image": {engine: image}, "args": list(args)})


def checked(model: ModelSettings, hardware: str = "aws-east-l4-x1") -> MemoryCheck:
    check = check_memory(LLAMA, model, require_offer(OFFERS, hardware))
    assert isinstance(check, MemoryCheck)
    return check


@pytest.mark.parametrize(
    ("model", "hardware", "fits"),
    [
        (settings(), "aws-east-l4-x1", False),
        (settings("vLLM", "--max-model-len=32K"), "aws-east-l4-x1", True),
        (settings("vLLM", "--max-model-len", "auto"), "aws-east-l4-x1", True),
        (settings(kvCacheDtype="fp8"), "aws-east-l4-x1", False),
        (settings("tgi"), "aws-east-l4-x1", True),
        (settings("tgi", maxTotalTokens=131_072), "aws-east-l4-x1", False),
        (settings("sGLang"), "aws-east-l4-x1", True),
        (settings("llamacpp", modelPath="a.gguf", ctxSize=65_536), "aws-east-l4-x1", True),
        (settings(tensorParallelSize=4), "aws-east-l4-x4", True),
        (settings(), "aws-east-l4-x4", False),  # only one of its accelerators is used
        (settings(dataParallelSize=4), "aws-east-l4-x4", False),  # each holds a whole copy
        (settings(), "aws-east-a100-x1", True),
        (settings("vLLM", "--gpu-memory-utilization", "0.4"), "aws-east-a100-x1", False),
    ],
)
def test_what_is_needed_follows_from_the_engines_settings(model: ModelSettings, hardware: str, fits: bool) -> None:
    assert checked(model, hardware).fits is fits


def test_the_cheapest_that_holds_a_model_has_the_accelerators_that_its_engine_is_set_to() -> None:
    def cheapest(model: ModelSettings, *, same_place: bool = False) -> str | None:
        found = cheapest_that_holds(LLAMA, model, OFFERS, like=L4, same_place=same_place)
        return found.id if found else None

    assert cheapest(settings()) == "aws-west-l40s-x1"
    assert cheapest(settings(), same_place=True) == "aws-east-a100-x1"
    assert cheapest(settings(tensorParallelSize=4)) == "aws-east-l4-x4"
    assert cheapest(settings(tensorParallelSize=8)) is None


def test_weights_that_pass_through_too_little_main_memory_are_noticed() -> None:
    assert host_memory_is_short(checked(settings()))
    assert not host_memory_is_short(checked(settings(), "aws-east-a100-x1")), "nothing is known of it"


@pytest.mark.parametrize(
    ("model", "hardware", "reason"),
    [
        (settings(), "aws-east-odd-x1", "memory of this hardware is not listed"),
        (settings("vLLM", "--quantization", "fp8"), "aws-east-l4-x1", "changes the weights"),
        (settings("llamacpp", modelPath="other.gguf"), "aws-east-l4-x1", "size of its weights is not known"),
    ],
)
def test_what_cannot_be_known_is_named(model: ModelSettings, hardware: str, reason: str) -> None:
    found = check_memory(LLAMA, model, require_offer(OFFERS, hardware))
    assert isinstance(found, NotComputable)
    assert reason in found.reason


def test_sizes_that_no_model_has_are_unknown() -> None:
    for count in (-1, 10**400, 1.5, True, "8"):
        assert (
            ModelInfo.model_validate({"safetensors": {"parameters": {"BF16": count}, "total": count}}).weight_bytes
            is None
        )
