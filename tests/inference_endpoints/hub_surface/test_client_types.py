"""What a type checker sees of the clients: `make check` compares each type, and expects each error that is ignored."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import assert_type

import pytest
from tests.support.service.scripted_upstream import Answer, Upstream, events

from inference_endpoints import AsyncInferenceEndpoint, BadRequest, InferenceEndpoint, Label
from inference_endpoints.inference.chat.completions import ChatCompletion, ChatCompletionChunk
from inference_endpoints.inference.generation.answer import TextGenerationOutput, TextGenerationStreamOutput
from inference_endpoints.inference.tasks.outputs import Transcript

pytestmark = pytest.mark.anyio

TURNS = [{"role": "user", "content": "Hello"}]
CHAT = events({"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]})


async def test_results_are_of_the_types_that_a_checker_sees(default_upstream: Upstream) -> None:
    default_upstream.serves("/v1/chat/completions", CHAT)
    client = InferenceEndpoint.from_raw(default_upstream.endpoint("running"), "acme").client

    def call() -> None:
        whole = client.chat_completion(TURNS, max_tokens=5)
        assert_type(whole, ChatCompletion)
        assert isinstance(whole, ChatCompletion)
        stream = client.chat.completions.create(TURNS, stream=True)
        assert_type(stream, Generator[ChatCompletionChunk])
        assert all(isinstance(chunk, ChatCompletionChunk) for chunk in stream)

        default_upstream.serves("/", Answer(body=[{"generated_text": "on"}]))
        assert_type(client.text_generation("once", seed=1), str)
        assert_type(client.text_generation("once", details=True), TextGenerationOutput)
        assert_type(client.text_generation("once", stream=True), Generator[str])
        tokens = client.text_generation("once", stream=True, details=True, extra_body={"own": 1}, timeout=5)
        assert_type(tokens, Generator[TextGenerationStreamOutput])
        assert [token.generated_text for token in tokens] == ["on"]

        default_upstream.serves("/", Answer(body=[{"label": "A", "score": 0.5}]))
        labels = client.text_classification("a", top_k=1)
        assert_type(labels, list[Label])
        with pytest.raises(BadRequest):
            client.text_classification("a", topk=1)  # type: ignore[call-arg]
        with pytest.raises(BadRequest):
            client.text_classification("a", top_k="one")  # type: ignore[arg-type]
        default_upstream.serves("/", Answer(body={"text": "hello"}))
        assert_type(client.automatic_speech_recognition(b"fLaC"), Transcript)

    await asyncio.to_thread(call)


async def test_awaited_results_are_of_the_types_that_a_checker_sees(default_upstream: Upstream) -> None:
    default_upstream.serves("/v1/chat/completions", CHAT)
    client = AsyncInferenceEndpoint.from_raw(default_upstream.endpoint("running"), "acme").async_client
    assert_type(await client.chat.completions.create(TURNS), ChatCompletion)
    stream = await client.chat_completion(TURNS, stream=True)
    assert_type(stream, AsyncGenerator[ChatCompletionChunk])
    assert [chunk.choices[0].delta.content async for chunk in stream] == ["Hi"]
    default_upstream.serves("/", Answer(body=[{"generated_text": "on"}]))
    assert_type(await client.text_generation("once", max_new_tokens=5), str)
    texts = await client.text_generation("once", stream=True)
    assert_type(texts, AsyncGenerator[str])
    assert [text async for text in texts] == ["on"]
    default_upstream.serves("/", Answer(body=[{"label": "A", "score": 0.5}]))
    assert_type(await client.zero_shot_classification("a", ["A"], multi_label=True), list[Label])
    with pytest.raises(BadRequest):
        await client.image_classification(b"GIF8", topk=1)  # type: ignore[call-arg]
