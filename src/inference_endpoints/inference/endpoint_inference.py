"""What the clients of one endpoint share: the endpoint, the options of every call, and how a task is run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference_endpoints.client_pool import Api, client_of
from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.async_inference import AsyncInference
from inference_endpoints.inference.calls.cold_start import CallOptions
from inference_endpoints.models import Endpoint, InferenceEndpointStatus

_UNSUPPORTED_ARGUMENTS = {
    "model": "a client of one endpoint calls only its model",
    "stream": "only chat_completion streams",
    "details": "post returns the unparsed answer",
}


@dataclass
class EndpointInference:
    """One endpoint as it was when the client was made.

    `timeout` is in seconds, for each whole call. `wake` is whether a call may wake an endpoint that is scaled to zero,
    which is billed. Both can be set at any time.
    """

    endpoint: Endpoint
    namespace: str
    api: Api
    timeout: float = 120.0
    wake: bool = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.namespace}/{self.endpoint.name}', url={self.endpoint.url!r})"

    async def _inference(self) -> tuple[AsyncInference, Endpoint | None]:
        """Calls endpoints; and the endpoint, if calls need not read it first."""
        client = await client_of(self.api)
        # If it matters whether a call wakes the endpoint, its last known state is not enough.
        skip_read = self.wake and client.http.guard is None and self.endpoint.state is InferenceEndpointStatus.RUNNING
        return AsyncInference(client), self.endpoint if skip_read else None

    async def _task(self, task: str, inputs: Any, parameters: Mapping[str, Any]) -> Any:
        inference, known = await self._inference()
        given, name = _drop_unset(parameters), self.endpoint.name
        return await inference.run(name, task, inputs, self.namespace, parameters=given, known=known, **self._options)

    @property
    def _options(self) -> CallOptions:
        return {"timeout": self.timeout, "wake": self.wake}


def _drop_unset(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are set. Raises `BadRequest` for arguments of huggingface_hub that no task has."""
    given = {name: value for name, value in parameters.items() if value is not None}
    for name in _UNSUPPORTED_ARGUMENTS.keys() & given:
        if given.pop(name):
            raise BadRequest(f"{name} cannot be set here: {_UNSUPPORTED_ARGUMENTS[name]}.")
    return given
