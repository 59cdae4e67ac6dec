"""Real models on the embedded plane: the same call by huggingface_hub, by openai and by both of our clients."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import huggingface_hub
import openai
import pytest
from tests.inference_endpoints.hub_surface.conftest import LOCAL, collected, set_default_control_plane
from tests.inference_endpoints.hub_surface.plain_data import plain
from tests.support.hang import HANG_TIMEOUT_S
from tests.support.planes.plane_driver import TOKEN, PlaneOf

from inference_endpoints import AsyncInferenceEndpoint, aio, get_inference_endpoint
from inference_endpoints_local.engines.programs import from_catalogue

pytestmark = [pytest.mark.anyio, pytest.mark.models]

EMBEDS = "sentence-transformers/all-MiniLM-L6-v2"
MODELS: tuple[tuple[str, str, Any], ...] = (
    ("chat", "HuggingFaceTB/SmolLM2-135M-Instruct", None),
    ("embed", EMBEDS, None),
    ("compare", EMBEDS, "sentence-similarity"),
    ("sort", EMBEDS, "zero-shot-classification"),
    ("language", "fasttext/lid.176-ftz", None),
)
TURNS: list[Any] = [{"role": "user", "content": "Name a colour."}]
GREEDY: dict[str, Any] = {"max_tokens": 8, "temperature": 0.0, "seed": 1}


@pytest.fixture
async def endpoints(plane_of: PlaneOf, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """A running endpoint of each model, by name."""
    async with plane_of(programs=from_catalogue, cores=5) as driver:
        set_default_control_plane(monkeypatch, driver.plane.url, TOKEN)
        deployed = {}
        for name, repository, task in MODELS:
            deployed[name] = await aio.create_inference_endpoint(name, repository=repository, task=task, **LOCAL)
        for endpoint in deployed.values():
            await endpoint.wait(timeout=HANG_TIMEOUT_S, refresh_every=0.1)
        yield deployed


async def test_all_clients_get_the_same_answers(endpoints: dict[str, AsyncInferenceEndpoint]) -> None:
    async def same(name: str, method: str, *arguments: Any, **options: Any) -> Any:
        """What our clients return, which is what huggingface_hub returns."""
        endpoint = endpoints[name]
        theirs = huggingface_hub.InferenceClient(model=endpoint.url, token=TOKEN)
        blocking = await asyncio.to_thread(lambda: get_inference_endpoint(name).client)
        expected = await asyncio.to_thread(whole, getattr(theirs, method), *arguments, **options)
        waited = await asyncio.to_thread(whole, getattr(blocking, method), *arguments, **options)
        awaited = await getattr(endpoint.async_client, method)(*arguments, **options)
        awaited = await collected(awaited) if options.get("stream") else awaited
        assert plain(waited) == plain(awaited) == plain(expected)
        return awaited

    text = await same("chat", "text_generation", "Once upon a time", max_new_tokens=5)
    parts = await same("chat", "text_generation", "Once upon a time", max_new_tokens=5, stream=True)
    assert "".join(parts) == text != ""
    detailed = await same("chat", "text_generation", "Once upon a time", max_new_tokens=5, details=True)
    assert detailed.generated_text == text
    assert (detailed.details.finish_reason, detailed.details.generated_tokens) == ("length", 5)
    tokens = await same("chat", "text_generation", "Once", max_new_tokens=3, details=True, stream=True)
    assert tokens[-1].generated_text == "".join(token.token.text for token in tokens)

    vectors = await same("embed", "feature_extraction", ["a cat", "a tax form"], normalize=True)
    assert vectors.shape == (2, 384)
    near, far = await same("compare", "sentence_similarity", "a cat", ["a kitten", "a tax form"])
    assert near > far
    labels = await same("sort", "zero_shot_classification", "I love football", ["sport", "cooking"])
    assert labels[0].label == "sport"
    labels = await same("language", "text_classification", "Wo ist der Bahnhof?", top_k=2)
    assert "de" in labels[0].label


async def test_a_chat_is_that_of_all_clients(endpoints: dict[str, AsyncInferenceEndpoint]) -> None:
    endpoint = endpoints["chat"]
    hub = huggingface_hub.InferenceClient(base_url=endpoint.url, api_key=TOKEN)
    blocking = await asyncio.to_thread(lambda: get_inference_endpoint("chat").client)
    with openai.OpenAI(base_url=f"{endpoint.url}/v1", api_key=TOKEN) as other:

        def spoken(client: Any) -> Any:
            return client.chat.completions.create(model="chat", messages=TURNS, n=2, logprobs=True, **GREEDY)

        def streamed(client: Any) -> str:
            parts = client.chat.completions.create(model="chat", messages=TURNS, stream=True, **GREEDY)
            return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)

        expected, *others = [await asyncio.to_thread(spoken, each) for each in (hub, other, blocking)]
        others.append(await endpoint.async_client.chat_completion(TURNS, n=2, logprobs=True, **GREEDY))
        for answer in others:
            assert [essence(choice) for choice in answer.choices] == [essence(choice) for choice in expected.choices]
            assert answer.usage.total_tokens == expected.usage.total_tokens
            assert answer.id
            assert answer.created > 0
        texts = {await asyncio.to_thread(streamed, each) for each in (hub, other, blocking)}
        assert texts == {expected.choices[0].message.content}


def essence(choice: Any) -> tuple[Any, ...]:
    tokens = [(item.token, round(item.logprob, 3)) for item in choice.logprobs.content]
    return choice.index, choice.message.role, choice.message.content, choice.finish_reason, tokens


def whole(method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    result = method(*arguments, **options)
    return list(result) if options.get("stream") else result
