"""`endpoint.client` and `endpoint.async_client`: huggingface_hub's method names on the task API and chat."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from tests.inference_endpoints.hub_surface.conftest import LOCAL, CallStyle, set_default_control_plane
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.plane_driver import TOKEN, PlaneOf
from tests.support.scripted_upstream import SILENT, Answer, Upstream, events
from tests.support.scripted_upstream import TOKEN as UPSTREAM_TOKEN

from inference_endpoints import (
    AsyncEndpointsClient,
    AsyncInferenceEndpoint,
    BadRequest,
    InferenceEndpointTimeoutError,
    Label,
    NotFound,
    Paused,
    Refused,
    ScaledToZero,
    local,
)
from inference_endpoints.inference.tasks.outputs import Answer as Answered
from inference_endpoints.inference.tasks.outputs import (
    BoundingBox,
    DetectedObject,
    Entity,
    MaskCandidate,
    Segment,
    TableAnswer,
)
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.operations import Effect, Request
from inference_endpoints_local.engines.programs import from_catalogue

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n"
TURNS = [{"role": "user", "content": "Hello"}]
SPOKEN = [
    {"choices": [{"delta": {"content": "Hi"}}]},
    {"choices": [{"delta": {"content": " you"}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
]
SCORED = [{"label": "A", "score": 0.75}]

CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any], Any, Any, Any]] = {
    # Method: its arguments, then what the engine is sent, what it answers, and what is returned.
    "text_generation": (
        ("once",),
        {"max_new_tokens": 5, "temperature": None},
        {"inputs": "once", "parameters": {"max_new_tokens": 5}},
        [{"generated_text": "upon"}],
        "upon",
    ),
    "feature_extraction": (
        ("a",),
        {"normalize": True},
        {"inputs": "a", "normalize": True},
        [[1, 2]],
        [[1.0, 2.0]],
    ),
    "sentence_similarity": (
        ("a", ["b", "c"]),
        {},
        {"inputs": {"source_sentence": "a", "sentences": ["b", "c"]}, "parameters": {}},
        [0.5, 1],
        [0.5, 1.0],
    ),
    "text_classification": (
        ("a",),
        {"top_k": 1},
        {"inputs": "a", "parameters": {"top_k": 1}},
        [SCORED],
        [Label("A", 0.75)],
    ),
    "zero_shot_classification": (
        ("a", ["A"]),
        {},
        {"inputs": "a", "parameters": {"candidate_labels": ["A"], "multi_label": False}},
        SCORED,
        [Label("A", 0.75)],
    ),
    "token_classification": (("a",), {}, {"inputs": "a", "parameters": {}}, [{"word": "a"}], [Entity("a")]),
    "fill_mask": (("a",), {}, {"inputs": "a", "parameters": {}}, [{"token_str": "b"}], [MaskCandidate("b")]),
    "summarization": (("a",), {}, {"inputs": "a", "parameters": {}}, [{"summary_text": "b"}], "b"),
    "translation": (
        ("a",),
        {"src_lang": "en"},
        {"inputs": "a", "parameters": {"src_lang": "en"}},
        [{"translation_text": "b"}],
        "b",
    ),
    "question_answering": (
        ("why", "because"),
        {},
        {"inputs": {"question": "why", "context": "because"}, "parameters": {}},
        {"answer": "because"},
        Answered("because"),
    ),
    "table_question_answering": (
        ({"a": ["1"]}, "what"),
        {},
        {"inputs": {"query": "what", "table": {"a": ["1"]}}, "parameters": {}},
        {"answer": "1"},
        TableAnswer("1"),
    ),
    "automatic_speech_recognition": ((b"fLaC..",), {}, b"fLaC..", {"text": "hello"}, "hello"),
    "audio_classification": ((b"fLaC..",), {}, b"fLaC..", SCORED, [Label("A", 0.75)]),
    "image_classification": (
        (PNG,),
        {"top_k": 1},
        {"inputs": b64encode(PNG).decode(), "parameters": {"top_k": 1}},
        SCORED,
        [Label("A", 0.75)],
    ),
    "image_segmentation": ((PNG,), {}, PNG, [{"label": "A"}], [Segment("A")]),
    "object_detection": (
        (PNG,),
        {},
        PNG,
        [{"label": "A", "score": 0.5, "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}}],
        [DetectedObject("A", 0.5, BoundingBox(1, 2, 3, 4))],
    ),
    "image_to_text": ((PNG,), {}, PNG, [{"generated_text": "a cat"}], "a cat"),
    "text_to_image": (("a cat",), {"seed": 1}, {"inputs": "a cat", "parameters": {"seed": 1}}, PNG, PNG),
    "text_to_speech": (("hello",), {}, {"inputs": "hello", "parameters": {}}, b"fLaC", b"fLaC"),
}


async def call_method(call: CallStyle, upstream: Upstream, method: str, *arguments: Any, **options: Any) -> Any:
    """Call a method of the client of acme/chat, which is known to run."""
    return await call(getattr(client_of(call, upstream), method), *arguments, **options)


def client_of(call: CallStyle, upstream: Upstream, state: str = "running") -> Any:
    endpoint = call.handle.from_raw(upstream.endpoint(state), "acme")
    return endpoint.client if call.run is asyncio.to_thread else endpoint.async_client


@pytest.mark.parametrize("method", CALLS)
async def test_a_task_is_one_request_and_its_answer_plain(
    call: CallStyle, default_upstream: Upstream, method: str
) -> None:
    arguments, options, sent, answered, returned = CALLS[method]
    default_upstream.serves("/", Answer(body=answered))
    assert await call_method(call, default_upstream, method, *arguments, **options) == returned
    (seen,) = default_upstream.seen
    assert (seen.content if isinstance(sent, bytes) else seen.json) == sent


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


async def test_media_is_read_from_a_file_by_its_path(
    call: CallStyle, default_upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / "cat.png").write_bytes(PNG)
    default_upstream.serves("/", Answer(body=SCORED))
    for path in (tmp_path / "cat.png", str(tmp_path / "cat.png")):
        await call_method(call, default_upstream, "image_classification", path)
        assert default_upstream.seen[-1].content == PNG
        assert default_upstream.seen[-1].headers["content-type"] == "image/png"


async def test_post_reaches_any_route(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.serves("/rerank", Answer(body=[{"index": 0}]))
    response = await call_method(call, default_upstream, "post", json={"query": "q"}, path="/rerank")
    assert (response.status, response.json()) == (200, [{"index": 0}])
    assert json.loads(default_upstream.seen[0].content) == {"query": "q"}


async def test_arguments_that_are_not_the_tasks_are_refused_by_name(
    call: CallStyle, default_upstream: Upstream
) -> None:
    for wrong in ({"model": "gpt2"}, {"stream": True}, {"details": True}):
        with pytest.raises(BadRequest, match=next(iter(wrong))):
            await call_method(call, default_upstream, "text_generation", "once", **wrong)
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
    default_upstream.serves("/", SILENT)
    client = client_of(call, default_upstream)
    client.timeout = 0.1
    with pytest.raises(InferenceEndpointTimeoutError):
        await call(client.text_generation, "once")


async def test_health_and_info_are_requested(call: CallStyle, default_upstream: Upstream) -> None:
    default_upstream.answers("GET", "/serve/chat/health", Answer(200), Answer(503))
    assert await call_method(call, default_upstream, "health_check") is True
    assert await call_method(call, default_upstream, "health_check") is False
    with pytest.raises(NotFound):
        await call_method(call, default_upstream, "get_endpoint_info")
    default_upstream.answers("GET", "/serve/chat/info", Answer(body={"model_id": "gpt2"}))
    assert await call_method(call, default_upstream, "get_endpoint_info") == {"model_id": "gpt2"}


@pytest.mark.models
async def test_real_models_answer_both_clients(
    call: CallStyle, plane_of: PlaneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with plane_of(programs=from_catalogue, cores=5) as driver:
        set_default_control_plane(monkeypatch, driver.plane.url, TOKEN)
        embeds, client = "sentence-transformers/all-MiniLM-L6-v2", dict[str, Any]()
        for name, repository, task in (
            ("chat", "HuggingFaceTB/SmolLM2-135M-Instruct", None),
            ("embed", embeds, None),
            ("compare", embeds, "sentence-similarity"),
            ("sort", embeds, "zero-shot-classification"),
            ("language", "fasttext/lid.176-ftz", None),
        ):
            endpoint = await call.function("create_inference_endpoint", name, repository=repository, task=task, **LOCAL)
            await call(endpoint.wait, timeout=HANG_TIMEOUT_S, refresh_every=0.1)
            client[name] = endpoint.client if call.run is asyncio.to_thread else endpoint.async_client
        answer = await call(client["chat"].chat_completion, TURNS, max_tokens=8)
        assert answer.choices[0].message.content
        assert await call(client["chat"].text_generation, "Once upon a time", max_new_tokens=5)
        (vector,) = await call(client["embed"].feature_extraction, "a cat")
        assert len(vector) == 384
        near, far = await call(client["compare"].sentence_similarity, "a cat", ["a kitten", "a tax form"])
        assert near > far
        labels = await call(client["sort"].zero_shot_classification, "I love football", ["sport", "cooking"])
        assert labels[0].label == "sport"
        labels = await call(client["language"].text_classification, "Wo ist der Bahnhof?")
        assert "de" in labels[0].label
