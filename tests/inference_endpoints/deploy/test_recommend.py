"""What a model is deployed with where the caller left it open: the cheapest that holds it, with a reason in a line."""

from typing import Any

import pytest
from tests.inference_endpoints.deploy.test_hardware import instance, listing

from inference_endpoints.deploy.hardware import require_offer
from inference_endpoints.deploy.recommend import KnownModel, Recommendation, recommend
from inference_endpoints.errors import NoCapacity, NotFound
from inference_endpoints.models import CatalogueModel, ModelInfo, Suggestion
from inference_endpoints.models.hub import weight_bytes_by_name

CLOUD = listing(
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


def told(parameters: float, *, kind: str = "BF16", task: str = CHAT) -> ModelInfo:
    return ModelInfo.model_validate(
        {"pipeline_tag": task, "safetensors": {"parameters": {kind: int(parameters)}, "total": int(parameters)}}
    )


def chosen(repository: str = "org/model", info: ModelInfo | None = None, **asked: Any) -> Recommendation:
    return recommend(KnownModel(repository, info=info), CLOUD, **asked)


def why(made: Recommendation, what: str) -> str:
    return next(said for said in made.why if said.startswith(what))


@pytest.mark.parametrize(
    ("parameters", "kind", "task", "hardware"),
    [
        (5e9, "BF16", CHAT, "aws-east-t4-x1"),
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
    made = chosen(info=told(parameters, kind=kind, task=task))
    assert made.offer.id == hardware
    assert "the cheapest available that holds it" in why(made, "Hardware")


def test_the_reason_names_the_size_and_the_next_that_would_do() -> None:
    said = why(chosen(info=told(8e9)), "Hardware")
    assert "16 GB of weights, about 21.2 GB to serve" in said
    assert "Or aws-east-a100-x1 (80 GB, $2.5/h)." in said


def test_a_size_that_is_only_in_the_name_is_said_to_be_so() -> None:
    assert "16 GB of weights, by its name" in why(chosen("meta-llama/Llama-3.1-8B-Instruct"), "Hardware")


def test_of_unknown_size_the_cheapest_gpu_is_taken_with_a_warning() -> None:
    made = chosen("org/mystery")
    assert made.offer.id == "aws-east-t4-x1"
    assert "size is unknown" in why(made, "Hardware")


def test_what_nothing_holds_is_no_capacity_with_how_much_it_needs() -> None:
    with pytest.raises(NoCapacity, match="needs about 488 GB") as raised:
        chosen(info=told(202.5e9))
    assert "aws-east-a100-x2 with 160 GB" in raised.value.hint


def test_several_accelerators_come_with_parallelism() -> None:
    made = chosen(info=told(60e9))
    assert made.image == {
        "vLLM": {"url": "vllm/vllm-openai:v0.23.0", "port": 8000, "healthRoute": "/health", "tensorParallelSize": 2}
    }
    assert "sharded over 2 accelerators" in why(made, "Engine")


def test_what_the_caller_named_is_left_alone() -> None:
    named = require_offer(CLOUD, "aws-east-t4-x4")
    made = chosen(info=told(8e9), offer=named, task="text-classification", framework="pytorch")
    assert (made.offer, made.task, made.framework, made.image) == (named, "text-classification", "pytorch", None)
    assert made.why == ()


def test_a_task_other_than_generating_leaves_the_container_to_the_service() -> None:
    assert chosen(info=told(22e6, task="feature-extraction")).image is None


def test_the_catalogues_task_goes_before_the_hubs() -> None:
    item = CatalogueModel.model_validate({"repoId": "org/model", "task": "feature-extraction"})
    assert (
        recommend(KnownModel("org/model", item=item, info=told(22e6, task="fill-mask")), CLOUD).task
        == "feature-extraction"
    )


def test_a_machine_that_is_not_known_to_run_a_model_is_not_recommended_for_it() -> None:
    here = listing(local_machine=[instance("cpu", 0.0)])
    with pytest.raises(NotFound, match="not known to run this model"):
        recommend(KnownModel("org/model", info=told(8e9)), here)
    machine = require_offer(here, "local-machine-cpu-x1")
    made = recommend(KnownModel("org/model", info=told(8e9)), here, offer=machine)
    assert (made.offer, made.image) == (machine, None)


def test_a_suggestion_goes_before_what_the_size_says_and_is_split_where_it_must_be() -> None:
    suggestion = Suggestion.model_validate(
        {"suggestedCompute": "aws-east-a100-x2", "image": {"sGLang": {"url": "x", "tensorParallelSize": 8}}}
    )
    made = recommend(KnownModel("org/model", suggestion, info=told(1e9)), CLOUD)
    assert (made.offer.id, made.image) == ("aws-east-a100-x2", {"sGLang": {"url": "x", "tensorParallelSize": 2}})
    assert "as suggested" in why(made, "Hardware")
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
