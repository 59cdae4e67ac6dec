"""Call endpoints by name: tasks with parsed results, chat with streaming, and any route with JSON or bytes."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Unpack

import anyio

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference import chat
from inference_endpoints.inference.chat import ChatDelta, ChatResponse, Messages
from inference_endpoints.inference.cold_start import CallDeadline, CallOptions, OpenResponse, open_response
from inference_endpoints.inference.engine_errors import classify_engine_error
from inference_endpoints.inference.media import detect_media_type
from inference_endpoints.inference.tasks import TASKS, EngineRequest
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import Sleep, read_up_to

Parameters = Mapping[str, Any]
BuildRequest = Callable[[Endpoint], EngineRequest]
"""Builds the request once the endpoint, and so its engine, is known."""
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
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
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

        def build_request(endpoint: Endpoint) -> EngineRequest:
            return known.build_request(inputs, parameters, engine=endpoint.model.image_key, model=endpoint.name)

        deadline = CallDeadline(**options, sleep=self._sleep)
        response = await self._send(name, namespace, build_request, deadline, "POST", {"Accept": known.accept})
        try:
            return known.parse_response(response.content_type, response.content)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
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
        """Send JSON (`body`) or a file (`content`) to any route of an endpoint.

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
        return await self._send(name, namespace, lambda _: request, deadline, method, headers)

    @asynccontextmanager
    async def _open_chat(
        self, name: str, namespace: str | None, messages: Messages, settings: Parameters, deadline: CallDeadline
    ) -> AsyncIterator[tuple[OpenResponse, AsyncGenerator[ChatDelta]]]:
        """The response to a conversation, and its deltas."""
        build_request = chat.build_chat_request(messages, **settings)
        async with (
            self._open(name, namespace, build_request, deadline) as opened,
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
        async with self._open(name, namespace, build_request, deadline, method, headers) as opened:
            response = opened.response
            with deadline.limit(f"{opened.call.label} did not finish its answer"):
                content = await read_up_to(response, MAX_RESPONSE_BYTES + 1)
        if len(content) > MAX_RESPONSE_BYTES:
            raise BadRequest("The endpoint's answer is larger than 32 MiB.", hint="Request less at a time.")
        content_type = response.headers.get("content-type", "")
        return InferenceResponse(response.status_code, content_type, content, deadline.elapsed, opened.woke)

    @asynccontextmanager
    async def _open(
        self,
        name: str,
        namespace: str | None,
        build_request: BuildRequest,
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
        async with open_response(self._endpoints.http, call, fetch, deadline) as opened:
            if opened.refusal is not None:
                saw_token = self._endpoints.backend.trusts(opened.call.endpoint.url or "")
                raise classify_engine_error(opened.call, opened.refusal, saw_token=saw_token)
            yield opened
