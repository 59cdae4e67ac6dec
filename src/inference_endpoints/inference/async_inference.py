"""Call endpoints by name: tasks with parsed results, chat with streaming, and any route with JSON or bytes."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Unpack

import anyio

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference import chat
from inference_endpoints.inference.batches import join_answers, split_request
from inference_endpoints.inference.chat import ChatDelta, ChatResponse, Messages
from inference_endpoints.inference.cold_start import CallDeadline, CallOptions, OpenResponse
from inference_endpoints.inference.engine_caller import BuildRequest, EngineCaller, EngineTarget
from inference_endpoints.inference.tasks import TASKS, EngineRequest
from inference_endpoints.models import Endpoint
from inference_endpoints.models.json_text import parse_json
from inference_endpoints.transport.http import Sleep, read_up_to

Parameters = Mapping[str, Any]
OnDelta = Callable[[ChatDelta], Awaitable[None]]


MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""Bytes of one response. A larger one is refused."""


@dataclass(frozen=True)
class InferenceResponse:
    """An engine's response, unparsed. `seconds` is the duration of the call, `woke` whether it woke the endpoint.

    >>> response = get_inference_endpoint("chat").client.post(json={"inputs": "I like it."})
    >>> response.status, response.content_type, response.woke
    (200, 'application/json', False)
    """

    status: int
    content_type: str
    content: bytes = field(repr=False)
    seconds: float
    woke: bool

    def json(self) -> Any:
        """The content as JSON. Raises `BadRequest` if it is not JSON: another attempt would not help.

        >>> response.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        try:
            return parse_json(self.content)
        except ValueError as error:
            raise BadRequest("The endpoint's answer is not JSON.", hint="Check its content type.") from error


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
        self._engines = EngineCaller(endpoints, running)
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
    ) -> ChatResponse:
        """Answer a conversation. `parameters`: other settings of the OpenAI API, such as stop or tools.

        `on_delta` gets each delta when it arrives.

        >>> response = await inference.chat("chat", [{"role": "user", "content": "Hi"}], max_tokens=20)
        >>> print(response.text, response.woke)
        Hello! False
        """
        deadline = CallDeadline(**options, sleep=self._sleep)
        settings = {"max_tokens": max_tokens, "temperature": temperature, **(parameters or {})}
        transcript = chat.Transcript()
        async with self._open_chat(name, namespace, messages, settings, deadline) as (opened, deltas):
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
        deadline = CallDeadline(**options, sleep=self._sleep)
        settings = {"max_tokens": max_tokens, "temperature": temperature, **(parameters or {})}
        async with self._open_chat(name, namespace, messages, settings, deadline) as (_, deltas):
            async for delta in deltas:
                yield delta

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
        """Run a task by its name on the Hub, such as text-classification. Returns its parsed result, or the bytes of an
        image or sound.

        A pair is a dict: source_sentence and sentences, question and context, query and table.

        >>> await inference.run("chat", "text-classification", "I like it.", parameters={"top_k": 1})
        [Label(label='POSITIVE', score=0.9)]
        """
        if task not in TASKS:
            raise BadRequest("This task is unknown.", hint=f"The known tasks are: {', '.join(sorted(TASKS))}.")
        known = TASKS[task]

        def build_request(endpoint: Endpoint, model: str) -> EngineRequest:
            return known.build_request(inputs, parameters, engine=endpoint.model.image_key, model=model)

        deadline = CallDeadline(**options, sleep=self._sleep)
        response = await self._send(name, namespace, build_request, deadline, "POST", {"Accept": known.accept})
        try:
            return known.parse_response(response.content_type, response.content)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise BadRequest(
                f"The endpoint's answer does not fit {task}: it seems to serve another task.",
                hint="Use the task of its model. Call its route to see the raw answer.",
            ) from error

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
        """Send JSON (`body`) or a file (`content`) to any route of an endpoint. More texts than its engine takes at a
        time are sent in parts, and the answers joined.

        A file's media type is detected from its first bytes unless `headers` name one.

        >>> response = await inference.call("chat", body={"inputs": "I like it."}, path="/predict")
        >>> response.json()
        [{'label': 'POSITIVE', 'score': 0.9}]
        """
        if body is not None and content is not None:
            raise BadRequest("Both body and content were given.", hint="Send either JSON as body or a file as content.")
        request = EngineRequest(path, body, content)
        deadline = CallDeadline(**options, sleep=self._sleep)
        headers = {"Accept": accept, **(headers or {})}
        return await self._send(name, namespace, lambda *_: request, deadline, method, headers)

    @asynccontextmanager
    async def _open_chat(
        self, name: str, namespace: str | None, messages: Messages, settings: Parameters, deadline: CallDeadline
    ) -> AsyncIterator[tuple[OpenResponse, AsyncGenerator[ChatDelta]]]:
        """The response to a conversation, and its deltas."""
        build_request = chat.build_chat_request(messages, **settings)
        target = await self._engines.find(name, namespace, deadline)
        async with (
            self._engines.open(target, build_request, deadline) as opened,
            aclosing(chat.stream_deltas(opened, deadline)) as deltas,
        ):
            yield opened, deltas

    async def _send(
        self,
        name: str,
        namespace: str | None,
        build_request: BuildRequest,
        deadline: CallDeadline,
        method: str,
        headers: Mapping[str, str],
    ) -> InferenceResponse:
        """A whole response. A batch that is too large is sent in parts; its limit is learned where it is not known."""
        target = await self._engines.find(name, namespace, deadline)
        while True:
            limit = target.facts.max_batch(target.endpoint)
            try:
                return await self._send_parts(target, build_request, limit, deadline, method, headers)
            except BadRequest as error:
                if error.status != 413 or not target.facts.learn_max_batch(error.upstream, target.endpoint):
                    raise

    async def _send_parts(
        self,
        target: EngineTarget,
        build_request: BuildRequest,
        limit: int | None,
        deadline: CallDeadline,
        method: str,
        headers: Mapping[str, str],
    ) -> InferenceResponse:
        @cache  # a large batch is split once, not once for each part
        def split(model: str) -> list[EngineRequest]:
            return split_request(build_request(target.endpoint, model), limit)

        model = target.facts.model(target.endpoint)
        responses: list[InferenceResponse] = []
        for index in range(len(split(model))):

            def build_part(_: Endpoint, model: str, index: int = index) -> EngineRequest:
                return split(model)[index]

            if responses and responses[-1].woke:
                target = await self._engines.find(target.endpoint.name, target.namespace, deadline)
            responses.append(await self._send_once(target, build_part, deadline, method, headers))
        if len(responses) == 1:
            return responses[0]
        content = join_answers(split(model)[0], [response.content for response in responses])
        woke = any(response.woke for response in responses)
        return replace(responses[0], content=content, seconds=deadline.elapsed, woke=woke)

    async def _send_once(
        self,
        target: EngineTarget,
        build_request: BuildRequest,
        deadline: CallDeadline,
        method: str,
        headers: Mapping[str, str],
    ) -> InferenceResponse:
        async with self._engines.open(target, build_request, deadline, method, headers) as opened:
            response = opened.response
            with deadline.limit(f"{opened.call.label} did not finish its answer"):
                content = await read_up_to(response, MAX_RESPONSE_BYTES + 1)
        if len(content) > MAX_RESPONSE_BYTES:
            raise BadRequest("The endpoint's answer is larger than 32 MiB.", hint="Request less at a time.")
        content_type = response.headers.get("content-type", "")
        return InferenceResponse(response.status_code, content_type, content, deadline.elapsed, opened.woke)
