"""Run a task for one or many inputs: many are sent at a time where the engine takes them, and each can fail alone."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from inference_endpoints.errors import (
    BadRequest,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    InvalidResponse,
    RateLimited,
    Unavailable,
)
from inference_endpoints.inference.calls.cold_start import CallDeadline, must_start_first
from inference_endpoints.inference.calls.engine_caller import EngineCaller, EngineTarget
from inference_endpoints.inference.calls.responses import InferenceResponse
from inference_endpoints.inference.calls.whole_calls import WholeCalls
from inference_endpoints.inference.tasks.engine_request import EngineRequest
from inference_endpoints.inference.tasks.inputs import TaskInput
from inference_endpoints.inference.tasks.readers import NOT_OF_THIS_TASK
from inference_endpoints.inference.tasks.routes import EngineRoute
from inference_endpoints.inference.tasks.task import Task
from inference_endpoints.models import Endpoint

MAX_CONCURRENT_REQUESTS = 4
"""Requests of one batch that are sent at the same time."""
LARGEST_BATCH = 32
"""Inputs in one request to an engine whose limit is not known."""
OnDone = Callable[[int], Awaitable[None]]
"""Gets the number of inputs that are done."""

_OF_ONE_INPUT = (BadRequest, InvalidResponse, Unavailable, RateLimited, InferenceEndpointTimeoutError)
"""Errors that can concern one input alone. Others would meet every input."""


class AnswerOfAnotherTask(InvalidResponse):
    """The endpoint answered, but not in a form of the task. `response` is what it sent."""

    def __init__(self, task: str, response: InferenceResponse) -> None:
        super().__init__(
            f"The endpoint's answer does not fit {task}: it seems to serve another task.",
            hint="Use the task of its model. Call its route to see the raw answer.",
        )
        self.response = response


@dataclass(frozen=True)
class TaskRun:
    """What a task returned. `outputs` are in the order of the inputs; that of an input which failed is its error.

    `seconds` is the duration of the whole call, `woke` whether it woke the endpoint.
    """

    outputs: list[Any]
    content_type: str
    seconds: float
    woke: bool


class TaskRunner:
    """Runs one task on one endpoint, with the same parameters for all inputs."""

    def __init__(
        self,
        engines: EngineCaller,
        target: EngineTarget,
        task: Task,
        route: EngineRoute,
        parameters: Mapping[str, Any],
        deadline: CallDeadline,
        on_done: OnDone | None = None,
    ) -> None:
        self._engines = engines
        self._target = target
        self._task = task
        self._route = route
        self._parameters = parameters
        self._deadline = deadline
        self._on_done = on_done
        self._done = 0
        self._woke = False
        self._content_type = ""

    async def run(self, inputs: Sequence[TaskInput]) -> TaskRun:
        """Raises the error of a single input, and one that would meet every input."""
        outputs: list[Any] = [None] * len(inputs)
        parts = self._split(range(len(inputs)))
        if must_start_first(self._target.endpoint) and len(parts) > 1:
            await self._run_part(inputs, parts.pop(0), outputs)
            endpoint = self._target.endpoint
            self._target = await self._engines.find(endpoint.name, self._target.namespace, self._deadline)
        limiter = anyio.Semaphore(MAX_CONCURRENT_REQUESTS)
        failures: list[InferenceEndpointError] = []

        async def run_part(part: range) -> None:
            try:
                async with limiter:
                    if not failures:
                        await self._run_part(inputs, part, outputs)
            except InferenceEndpointError as error:
                failures.append(error)

        if len(parts) == 1:  # a group of one would only take time
            await run_part(parts[0])
        else:
            async with anyio.create_task_group() as group:
                for part in parts:
                    group.start_soon(run_part, part)
        if failures and all(output is None for output in outputs):
            raise failures[0]
        outputs = [failures[0] if output is None else output for output in outputs]
        if len(outputs) == 1 and isinstance(outputs[0], InferenceEndpointError):
            raise outputs[0]
        return TaskRun(outputs, self._content_type, self._deadline.elapsed, self._woke)

    def _split(self, places: range) -> list[range]:
        """The places of inputs that one request can have each."""
        size = 1
        if self._route.takes_many and self._task.name not in self._target.facts.one_at_a_time:
            size = self._target.facts.max_batch(self._target.endpoint) or LARGEST_BATCH
        return [places[start : start + size] for start in range(0, len(places), size)]

    async def _run_part(self, inputs: Sequence[TaskInput], part: range, outputs: list[Any]) -> None:
        """Fills in the outputs of these places. Each of a part that fails as a whole is sent alone."""
        try:
            found = await self._send([inputs[place] for place in part])
        except _OF_ONE_INPUT as error:
            if len(part) > 1 and isinstance(error, BadRequest | InvalidResponse):
                for place in part:
                    await self._run_part(inputs, range(place, place + 1), outputs)
                return
            found = [error] * len(part)
        for place, output in zip(part, found, strict=True):
            outputs[place] = output
        self._done += len(part)
        if self._on_done is not None:
            await self._on_done(self._done)

    async def _send(self, inputs: Sequence[TaskInput]) -> list[Any]:
        def build_request(_: Endpoint, model: str) -> EngineRequest:
            return self._route.request(inputs, self._parameters, model)

        headers = {"Accept": self._task.accept}
        response = await WholeCalls(self._engines, self._target, self._deadline).send(build_request, headers)
        self._woke = self._woke or response.woke
        self._content_type = response.content_type
        return self._read(response, len(inputs))

    def _read(self, response: InferenceResponse, count: int) -> list[Any]:
        try:
            return self._task.read_response(response.content_type, response.content, count, self._route)
        except NOT_OF_THIS_TASK as error:
            if count > 1:  # it may not take several inputs
                self._target.facts.one_at_a_time.add(self._task.name)
            raise AnswerOfAnotherTask(self._task.name, response) from error
