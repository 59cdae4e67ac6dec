"""Chat in full through the tool: what is passed on, what comes back, and answers that end too early."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from mcp.types import TextResourceContents
from tests.support.hosts.host import Host, serving, tokens_of
from tests.support.planes.plane_driver import TOKEN
from tests.support.polling import eventually
from tests.support.service.scripted_upstream import Answer, Upstream, events

from inference_endpoints.transport.backend import Backend, local
from inference_endpoints_mcp.privacy.token_bound import MAX_ANSWER_TOKENS
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
HELLO = {"endpoint_name": "acme/chat", "message": "Hello"}
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALLED = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"x": 1}'}}


def chunk(text: str = "", index: int = 0, **more: Any) -> dict[str, Any]:
    delta = {"content": text} | {key: more.pop(key) for key in ("tool_calls", "reasoning_content") if key in more}
    return {"choices": [{"index": index, "delta": delta, **more}]}


@pytest.fixture
async def asked(upstream: Upstream, anyio_backend: str) -> AsyncIterator[Host]:
    async def open_backend(_: AsyncExitStack) -> Backend:
        return local(upstream.url, TOKEN)

    upstream.shows("running")
    upstream.answers("GET", "/v2/endpoint/acme", Answer(body={"items": []}))
    async with serving(ServerOptions(open_backend=open_backend, namespace="acme")) as host:
        yield host


async def test_tools_and_reasoning_are_passed_on_and_returned(upstream: Upstream, asked: Host) -> None:
    call = {"index": 0, **CALLED}
    upstream.serves(
        CHAT, events(chunk(reasoning_content="Hm."), chunk(tool_calls=[call]), chunk(finish_reason="tool_calls"))
    )
    settings = {"tools": [LOOK], "tool_choice": "auto", "seed": 7, "stop": ["."], "response_format": {"type": "text"}}
    facts = await asked.call("chat_with_endpoint", **HELLO, parameters=settings)
    assert {name: upstream.calls()[0].json[name] for name in settings} == settings
    assert "Hm." in facts["reasoning"]
    (requested,) = facts["tool_calls"]
    assert (requested["id"], requested["name"]) == ("c1", "look")
    assert '{"x": 1}' in requested["arguments"]
    assert facts["finish_reason"] == "tool_calls"
    assert "role tool and the tool_call_id" in facts["now"]

    upstream.serves(CHAT, events(chunk("Found.", finish_reason="stop")))
    history = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
        {"role": "tool", "tool_call_id": "c1", "content": "[]"},
    ]
    facts = await asked.call("chat_with_endpoint", endpoint_name="acme/chat", messages=history)
    assert "Found." in facts["text"]
    assert upstream.calls()[1].json["messages"] == history


async def test_every_choice_and_the_log_probabilities_are_returned(upstream: Upstream, asked: Host) -> None:
    said = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": []}]}
    upstream.serves(
        CHAT,
        events(chunk("b", 1, finish_reason="length"), chunk("a", logprobs=said, finish_reason="stop")),
    )
    facts = await asked.call("chat_with_endpoint", **HELLO, max_tokens=5, parameters={"n": 2, "logprobs": True})
    assert "\na\n" in facts["text"]
    (other,) = facts["more_choices"]
    assert (other["index"], other["finish_reason"]) == (1, "length")
    assert "\nb\n" in other["text"]
    assert '"logprob":-0.5' in facts["logprobs"]
    assert "It reached max_tokens (5) and stopped in the middle" in facts["now"]


@pytest.mark.parametrize("top", [7, "a", {"a": 1}, [7]])
async def test_log_probabilities_of_no_known_form_are_left_out(upstream: Upstream, asked: Host, top: Any) -> None:
    said = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": top}]}
    upstream.serves(CHAT, events(chunk("a", logprobs=said, finish_reason="stop")))
    facts = await asked.call("chat_with_endpoint", **HELLO)
    assert '{"token":"a","logprob":-0.5}' in facts["logprobs"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (events(chunk("Once upon "), {"error": {"message": "CUDA error"}}), "UNAVAILABLE"),
        (events(chunk("Once upon "), end="broken"), "UNAVAILABLE"),
        (events(chunk("Once upon ")), "UNAVAILABLE"),
        (events(chunk("Once upon "), end="silent"), "TIMEOUT"),
    ],
)
async def test_an_answer_that_breaks_off_is_returned_with_why(
    upstream: Upstream, asked: Host, answer: Answer, code: str
) -> None:
    upstream.serves(CHAT, answer)
    facts = await asked.call("chat_with_endpoint", **HELLO, timeout_s=1)
    assert "Once upon" in facts["text"]
    assert facts["broke_off"].startswith(f"{code}: Endpoint acme/chat ")
    assert "To go on, send the same messages, then its text as an assistant message" in facts["now"]
    assert len(upstream.calls()) == 1


async def test_what_a_cancelled_chat_wrote_is_kept(upstream: Upstream, asked: Host) -> None:
    upstream.serves(CHAT, events(chunk("Once upon a time "), end="silent"))
    call = asyncio.create_task(asked.call("chat_with_endpoint", **HELLO))
    await asked.wait_for_progress("Once upon a time")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)

    async def kept() -> list[Any]:
        return await asked.list_outputs()

    await eventually(kept)
    (resource,) = await kept()
    assert resource.description == "the text of a chat that was cancelled"
    (page,) = (await asked.client.read_resource(resource.uri)).contents
    assert isinstance(page, TextResourceContents)
    assert "Once upon a time" in page.text


async def test_progress_shows_each_part_once(upstream: Upstream, asked: Host) -> None:
    words = [f"word{number} " for number in range(60)]
    upstream.serves(CHAT, events(*(chunk(word) for word in words), end="silent"))
    call = asyncio.create_task(asked.call("chat_with_endpoint", **HELLO, timeout_s=30))
    await asked.wait_for_progress("word59")
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    shown = [message.partition("“")[2].rstrip("”") for _, message in asked.progress if "writing" in message]
    assert " ".join(part for part in shown if part).split() == [word.strip() for word in words]


async def test_everything_at_once_still_fits_into_an_answer(upstream: Upstream, asked: Host) -> None:
    long = "".join(f"{number} " for number in range(5_000))
    calls = [{"index": number, "function": {"name": "f", "arguments": json.dumps([long])}} for number in range(20)]
    said = {"content": [{"token": str(number), "logprob": -1.5} for number in range(1_000)]}
    upstream.serves(
        CHAT,
        events(
            chunk(reasoning_content=long),
            chunk(long, tool_calls=calls, logprobs=said, finish_reason="stop"),
            *(chunk(long, index, finish_reason="stop") for index in range(1, 12)),
        ),
    )
    facts = await asked.call("chat_with_endpoint", **HELLO, parameters={"n": 12})
    assert tokens_of(facts) <= MAX_ANSWER_TOKENS
    assert "\n0 1 2" in facts["text"]
    assert {"the rest of the text", "the other choices"} <= {rest["what"] for rest in facts["rest"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"messages": [{"content": "a"}]}, "messages.0.role is missing"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages.0.content.0.type is missing"),
        ({"message": "a", "parameters": {"tools": [{"a": 1}]}}, "tools.0.type is missing"),
        ({"message": "a", "parameters": {"sed": 7}}, "but seed is"),
    ],
)
async def test_a_wrong_message_is_refused_by_the_name_of_its_member(
    upstream: Upstream, asked: Host, arguments: dict[str, Any], said: str
) -> None:
    message = await asked.refused("chat_with_endpoint", "BAD_REQUEST", endpoint_name="acme/chat", **arguments)
    assert said in message
    assert upstream.seen == []
