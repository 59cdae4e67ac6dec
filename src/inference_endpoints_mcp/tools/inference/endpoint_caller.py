"""Calls an endpoint with the inputs of a task or a whole body, and reads what it answered."""

from dataclasses import dataclass, field

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.inference.calls.cold_start import CallOptions
from inference_endpoints.inference.calls.responses import InferenceResponse
from inference_endpoints.inference.task_runner import AnswerOfAnotherTask
from inference_endpoints.inference.tasks.readers import NOT_OF_THIS_TASK
from inference_endpoints.inference.tasks.routes import EngineRoute
from inference_endpoints.inference.tasks.task import Task
from inference_endpoints.models import Endpoint
from inference_endpoints_mcp.tools.call_context import CallContext, Progress
from inference_endpoints_mcp.tools.inference.shown_output import ShownOutput, show_outputs, show_response
from inference_endpoints_mcp.tools.inference.task_arguments import InputArguments
from inference_endpoints_mcp.tools.inference.waking import report_waking


@dataclass(frozen=True)
class EndpointAnswer:
    """What an endpoint answered. `task` is None where its answer is of no form that is known. `failures` has the error
    of each input that failed, by its place."""

    shown: ShownOutput
    content_type: str
    seconds: float
    woke: bool
    task: Task | None = None
    inputs: int = 1
    failures: dict[int, InferenceEndpointError] = field(default_factory=dict)

    @classmethod
    def of_response(
        cls, response: InferenceResponse, meant: tuple[Task, EngineRoute] | None, inputs: int = 1
    ) -> "EndpointAnswer":
        """The outputs of a task, if the response has the form of one of its answers; else the response as it is."""
        shown, task = None, meant[0] if meant else None
        if meant is not None:
            try:
                kind, content = response.content_type, response.content
                shown = show_outputs(meant[0], meant[0].read_response(kind, content, inputs, meant[1]))
            except NOT_OF_THIS_TASK:
                task = None
        shown, inputs = (shown, inputs) if shown else (show_response(response), 1)
        return cls(shown, response.content_type, response.seconds, response.woke, task, inputs)


@dataclass(frozen=True)
class EndpointCaller:
    """One call of a tool. `meant` is the task and its route, None where no task is known for the path."""

    context: CallContext
    endpoint: Endpoint
    namespace: str
    meant: tuple[Task, EngineRoute] | None
    given: InputArguments
    options: CallOptions

    async def call(self, progress: Progress) -> EndpointAnswer:
        if self.meant is None or self.given.body:
            return await self._send_body(progress)
        return await self._run_task(progress, *self.meant)

    async def _run_task(self, progress: Progress, task: Task, route: EngineRoute) -> EndpointAnswer:
        """Run a task for all inputs. An answer of another form is shown as it is: it was paid for."""
        inputs = self.given.each()

        async def on_done(done: int) -> None:
            if len(inputs) > 1:
                progress.report(lambda: f"{done}/{len(inputs)} inputs")

        try:
            ran = await self.context.inference.run_many(
                self.endpoint.name,
                task,
                inputs,
                self.namespace,
                parameters=self.given.parameters,
                route=route,
                known=self.endpoint,
                on_done=on_done,
                **self._options(progress),
            )
        except AnswerOfAnotherTask as error:
            return EndpointAnswer.of_response(error.response, None)
        failures = {place: each for place, each in enumerate(ran.outputs) if isinstance(each, InferenceEndpointError)}
        shown = show_outputs(task, ran.outputs)
        return EndpointAnswer(shown, ran.content_type, ran.seconds, ran.woke, task, len(inputs), failures)

    async def _send_body(self, progress: Progress) -> EndpointAnswer:
        response = await self.context.inference.call(
            self.endpoint.name,
            self.namespace,
            body=self.given.whole_body() if self.given.file is None else None,
            content=self.given.file,
            path=self.given.body_path(self.endpoint),
            accept=self.meant[0].accept if self.meant else "*/*",
            known=self.endpoint,
            **self._options(progress),
        )
        return EndpointAnswer.of_response(response, self.meant, self.given.inputs_in_body())

    def _options(self, progress: Progress) -> CallOptions:
        return self.options | {"on_wait": report_waking(progress, self.endpoint.name)}
