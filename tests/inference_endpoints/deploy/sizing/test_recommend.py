"""What a model is deployed with where the caller left it open: the cheapest that holds it, with a reason in a line."""

from typing import Any

import pytest
from tests.support.service.model_configs import LLAMA_3_1_8B
from tests.support.service.offers import instance, offers_at

from inference_endpoints.deploy.offers import require_offer
from inference_endpoints.deploy.sizing.known_model import HubFacts, KnownModel
from inference_endpoints.deploy.sizing.recommend import Recommendation, recommend
from inference_endpoints.engines.model_config import ModelConfig
from inference_endpoints.errors import NoCapacity, NotFound, PaymentRequired
from inference_endpoints.models import CatalogueModel, ModelInfo, Suggestion
from inference_endpoints.models.hub import weight_bytes_by_name

CLOUD = offers_at(
    aws_east=[
        instance("intel", 0.13, 4, memoryGb=8),
        instance("t4", 0.5, gpuMemoryGb=14),
        instance("t4", 3.0, 4, gpuMemoryGb=56),
        instance("l4", 0.8, gpuMemoryGb=24),
        instance("a100", 2.5, gpuMemoryGb=80),
        instance("a100", 5.0, 2, gpuMemoryGb=160),
        instance("h100", 4.5, gpuMemoryGb=80, status="not_available"),
    ]
)
CHAT = "text-generation"


def model_info(parameters: float, *, kind: str = "BF16", task: str = CHAT) -> ModelInfo:
    return ModelInfo.model_validate(
        {"pipeline_tag": task, "safetensors": {"parameters": {kind: int(parameters)}, "total": int(parameters)}}
    )


def recommended(repository: str = "org/model", info: ModelInfo | None = None, **arguments: Any) -> Recommendation:
    return recommend(KnownModel(repository, hub=HubFacts(info=info)), CLOUD, **arguments)


def reason_for(recommendation: Recommendation, what: str) -> str:
    return next(reason for reason in recommendation.why if reason.startswith(what))


@pytest.mark.parametrize(
    ("parameters", "kind", "task", "hardware"),
    [
        (4e9, "BF16", CHAT, "aws-east-t4-x1"),
        (8e9, "BF16", CHAT, "aws-east-l4-x1"),
        (8e9, "F32", CHAT, "aws-east-l4-x1"),
        (8e9, "F8_E4M3", CHAT, "aws-east-t4-x1"),
        (14e9, "BF16", CHAT, "aws-east-a100-x1"),
        (60e9, "BF16", CHAT, "aws-east-a100-x2"),
        (22e6, "F32", "feature-extraction", "aws-east-intel-x4"),
        (22e6, "F32", CHAT, "aws-east-t4-x1"),
        (7e9, "BF16", "feature-extraction", "aws-east-l4-x1"),
    ],
)
def test_the_cheapest_that_holds_the_model_is_taken(parameters: float, kind: str, task: str, hardware: str) -> None:
    recommendation = recommended(info=model_info(parameters, kind=kind, task=task))
    assert recommendation.offer.id == hardware
    assert "the cheapest available that holds it" in reason_for(recommendation, "Hardware")


def test_the_reason_names_the_size_and_the_next_that_would_do() -> None:
    reason = reason_for(recommended(info=model_info(8e9)), "Hardware")
    assert "it needs at least 18.9 GB (16 GB of weights" in reason
    assert "the KV cache is not known: the Hub was not read" in reason
    assert "Or aws-east-a100-x1 (80 GB, $2.5/h)." in reason


def test_the_reason_names_a_size_that_is_estimated_from_the_name() -> None:
    assert "the size is estimated from its name" in reason_for(
        recommended("meta-llama/Llama-3.1-8B-Instruct"), "Hardware"
    )


def test_for_an_unknown_size_the_cheapest_gpu_is_recommended_with_a_warning() -> None:
    recommendation = recommended("org/mystery")
    assert recommendation.offer.id == "aws-east-t4-x1"
    assert "size is unknown" in reason_for(recommendation, "Hardware")


def test_a_model_larger_than_all_hardware_is_no_capacity_with_the_memory_it_needs() -> None:
    with pytest.raises(NoCapacity, match="needs about 454 GB") as raised:
        recommended(info=model_info(202.5e9))
    assert "aws-east-a100-x2 with 160 GB" in raised.value.hint


def test_several_accelerators_come_with_parallelism() -> None:
    recommendation = recommended(info=model_info(60e9))
    assert recommendation.image == {
        "vLLM": {"url": "vllm/vllm-openai:v0.23.0", "port": 8000, "healthRoute": "/health", "tensorParallelSize": 2}
    }
    assert "sharded over 2 accelerators" in reason_for(recommendation, "Engine")


def llama(hardware: str) -> Recommendation:
    """Of Llama 3.1 8B, whose configuration is known, on this hardware."""
    hub = HubFacts(info=model_info(8.03e9), config=ModelConfig.model_validate(LLAMA_3_1_8B))
    return recommend(KnownModel("org/llama", hub=hub), CLOUD, offer=require_offer(CLOUD, hardware))


def test_the_longest_context_that_fits_is_set_and_the_need_of_the_whole_is_shown() -> None:
    small, large = llama("aws-east-l4-x1"), llama("aws-east-a100-x1")
    assert small.args == ["--max-model-len", "33792"]
    assert small.config["model"]["args"] == small.args
    assert "33,792 tokens, the most that fits; all 131,072 need 38 GB" in reason_for(small, "Context")
    assert (large.args, "args" in large.config["model"]) == ([], False)


def test_a_known_cache_is_counted_for_the_usual_context() -> None:
    hub = HubFacts(info=model_info(8.03e9), config=ModelConfig.model_validate(LLAMA_3_1_8B))
    reason = reason_for(recommend(KnownModel("org/llama", hub=hub), CLOUD), "Hardware")
    assert "aws-east-l4-x1" in reason
    assert "it needs 20.1 GB (16.1 GB of weights, 1.07 GB of KV cache for 1 request of 8,192 tokens" in reason


def test_choices_of_the_caller_are_kept() -> None:
    named = require_offer(CLOUD, "aws-east-t4-x4")
    recommendation = recommended(info=model_info(8e9), offer=named, task="text-classification", framework="pytorch")
    assert (recommendation.offer, recommendation.task, recommendation.framework, recommendation.image) == (
        named,
        "text-classification",
        "pytorch",
        None,
    )
    assert recommendation.why == ()


def test_a_task_other_than_generating_leaves_the_container_to_the_service() -> None:
    assert recommended(info=model_info(22e6, task="feature-extraction")).image is None


def test_a_task_that_the_service_does_not_serve_is_left_to_it() -> None:
    assert recommended(info=model_info(22e6, task="text-to-speech")).task is None


def test_the_catalogues_task_goes_before_the_hubs() -> None:
    item = CatalogueModel.model_validate({"repoId": "org/model", "task": "feature-extraction"})
    assert (
        recommend(KnownModel("org/model", item=item, hub=HubFacts(info=model_info(22e6, task="fill-mask"))), CLOUD).task
        == "feature-extraction"
    )


def test_a_suggested_llama_cpp_image_loads_the_file_that_the_catalogue_has() -> None:
    suggestion = Suggestion.model_validate({"image": {"llamacpp": {"url": "x"}}})
    recipes = [{"ggufFile": "a.Q8_0.gguf"}, {"accelerator": "gpu"}]
    item = CatalogueModel.model_validate({"repoId": "org/a-1B-GGUF", "recipes": recipes})
    known = KnownModel("org/a-1B-GGUF", suggestion=suggestion, item=item)
    assert recommend(known, CLOUD).image == {"llamacpp": {"url": "x", "modelPath": "a.Q8_0.gguf"}}


def test_a_machine_that_is_not_known_to_run_a_model_is_not_recommended_for_it() -> None:
    here = offers_at(local_machine=[instance("cpu", 0.0)])
    with pytest.raises(NotFound, match="not in the list of models"):
        recommend(KnownModel("org/model", hub=HubFacts(info=model_info(8e9))), here)
    machine = require_offer(here, "local-machine-cpu-x1")
    recommendation = recommend(KnownModel("org/model", hub=HubFacts(info=model_info(8e9))), here, offer=machine)
    assert (recommendation.offer, recommendation.image) == (machine, None)


def test_a_suggestion_precedes_the_size_and_its_parallelism_is_corrected() -> None:
    suggestion = Suggestion.model_validate(
        {"suggestedCompute": "aws-east-a100-x2", "image": {"sGLang": {"url": "x", "tensorParallelSize": 8}}}
    )
    recommendation = recommend(KnownModel("org/model", suggestion, hub=HubFacts(info=model_info(1e9))), CLOUD)
    assert (recommendation.offer.id, recommendation.image) == (
        "aws-east-a100-x2",
        {"sGLang": {"url": "x", "tensorParallelSize": 2}},
    )
    assert "as suggested" in reason_for(recommendation, "Hardware")
    alone = recommend(KnownModel("org/model", suggestion), CLOUD, offer=require_offer(CLOUD, "aws-east-a100-x1"))
    assert alone.image == {"sGLang": {"url": "x"}}


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 8),
        ("mistralai/Mixtral-8x7B-v0.1", 56),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 0.135),
        ("Qwen/Qwen2.5-0.5B", 0.5),
        ("org/model-v3", None),
        ("google/gemma-2-2b-it", 2),
        ("openai-community/gpt2", None),
        ("org/bert-base-b", None),
    ],
)
def test_sizes_in_names(name: str, billions: float | None) -> None:
    assert weight_bytes_by_name(name) == (None if billions is None else pytest.approx(billions * 2e9))


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        ("Qwen/Qwen2.5-32B-Instruct-AWQ", 19.2),
        ("RedHatAI/Llama-3.1-8B-Instruct-FP8", 8),
        ("unsloth/Llama-3.1-8B-bnb-4bit", 4.8),
        ("bartowski/Llama-3.1-8B-GGUF", None),
        ("meta-llama/Llama-4-Scout-17B-16E", None),
    ],
)
def test_marks_of_quantization_in_names(name: str, gigabytes: float | None) -> None:
    assert weight_bytes_by_name(name) == (None if gigabytes is None else pytest.approx(gigabytes * 1e9))


def test_quotas_that_are_all_zero_are_reported_as_a_missing_payment_method() -> None:
    none = {"maxAccelerators": 0, "usedAccelerators": 0}
    some = none | {"maxAccelerators": 1}
    l4, a100 = (instance(kind, 1.0, gpuMemoryGb=24, quota=none) for kind in ("l4", "a100"))
    with pytest.raises(PaymentRequired, match="quota reads 0 because no payment method is set"):
        recommend(KnownModel("org/model", hub=HubFacts(info=model_info(1e9))), offers_at(aws_east=[l4, a100]))
    with pytest.raises(NoCapacity):
        recommend(
            KnownModel("org/model", hub=HubFacts(info=model_info(70e9))),
            offers_at(aws_east=[l4, a100 | {"quota": some}]),
        )
