"""Chat as huggingface_hub and openai return it: whole objects, by attributes and by items, whole and streamed."""

import asyncio
import json
from typing import Any

import huggingface_hub
import openai
import pytest
from tests.inference_endpoints.hub_surface.conftest import CallStyle, client_of, collected
from tests.support.service.scripted_upstream import TOKEN, Answer, Upstream, events

from inference_endpoints import Unavailable

pytestmark = pytest.mark.anyio

ROUTE = "/v1/chat/completions"
TURNS = [{"role": "user", "content": "Hello"}]
NAMED = {"id": "chat-1", "created": 1_700_000_000, "model": "gpt2", "system_fingerprint": "f"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
SURE = {"token": "Hi", "logprob": -0.1, "top_logprobs": [{"token": "Ho", "logprob": -2.0}]}
CALLED = {"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
WHOLE = NAMED | {
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi"},
            "finish_reason": "stop",
            "logprobs": {"content": [SURE]},
        },
        {
            "index": 1,
            "message": {"role": "assistant", "content": None, "reasoning": "Hm", "tool_calls": [CALLED]},
            "finish_reason": "tool_calls",
        },
    ],
    "usage": USAGE,
}


def chunk(index: int, delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    shown = {"index": index, "delta": delta, "finish_reason": None, **choice}
    return NAMED | {"object": "chat.completion.chunk", "choices": [shown]}


def call_part(**function: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "id": "call-1", "type": "function", "function": function}]}


STREAMED = [
    chunk(0, {"role": "assistant", "content": ""}),
    chunk(0, {"content": "Hi"}, logprobs={"content": [SURE]}),
    chunk(1, {"reasoning": "Hm"}),
    chunk(1, call_part(name="weather", arguments='{"city":')),
    chunk(1, call_part(arguments='"Paris"}')),
    chunk(0, {}, finish_reason="stop"),
    chunk(1, {}, finish_reason="tool_calls"),
    NAMED | {"object": "chat.completion.chunk", "choices": [], "usage": USAGE},
    b"data: [DONE]\n\n",
]


def asked(client: Any, **options: Any) -> Any:
    return client.chat.completions.create(model="gpt2", messages=TURNS, n=2, logprobs=True, top_logprobs=1, **options)


async def test_a_whole_answer_is_that_of_both_clients_of_others(call: CallStyle, default_upstream: Upstream) -> None:
    # Ours streams every answer, so that it sees one that breaks off.
    default_upstream.serves(ROUTE, events(*STREAMED), Answer(body=WHOLE), Answer(body=WHOLE))
    client = client_of(call, default_upstream)
    ours = await call(asked, client)
    hub = await asyncio.to_thread(asked, huggingface_hub.InferenceClient(base_url=client.model, api_key=TOKEN))
    other = await asyncio.to_thread(asked, openai.OpenAI(base_url=f"{client.model}/v1", api_key=TOKEN))
    for theirs in (hub, other):
        assert (ours.id, ours.created, ours.model) == (theirs.id, theirs.created, theirs.model)
        assert (ours.object, ours.system_fingerprint) == ("chat.completion", theirs.system_fingerprint)
        assert ours.usage.total_tokens == theirs.usage.total_tokens
        assert [choice.index for choice in ours.choices] == [choice.index for choice in theirs.choices]
        assert [choice.finish_reason for choice in ours.choices] == [choice.finish_reason for choice in theirs.choices]
        spoken, calling = (choice.message for choice in ours.choices)
        assert (spoken.role, spoken.content) == ("assistant", theirs.choices[0].message.content)
        assert not spoken.tool_calls
        assert (calling.content or None) is theirs.choices[1].message.content is None
        (made,), (expected,) = calling.tool_calls, theirs.choices[1].message.tool_calls
        assert (made.id, made.type) == (expected.id, expected.type)
        assert (made.function.name, made.function.arguments) == (expected.function.name, expected.function.arguments)
        (token,), (known,) = ours.choices[0].logprobs.content, theirs.choices[0].logprobs.content
        assert (token.token, token.logprob, token.top_logprobs[0].token) == (known.token, known.logprob, "Ho")
    assert hub.choices[1].message.reasoning == ours["choices"][1]["message"]["reasoning"] == "Hm"
    sent = [seen.json for seen in default_upstream.seen]
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    assert sent[0] == sent[1] | streamed == sent[2] | streamed


async def test_parts_of_an_answer_are_those_of_huggingface_hub(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves(ROUTE, events(*STREAMED))
    client = client_of(call, default_upstream)
    theirs = huggingface_hub.InferenceClient(base_url=client.model, api_key=TOKEN)

    def read_theirs() -> list[Any]:
        return list(asked(theirs, stream=True, stream_options={"include_usage": True}))

    ours = await collected(await call(asked, client, stream=True, stream_options={"include_usage": True}))
    *parts, last = await asyncio.to_thread(read_theirs)
    *shown, counted = ours
    assert counted.usage.total_tokens == last.usage.total_tokens
    assert counted.choices[0].delta.content == ""  # so that `choices[0]` is in every part
    for one, other in zip(shown, parts, strict=True):
        assert (one.id, one.created, one.model) == (other.id, other.created, other.model)
        (mine,), (known,) = one.choices, other.choices
        assert (mine.index, mine.finish_reason) == (known.index, known.finish_reason)
        assert (mine.delta.content or None) == (known.delta.content or None)
        for part, piece in zip(mine.delta.tool_calls or [], known.delta.tool_calls or [], strict=True):
            assert (part.index, part.function.arguments) == (piece.index, piece.function.arguments)
    assert default_upstream.seen[0].json == default_upstream.seen[1].json


async def test_an_answer_is_part_of_the_next_conversation(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves(ROUTE, events(*STREAMED))
    client = client_of(call, default_upstream)
    message = (await call(client.chat_completion, TURNS)).choices[1].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "21 degrees"}
    await call(client.chat_completion, [*TURNS, message, result])
    turn = default_upstream.seen[1].json["messages"][1]
    assert turn["tool_calls"] == [CALLED]
    assert json.loads(turn["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}


async def test_what_an_engine_has_of_its_own_is_merged_into_the_body(
    call: CallStyle, default_upstream: Upstream
) -> None:
    default_upstream.serves(ROUTE, events(*STREAMED))
    client = client_of(call, default_upstream)
    own = {"chat_template_kwargs": {"enable_thinking": False}, "max_tokens": 9, "seed": None}
    await call(client.chat_completion, TURNS, max_tokens=5, extra_body=own)
    sent = default_upstream.seen[0].json
    assert (sent["max_tokens"], sent["chat_template_kwargs"]) == (9, {"enable_thinking": False})
    assert "seed" not in sent


async def test_an_answer_that_breaks_off_is_an_error_and_huggingface_hubs_is_not(
    call: CallStyle, default_upstream: Upstream
) -> None:
    default_upstream.serves(ROUTE, events(*STREAMED[:3]))
    client = client_of(call, default_upstream)
    with pytest.raises(Unavailable, match="broke off"):
        await collected(await call(client.chat_completion, TURNS, stream=True))
    theirs = huggingface_hub.InferenceClient(base_url=client.model, api_key=TOKEN)
    assert len(await asyncio.to_thread(lambda: list(theirs.chat_completion(TURNS, stream=True)))) == 3


async def test_a_client_that_is_left_ends_its_streams(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves(ROUTE, events(*STREAMED[:2], end="silent"))
    client = client_of(call, default_upstream)
    if call.run is asyncio.to_thread:

        def leave() -> list[Any]:
            with client as entered:
                stream = entered.chat.completions.create(messages=TURNS, stream=True)
                assert next(stream).choices[0].delta.content == ""
            return list(stream)

        assert await asyncio.to_thread(leave) == []
        return
    async with client as entered:
        stream = await entered.chat.completions.create(messages=TURNS, stream=True)
        assert (await anext(stream)).choices[0].delta.content == ""
    assert await collected(stream) == []


async def test_parts_of_an_answer_that_have_no_sense_are_left_out(call: CallStyle, default_upstream: Upstream) -> None:
    odd = {"tool_calls": [{"index": 0, "id": "call-1", "function": 7}]}
    scored = {"content": [{"token": "Hi", "top_logprobs": 7}]}
    default_upstream.serves(ROUTE, events(chunk(0, odd, logprobs=scored), chunk(0, {}, finish_reason="stop")))
    part, _ = await collected(await call(client_of(call, default_upstream).chat_completion, TURNS, stream=True))
    (made,) = part.choices[0].delta.tool_calls
    assert (made.id, made.function.name, made.function.arguments) == ("call-1", None, "")
    (token,) = part.choices[0].logprobs.content
    assert (token.token, token.top_logprobs) == ("Hi", [])


OWN_PARTS = [
    chunk(0, {"role": "assistant", "content": "Hi", "audio": {"id": "a", "data": "UklG"}}, token_ids=[1]),
    chunk(0, {"audio": {"data": "Rg=="}}, token_ids=[2, 3]),
    chunk(0, {}, finish_reason="stop", stop_reason=2),
    NAMED | {"choices": [], "usage": USAGE | {"cost": 0.5}, "service_tier": "flex", "timings": {"predicted_ms": 7}},
    b"data: [DONE]\n\n",
]
OWN_WHOLE = {
    "message": {"role": "assistant", "content": "Hi", "audio": {"id": "a", "data": "UklGRg=="}},
    "finish_reason": "stop",
    "stop_reason": 2,
    "token_ids": [1, 2, 3],
}


async def test_fields_that_an_engine_adds_are_kept_as_huggingface_hub_keeps_them(
    call: CallStyle, default_upstream: Upstream
) -> None:
    whole = NAMED | {"choices": [OWN_WHOLE], "usage": USAGE | {"cost": 0.5}, "service_tier": "flex"}
    whole |= {"timings": {"predicted_ms": 7}}
    default_upstream.serves(ROUTE, events(*OWN_PARTS), Answer(body=whole))
    client = client_of(call, default_upstream)
    ours = await call(asked, client)
    theirs = await asyncio.to_thread(asked, huggingface_hub.InferenceClient(base_url=client.model, api_key=TOKEN))
    for answer in (ours, theirs):
        assert (answer.service_tier, answer["timings"], answer.usage.cost) == ("flex", {"predicted_ms": 7}, 0.5)
        (choice,) = answer.choices
        assert (choice.stop_reason, choice["token_ids"]) == (2, [1, 2, 3])
        assert choice.message.audio == {"id": "a", "data": "UklGRg=="}
    assert dict(ours.usage)["cost"] == 0.5
    with pytest.raises(AttributeError):
        _ = ours.choices[0].audio


async def test_fields_that_an_engine_adds_to_a_part_are_kept(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves(ROUTE, events(*OWN_PARTS))
    parts = await collected(await call(asked, client_of(call, default_upstream), stream=True))
    assert [dict(part.choices[0]).get("token_ids") for part in parts] == [[1], [2, 3], None, None]
    assert parts[1].choices[0].delta.audio == {"data": "Rg=="}
    assert parts[-1].service_tier == "flex"


@pytest.mark.parametrize("name", ["keys", "get", "__class__", "choices", "content"])
async def test_a_field_that_an_engine_adds_never_takes_the_place_of_another(
    call: CallStyle, default_upstream: Upstream, name: str
) -> None:
    part = chunk(0, {"content": "Hi", name: "evil"} | {"content": "Hi"}, finish_reason="stop")
    default_upstream.serves(ROUTE, events(part, b"data: [DONE]\n\n"))
    answer = await call(asked, client_of(call, default_upstream))
    message = answer.choices[0].message
    assert (message.get("content"), type(message).__name__) == ("Hi", "ChatCompletionMessage")
    assert callable(message.keys)
