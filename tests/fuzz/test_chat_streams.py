"""Streams of a chat and of a text as no engine should send them: there is an answer, or an error of ours."""

import json
from contextlib import aclosing, suppress
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.test_service_answers import ANYTHING
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.chat.messages import ChatMessage
from inference_endpoints.inference.hub_client.async_client import AsyncInferenceClient
from inference_endpoints.models import Endpoint

pytestmark = pytest.mark.anyio

HELLO = ChatMessage("user", "hello")

CALLED = st.fixed_dictionaries({}, optional={"index": ANYTHING, "id": ANYTHING, "function": ANYTHING})
DELTA = (
    st.fixed_dictionaries(
        {}, optional={"content": ANYTHING, "role": ANYTHING, "tool_calls": st.lists(CALLED, max_size=2) | ANYTHING}
    )
    | ANYTHING
)
SCORED = st.fixed_dictionaries({}, optional={"token": ANYTHING, "logprob": ANYTHING, "top_logprobs": ANYTHING})
REASON = st.sampled_from(["stop", "length", None]) | ANYTHING
LOGPROBS = st.fixed_dictionaries({}, optional={"content": st.lists(SCORED, max_size=2) | ANYTHING, "tokens": ANYTHING})
CHOICE = (
    st.fixed_dictionaries(
        {},
        optional={
            "index": ANYTHING,
            "delta": DELTA,
            "message": DELTA,
            "finish_reason": ANYTHING,
            "text": ANYTHING,
            "logprobs": LOGPROBS | ANYTHING,
        },
    )
    | ANYTHING
)
TOKEN = st.fixed_dictionaries({}, optional={"id": ANYTHING, "text": ANYTHING}) | ANYTHING
TOKEN_EVENT = st.fixed_dictionaries(
    {"token": TOKEN},
    optional={"index": ANYTHING, "generated_text": ANYTHING, "details": ANYTHING, "top_tokens": ANYTHING},
)
CHUNK = (
    st.fixed_dictionaries(
        {}, optional={"choices": st.lists(CHOICE, max_size=2) | ANYTHING, "usage": ANYTHING, "error": ANYTHING}
    )
    | ANYTHING
)
EVENT = (CHUNK | TOKEN_EVENT).map(lambda chunk: b"data: " + as_json(chunk) + b"\n\n")
LINE = st.sampled_from(
    [b"data: [DONE]\n\n", b"data:\n\n", b": a comment\n", b"event: error\n", b"\r\n\r\n", b"retry: x\n"]
)
PACKET = EVENT | LINE | st.binary(min_size=1, max_size=40)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "replace")


@given(packets=st.lists(PACKET, max_size=6), end=st.sampled_from(["proper", "broken"]))
async def test_a_stream_ends_as_an_answer_or_an_error_of_ours(
    upstream: Upstream,
    endpoints: AsyncEndpointsClient,
    packets: list[bytes],
    end: Literal["proper", "broken"],
) -> None:
    upstream.shows("running")
    upstream.serves(
        "/v1/chat/completions", Answer(headers={"content-type": "text/event-stream"}, parts=packets, end=end)
    )
    with suppress(InferenceEndpointError):
        answer = await AsyncInference(endpoints).chat("chat", [HELLO])
        assert isinstance(answer.text, str)
    assert upstream.calls(), "the stream was not read"


@given(packets=st.lists(PACKET, max_size=6), method=st.sampled_from(["chat_completion", "text_generation"]))
async def test_parts_come_as_objects_or_there_is_an_error_of_ours(
    upstream: Upstream, endpoints: AsyncEndpointsClient, packets: list[bytes], method: str
) -> None:
    answer = Answer(headers={"content-type": "text/event-stream"}, parts=packets)
    for route in ("/", "/v1/chat/completions"):
        upstream.serves(route, answer)
    endpoint = Endpoint.model_validate(upstream.endpoint("running"))
    client = AsyncInferenceClient(endpoint, "acme", endpoints)
    upstream.shows("running")
    asked, details = ("hello", {"details": True}) if method == "text_generation" else ([HELLO], {})
    with suppress(InferenceEndpointError):
        async with aclosing(await getattr(client, method)(asked, stream=True, **details)) as parts:
            async for part in parts:
                assert dict(part)
    assert upstream.calls(), "the stream was not read"
