"""Inputs are checked against their task before anything is sent; the error names the field and shows what is valid."""

from typing import Any

import pytest
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.errors import BadRequest, Forbidden
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.parameter_types import is_typing_error
from inference_endpoints.inference.tasks.table import TASKS, find_task
from inference_endpoints.inference.tasks.task import Task

pytestmark = pytest.mark.anyio

WRONG: list[tuple[str, Any, dict[str, Any], str]] = [
    ("question-answering", {"question": "why"}, {}, "context is missing"),
    ("question-answering", "why", {}, "it takes question, context, each by its name"),
    ("question-answering", {"question": "why", "context": "a", "top": 1}, {}, "it takes question, context"),
    ("text-classification", {"text": ""}, {}, "text: string should have at least 1 character"),
    ("text-classification", 7, {}, "text: input should be a valid string"),
    ("text-classification", "\ud83d", {}, "text: "),
    ("text-classification", "a", {"top_k": "many"}, "top_k: input should be a valid integer"),
    ("text-classification", "a", {"topk": 1}, "but top_k is"),
    ("zero-shot-classification", "a", {}, "candidate_labels is missing"),
    ("zero-shot-classification", "a", {"candidate_labels": "sport, cooking"}, "candidate_labels"),
    ("sentence-similarity", {"source_sentence": "a", "sentences": []}, {}, "sentences: "),
    ("text-ranking", {"query": "a", "texts": ["b", 7]}, {}, "texts.1: "),
    ("table-question-answering", {"question": "a", "table": {"b": [1]}}, {}, "table.0: "),
    ("image-classification", "cat.png", {}, "image takes a file as bytes"),
    ("automatic-speech-recognition", b"", {}, "audio: "),
    ("image-segmentation", b"GIF8", {"subtask": "all"}, "subtask: "),
]


@pytest.mark.parametrize(("task", "inputs", "parameters", "said"), WRONG)
async def test_what_does_not_fit_a_task_is_refused_before_anything_is_sent(
    upstream: Upstream, inference: AsyncInference, task: str, inputs: Any, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        await inference.run("chat", task, inputs, parameters=parameters)
    assert caught.value.message.startswith(f"{task}: ")
    assert said in caught.value.message
    assert "Nothing was sent" in caught.value.message
    assert caught.value.hint.startswith("Valid is for example {")
    assert upstream.seen == []


@pytest.mark.parametrize(
    ("parameters", "sent"),
    [
        ({"max_tokens": 5}, {"max_new_tokens": 5}),
        ({"min_new_tokens": 5, "typical_p": 0.5}, {"min_new_tokens": 5, "typical_p": 0.5}),
    ],
)
async def test_parameters_of_an_engines_own_and_other_names_of_known_ones_pass(
    upstream: Upstream, inference: AsyncInference, parameters: dict[str, Any], sent: dict[str, Any]
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body={"generated_text": "on"}))
    await inference.run("chat", "text-generation", "go", parameters=parameters)
    assert upstream.calls()[0].json["parameters"] == sent


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("top_k", "top_k", False),
        ("topk", "top_k", True),
        ("top_kk", "top_k", True),
        ("tpo_k", "top_k", True),
        ("tip_k", "top_k", True),
        ("top_p", "top_k", True),
        ("n", "k", False),
        ("min_new_tokens", "max_new_tokens", False),
        ("max_tokens", "max_new_tokens", False),
    ],
)
def test_a_name_that_differs_in_one_letter_is_a_typing_error(name: str, known: str, expected: bool) -> None:
    assert is_typing_error(name, known) is expected


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_example_is_valid(task: Task) -> None:
    inputs = {name: value for name, value in task.example.items() if name != "parameters"}
    for name in task.takes.media_fields():
        inputs[name] = b"a file"
    task.check_input(inputs)
    task.check_parameters(task.example.get("parameters", {}))
    assert task.returns


def test_the_names_of_the_service_for_a_task_are_known() -> None:
    for name, task in (("sentence-embeddings", "feature-extraction"), ("sentence-ranking", "text-ranking")):
        found = find_task(name)
        assert found is not None
        assert found.name == task
    assert find_task("custom") is find_task(None) is None


@pytest.mark.parametrize(
    ("engine", "task", "inputs", "path", "sent", "answered", "output"),
    [
        ("vLLM", "text-classification", "a", "/classify", {"model": "gpt2", "input": "a"},
         {"data": [{"index": 0, "label": "x", "probs": [0.5]}]}, "x"),
        ("llamacpp", "text-ranking", {"query": "q", "texts": ["a"]}, "/v1/rerank",
         {"model": "gpt2", "query": "q", "documents": ["a"]}, {"results": [{"index": 0, "relevance_score": 1}]}, 0),
        ("sGLang", "image-text-to-text", "hi", "/v1/chat/completions",
         {"model": "gpt2", "messages": [{"role": "user", "content": "hi"}]},
         {"choices": [{"message": {"content": "yo"}}]}, "yo"),
        ("vLLMOmni", "text-to-image", "a cat", "/v1/images/generations",
         {"model": "gpt2", "prompt": "a cat", "response_format": "b64_json"},
         {"data": [{"b64_json": "iVBORw0KGgo="}]}, b"\x89PNG\r\n\x1a\n"),
    ],
)  # fmt: skip
async def test_an_engine_is_asked_at_its_own_route(
    upstream: Upstream,
    inference: AsyncInference,
    engine: str,
    task: str,
    inputs: Any,
    path: str,
    sent: Any,
    answered: Any,
    output: Any,
) -> None:
    upstream.runs(engine)
    upstream.serves(path, Answer(body=answered))
    found = await inference.run("chat", task, inputs)
    found = found[0] if isinstance(found, list) else found
    assert output in (found, getattr(found, "label", None), getattr(found, "index", None), getattr(found, "content", 0))
    assert upstream.calls()[0].json == sent


async def test_a_recording_is_sent_to_the_openai_api_as_a_form(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.runs("vLLM")
    upstream.serves("/v1/audio/transcriptions", Answer(body={"text": "hello"}))
    spoken = await inference.run(
        "chat", "automatic-speech-recognition", b"fLaC..", parameters={"return_timestamps": True, "language": "en"}
    )
    assert spoken.text == "hello"
    (seen,) = upstream.calls()
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    for part in (
        b'name="model"\r\n\r\ngpt2',
        b'name="language"\r\n\r\nen',
        b"verbose_json",
        b"audio/flac\r\n\r\nfLaC..",
    ):
        assert part in seen.content


async def test_each_of_many_inputs_can_fail_alone(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.shows("running")
    good, bad = Answer(body=[[{"label": "x", "score": 1}]]), Answer(422, {"error": "too long"})
    upstream.serves("/", bad)
    done: list[int] = []

    async def on_done(number: int) -> None:
        done.append(number)

    ran = await inference.run_many("chat", TASKS["text-classification"], ["a", "b", "c"], on_done=on_done)
    assert [type(output) for output in ran.outputs] == [BadRequest] * 3
    assert sorted(done) == [1, 2, 3]
    upstream.serves("/", good)
    ran = await inference.run_many("chat", TASKS["text-classification"], ["a", "b", "c"])
    assert [labels[0].label for labels in ran.outputs] == ["x", "x", "x"]
    upstream.serves("/", Answer(403, {"error": "no"}))
    with pytest.raises(Forbidden):
        await inference.run_many("chat", TASKS["text-classification"], ["a", "b", "c"])


async def test_an_engine_that_takes_no_list_of_prompts_gets_them_one_by_one(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.runs("llamacpp")
    empty, one = Answer(body={"choices": []}), Answer(body={"choices": [{"text": "on"}]})
    upstream.serves("/v1/completions", empty, one)
    for _ in range(2):
        assert await inference.run("chat", "text-generation", ["a", "b"]) == ["on", "on"]
    assert [seen.json["prompt"] for seen in upstream.calls()] == [["a", "b"], "a", "b", "a", "b"]


async def test_a_batch_of_which_one_text_is_refused_returns_the_others(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.runs("tei")
    refused = Answer(422, {"error": "too long", "error_type": "Validation"})
    upstream.serves("/predict", refused, Answer(body=[{"label": "x", "score": 1}]), refused)
    ran = await inference.run_many("chat", TASKS["text-classification"], ["a", "b"])
    assert ran.outputs[0][0].label == "x"
    assert isinstance(ran.outputs[1], BadRequest)
    assert [seen.json["inputs"] for seen in upstream.calls()] == [[["a"], ["b"]], "a", "b"]
