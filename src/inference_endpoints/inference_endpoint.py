"""`InferenceEndpoint`: a handle on an endpoint, which keeps the newest known state and changes in place.

Names, defaults and return values are those of huggingface_hub 2.4.0.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.client_pool import Api, api_for, client_of, pool_of
from inference_endpoints.errors import (
    DeploymentFailed,
    InferenceEndpointTimeoutError,
    ScaledToZero,
    Unavailable,
)
from inference_endpoints.hub_arguments import change_from
from inference_endpoints.models import Endpoint, InferenceEndpointStatus, InferenceEndpointType
from inference_endpoints.models.settings.literals import Accelerator, EndpointTask, Framework, ScalingMetric
from inference_endpoints.transport.backend import Token
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.watching.goals import Goal
from inference_endpoints.watching.observation import Observation, StatusChange
from inference_endpoints.watching.request_limits import CHANGING_INTERVAL_S
from inference_endpoints.watching.watcher import Watcher, add_last_log_lines, wait_timeout_error

if TYPE_CHECKING:
    from inference_endpoints.inference.hub_client.async_client import AsyncInferenceClient
    from inference_endpoints.inference.hub_client.client import InferenceClient

FIRST_READ_S = 2.0
"""Seconds that a wait allows for its first read of the endpoint, even if its timeout is shorter."""


class InferenceEndpointBase:
    """What both handles on an endpoint share: the attributes, and how they are set."""

    name: str
    namespace: str
    repository: str
    status: InferenceEndpointStatus
    url: str | None
    health_route: str | None
    framework: str | None
    revision: str | None
    task: str | None
    created_at: datetime | None
    updated_at: datetime | None
    type: InferenceEndpointType
    raw: dict[str, Any]

    def __init__(self, endpoint: Endpoint, namespace: str, api: Api) -> None:
        self.namespace = namespace
        self._api = api
        self._set_from(endpoint)

    @classmethod
    def from_raw(cls, raw: dict[str, Any], namespace: str, token: Token = None, api: Api | None = None) -> Self:
        """A handle made of an endpoint's JSON document. The handle keeps the token and uses it for every request.

        `token` defaults to that of `api`, and `api` to the control plane of `default_backend`.

        >>> endpoint = InferenceEndpoint.from_raw({"name": "chat", "status": {"state": "paused"}}, "acme")
        >>> print(endpoint.status)
        paused
        """
        return cls(Endpoint.model_validate(raw), namespace, api_for(token, api))

    @property
    def token(self) -> str | None:
        """The token of every request; None for none."""
        return self._api.backend.token

    @property
    def client(self) -> "InferenceClient":
        """A blocking client of the deployed model. Raises `NotDeployed` until the endpoint has an address."""
        from inference_endpoints.inference.hub_client.client import InferenceClient

        return InferenceClient(self._deployed_endpoint(), self.namespace, pool_of(self._api))

    @property
    def async_client(self) -> "AsyncInferenceClient":
        """An asynchronous client of the deployed model. Raises `NotDeployed` until the endpoint has an address."""
        from inference_endpoints.inference.hub_client.async_client import AsyncInferenceClient

        return AsyncInferenceClient(self._deployed_endpoint(), self.namespace, self._api)

    def __repr__(self) -> str:
        fields = {name: getattr(self, name) for name in ("name", "namespace", "repository", "status", "url")}
        fields["status"] = str(self.status)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in fields.items())})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (self.namespace, self.raw) == (other.namespace, other.raw)

    def _set_from(self, endpoint: Endpoint) -> Self:
        """Set every attribute from the endpoint's document."""
        model, status = endpoint.model, endpoint.status
        self._endpoint = endpoint
        self.name, self.type, self.raw = endpoint.name, endpoint.type, endpoint.raw
        self.repository, self.framework = model.repository, model.framework
        self.revision, self.task = model.revision, model.task
        self.status, self.url, self.health_route = status.state, endpoint.url, endpoint.health_route
        self.created_at, self.updated_at = status.created_at, status.updated_at
        return self

    def _set_from_observation(self, observation: Observation) -> None:
        """Set every attribute, unless the observed state is older than the known one."""
        if observation.endpoint is not None and not observation.endpoint.status.is_older_than(self.updated_at):
            self._set_from(observation.endpoint)

    def _deployed_endpoint(self) -> Endpoint:
        EndpointCall(self._endpoint, self.namespace).require_address()
        return self._endpoint

    async def _until_running(
        self, refresh_every: float, on_observation: Callable[[Observation], None], *, wake: bool
    ) -> None:
        client = await client_of(self._api)
        watcher = Watcher(client, poll_interval=refresh_every)
        watcher.record_change(self.namespace, self._endpoint)
        while True:
            try:
                await watcher.wait(self.name, self.namespace, on_observation=on_observation)
                return
            except ScaledToZero:
                if not wake:
                    raise
                await _wake(client, self._endpoint, self.namespace)
                await anyio.sleep(min(CHANGING_INTERVAL_S, refresh_every))
            except DeploymentFailed as failure:
                await add_last_log_lines(failure, client, self.name, self.namespace)
                _add_upstream_note(failure)
                raise


H = TypeVar("H", bound=InferenceEndpointBase)


class AsyncInferenceEndpoint(InferenceEndpointBase):
    """A handle on an endpoint: `InferenceEndpoint` with methods to be awaited.

    >>> endpoint = await aio.get_inference_endpoint("chat")
    >>> print(endpoint.status, endpoint.task)
    running text-generation
    """

    # `self` is any handle: the blocking one calls these methods with itself (see blocking.py).
    # ruff: noqa: PYI019

    async def fetch(self: H) -> H:
        """Read the endpoint again. Raises `NotFound` if it was deleted.

        >>> endpoint = await endpoint.fetch()
        >>> print(endpoint.status)
        running
        """
        client = await client_of(self._api)
        return self._set_from(await client.get(self.name, self.namespace))

    async def update(
        self: H,
        *,
        accelerator: Accelerator | None = None,
        instance_size: str | None = None,
        instance_type: str | None = None,
        min_replica: int | None = None,
        max_replica: int | None = None,
        scale_to_zero_timeout: int | None = None,
        scaling_metric: ScalingMetric | None = None,
        scaling_threshold: float | None = None,
        repository: str | None = None,
        framework: Framework | None = None,
        revision: str | None = None,
        task: EndpointTask | None = None,
        custom_image: dict[str, Any] | None = None,
        container_command: list[str] | None = None,
        container_args: list[str] | None = None,
        tensor_parallel_size: int | None = None,
        data_parallel_size: int | None = None,
        env: dict[str, str] | None = None,
        secrets: dict[str, str] | None = None,
        domain: str | None = None,
        path: str | None = None,
        cache_http_responses: bool | None = None,
        tags: list[str] | None = None,
        vendor: str | None = None,
        region: str | None = None,
    ) -> H:
        """Change the settings that are given, and no others; an image is replaced whole.

        `scale_to_zero_timeout` is in minutes and needs `min_replica` 0. `vendor` and `region` move the endpoint. Raises
        `BadRequest`, which is a `ValueError`, if no setting is given, and for a parallelism that the image's engine has
        no setting for; nothing is sent then.

        >>> endpoint = await endpoint.update(max_replica=2)
        >>> endpoint.raw["compute"]["scaling"]["maxReplica"]
        2
        """
        given = {name: value for name, value in locals().items() if name != "self"}
        client = await client_of(self._api)
        change = await change_from(given, lambda: client.get(self.name, self.namespace))
        return self._set_from(await client.update(self.name, change, self.namespace))

    async def pause(self: H) -> H:
        """Stop the endpoint and its billing, until it is resumed.

        >>> endpoint = await endpoint.pause()
        >>> print(endpoint.status)
        paused
        """
        client = await client_of(self._api)
        return self._set_from(await client.pause(self.name, self.namespace))

    async def resume(self: H, running_ok: bool = True) -> H:
        """Start the endpoint after a pause. Raises `AlreadyRunning` for one that runs, but only if not `running_ok`.

        >>> endpoint = await endpoint.pause()
        >>> endpoint = await endpoint.resume()
        >>> print(endpoint.status)
        pending
        """
        client = await client_of(self._api)
        return self._set_from(await client.resume(self.name, self.namespace, running_ok=running_ok))

    async def scale_to_zero(self: H) -> H:
        """Stop the endpoint and its billing, until it is called.

        >>> endpoint = await endpoint.scale_to_zero()
        >>> print(endpoint.status)
        scaledToZero
        """
        client = await client_of(self._api)
        return self._set_from(await client.scale_to_zero(self.name, self.namespace))

    async def delete(self: H) -> None:
        """Delete the endpoint, which cannot be undone.

        >>> await endpoint.delete()
        """
        client = await client_of(self._api)
        await client.delete(self.name, self.namespace)

    async def wait(self: H, timeout: float | None = None, refresh_every: float = 5, *, wake: bool = False) -> H:
        """Wait until the endpoint runs and its health route answers.

        `timeout` is in seconds, None for no limit; `refresh_every` is the longest time between two reads, in seconds.
        `wake` wakes one that is scaled to zero, which is then billed. A read that fails for a moment is repeated.

        Raises, as soon as the endpoint can no longer come to run, `DeploymentFailed` (`upstream` and the error's note
        quote the container's last log lines), `Paused`, `ScaledToZero` or `NotFound`; `InferenceEndpointTimeoutError`
        after `timeout`, but not before a first read; `ValueError` for a negative timeout or a `refresh_every` that is
        not positive.

        >>> endpoint = await endpoint.pause()
        >>> endpoint = await endpoint.resume()
        >>> endpoint = await endpoint.wait(timeout=600)
        >>> print(endpoint.status)
        running
        """
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must not be negative")
        if refresh_every <= 0:
            raise ValueError("refresh_every must be positive")
        limit = float("inf") if timeout is None else timeout
        started = anyio.current_time()
        with anyio.CancelScope(deadline=started + max(limit, FIRST_READ_S)) as scope:

            def on_observation(observation: Observation) -> None:
                scope.deadline = started + limit
                self._set_from_observation(observation)

            await self._until_running(refresh_every, on_observation, wake=wake)
            return self
        raise wait_timeout_error(self.name, self.namespace, Goal.RUNNING, limit, state=self.status)

    async def watch(self: H, refresh_every: float = 5) -> AsyncGenerator[StatusChange]:
        """Yield the endpoint's status now, and then every change of it; ends when the endpoint is deleted.

        This object changes with it. `refresh_every` is the longest time between two reads, in seconds; where the
        service has a stream of events, changes come at once. Close the generator (`contextlib.aclosing`, or `closing`
        for the blocking one) when leaving it early. Raises `ValueError` for a `refresh_every` that is not positive.

        >>> endpoint = await endpoint.pause()
        >>> async for change in endpoint.watch():
        ...     print(change.state, change.ready_replicas)
        ...     break
        paused 0
        """
        if refresh_every <= 0:
            raise ValueError("refresh_every must be positive")
        watcher = Watcher(await client_of(self._api), poll_interval=refresh_every)
        async with aclosing(watcher.changes(self.name, self.namespace)) as changes:
            async for change in changes:
                self._set_from(change.endpoint)
                yield change


async def _wake(client: AsyncEndpointsClient, endpoint: Endpoint, namespace: str) -> None:
    """Any request starts a replica; the answer does not matter."""
    with suppress(Unavailable, InferenceEndpointTimeoutError):
        await client.is_healthy(endpoint, namespace)


def _add_upstream_note(failure: DeploymentFailed) -> None:
    """Add the container's last log lines as a note, which a traceback shows below the message."""
    if failure.upstream:
        failure.add_note(f"The container's last output:\n{_printable(failure.upstream)}")


def _printable(text: str) -> str:
    """Without control, direction and other invisible characters: a terminal could show them as something else."""
    return "".join(character for character in text if character.isprintable() or character == "\n")
