"""Call endpoints by name: tasks with parsed results, chat with streaming, and any route with JSON or bytes."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Unpack

import anyio

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.engines.engine_settings import engine_name
from inference_endpoints.errors import BadRequest, InferenceEndpointError
from inference_endpoints.inference.calls.cold_start import CallDeadline, CallOptions, OpenResponse
from inference_endpoints.inference.calls.engine_caller import EngineCaller
from inference_endpoints.inference.calls.responses import InferenceResponse
from inference_endpoints.inference.calls.whole_calls import WholeCalls
from inference_endpoints.inference.chat.answer import ChatAccumulator, ChatDelta, ChatResponse
from inference_endpoints.inference.chat.messages import Messages
from inference_endpoints.inference.chat.stream import build_chat_request, stream_deltas
from inference_endpoints.inference.generation.answer import TextGenerationStreamOutput
from inference_endpoints.inference.generation.stream import build_stream_request, stream_tokens
from inference_endpoints.inference.task_runner import OnDone, TaskRun, TaskRunner
from inference_endpoints.inference.tasks.engine_request import EngineRequest
from inference_endpoints.inference.tasks.routes import EngineRoute
from inference_endpoints.inference.tasks.table import TASKS, find_task
from inference_endpoints.inference.tasks.task import Task
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.http import Sleep

Parameters = Mapping[str, Any]
OnDelta = Callable[[ChatDelta], Awaitable[None]]


class AsyncInference:
    """Calls endpoints by name, and if necessary wakes them and waits for them.

    `namespace` has the same default as in the client. `known` is the endpoint as it was last read: a call with it does
    not read it first, and looks it up only if its answer shows that it changed. Every method raises errors of
    `inference_endpoints.errors`: `Paused`, `NotDeployed`, `DeploymentFailed`, `ScaledToZero` from the endpoint's state;
    `BadRequest`, `NotFound`, `RateLimited`, `Unavailable` from the engine, whose own text is in `upstream`;
    `InvalidResponse`, `InferenceEndpointTimeoutError`.

    >>> client = AsyncEndpointsClient()
    >>> inference = AsyncInference(client)
    """

    def __init__(self, endpoints: AsyncEndpointsClient, *, sleep: Sleep = anyio.sleep) -> None:
        self._endpoints = endpoints
        self._engines = EngineCaller(endpoints)
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
        accumulator: ChatAccumulator | None = None,
        known: Endpoint | None = None,
        **options: Unpack[CallOptions],
    ) -> ChatResponse:
        """Answer a conversation. `parameters`: other settings of the OpenAI API, such as stop, n or tools.

        `on_delta` gets each delta when it arrives. An `accumulator` that is given has, after an error, what the model
        wrote until then.

        >>> response = await inference.chat("chat", [{"role": "user", "content": "Hi"}], max_tokens=20)
        >>> print(response.text, response.woke)
        Hello! False
        """
        deadline = CallDeadline(**options, sleep=self._sleep)
        settings = {"max_tokens": max_tokens, "temperature": temperature, **(parameters or {})}
        accumulator = ChatAccumulator() if accumulator is None else accumulator
        async with self._open_chat(name, namespace, messages, settings, deadline, known) as (opened, deltas):
            async for delta in deltas:
                accumulator.add(delta, deadline.elapsed)
                accumulator.woke = opened.woke
                if on_delta is not None:
                    await on_delta(delta)
            accumulator.seconds = deadline.elapsed
            return accumulator.response()

    async def stream_chat(
        self,
        name: str,
        messages: Messages,
        namespace: str | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        parameters: Parameters | None = None,
        known: Endpoint | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[ChatDelta]:
        """Yield the answer's deltas when they arrive. Close the generator (`contextlib.aclosing`) if you stop early.

        >>> async for delta in inference.stream_chat("chat", [{"role": "user", "content": "Hi"}]):
        ...     print(delta.text)
        Hello!
        """
        deadline = CallDeadline(**options, sleep=self._sleep)
        settings = {"max_tokens": max_tokens, "temperature": temperature, **(parameters or {})}
        async with self._open_chat(name, namespace, messages, settings, deadline, known) as (_, deltas):
            async for delta in deltas:
                yield delta

    async def stream_text(
        self,
        name: str,
        text: str,
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        known: Endpoint | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[TextGenerationStreamOutput]:
        """Yield the tokens that continue a text when they arrive. Close the generator if you stop early.

        `parameters` are those of text-generation. The last token has the whole text.

        >>> async for token in inference.stream_text("chat", "Once", parameters={"max_new_tokens": 4}):
        ...     print(token.generated_text)
        Once upon a time
        """
        deadline = CallDeadline(**options, sleep=self._sleep)
        build_request = build_stream_request(text, parameters or {})
        target = await self._engines.find(name, namespace, deadline, known)
        async with (
            self._engines.open(target, build_request, deadline) as opened,
            aclosing(stream_tokens(opened, deadline)) as tokens,
        ):
            async for token in tokens:
                yield token

    async def run(
        self,
        name: str,
        task: str,
        inputs: Any,
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        known: Endpoint | None = None,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Run a task by its name on the Hub, such as text-classification. Returns its output (`tasks/outputs.py`).

        Inputs of several parts are a dict: source_sentence and sentences, question and context, question and table. A
        list of inputs returns a list of outputs, and raises the first error of any.

        >>> await inference.run("chat", "text-classification", "I like it.", parameters={"top_k": 1})
        [Label(label='POSITIVE', score=0.9)]
        """
        found = find_task(task)
        if found is None:
            raise BadRequest("This task is unknown.", hint=f"The known tasks are: {', '.join(sorted(TASKS))}.")
        many = isinstance(inputs, list)
        given = inputs if many else [inputs]
        ran = await self.run_many(name, found, given, namespace, parameters=parameters, known=known, **options)
        for output in ran.outputs:
            if isinstance(output, InferenceEndpointError):
                raise output
        return ran.outputs if many else ran.outputs[0]

    async def run_many(
        self,
        name: str,
        task: Task,
        inputs: Sequence[Any],
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        route: EngineRoute | None = None,
        known: Endpoint | None = None,
        on_done: OnDone | None = None,
        **options: Unpack[CallOptions],
    ) -> TaskRun:
        """Run a task for each of the inputs, a few at a time, or many in one request where the engine takes them.

        An input that fails has its error among the outputs. `route` is one of the engine's, where not that of the task.
        Raises `BadRequest` before anything is sent, for inputs or parameters that do not fit the task.

        >>> from inference_endpoints.inference.tasks.table import TASKS
        >>> ran = await inference.run_many("chat", TASKS["text-classification"], ["I like it."])
        >>> ran.outputs[0][0].label
        'POSITIVE'
        """
        given = parameters or {}
        checked = task.check(inputs, given)
        deadline = CallDeadline(**options, sleep=self._sleep)
        target = await self._engines.find(name, namespace, deadline, known)
        chosen = route or task.route_on(engine_name(target.endpoint.model))
        return await TaskRunner(self._engines, target, task, chosen, given, deadline, on_done).run(checked)

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
        known: Endpoint | None = None,
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
        target = await self._engines.find(name, namespace, deadline, known)
        return await WholeCalls(self._engines, target, deadline).send(lambda *_: request, headers, method)

    @asynccontextmanager
    async def _open_chat(
        self,
        name: str,
        namespace: str | None,
        messages: Messages,
        settings: Parameters,
        deadline: CallDeadline,
        known: Endpoint | None,
    ) -> AsyncIterator[tuple[OpenResponse, AsyncGenerator[ChatDelta]]]:
        """The response to a conversation, and its deltas."""
        build_request = build_chat_request(messages, settings)
        target = await self._engines.find(name, namespace, deadline, known)
        async with (
            self._engines.open(target, build_request, deadline) as opened,
            aclosing(stream_deltas(opened, deadline)) as deltas,
        ):
            yield opened, deltas
