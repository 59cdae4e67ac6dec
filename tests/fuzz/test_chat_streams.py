"""Streams of a chat as no engine should send them: the text so far is an answer, or there is an error of ours."""

import json
from contextlib import suppress
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz.test_service_answers import ANYTHING
from tests.support.scripted_upstream import Answer, Upstream

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.chat.messages import ChatMessage

pytestmark = pytest.mark.anyio

DELTA = st.fixed_dictionaries({}, optional={"content": ANYTHING, "role": ANYTHING, "tool_calls": ANYTHING}) | ANYTHING
CHOICE = (
    st.fixed_dictionaries({}, optional={"index": ANYTHING, "delta": DELTA, "message": DELTA, "finish_reason": ANYTHING})
    | ANYTHING
)
CHUNK = (
    st.fixed_dictionaries(
        {}, optional={"choices": st.lists(CHOICE, max_size=2) | ANYTHING, "usage": ANYTHING, "error": ANYTHING}
    )
    | ANYTHING
)
EVENT = CHUNK.map(lambda chunk: b"data: " + as_json(chunk) + b"\n\n")
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
        answer = await AsyncInference(endpoints).chat("chat", [ChatMessage("user", "hello")])
        assert isinstance(answer.text, str)
    assert upstream.calls(), "the stream was not read"
