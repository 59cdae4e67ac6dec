"""Our clients against huggingface_hub 2.4.0's, by inspection: methods, parameters, their order and their defaults."""

import inspect
from collections.abc import Callable
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub.inference._providers import PROVIDERS

from inference_endpoints import AsyncInferenceClient, InferenceClient

Parameters = list[inspect.Parameter]

NO_URL = {
    # Their provider for URLs has no such task: huggingface_hub raises ValueError for each of them.
    "tabular_regression": "tabular-regression",
    "text_to_video": "text-to-video",
    "image_to_video": "image-to-video",
}
"""Methods that work on no URL, and so on no endpoint, with their tasks."""

EVERYWHERE = {
    "timeout": "a limit of one call, where theirs has one for each client",
    "extra_body": "parameters of an engine's own, which theirs takes in four methods",
}
OURS_ALONE: dict[str, list[str]] = {
    # Of the OpenAI API, which theirs takes in extra_body.
    "chat_completion": ["max_completion_tokens", "parallel_tool_calls", "reasoning_effort", "user"],
    # Of the published task schemas, and of the OpenAI API, which theirs takes in extra_body or not at all.
    "automatic_speech_recognition": ["return_timestamps", "generation_parameters", "language", "temperature"],
    "text_to_speech": ["generation_parameters", "voice", "speed", "response_format"],
    "image_to_text": ["max_new_tokens", "generation_parameters"],
    "summarization": ["max_length", "min_length"],
    "translation": ["max_length", "min_length"],
    "text_to_image": ["num_images_per_prompt"],
    # Theirs takes any name in **kwargs, where a typing error is sent to the engine.
    "image_to_image": ["strength", "seed"],
}
THEIRS_ALONE = {"image_to_image": ["kwargs"]}  # extra_body takes what is not known
NOT_IN_EVERY = {
    # They send no body. The health route has a limit of its own, and `close` sends nothing.
    "get_endpoint_info": ["extra_body"],
    "health_check": ["timeout", "extra_body"],
    "close": ["timeout", "extra_body"],
}

OTHER_ORDER = {
    # Of what is given by name alone: nothing depends on it. `model` follows what is written in the method.
    "chat_completion": "stream before model",
    "zero_shot_classification": "model last",
    "feature_extraction": "model last",
    "text_to_image": "model in the middle",
    "image_to_image": "model in the middle",
    "image_classification": "the order of the other classifications",
}

NAMES = [
    name
    for name, _ in inspect.getmembers(huggingface_hub.InferenceClient, inspect.isfunction)
    if not name.startswith("_")
]


def test_there_is_every_method_that_works_on_a_url() -> None:
    for client in (InferenceClient, AsyncInferenceClient):
        assert [name for name in NAMES if not hasattr(client, name)] == sorted(NO_URL)
        assert isinstance(vars(client)["chat"], property)
        assert hasattr(client, "__enter__" if client is InferenceClient else "__aenter__")


@pytest.mark.parametrize("task", NO_URL.values(), ids=list(NO_URL))
def test_what_is_missing_works_on_no_url_in_huggingface_hub(task: str) -> None:
    assert task not in PROVIDERS["hf-inference"]


@pytest.mark.parametrize("client", [InferenceClient, AsyncInferenceClient])
@pytest.mark.parametrize("name", sorted(set(NAMES) - set(NO_URL)))
def test_a_method_has_the_references_parameters(client: type, name: str) -> None:
    theirs, ours = of(getattr(huggingface_hub.InferenceClient, name)), of(getattr(client, name))
    given_by_place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert shown(theirs, given_by_place) == shown(ours, given_by_place)

    expected = [each for each in theirs if each.name not in THEIRS_ALONE.get(name, [])]
    added = [*OURS_ALONE.get(name, []), *(n for n in EVERYWHERE if n not in {each.name for each in theirs})]
    added = [each for each in added if each not in NOT_IN_EVERY.get(name, [])]
    kept = [each for each in ours if each.name not in added]
    assert sorted(added) == sorted(each.name for each in ours if each not in kept)
    named = inspect.Parameter.KEYWORD_ONLY
    assert sorted(shown(kept, named)) == sorted(shown(expected, named))
    in_order = [each.name for each in kept] == [each.name for each in expected]
    assert in_order is (name not in OTHER_ORDER)


@pytest.mark.parametrize("client", [InferenceClient, AsyncInferenceClient])
def test_chat_completions_create_is_chat_completion(client: type[InferenceClient | AsyncInferenceClient]) -> None:
    made = client.__new__(client)
    made.timeout = 3.0
    create: Any = made.chat.completions.create
    assert inspect.signature(create) == inspect.signature(made.chat_completion)
    assert create.__self__.timeout == 3.0


def of(method: Callable[..., Any]) -> Parameters:
    return [each for each in inspect.signature(method).parameters.values() if each.name != "self"]


def shown(parameters: Parameters, kind: Any) -> list[tuple[str, str]]:
    return [(each.name, repr(each.default)) for each in parameters if each.kind is kind]
