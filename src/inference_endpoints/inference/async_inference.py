"""Call endpoints by name: tasks with typed results, chat with streaming, and any route with JSON or bytes."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar, Unpack

import anyio

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference import tasks
from inference_endpoints.inference.chat import (
    ChatAnswer,
    ChatDelta,
    Messages,
    Transcript,
    build_chat_request,
    stream_deltas,
)
from inference_endpoints.inference.cold_start import CallDeadline, OnWait, OpenResponse, open_response
from inference_endpoints.inference.engine_errors import classify_engine_error
from inference_endpoints.inference.media import detect_media_type
from inference_endpoints.inference.tasks import EngineRequest, Label, Task
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import Sleep, read_error, read_up_to

Parsed = TypeVar("Parsed")
Parameters = Mapping[str, Any]
OnDelta = Callable[[ChatDelta], Awaitable[None]]

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""Bytes of one response. A larger one is refused."""


class CallOptions(TypedDict, total=False):
    """The options of every call.

    `timeout`: seconds for the whole call (default 120). `wake`: whether the call may wake an endpoint that is scaled
    to zero, which is billed (default True). `on_wait` gets a sentence before every wait for a replica.
    """

    timeout: float
    wake: bool
    on_wait: OnWait | None


@dataclass(frozen=True)
class Reply:
    """An engine's response, unparsed. `seconds` is the duration of the call, `woke` whether it woke the endpoint.

    >>> reply = get_inference_endpoint("chat").client.post(json={"inputs": "I like it."})
    >>> reply.status, reply.content_type, reply.woke
    (200, 'application/json', False)
    """

    status: int
    content_type: str
    content: bytes = field(repr=False)
    seconds: float
    woke: bool

    def json(self) -> Any:
        """The content as JSON. Raises `BadRequest` if it is not JSON: another attempt would not help.

        >>> reply.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise BadRequest("The endpoint's answer is not JSON.", hint="Look at its content type.") from error


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
        self._running = running
        self._sleep = sleep

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
    ) -> ChatAnswer:
        """Answer a conversation. `parameters`: other settings of the OpenAI API, such as stop or tools.

        `on_delta` gets each delta when it arrives.

        >>> answer = await inference.chat("chat", [{"role": "user", "content": "Hi"}], max_tokens=20)
        >>> print(answer.text, answer.woke)
        Hello! False
        """
        deadline = CallDeadline(**options, sleep=self._sleep)
        build_request = build_chat_request(
            messages, max_tokens=max_tokens, temperature=temperature, **(parameters or {})
        )
        transcript = Transcript()
        async with (
            self._open(name, namespace, build_request, deadline) as answer,
            aclosing(stream_deltas(answer, deadline)) as deltas,
        ):
            async for delta in deltas:
                transcript.add(delta, deadline.elapsed)
                if on_delta is not None:
                    await on_delta(delta)
            return transcript.answer(deadline.elapsed, woke=answer.woke)

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
        deadline = CallDeadline(**options, sleep=self._sleep)
        build_request = build_chat_request(
            messages, max_tokens=max_tokens, temperature=temperature, **(parameters or {})
        )
        async with (
            self._open(name, namespace, build_request, deadline) as answer,
            aclosing(stream_deltas(answer, deadline)) as deltas,
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
    ) -> Reply:
        """Send JSON (`body`) or a file (`content`) to any route of an endpoint.

        A file's media type is detected from its first bytes unless `headers` name one.

        >>> reply = await inference.call("chat", body={"inputs": "I like it."}, path="/predict")
        >>> reply.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        if body is not None and content is not None:
            raise BadRequest("Both body and content were given.", hint="Send either JSON as body or a file as content.")
        request = EngineRequest(path, body, content)
        deadline = CallDeadline(**options, sleep=self._sleep)
        headers = {"Accept": accept, **(headers or {})}
        return await self._call(name, namespace, lambda _: request, deadline, method, headers)

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
            return task.build_request(inputs, parameters, engine=tasks.engine_key(endpoint), model=endpoint.name)

        deadline = CallDeadline(**options, sleep=self._sleep)
        reply = await self._call(name, namespace, build_request, deadline, "POST", {"Accept": task.accept})
        try:
            return task.parse_response(reply.content_type, reply.content)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise BadRequest(
                f"The endpoint's answer does not fit {task.name}: it seems to serve another task.",
                hint="Use the task of its model. Call its route to see the raw answer.",
            ) from error

    async def _call(
        self,
        name: str,
        namespace: str | None,
        build_request: Callable[[Endpoint], EngineRequest],
        deadline: CallDeadline,
        method: str,
        headers: Mapping[str, str],
    ) -> Reply:
        async with self._open(name, namespace, build_request, deadline, method, headers) as answer:
            response = answer.response
            with deadline.limit(f"{answer.call.label} did not finish its answer"):
                content = await read_up_to(response, MAX_RESPONSE_BYTES + 1)
        if len(content) > MAX_RESPONSE_BYTES:
            raise BadRequest("The endpoint's answer is larger than 32 MiB.", hint="Request less at a time.")
        content_type = response.headers.get("content-type", "")
        return Reply(response.status_code, content_type, content, deadline.elapsed, answer.woke)

    @asynccontextmanager
    async def _open(
        self,
        name: str,
        namespace: str | None,
        build_request: Callable[[Endpoint], EngineRequest],
        deadline: CallDeadline,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[OpenResponse]:
        """A successful response whose body is not read yet. Any other response is raised as an error."""

        async def fetch() -> Endpoint:
            return await self._endpoints.get(name, namespace)

        with deadline.limit("The control plane did not return the endpoint"):
            namespace = await self._endpoints.resolve_namespace(namespace)
            endpoint = self._running if self._running and self._running.name == name else await fetch()
        request = build_request(endpoint)
        headers = dict(headers or {})
        if request.content is not None and "content-type" not in {key.lower() for key in headers}:
            headers["Content-Type"] = detect_media_type(request.content)
        call = EndpointCall(endpoint, namespace, request.path, method, request.body, request.content, headers)
        async with open_response(self._endpoints.http, call, fetch, deadline) as answer:
            response = answer.response
            if not response.is_success:
                with deadline.limit(f"{call.label} did not finish its answer"):
                    refusal = await read_error(response)
                saw_token = self._endpoints.backend.trusts(answer.call.endpoint.url or "")
                raise classify_engine_error(answer.call, refusal, saw_token=saw_token)
            yield answer
