"""Call endpoints by name: tasks with typed results, chat with streaming, and any route with JSON or bytes."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar, Unpack

import anyio

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference import tasks
from inference_endpoints.inference.chat import (
    ChatDelta,
    ChatResponse,
    Messages,
    Transcript,
    build_chat_request,
    stream_deltas,
)
from inference_endpoints.inference.engine_calls import CallOptions, EngineCalls, InferenceResponse
from inference_endpoints.inference.tasks import EngineRequest, Label, Task
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.http import Sleep

Parsed = TypeVar("Parsed")
Parameters = Mapping[str, Any]
OnDelta = Callable[[ChatDelta], Awaitable[None]]


class AsyncInference:
    """Calls endpoints by name, and if necessary wakes them and waits for them.

    `namespace` has the same default as in the client. `running` is an endpoint that was running when it was last read:
    calls to it do not read it first. Every method raises errors of `inference_endpoints.errors`: `Paused`,
    `NotDeployed`, `DeploymentFailed`, `ScaledToZero` from the endpoint's state; `BadRequest`, `NotFound`,
    `RateLimited`, `Unavailable` from the engine, whose own text is in `upstream`; `InferenceEndpointTimeoutError`.

    >>> client = AsyncEndpointsClient()
    >>> inference = AsyncInference(client)
    """

    def __init__(
        self, endpoints: AsyncEndpointsClient, *, running: Endpoint | None = None, sleep: Sleep = anyio.sleep
    ) -> None:
        self._endpoints = endpoints
        self._calls = EngineCalls(endpoints, running, sleep)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._endpoints!r})"

    async def chat(
        self,
        name: str,
        messages: Messages,
        namespace: str | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        parameters: Parameters | None = None,
        on_delta: OnDelta | None = None,
        **options: Unpack[CallOptions],
    ) -> ChatResponse:
        """Answer a conversation. `parameters`: other settings of the OpenAI API, such as stop or tools.

        `on_delta` gets each delta when it arrives.

        >>> response = await inference.chat("chat", [{"role": "user", "content": "Hi"}], max_tokens=20)
        >>> print(response.text, response.woke)
        Hello! False
        """
        deadline = self._calls.start_deadline(options)
        build_request = build_chat_request(
            messages, max_tokens=max_tokens, temperature=temperature, **(parameters or {})
        )
        transcript = Transcript()
        async with (
            self._calls.open(name, namespace, build_request, deadline) as opened,
            aclosing(stream_deltas(opened, deadline)) as deltas,
        ):
            async for delta in deltas:
                transcript.add(delta, deadline.elapsed)
                if on_delta is not None:
                    await on_delta(delta)
            return transcript.response(deadline.elapsed, woke=opened.woke)

    async def stream_chat(
        self,
        name: str,
        messages: Messages,
        namespace: str | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        parameters: Parameters | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[ChatDelta]:
        """Yield the answer's deltas when they arrive. Close the generator (`contextlib.aclosing`) if you stop early.

        >>> async for delta in inference.stream_chat("chat", [{"role": "user", "content": "Hi"}]):
        ...     print(delta.text)
        Hello!
        """
        deadline = self._calls.start_deadline(options)
        build_request = build_chat_request(
            messages, max_tokens=max_tokens, temperature=temperature, **(parameters or {})
        )
        async with (
            self._calls.open(name, namespace, build_request, deadline) as opened,
            aclosing(stream_deltas(opened, deadline)) as deltas,
        ):
            async for delta in deltas:
                yield delta

    async def text_generation(
        self,
        name: str,
        prompt: str,
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **options: Unpack[CallOptions],
    ) -> str:
        """Continue a text. `parameters`: max_new_tokens, temperature, …

        >>> await inference.text_generation("chat", "Once", parameters={"max_new_tokens": 4})
        'Once upon a time'
        """
        return await self._run(tasks.TEXT_GENERATION, name, prompt, namespace, parameters, options)

    async def feature_extraction(
        self,
        name: str,
        text: str | Sequence[str],
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **options: Unpack[CallOptions],
    ) -> list[list[float]]:
        """Embed texts: one vector for each. `parameters`: normalize, truncate, prompt_name, dimensions.

        >>> await inference.feature_extraction("chat", ["It rains."])
        [[0.1, 0.2]]
        """
        texts = text if isinstance(text, str) else list(text)
        return await self._run(tasks.FEATURE_EXTRACTION, name, texts, namespace, parameters, options)

    async def sentence_similarity(
        self,
        name: str,
        sentence: str,
        other_sentences: Sequence[str],
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **options: Unpack[CallOptions],
    ) -> list[float]:
        """Compare a sentence to each of the others; 1 means the same.

        >>> await inference.sentence_similarity("chat", "It rains.", ["It is wet.", "I like cats."])
        [0.9, 0.1]
        """
        pair = {"source_sentence": sentence, "sentences": list(other_sentences)}
        return await self._run(tasks.SENTENCE_SIMILARITY, name, pair, namespace, parameters, options)

    async def text_classification(
        self,
        name: str,
        text: str,
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **options: Unpack[CallOptions],
    ) -> list[Label]:
        """Classify a text: labels with scores. `parameters`: top_k, function_to_apply.

        >>> await inference.text_classification("chat", "I like it.")
        [Label(label='POSITIVE', score=0.9)]
        """
        return await self._run(tasks.TEXT_CLASSIFICATION, name, text, namespace, parameters, options)

    async def zero_shot_classification(
        self,
        name: str,
        text: str,
        candidate_labels: Sequence[str],
        namespace: str | None = None,
        *,
        multi_label: bool = False,
        parameters: Parameters | None = None,
        **options: Unpack[CallOptions],
    ) -> list[Label]:
        """Score how well each label fits a text. `multi_label`: the scores are independent of each other.

        >>> labels = await inference.zero_shot_classification("chat", "It rains.", ["weather", "sport"])
        >>> labels[0].label
        'weather'
        """
        given = {"candidate_labels": list(candidate_labels), "multi_label": multi_label, **(parameters or {})}
        return await self._run(tasks.ZERO_SHOT_CLASSIFICATION, name, text, namespace, given, options)

    async def run(
        self,
        name: str,
        task: str,
        inputs: Any,
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Run any task of `tasks.TASKS` by its name. Returns its parsed result, or the bytes of an image or sound.

        >>> await inference.run("chat", "text-classification", "I like it.")
        [Label(label='POSITIVE', score=0.9)]
        """
        if task not in tasks.TASKS:
            raise BadRequest("This task is unknown.", hint=f"The known tasks are: {', '.join(sorted(tasks.TASKS))}.")
        return await self._run(tasks.TASKS[task], name, inputs, namespace, parameters, options)

    async def call(
        self,
        name: str,
        namespace: str | None = None,
        *,
        body: Any = None,
        content: bytes | None = None,
        path: str = "/",
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        accept: str = "application/json",
        **options: Unpack[CallOptions],
    ) -> InferenceResponse:
        """Send JSON (`body`) or a file (`content`) to any route of an endpoint.

        A file's media type is detected from its first bytes unless `headers` name one.

        >>> response = await inference.call("chat", body={"inputs": "I like it."}, path="/predict")
        >>> response.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        if body is not None and content is not None:
            raise BadRequest("Both body and content were given.", hint="Send either JSON as body or a file as content.")
        request = EngineRequest(path, body, content)
        deadline = self._calls.start_deadline(options)
        headers = {"Accept": accept, **(headers or {})}
        return await self._calls.send(name, namespace, lambda _: request, deadline, method, headers)

    async def _run(
        self,
        task: Task[Parsed],
        name: str,
        inputs: Any,
        namespace: str | None,
        parameters: Parameters | None,
        options: CallOptions,
    ) -> Parsed:
        def build_request(endpoint: Endpoint) -> EngineRequest:
            return task.build_request(inputs, parameters, engine=endpoint.model.image_key, model=endpoint.name)

        deadline = self._calls.start_deadline(options)
        response = await self._calls.send(name, namespace, build_request, deadline, "POST", {"Accept": task.accept})
        try:
            return task.parse_response(response.content_type, response.content)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise BadRequest(
                f"The endpoint's answer does not fit {task.name}: it seems to serve another task.",
                hint="Use the task of its model. Call its route to see the raw answer.",
            ) from error
