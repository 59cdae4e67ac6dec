"""The `openai` package, pointed at deployed endpoints; blocking and awaited."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from huggingface_hub import InferenceEndpoint
from openai import AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError, OpenAI
from tests.clients.conftest import Deployed

from inference_endpoints_local.daemon.connect import RunningPlane

pytestmark = pytest.mark.models
REQUEST: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}


class Caller:
    """One of the package's two clients, used alike."""

    def __init__(self, kind: type[OpenAI] | type[AsyncOpenAI], url: str, key: str) -> None:
        self._kind = kind
        self._options: dict[str, Any] = {"base_url": f"{url}/v1", "api_key": key, "max_retries": 0}

    def __call__(self, method: str, /, **arguments: Any) -> Any:
        """The answer of `chat.completions.create` and the like; a list of chunks if it is a stream."""
        return asyncio.run(self._call(method, arguments))

    async def _call(self, method: str, arguments: dict[str, Any]) -> Any:
        client = self._kind(**self._options)
        try:
            called: Any = client
            for part in method.split("."):
                called = getattr(called, part)
            answer = called(**arguments)
            answer = await answer if inspect.isawaitable(answer) else answer
            if not arguments.get("stream"):
                return answer
            return [chunk async for chunk in answer] if isinstance(answer, AsyncIterator) else list(answer)
        finally:
            closing = client.close()
            if closing is not None:
                await closing


@pytest.fixture(scope="module")
def chat(deployed: Deployed) -> Iterator[InferenceEndpoint]:
    with deployed("HuggingFaceTB/SmolLM2-135M-Instruct") as endpoint:
        yield endpoint


@pytest.fixture(params=[OpenAI, AsyncOpenAI], ids=["blocking", "awaited"])
def openai(chat: InferenceEndpoint, plane: RunningPlane, request: pytest.FixtureRequest) -> Caller:
    return Caller(request.param, str(chat.url), plane.token)


def test_the_model_that_is_served_is_listed(openai: Caller) -> None:
    assert [model.id for model in openai("models.list").data] == ["HuggingFaceTB/SmolLM2-135M-Instruct"]


def test_a_chat_is_answered_and_counted(openai: Caller) -> None:
    answer = openai("chat.completions.create", **REQUEST)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("length", "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_chat_is_streamed_with_its_count_at_the_end_if_requested(openai: Caller) -> None:
    *chunks, last = openai("chat.completions.create", stream=True, stream_options={"include_usage": True}, **REQUEST)
    assert len(chunks) > 2
    assert (last.choices, last.usage.completion_tokens <= 8) == ([], True)
    assert all(chunk.usage is None for chunk in openai("chat.completions.create", stream=True, **REQUEST))


def test_a_text_is_continued(openai: Caller) -> None:
    answer = openai("completions.create", model="chat", prompt="Once upon a time", max_tokens=5)
    assert answer.choices[0].text


def test_refusals_are_the_package_s_own_errors(openai: Caller, chat: InferenceEndpoint) -> None:
    with pytest.raises(BadRequestError):
        openai("chat.completions.create", model="chat", messages="hello")
    with pytest.raises(NotFoundError):
        openai("embeddings.create", model="chat", input="a cat")
    with pytest.raises(AuthenticationError) as refused:
        Caller(OpenAI, str(chat.url), "wrong")("models.list")
    assert "401 Unauthorized" in str(refused.value.body)


def test_sentences_become_vectors(deployed: Deployed, plane: RunningPlane) -> None:
    with deployed("sentence-transformers/all-MiniLM-L6-v2", name="vectors") as endpoint:
        for kind in (OpenAI, AsyncOpenAI):
            answer = Caller(kind, str(endpoint.url), plane.token)("embeddings.create", model="e", input=["a cat", "b"])
            assert [len(item.embedding) for item in answer.data] == [384, 384]
