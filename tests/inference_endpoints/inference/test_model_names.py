"""The name of the model in requests: most engines of the OpenAI API serve it under its repository's id."""

from typing import Any

import pytest
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import NotFound
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.hub_client.async_client import AsyncInferenceClient
from inference_endpoints.models import Endpoint

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello"}]
GOOD = Answer(body={"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]})
UNKNOWN = Answer(404, {"error": {"message": "The model `X` does not exist.", "type": "NotFoundError", "code": 404}})
ADAPTER = {"id": "acme/adapter", "parent": "served-name"}
NAMES = Answer(body={"object": "list", "data": [ADAPTER, {"id": "served-name", "root": "/repository", "parent": None}]})


def lists_names(upstream: Upstream, *answers: Answer) -> None:
    upstream.answers("GET", "/serve/chat/v1/models", *answers)


def requests(upstream: Upstream) -> list[Any]:
    """The path of each call of the endpoint, or the name of the model in its body."""
    return [seen.json["model"] if seen.content else seen.path.removeprefix("/serve/chat") for seen in upstream.calls()]


@pytest.mark.parametrize(
    ("engine", "name"),
    [("vLLM", "gpt2"), ("sGLang", "gpt2"), ("llamacpp", "gpt2"), ("custom", "gpt2"), ("tgi", "tgi"), ("tei", "gpt2")],
)
async def test_a_request_names_the_model_as_its_engine_serves_it_and_nothing_is_read_for_it(
    upstream: Upstream, inference: AsyncInference, engine: str, name: str
) -> None:
    upstream.runs(engine)
    upstream.serves(CHAT, GOOD)
    await inference.chat("chat", HELLO)
    assert requests(upstream) == [name]


async def test_a_name_that_the_engine_refuses_is_replaced_by_the_one_it_lists_and_remembered(
    upstream: Upstream, endpoints: AsyncEndpointsClient
) -> None:
    upstream.runs("vLLM")
    upstream.serves(CHAT, UNKNOWN, GOOD)
    lists_names(upstream, NAMES)
    endpoint = Endpoint.model_validate(upstream.endpoint("running"))
    for _ in range(2):
        answer = await AsyncInferenceClient(endpoint, "acme", endpoints).chat_completion(HELLO)
        assert answer.choices[0].message.content == "Hi"
    assert requests(upstream) == ["gpt2", "/v1/models", "served-name", "served-name"]


async def test_tasks_find_the_name_too(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.runs("vLLM")
    upstream.serves("/v1/embeddings", UNKNOWN, Answer(body={"data": [{"index": 0, "embedding": [1]}]}))
    lists_names(upstream, NAMES)
    assert await inference.run("chat", "feature-extraction", "a") == [1.0]
    assert requests(upstream) == ["gpt2", "/v1/models", "served-name"]


async def test_the_name_is_learned_again_after_an_update(upstream: Upstream, inference: AsyncInference) -> None:
    upstream.runs("vLLM")
    upstream.serves(CHAT, UNKNOWN, GOOD)
    lists_names(upstream, NAMES)
    await inference.chat("chat", HELLO)
    upstream.runs("vLLM", updatedAt="2026-11-26T12:00:00Z")
    await inference.chat("chat", HELLO)
    assert requests(upstream) == ["gpt2", "/v1/models", "served-name", "gpt2"]


@pytest.mark.parametrize(
    "names",
    [
        Answer(404, {"detail": "Not Found"}),
        Answer(body={"data": [7]}),
        Answer(body=[]),
        Answer(body={"data": [{"id": "\ud83d"}, {"id": "a\nb"}, {"id": "a" * 1_000}, {"id": ""}, {"id": None}]}),
    ],
)
async def test_a_name_that_cannot_be_found_is_an_error_about_the_name(
    upstream: Upstream, inference: AsyncInference, names: Answer
) -> None:
    upstream.runs("vLLM")
    upstream.serves(CHAT, UNKNOWN)
    lists_names(upstream, names)
    with pytest.raises(NotFound, match="does not serve a model of this name") as caught:
        await inference.chat("chat", HELLO)
    assert caught.value.upstream == "The model `X` does not exist."
    assert len(upstream.calls()) == 2


async def test_a_name_that_the_caller_chose_is_not_replaced_and_the_error_lists_the_others(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.runs("vLLM")
    upstream.serves(CHAT, UNKNOWN)
    lists_names(upstream, NAMES)
    with pytest.raises(NotFound, match="does not serve a model of this name") as caught:
        await inference.call("chat", path=CHAT, body={"model": "mine", "messages": HELLO})
    assert "It serves: served-name, acme/adapter" in caught.value.upstream
    assert "served-name" not in str(caught.value)
    assert requests(upstream) == ["mine", "/v1/models"]


async def test_an_engine_that_is_woken_by_a_refused_name_is_woken_once(
    upstream: Upstream, inference: AsyncInference
) -> None:
    upstream.shows("scaledToZero", "running")
    upstream.serves(CHAT, UNKNOWN, GOOD)
    lists_names(upstream, NAMES)
    waits: list[str] = []

    async def on_wait(sentence: str) -> None:
        waits.append(sentence)

    answer = await inference.chat("chat", HELLO, on_wait=on_wait)
    assert (answer.text, answer.woke, len(waits)) == ("Hi", True, 1)


@pytest.mark.parametrize("engine", ["vLLM", "sGLang", "llamacpp"])
async def test_the_error_of_an_engine_of_the_openai_api_names_its_routes(
    upstream: Upstream, inference: AsyncInference, engine: str
) -> None:
    upstream.runs(engine)
    upstream.serves("/", Answer(404, {"detail": "Not Found"}))
    with pytest.raises(NotFound, match=r"/v1/chat/completions, /v1/completions or /v1/embeddings"):
        await inference.call("chat", body={"inputs": "a"})
