"""Chat over real sockets: streams as they really come."""

import json
from contextlib import aclosing
from typing import Any, Literal

import pytest
from tests.support.scripted_upstream import SILENT, Answer, Upstream, events

from inference_endpoints.errors import (
    BadRequest,
    InferenceEndpointTimeoutError,
    NotFound,
    Unavailable,
)
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.chat import ChatDelta, ChatMessage

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
HELLO = [ChatMessage("user", "Grüß mich")]


def delta_chunk(text: str, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, **choice}]}


COUNTED = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}}
DONE = b"data: [DONE]\n\n"
STREAM = (delta_chunk("Grüß "), delta_chunk("Gott"), delta_chunk("", finish_reason="stop"), COUNTED, DONE)


async def test_a_chat_is_collected_with_usage_and_times(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.shows("running")
    upstream.serves(CHAT, events(*STREAM))
    seen: list[ChatDelta] = []

    async def on_delta(delta: ChatDelta) -> None:
        seen.append(delta)

    answer = await inference.chat(
        "chat", HELLO, max_tokens=8, temperature=0.2, parameters={"seed": 7}, on_delta=on_delta
    )
    assert (answer.text, answer.finish_reason, answer.woke) == ("Grüß Gott", "stop", False)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 3)
    assert answer.seconds_to_first_token is not None
    assert 0 < answer.seconds_to_first_token <= answer.seconds
    assert answer.tokens_per_second is not None
    assert [delta.text for delta in seen] == ["Grüß ", "Gott", "", ""]
    assert upstream.calls()[0].json == {
        "model": "gpt2",
        "messages": [{"role": "user", "content": "Grüß mich"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 8,
        "temperature": 0.2,
        "seed": 7,
    }


async def test_a_stream_is_read_however_its_bytes_are_split(upstream: Upstream, inference: AsyncInference) -> None:
    whole = f"data: {json.dumps(delta_chunk('Grüß 🙂'), ensure_ascii=False)}\r\n\r\n".encode() + DONE
    upstream.shows("running")
    upstream.serves(CHAT, events(*(whole[i : i + 1] for i in range(len(whole)))))
    assert (await inference.chat("chat", HELLO)).text == "Grüß 🙂"


async def test_comments_and_events_of_several_lines_are_read(upstream: Upstream, inference: AsyncInference) -> None:
    pretty = "".join(f"data: {line}\n" for line in json.dumps(delta_chunk("one"), indent=1).splitlines())
    upstream.shows("running")
    upstream.serves(CHAT, events(b": keep-alive\n\n", b"event: message\n" + pretty.encode() + b"\n", DONE))
    assert (await inference.chat("chat", HELLO)).text == "one"


async def test_stream_chat_yields_each_delta_and_can_be_closed_early(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("running")
    upstream.serves(CHAT, events(*STREAM))
    assert [delta.text async for delta in inference.stream_chat("chat", HELLO)] == ["Grüß ", "Gott", "", ""]
    async with aclosing(inference.stream_chat("chat", HELLO)) as steps:
        assert (await anext(steps)).text == "Grüß "


@pytest.mark.parametrize("error", [{"error": "CUDA error"}, {"error": {"message": "CUDA error", "code": 500}}])
async def test_an_error_in_the_stream_ends_it_and_is_not_retried(
    upstream: Upstream, inference: AsyncInference, error: dict[str, Any]
) -> None:
    upstream.shows("running")
    upstream.serves(CHAT, events(delta_chunk("Gr"), error))
    with pytest.raises(Unavailable, match="failed while answering") as caught:
        await inference.chat("chat", HELLO)
    assert caught.value.upstream == "CUDA error"
    assert "CUDA" not in str(caught.value)
    assert len(upstream.calls()) == 1


@pytest.mark.parametrize("end", ["proper", "broken"])
async def test_a_stream_that_ends_too_early_is_never_taken_for_an_answer(
    upstream: Upstream, inference: AsyncInference, end: Literal["proper", "broken"]
) -> None:
    upstream.shows("running")
    upstream.serves(CHAT, events(delta_chunk("Gr"), end=end))
    with pytest.raises(Unavailable, match="broke off"):
        await inference.chat("chat", HELLO)
    assert len(upstream.calls()) == 1


@pytest.mark.parametrize("chunk", [b"data: {\n\n", b"data: 7\n\n", b'data: {"choices": [7]}\n\n'])
async def test_a_stream_of_something_else_is_an_error_of_the_tree(
    upstream: Upstream, inference: AsyncInference, chunk: bytes
) -> None:
    upstream.shows("running")
    upstream.serves(CHAT, events(chunk))
    with pytest.raises(BadRequest, match="not chat: it seems to serve another task"):
        await inference.chat("chat", HELLO)


async def test_a_chat_that_the_engine_does_not_stream_is_one_delta(
    upstream: Upstream, inference: AsyncInference
) -> None:
    message = {"role": "assistant", "content": "Hi", "reasoning_content": "Greet."}
    upstream.shows("running")
    upstream.serves(CHAT, Answer(body={"choices": [{"message": message, "finish_reason": "stop"}]}))
    answer = await inference.chat("chat", HELLO)
    assert (answer.text, answer.reasoning, answer.usage.completion_tokens) == ("Hi", "Greet.", None)
    assert answer.tokens_per_second is None


async def test_the_fragments_of_tool_calls_are_merged(upstream: Upstream, inference: AsyncInference) -> None:
    def fragment(index: int, **call: Any) -> dict[str, Any]:
        return {"choices": [{"delta": {"tool_calls": [{"index": index, **call}]}}]}

    upstream.shows("running")
    upstream.serves(
        CHAT,
        events(
            fragment(0, id="a", type="function", function={"name": "look", "arguments": '{"x"'}),
            fragment(1, id="b", type="function", function={"name": "stop", "arguments": {}}),
            fragment(0, function={"arguments": ": 1}"}),
            DONE,
        ),
    )
    answer = await inference.chat("chat", HELLO)
    assert answer.tool_calls == [
        {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"x": 1}'}},
        {"id": "b", "type": "function", "function": {"name": "stop", "arguments": "{}"}},
    ]


async def test_a_stream_that_falls_silent_ends_at_the_callers_deadline(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("running")
    upstream.serves(CHAT, events(delta_chunk("a"), end="silent"))
    with pytest.raises(InferenceEndpointTimeoutError, match="did not finish its answer"):
        await inference.chat("chat", HELLO, timeout=2)
    upstream.serves(CHAT, SILENT)
    with pytest.raises(InferenceEndpointTimeoutError, match="did not begin to answer"):
        await inference.chat("chat", HELLO, timeout=0.1)


async def test_the_error_for_a_missing_route_names_the_deployed_task(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("running")
    with pytest.raises(NotFound, match=r"POST /v1/chat/completions.*deployed for text-generation"):
        await inference.chat("chat", HELLO)
