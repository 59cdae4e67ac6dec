"""Inference on endpoints by name: typed tasks, chat with streaming, and anything else as JSON or bytes."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypedDict, TypeVar, Unpack

import anyio

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference import tasks
from inference_endpoints.inference.chat import ChatAnswer, ChatDelta, Messages, Transcript, chat, steps
from inference_endpoints.inference.cold_start import Answered, OnWait, Patience, answered
from inference_endpoints.inference.engine_errors import refusal
from inference_endpoints.inference.media import media_type
from inference_endpoints.inference.tasks import Ask, Label, Task
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import LARGEST_ERROR_BODY, Sleep, read_up_to

Parsed = TypeVar("Parsed")
Parameters = Mapping[str, Any]
OnDelta = Callable[[ChatDelta], Awaitable[None]]

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes of one answer; more is refused."""


class Waiting(TypedDict, total=False):
    """What every call takes besides: `timeout` in seconds for all of it (120), `wake` (True) whether an endpoint
    that is asleep may be woken, which is billed, and `on_wait`, told in a sentence of every wait for a replica.
    """

    timeout: float
    wake: bool
    on_wait: OnWait | None


@dataclass(frozen=True)
class Reply:
    """An engine's answer as it came. `seconds` is from the call on; `woke` whether the endpoint was asleep."""

    status: int
    content_type: str
    content: bytes = field(repr=False)
    seconds: float
    woke: bool

    def json(self) -> Any:
        """The content as JSON. Raises `BadRequest` if it is none: asking again would bring no other."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise BadRequest("The endpoint's answer is not JSON.", hint="Look at its content type.") from error


class AsyncInference:
    """Calls endpoints by name, waking and awaiting them where need be.

    `namespace` defaults as in the client it is made from. `running` is an endpoint that was last seen running: calls to
    it begin without looking it up. Every method raises errors of
    `inference_endpoints.errors`: `Paused`, `NotDeployed`, `DeploymentFailed`, `ScaledToZero` from the endpoint's
    state; `BadRequest`, `NotFound`, `RateLimited`, `Unavailable` from the engine, whose words are in `upstream`;
    `InferenceEndpointTimeoutError`.
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
        **waiting: Unpack[Waiting],
    ) -> ChatAnswer:
        """A whole answer to a conversation. `parameters`: anything else the OpenAI API has, such as stop or tools.

        `on_delta` is given each step as it comes.
        """
        patience = Patience(**waiting, sleep=self._sleep)
        ask = chat(messages, max_tokens=max_tokens, temperature=temperature, **(parameters or {}))
        transcript = Transcript()
        async with self._open(name, namespace, ask, patience) as answer, aclosing(steps(answer, patience)) as deltas:
            async for delta in deltas:
                transcript.add(delta, patience.elapsed)
                if on_delta is not None:
                    await on_delta(delta)
            return transcript.answer(patience.elapsed, woke=answer.woke)

    async def stream_chat(
        self,
        name: str,
        messages: Messages,
        namespace: str | None = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        parameters: Parameters | None = None,
        **waiting: Unpack[Waiting],
    ) -> AsyncGenerator[ChatDelta]:
        """The steps of an answer as they come. Close it (`contextlib.aclosing`) when leaving it early."""
        patience = Patience(**waiting, sleep=self._sleep)
        ask = chat(messages, max_tokens=max_tokens, temperature=temperature, **(parameters or {}))
        async with self._open(name, namespace, ask, patience) as answer, aclosing(steps(answer, patience)) as deltas:
            async for delta in deltas:
                yield delta

    async def text_generation(
        self,
        name: str,
        prompt: str,
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **waiting: Unpack[Waiting],
    ) -> str:
        """How the text goes on. `parameters`: max_new_tokens, temperature, …"""
        return await self._run(tasks.TEXT_GENERATION, name, prompt, namespace, parameters, waiting)

    async def feature_extraction(
        self,
        name: str,
        text: str | Sequence[str],
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **waiting: Unpack[Waiting],
    ) -> list[list[float]]:
        """One vector for each text. `parameters`: normalize, truncate, prompt_name, dimensions."""
        texts = text if isinstance(text, str) else list(text)
        return await self._run(tasks.FEATURE_EXTRACTION, name, texts, namespace, parameters, waiting)

    async def sentence_similarity(
        self,
        name: str,
        sentence: str,
        other_sentences: Sequence[str],
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **waiting: Unpack[Waiting],
    ) -> list[float]:
        """How alike the sentence is to each of the others, 1 being the same."""
        pair = {"source_sentence": sentence, "sentences": list(other_sentences)}
        return await self._run(tasks.SENTENCE_SIMILARITY, name, pair, namespace, parameters, waiting)

    async def text_classification(
        self,
        name: str,
        text: str,
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **waiting: Unpack[Waiting],
    ) -> list[Label]:
        """The classes of a text with their scores. `parameters`: top_k, function_to_apply."""
        return await self._run(tasks.TEXT_CLASSIFICATION, name, text, namespace, parameters, waiting)

    async def zero_shot_classification(
        self,
        name: str,
        text: str,
        candidate_labels: Sequence[str],
        namespace: str | None = None,
        *,
        multi_label: bool = False,
        parameters: Parameters | None = None,
        **waiting: Unpack[Waiting],
    ) -> list[Label]:
        """How well each of the labels fits a text. `multi_label`: each is judged for itself."""
        given = {"candidate_labels": list(candidate_labels), "multi_label": multi_label, **(parameters or {})}
        return await self._run(tasks.ZERO_SHOT_CLASSIFICATION, name, text, namespace, given, waiting)

    async def run(
        self,
        name: str,
        task: str,
        inputs: Any,
        namespace: str | None = None,
        *,
        parameters: Parameters | None = None,
        **waiting: Unpack[Waiting],
    ) -> Any:
        """Any task of `tasks.TASKS` by its name: its parsed answer, or the bytes of an image or sound."""
        if task not in tasks.TASKS:
            raise BadRequest("This task is not known.", hint=f"Known are: {', '.join(sorted(tasks.TASKS))}.")
        return await self._run(tasks.TASKS[task], name, inputs, namespace, parameters, waiting)

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
        **waiting: Unpack[Waiting],
    ) -> Reply:
        """Send JSON (`body`) or a file (`content`) to any route of an endpoint.

        A file's media type is told by its first bytes unless `headers` name one.
        """
        if body is not None and content is not None:
            raise BadRequest("Both a body and content were given.", hint="Send JSON as body, or a file as content.")
        ask = Ask(path, body, content)
        more = {"Accept": accept, **(headers or {})}
        return await self._call(name, namespace, lambda _: ask, Patience(**waiting, sleep=self._sleep), method, more)

    async def _run(
        self,
        task: Task[Parsed],
        name: str,
        inputs: Any,
        namespace: str | None,
        parameters: Parameters | None,
        waiting: Waiting,
    ) -> Parsed:
        def ask(endpoint: Endpoint) -> Ask:
            return task.build(inputs, parameters, engine=tasks.engine_of(endpoint), model=endpoint.name)

        patience = Patience(**waiting, sleep=self._sleep)
        reply = await self._call(name, namespace, ask, patience, "POST", {"Accept": task.accept})
        try:
            return task.read(reply.content_type, reply.content)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
            raise BadRequest(
                f"The endpoint's answer is not one to {task.name}: it seems to serve another task.",
                hint="Use the task its model is for; call its route to see the answer as it is.",
            ) from error

    async def _call(
        self,
        name: str,
        namespace: str | None,
        ask: Callable[[Endpoint], Ask],
        patience: Patience,
        method: str,
        headers: Mapping[str, str],
    ) -> Reply:
        async with self._open(name, namespace, ask, patience, method, headers) as answer:
            response = answer.response
            with patience.limit(f"{answer.call.label} did not finish its answer"):
                content = await read_up_to(response, LARGEST_ANSWER + 1)
        if len(content) > LARGEST_ANSWER:
            raise BadRequest("The endpoint's answer is larger than 32 MiB.", hint="Ask for less at a time.")
        kind = response.headers.get("content-type", "")
        return Reply(response.status_code, kind, content, patience.elapsed, answer.woke)

    @asynccontextmanager
    async def _open(
        self,
        name: str,
        namespace: str | None,
        ask: Callable[[Endpoint], Ask],
        patience: Patience,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Answered]:
        """A successful answer whose body is still to be read; anything else is raised."""

        async def find() -> Endpoint:
            return await self._endpoints.get(name, namespace)

        with patience.limit("The control plane did not say where the endpoint is"):
            namespace = await self._endpoints.resolve_namespace(namespace)
            endpoint = self._running if self._running and self._running.name == name else await find()
        asked = ask(endpoint)
        given = dict(headers or {})
        if asked.content is not None and "content-type" not in {key.lower() for key in given}:
            given["Content-Type"] = media_type(asked.content)
        call = EndpointCall(endpoint, namespace, asked.path, method, asked.body, asked.content, given)
        async with answered(self._endpoints.http, call, find, patience) as answer:
            response = answer.response
            if not response.is_success:
                with patience.limit(f"{call.label} did not finish its answer"):
                    said = await read_up_to(response, LARGEST_ERROR_BODY)
                saw_token = self._endpoints.backend.trusts(answer.call.endpoint.url or "")
                raise refusal(answer.call, response.status_code, response.headers, said, saw_token=saw_token)
            yield answer
