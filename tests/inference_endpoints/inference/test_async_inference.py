"""Calls of endpoints by name: what is sent to engines, how their answers are parsed, and how they refuse."""

from typing import Any

import pytest
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.errors import (
    BadRequest,
    Forbidden,
    InferenceEndpointError,
    InvalidResponse,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.calls.responses import MAX_RESPONSE_BYTES
from inference_endpoints.inference.media import detect_media_type
from inference_endpoints.inference.tasks.outputs import Label, Media
from inference_endpoints.inference.tasks.table import TASKS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("answer", [[{"generated_text": "on"}], {"generated_text": "on"}, [[{"generated_text": "on"}]]])
async def test_text_generation_reads_a_list_or_an_object(
    upstream: Upstream, inference: AsyncInference, answer: Any
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=answer))
    assert await inference.run("chat", "text-generation", "go", parameters={"max_new_tokens": 4}) == "on"
    assert upstream.calls()[0].json == {"inputs": "go", "parameters": {"max_new_tokens": 4}}


async def test_an_engine_of_the_openai_api_is_called_by_its_own_routes(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.runs("vLLM")
    upstream.serves("/v1/completions", Answer(body={"choices": [{"text": "on"}]}))
    rows = [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]
    upstream.serves("/v1/embeddings", Answer(body={"data": rows}))
    assert await inference.run("chat", "text-generation", "go", parameters={"max_new_tokens": 4}) == "on"
    assert await inference.run("chat", "feature-extraction", ["a", "b"]) == [[1.0, 0.0], [0.0, 1.0]]
    assert [seen.json for seen in upstream.calls()] == [
        {"model": "gpt2", "prompt": "go", "max_tokens": 4},
        {"model": "gpt2", "input": ["a", "b"]},
    ]


async def test_tei_is_called_for_similarity_by_its_own_route(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.runs("tei")
    upstream.serves("/similarity", Answer(body=[0.5]))
    pair = {"source_sentence": "a", "sentences": ["b"]}
    assert await inference.run("chat", "sentence-similarity", pair) == [0.5]


@pytest.mark.parametrize("answer", [[[1, 2], [3, 4]], {"embeddings": [[1, 2], [3, 4]]}])
async def test_feature_extraction_reads_every_engines_vectors(
    upstream: Upstream, inference: AsyncInference, answer: Any
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=answer))
    vectors = await inference.run("chat", "feature-extraction", ["a", "b"], parameters={"normalize": True})
    assert vectors == [[1.0, 2.0], [3.0, 4.0]]
    assert upstream.calls()[0].json == {"inputs": ["a", "b"], "normalize": True}


@pytest.mark.parametrize("answer", [[0.5, 0.25], {"similarities": [[0.5, 0.25]]}, {"similarities": [0.5, 0.25]}])
async def test_sentence_similarity_reads_every_engines_numbers(
    upstream: Upstream, inference: AsyncInference, answer: Any
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=answer))
    pair = {"source_sentence": "a", "sentences": ["b", "c"]}
    assert await inference.run("chat", "sentence-similarity", pair) == [0.5, 0.25]
    assert upstream.calls()[0].json["inputs"] == pair


@pytest.mark.parametrize(
    "answer",
    [
        [{"label": "x", "score": 0.9}, {"label": "y", "score": 0.1}],
        [[{"label": "x", "score": 0.9}, {"label": "y", "score": 0.1}]],
        {"sequence": "a", "labels": ["x", "y"], "scores": [0.9, 0.1]},
        [{"sequence": "a", "labels": ["x", "y"], "scores": [0.9, 0.1]}],
    ],
)
async def test_labels_are_read_in_every_form(upstream: Upstream, inference: AsyncInference, answer: Any) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=answer))
    expected = [Label("x", 0.9), Label("y", 0.1)]
    assert await inference.run("chat", "text-classification", "a") == expected
    labels = {"candidate_labels": ["x", "y"], "multi_label": True}
    assert await inference.run("chat", "zero-shot-classification", "a", parameters=labels) == expected
    assert upstream.calls()[1].json["parameters"] == labels


@pytest.mark.parametrize("answer", [{}, 7, "text", [[["a"]]], None])
async def test_an_answer_of_another_task_is_an_error_of_the_tree(
    upstream: Upstream, inference: AsyncInference, answer: Any
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=answer))
    for task in ("text-generation", "feature-extraction", "text-classification", "automatic-speech-recognition"):
        inputs = b"RIFF" if task.startswith("automatic") else "a"
        with pytest.raises(InvalidResponse, match=f"does not fit {task}: it seems to serve another task") as caught:
            await inference.run("chat", task, inputs)
        assert not caught.value.retryable


async def test_media_is_sent_with_its_type_or_as_base64_with_parameters(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body={"text": "hello"}))
    assert (await inference.run("chat", "automatic-speech-recognition", b"fLaC....")).text == "hello"
    await inference.run("chat", "automatic-speech-recognition", b"fLaC", parameters={"language": "en"})
    plain, with_parameters = upstream.calls()
    assert (plain.content, plain.headers["content-type"]) == (b"fLaC....", "audio/flac")
    assert with_parameters.json == {"inputs": "ZkxhQw==", "parameters": {"language": "en"}}


async def test_an_image_is_returned_as_its_bytes(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=b"\x89PNG...", headers={"content-type": "image/png"}))
    image = await inference.run("chat", "text-to-image", "a cat")
    assert (image.content, image.media_type) == (b"\x89PNG...", "image/png")
    assert upstream.calls()[0].headers["accept"] == "image/png"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=[{"generated_text": "a cat"}]),
        Answer(body=b"<html>", headers={"content-type": "text/html"}),
        Answer(body=b"fLaC", headers={"content-type": "audio/flac"}),
        Answer(body=b"", headers={}),
    ],
)
async def test_a_response_that_is_no_image_is_not_returned_as_one(
    upstream: Upstream, inference: AsyncInference, answer: Answer
) -> None:
    upstream.shows("running")
    upstream.serves("/", answer)
    with pytest.raises(InvalidResponse, match="does not fit text-to-image: it seems to serve another task") as caught:
        await inference.run("chat", "text-to-image", "a cat")
    assert not caught.value.retryable


async def test_a_file_instead_of_text_is_an_answer_of_another_task(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=b"\x89PNG...", headers={"content-type": "image/png"}))
    with pytest.raises(InvalidResponse, match="does not fit text-generation"):
        await inference.run("chat", "text-generation", "a cat")
    with pytest.raises(InvalidResponse, match="not JSON"):
        (await inference.call("chat")).json()


@pytest.mark.parametrize("content_type", ["audio/wav", "application/octet-stream", "application/x-wave", ""])
async def test_a_sound_is_recognized_by_its_content_type_or_its_first_bytes(
    upstream: Upstream, inference: AsyncInference, content_type: str
) -> None:
    sound = b"RIFF\x00\x00\x00\x00WAVE"
    upstream.shows("running")
    upstream.serves("/", Answer(body=sound, headers={"content-type": content_type} if content_type else {}))
    assert await inference.run("chat", "text-to-speech", "hello") == Media(sound, "audio/wav")


async def test_an_unknown_task_is_refused_with_the_known_ones(upstream: Upstream, inference: AsyncInference) -> None:
    with pytest.raises(BadRequest, match="zero-shot-classification"):
        await inference.run("chat", "mind-reading", "a")
    assert upstream.seen == []


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WAVE", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_media_type_is_detected_from_the_first_bytes(start: bytes, kind: str) -> None:
    assert detect_media_type(start) == kind


def test_every_task_is_known_by_its_own_name() -> None:
    assert all(name == task.name for name, task in TASKS.items())
    assert {"text-generation", "fill-mask", "question-answering", "text-to-speech"} <= TASKS.keys()


async def test_any_route_can_be_called_and_its_answer_is_returned_unparsed(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("running")
    upstream.serves("/rerank", Answer(body=[{"index": 0, "score": 1}], headers={"content-type": "application/json"}))
    response = await inference.call("chat", path="/rerank", body={"query": "a", "texts": ["b"]}, headers={"X-A": "1"})
    assert (response.status, response.content_type, response.woke) == (200, "application/json", False)
    assert response.json() == [{"index": 0, "score": 1}]
    assert response.seconds > 0
    assert upstream.calls()[0].headers["x-a"] == "1"
    with pytest.raises(BadRequest, match="Both"):
        await inference.call("chat", body={}, content=b"")


async def test_an_answer_that_is_too_large_is_refused(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(body=b" " * (MAX_RESPONSE_BYTES + 1)))
    with pytest.raises(InvalidResponse, match="larger than 32 MiB"):
        await inference.call("chat", body={})


async def test_a_chat_that_is_too_large_is_refused_though_it_was_not_streamed(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("running")
    upstream.serves("/v1/chat/completions", Answer(body=b" " * (MAX_RESPONSE_BYTES + 1)))
    with pytest.raises(InvalidResponse, match="larger than 32 MiB"):
        await inference.chat("chat", [{"role": "user", "content": "Hello"}])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequest),
        (401, Unauthorized),
        (403, Forbidden),
        (413, BadRequest),
        (422, BadRequest),
        (424, BadRequest),
        (429, RateLimited),
        (500, Unavailable),
    ],
)
async def test_an_engines_own_text_is_in_upstream_and_never_in_the_message(
    upstream: Upstream, inference: AsyncInference, status: int, error: type[InferenceEndpointError]
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(status, {"error": "canary quota", "error_type": "validation"}))
    with pytest.raises(error, match="Endpoint acme/chat") as caught:
        await inference.call("chat", body={})
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.upstream) == (status, "canary quota")
    assert "canary" not in str(caught.value)
    assert len(upstream.calls()) == (3 if error is RateLimited else 1)


async def test_an_overloaded_engine_is_asked_again_when_it_says(
    upstream: Upstream, inference: AsyncInference, slept: list[float]
) -> None:
    upstream.shows("running")
    upstream.serves(
        "/", Answer(429, b"", {"retry-after": "12"}), Answer(429, b""), Answer(body={"generated_text": "a"})
    )
    waits: list[str] = []

    async def on_wait(sentence: str) -> None:
        waits.append(sentence)

    response = await inference.call("chat", body={}, on_wait=on_wait)
    assert response.json() == {"generated_text": "a"}
    assert slept[0] == 12
    assert waits[0] == "overloaded · trying again in 12 s"
    assert len(waits) == 2


@pytest.mark.parametrize(("headers", "retry_after", "calls"), [({"retry-after": "500"}, 500, 1), ({}, 5, 3)])
async def test_an_engine_that_stays_overloaded_reports_when_to_try_again(
    upstream: Upstream, inference: AsyncInference, headers: dict[str, str], retry_after: float, calls: int
) -> None:
    upstream.shows("running")
    upstream.serves("/", Answer(429, b"", headers))
    with pytest.raises(RateLimited) as caught:
        await inference.call("chat", body={})
    assert caught.value.retry_after == retry_after
    assert len(upstream.calls()) == calls
