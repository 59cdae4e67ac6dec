"""What the clients of one endpoint share: the endpoint, the options of every call, and how a task is run."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypeVar, cast
from weakref import WeakSet

from inference_endpoints.clients.client_pool import Api, client_of
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.calls.cold_start import CallDeadline, CallOptions
from inference_endpoints.inference.hub_client.media_files import read_file
from inference_endpoints.inference.tasks.parameters import CallParameters
from inference_endpoints.inference.tasks.table import TASKS
from inference_endpoints.models import Endpoint, InferenceEndpointStatus

Item = TypeVar("Item")


@dataclass(frozen=True)
class CallArguments:
    """The parameters of one call that were set, and the options of the call."""

    parameters: dict[str, Any]
    options: CallOptions
    model: str | None = None


@dataclass
class EndpointCalls:
    """One endpoint as it was when the client was made.

    `timeout` is in seconds, for each whole call. `wake` is whether a call may wake an endpoint that is scaled to zero,
    which is billed. Both can be set at any time.
    """

    endpoint: Endpoint
    namespace: str
    api: Api
    timeout: float = 120.0
    wake: bool = True
    _streams: "WeakSet[AsyncGenerator[Any]]" = field(default_factory=WeakSet, init=False, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.namespace}/{self.endpoint.name}', url={self.endpoint.url!r})"

    @property
    def model(self) -> str | None:
        """The endpoint's address, as huggingface_hub names it."""
        return self.endpoint.url

    async def _inference(self) -> tuple[AsyncInference, Endpoint | None]:
        """Calls endpoints; and the endpoint, if calls need not read it first."""
        client = await client_of(self.api)
        # If it matters whether a call wakes the endpoint, its last known state is not enough.
        skip_read = self.wake and client.http.guard is None and self.endpoint.state is InferenceEndpointStatus.RUNNING
        return AsyncInference(client), self.endpoint if skip_read else None

    async def _run(self, task: str, inputs: Any, parameters: Mapping[str, Any]) -> Any:
        """Run a task of the table. Inputs of several parts, or with a file, are a mapping by the names of the table."""
        given = self._given(task, parameters, TASKS[task].parameters)
        files = [name for name in TASKS[task].takes.media_fields() if isinstance(inputs, dict) and name in inputs]
        if files:
            deadline = CallDeadline(given.options.get("timeout", self.timeout))
            with deadline.limit("The file was not read"):
                inputs |= {name: await read_file(inputs[name]) for name in files}
            given.options["started"] = deadline.started
        inference, known = await self._inference()
        return await inference.run(
            self.endpoint.name,
            task,
            inputs,
            self.namespace,
            parameters=given.parameters,
            known=known,
            **given.options,
        )

    def _given(self, what: str, parameters: Mapping[str, Any], known: Mapping[str, Any]) -> CallArguments:
        """What was set of the parameters. Raises `BadRequest` for a name that `what` does not know."""
        given = {name: value for name, value in parameters.items() if value is not None}
        for name in given.keys() - known.keys() - CallParameters.__annotations__.keys():
            near = get_close_matches(name, known, 1)
            raise BadRequest(
                f"{what}: a parameter is not known{f', but {near[0]} is' if near else ''}. Nothing was sent.",
                hint="A parameter of the engine's own goes into extra_body.",
            )
        model, own = given.pop("model", None), given.pop("extra_body", {})
        options: CallOptions = {"timeout": _check_timeout(given.pop("timeout", self.timeout)), "wake": self.wake}
        if not isinstance(own, Mapping):
            raise BadRequest(
                "extra_body is not a mapping. Nothing was sent.", hint='Valid is for example {"top_k": 5}.'
            )
        if "model" not in known:
            self._require_own(model)
        given |= {name: value for name, value in own.items() if value is not None}
        return CallArguments(given, options, model)

    def _require_own(self, model: str | None) -> None:
        """Raise if another model than the endpoint's is meant."""
        if model not in (None, self.endpoint.url, self.endpoint.name, self.endpoint.model.repository):
            raise BadRequest(
                "model cannot be another one here: a client of one endpoint calls only its model. Nothing was sent.",
                hint="Leave it out, or use the client of the other endpoint.",
            )

    async def _begun(self, items: AsyncGenerator[Item]) -> AsyncGenerator[Item]:
        """The stream once it has its first part, so that what refuses it is raised by the call, as in huggingface_hub.

        `close` ends it if it is still open.
        """
        stream = _after_first(items)
        self._streams.add(stream)
        await anext(stream)
        return cast("AsyncGenerator[Item]", stream)

    async def _close_streams(self) -> None:
        while self._streams:
            await self._streams.pop().aclose()


async def _after_first(items: AsyncGenerator[Item]) -> AsyncGenerator[Item | None]:
    """None as soon as there is an item, then all items. A generator that has begun closes what it holds."""
    async with aclosing(items):
        first = await anext(items, None)
        yield None
        if first is not None:
            yield first
        async for item in items:
            yield item


def _check_timeout(timeout: Any) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
        raise BadRequest(
            "timeout is not a number of seconds above 0. Nothing was sent.", hint="Valid is for example 60."
        )
    return timeout
