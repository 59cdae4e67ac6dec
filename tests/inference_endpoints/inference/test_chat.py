"""Chat over real sockets: streams as they really come."""

import json
import time
from contextlib import aclosing
from typing import Any, Literal

import pytest
from tests.support.service.scripted_upstream import SILENT, Answer, Upstream, events

from inference_endpoints.errors import (
    BadRequest,
    InferenceEndpointTimeoutError,
    InvalidResponse,
    NotFound,
    Unavailable,
)
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.chat.answer import ChatAccumulator, ChatDelta, ExtraFields
from inference_endpoints.inference.chat.completions import ChatCompletion
from inference_endpoints.inference.chat.messages import ChatMessage

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
    with pytest.raises(InvalidResponse, match="not chat: it seems to serve another task"):
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


async def test_all_choices_are_returned_with_their_log_probabilities(
    upstream: Upstream, inference: AsyncInference
) -> None:
    def chunk(index: int, text: str, **choice: Any) -> dict[str, Any]:
        said = {"token": text, "logprob": -0.5, "top_logprobs": []}
        delta = {"index": index, "delta": {"content": text}, "logprobs": {"content": [said]}, **choice}
        return {"id": "a1", "created": 7, "model": "m", "choices": [delta]}

    upstream.shows("running")
    upstream.serves(
        CHAT, events(chunk(1, "b"), chunk(0, "a", finish_reason="stop"), chunk(1, "c", finish_reason="length"), DONE)
    )
    answer = await inference.chat("chat", HELLO, parameters={"n": 2, "logprobs": True})
    assert [(each.index, each.text, each.finish_reason) for each in answer.choices] == [
        (0, "a", "stop"),
        (1, "bc", "length"),
    ]
    assert [item["token"] for item in answer.choices[1].logprobs] == ["b", "c"]
    assert (answer.answer.id, answer.answer.created, answer.answer.model) == ("a1", 7, "m")
    upstream.serves(CHAT, events(chunk(0, "a", finish_reason="stop"), chunk(1, "b")))
    with pytest.raises(Unavailable, match="broke off"):
        await inference.chat("chat", HELLO, parameters={"n": 2})


async def test_an_answer_can_be_sent_back_as_it_came(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.shows("running")
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    asked = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    upstream.serves(CHAT, events(asked, DONE))
    answer = ChatCompletion.of(await inference.chat("chat", HELLO))
    found = {"role": "tool", "tool_call_id": "a", "content": "[]", "name": None}
    await inference.chat("chat", [*HELLO, answer.choices[0].message, found])
    assert upstream.calls()[1].json["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "[]"},
    ]


USER = {"role": "user", "content": "a"}


@pytest.mark.parametrize(
    ("messages", "settings", "said"),
    [
        ("hello", {}, "not a list of messages"),
        ([], {}, "There is no message"),
        ([{"content": "a"}], {}, "messages.0.role is missing"),
        ([{"role": "user"}], {}, "messages.0.content is missing"),
        ([USER, 7], {}, "messages.1: "),
        ([{"role": "user", "content": "\ud83d"}], {}, "messages.0.content"),
        ([{"role": "user", "content": [{"text": "a"}]}], {}, "messages.0.content.0.type is missing"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], {}, "image_url.url is missing"),
        (
            [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}],
            {},
            "messages.0.tool_calls.0.function.arguments: is not valid JSON",
        ),
        ([USER], {"max_tokens": 0}, "max_tokens: "),
        ([USER], {"max_tokns": 5}, "but max_tokens is"),
        ([USER], {"tools": [{"a": 1}]}, "tools.0.type is missing"),
        ([USER], {"n": 0}, "n: "),
    ],
)
async def test_what_no_engine_could_read_is_refused_before_anything_is_sent(
    upstream: Upstream, inference: AsyncInference, messages: Any, settings: dict[str, Any], said: str
) -> None:
    upstream.shows("running")
    with pytest.raises(BadRequest) as caught:
        await inference.chat("chat", messages, parameters=settings)
    assert said in caught.value.message
    assert upstream.calls() == []


async def test_what_was_written_before_an_error_is_kept(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.shows("running")
    upstream.serves(CHAT, events(delta_chunk("Gr"), {"error": "CUDA error"}))
    accumulator = ChatAccumulator()
    with pytest.raises(Unavailable):
        await inference.chat("chat", HELLO, accumulator=accumulator)
    assert accumulator.began
    assert accumulator.response().text == "Gr"


HUGE = 10**400


@pytest.mark.parametrize("usage", [{"completion_tokens": HUGE}, {"prompt_tokens": -HUGE}, {"total_tokens": HUGE}])
async def test_a_count_that_no_engine_can_have_makes_no_answer(
    upstream: Upstream, inference: AsyncInference, usage: dict[str, int]
) -> None:
    upstream.shows("running")
    upstream.serves(CHAT, events(*STREAM[:3], {"choices": [], "usage": usage}, DONE))
    with pytest.raises(InvalidResponse):
        await inference.chat("chat", HELLO)


async def test_what_has_another_form_than_documented_is_left_out(upstream: Upstream, inference: AsyncInference) -> None:
    call = {"index": 0, "id": "a", "function": {"name": 7, "arguments": "{}"}}
    odd = {"created": HUGE, "choices": [{"index": 0, "delta": {"content": "a", "tool_calls": [call]}}]}
    upstream.shows("running")
    upstream.serves(CHAT, events(odd, *STREAM[2:]))
    answer = await inference.chat("chat", HELLO)
    assert (answer.text, answer.answer.created) == ("a", None)
    assert answer.tool_calls == [{"id": "a", "function": {"name": "", "arguments": "{}"}}]


def test_each_part_of_a_long_stream_takes_time_for_itself_alone() -> None:
    """The engine decides how many there are. Where each took time for all before it, these took a minute."""
    text, number = "a" * 500, 20_000
    call = {"index": 0, "function": {"name": "look", "arguments": text}}
    extra = ExtraFields({"own": 1}, {"token_ids": [1] * 100}, {"audio": {"transcript": text}})
    part = ChatDelta(tool_calls=[call], extra=extra)
    accumulator, started = ChatAccumulator(), time.process_time()
    for _ in range(number):
        accumulator.add(part, 1.0)
    (choice,) = accumulator.response().choices
    assert time.process_time() - started < 10
    assert choice.extra.message == {"audio": {"transcript": text * number}}
    assert len(choice.extra.choice["token_ids"]) == 100 * number
    assert choice.tool_calls[0]["function"]["arguments"] == text * number
