"""`endpoint.client` and `endpoint.async_client`: huggingface_hub's method names on the task API and chat."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from typing import Any

import pytest
from tests.inference_endpoints.hub_surface.conftest import CallStyle, client_of
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.service.scripted_upstream import SILENT, Answer, Upstream, events
from tests.support.service.scripted_upstream import TOKEN as UPSTREAM_TOKEN

from inference_endpoints import (
    AsyncEndpointsClient,
    AsyncInferenceEndpoint,
    BadRequest,
    InferenceEndpointTimeoutError,
    NotFound,
    Paused,
    Refused,
    ScaledToZero,
    local,
)
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Request

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n"
TURNS = [{"role": "user", "content": "Hello"}]
SPOKEN = [
    {"choices": [{"delta": {"content": "Hi"}}]},
    {"choices": [{"delta": {"content": " you"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
]
SCORED = [{"label": "A", "score": 0.75}]


async def call_method(call: CallStyle, upstream: Upstream, method: str, *arguments: Any, **options: Any) -> Any:
    """Call a method of the client of acme/chat, which is known to run."""
    return await call(getattr(client_of(call, upstream), method), *arguments, **options)


async def test_chat_completion_returns_the_choices_of_the_openai_api(
    call: CallStyle, default_upstream: Upstream
) -> None:
    default_upstream.serves("/v1/chat/completions", events(*SPOKEN))
    answer = await call_method(
        call, default_upstream, "chat_completion", TURNS, max_tokens=5, temperature=0.5, stop=["."], seed=None
    )
    assert answer.choices[0].message.content == "Hi you"
    assert (answer.choices[0].message.role, answer.choices[0].finish_reason) == ("assistant", "stop")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 2)
    sent = default_upstream.seen[0].json
    assert (sent["messages"], sent["max_tokens"], sent["temperature"], sent["stop"]) == (TURNS, 5, 0.5, ["."])
    assert "seed" not in sent


async def test_a_streamed_chat_comes_step_by_step_in_a_program_that_blocks(
    default_upstream: Upstream, call: CallStyle
) -> None:
    default_upstream.serves("/v1/chat/completions", events(*SPOKEN))
    client = call.handle.from_raw(default_upstream.endpoint("running"), "acme").client

    def read() -> list[str]:
        with closing(client.chat_completion(TURNS, stream=True)) as steps:
            return [step.choices[0].delta.content for step in steps]

    assert await asyncio.to_thread(read) == ["Hi", " you", ""]


async def test_a_streamed_chat_comes_step_by_step_when_awaited(default_upstream: Upstream, call: CallStyle) -> None:
    default_upstream.serves("/v1/chat/completions", events(*SPOKEN))
    client = call.handle.from_raw(default_upstream.endpoint("running"), "acme").async_client
    async with aclosing(await client.chat_completion(TURNS, stream=True)) as steps:
        assert [step.choices[0].delta.content async for step in steps] == ["Hi", " you", ""]


async def test_post_reaches_any_route(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves("/rerank", Answer(body=[{"index": 0}]))
    response = await call_method(call, default_upstream, "post", json={"query": "q"}, path="/rerank")
    assert (response.status, response.json()) == (200, [{"index": 0}])
    assert json.loads(default_upstream.seen[0].content) == {"query": "q"}


@pytest.mark.parametrize(
    ("method", "arguments", "wrong", "said"),
    [
        ("text_generation", ("once",), {"model": "gpt2-xl"}, "model cannot be another one"),
        ("text_generation", ("once",), {"max_new_token": 5}, "but max_new_tokens is"),
        ("text_generation", ("once",), {"stream": True, "temprature": 0.5}, "but temperature is"),
        ("text_generation", ("once",), {"extra_body": {"top_kk": 5}}, "but top_k is"),
        ("text_generation", ("once",), {"extra_body": [5]}, "extra_body is not a mapping"),
        ("text_classification", ("a",), {"colour": 5}, "text-classification: a parameter is not known. Nothing"),
        ("text_classification", ("a\ud83d",), {}, "text: input should be a valid string"),
        ("sentence_similarity", ("a", "bcd"), {}, "other_sentences is not a list of texts"),
        ("zero_shot_classification", ("a", "bcd"), {}, "candidate_labels is not a list of texts"),
        ("feature_extraction", (7,), {}, "text is not a list of texts"),
        ("text_generation", ("once",), {"timeout": 0}, "timeout is not a number of seconds"),
        ("chat_completion", (TURNS,), {"timeout": "5"}, "timeout is not a number of seconds"),
        ("translation", ("a",), {"src_lang": "en"}, "src_lang and tgt_lang belong together"),
        ("chat_completion", (TURNS,), {"max_token": 5}, "Chat: a parameter is not known, but max_tokens is"),
        ("chat_completion", (TURNS,), {"max_tokens": 0}, "max_tokens: "),
        ("chat_completion", ("Hello",), {}, "messages is not a list"),
        ("chat_completion", ([{"role": "user", "content": "\ud83d"}],), {}, "half of a surrogate pair"),
        ("health_check", (), {"model": "gpt2-xl"}, "model cannot be another one"),
    ],
)
async def test_what_is_wrong_in_a_call_is_an_error_of_ours_and_nothing_is_sent(
    call: CallStyle, default_upstream: Upstream, method: str, arguments: Any, wrong: Any, said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        await call_method(call, default_upstream, method, *arguments, **wrong)
    assert default_upstream.seen == []


@pytest.mark.parametrize(("method", "given"), [("chat_completion", TURNS), ("text_generation", "once")])
async def test_what_refuses_a_stream_is_raised_by_the_call(
    call: CallStyle, default_upstream: Upstream, method: str, given: Any
) -> None:
    refused = Answer(422, {"error": "too many tokens", "error_type": "validation"})
    for route in ("/", "/v1/chat/completions"):
        default_upstream.serves(route, refused)
    with pytest.raises(BadRequest) as caught:
        await call_method(call, default_upstream, method, given, stream=True)
    assert caught.value.upstream == "too many tokens"


async def test_the_endpoints_own_model_may_be_named(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves("/", Answer(body=SCORED))
    for name in ("gpt2", "chat", f"{default_upstream.url}/serve/chat"):
        assert await call_method(call, default_upstream, "text_classification", "a", model=name)
    default_upstream.serves("/v1/chat/completions", events(*SPOKEN))
    await call_method(call, default_upstream, "chat_completion", TURNS, model="an adapter")
    assert [seen.json.get("model") for seen in default_upstream.seen] == [None, None, None, "an adapter"]


async def test_values_that_json_cannot_have_are_an_error_of_ours(call: CallStyle, default_upstream: Upstream) -> None:
    for value in ({1, 2}, "\ud83d"):
        with pytest.raises(BadRequest, match="cannot be written as JSON"):
            await call_method(call, default_upstream, "text_generation", "once", extra_body={"own": value})
    assert default_upstream.seen == []


async def test_an_endpoint_not_known_to_run_is_read_first(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.shows("paused")
    with pytest.raises(Paused):
        await call(client_of(call, default_upstream, "initializing").text_generation, "once")


async def test_an_endpoint_that_must_not_be_woken_is_read_first(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.shows("scaledToZero")
    client = client_of(call, default_upstream)
    client.wake = False
    with pytest.raises(ScaledToZero):
        await call(client.text_generation, "once")
    assert default_upstream.calls() == []


async def test_a_guard_gets_the_effect_of_a_call_now_and_not_the_one_at_the_last_read(
    default_upstream: Upstream,
) -> None:
    effects: list[Effect] = []

    class Watching:
        @asynccontextmanager
        async def guard_request(self, request: Request) -> AsyncIterator[None]:
            yield

        @asynccontextmanager
        async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
            effects.append(call.effect)
            if call.effect is not Effect.READS:
                raise Refused("Waking it is not allowed.")
            yield

    default_upstream.shows("scaledToZero")
    async with AsyncEndpointsClient(local(default_upstream.url, UPSTREAM_TOKEN), guard=Watching()) as api:
        endpoint = AsyncInferenceEndpoint.from_raw(default_upstream.endpoint("running"), "acme", api=api)
        with pytest.raises(Refused):
            await endpoint.async_client.text_generation("once")
        with pytest.raises(Refused):
            await asyncio.to_thread(endpoint.client.text_generation, "once")
    assert effects == [Effect.SPENDS, Effect.SPENDS]


async def test_a_client_waits_no_longer_than_its_timeout(call: CallStyle, default_upstream: Upstream) -> None:
    for route in ("/", "/v1/chat/completions"):
        default_upstream.serves(route, SILENT)
    client = client_of(call, default_upstream)
    client.timeout = 0.1
    with pytest.raises(InferenceEndpointTimeoutError):
        await call(client.text_generation, "once")
    with pytest.raises(InferenceEndpointTimeoutError):
        await call(client.chat.completions.create, TURNS)
    client.timeout = HANG_TIMEOUT_S
    for method, given in (("text_generation", "once"), ("chat_completion", TURNS), ("image_to_text", PNG)):
        with pytest.raises(InferenceEndpointTimeoutError, match=r"within 0\.1"):
            await call(getattr(client, method), given, timeout=0.1)


async def test_health_and_info_are_requested(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.answers("GET", "/serve/chat/health", Answer(200), Answer(503))
    assert await call_method(call, default_upstream, "health_check") is True
    assert await call_method(call, default_upstream, "health_check") is False
    with pytest.raises(NotFound):
        await call_method(call, default_upstream, "get_endpoint_info")
    default_upstream.answers("GET", "/serve/chat/info", Answer(body={"model_id": "gpt2"}))
    assert await call_method(call, default_upstream, "get_endpoint_info") == {"model_id": "gpt2"}
