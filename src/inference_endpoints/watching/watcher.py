"""Watches endpoints for many callers at once: goals, changes and time limits on shared observations."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import datetime

import anyio

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.errors import (
    LOG_LINES,
    DeploymentFailed,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    NotFound,
)
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.http import Sleep
from inference_endpoints.transport.state_errors import error_for_state
from inference_endpoints.watching.goals import Goal, Reachability, evaluate
from inference_endpoints.watching.observation import Observation, StatusChange, Subscription
from inference_endpoints.watching.observation_source import Key, ObservationSource
from inference_endpoints.watching.poller_pool import PollerPool
from inference_endpoints.watching.request_limits import STREAMED_INTERVAL_S


class Watcher:
    """Shares the observations of endpoints among all who watch them.

    `poll_interval` is the longest time between two observations of an endpoint, in seconds, unless so many endpoints
    are watched that requests would come too fast. `share` may put something between the pollers and all who watch, such
    as what shares observations with other processes. `sleep` is for tests.

    >>> client = AsyncEndpointsClient()
    >>> watcher = Watcher(client)
    """

    def __init__(
        self,
        client: AsyncEndpointsClient,
        *,
        poll_interval: float = STREAMED_INTERVAL_S,
        wrap_source: Callable[[ObservationSource], ObservationSource] = lambda pollers: pollers,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        self._source = wrap_source(PollerPool(client, poll_interval, sleep))
        self._changed_at: dict[Key, datetime] = {}
        self._waits: set[anyio.CancelScope] = set()
        self._ended = False

    @property
    def polled(self) -> set[Key]:
        """The endpoints that have a poller."""
        return self._source.polled

    def record_change(self, namespace: str, endpoint: Endpoint) -> None:
        """Record the answer to a change of ours, so that no older state is taken for its outcome. Whoever watches the
        endpoint sees it at once.

        >>> watcher.record_change("acme", await client.pause("chat"))
        """
        if endpoint.status.updated_at is not None:
            self._changed_at[namespace, endpoint.name] = endpoint.status.updated_at
        self._source.observe_again(endpoint.name, namespace)

    def record_deletion(self, namespace: str, name: str) -> None:
        """Whoever watches the endpoint sees at once that it is deleted.

        >>> watcher.record_deletion("acme", "chat")
        """
        self._source.observe_again(name, namespace)

    @asynccontextmanager
    async def watch(self, name: str, namespace: str, *, health: bool = True) -> AsyncIterator[Subscription]:
        """Observe an endpoint for as long as the context lasts; the first observation comes at once.

        `health`: call the health route of a running endpoint as well. That keeps the endpoint awake.

        >>> async with watcher.watch("chat", "acme") as subscription:
        ...     observation = await subscription.next()
        >>> print(observation.endpoint.state, observation.healthy)
        running True
        """
        async with self._source.watch(name, namespace, health=health) as subscription:
            yield subscription

    async def changes(self, name: str, namespace: str) -> AsyncGenerator[StatusChange]:
        """The status of an endpoint, and then every change of it, until the endpoint is deleted.

        Raises the error of an observation unless it is retryable. Close it when leaving it early.

        >>> async for change in watcher.changes("chat", "acme"):
        ...     print(change.state, change.ready_replicas)
        ...     break
        running 1
        """
        last: StatusChange | None = None
        async with self.watch(name, namespace, health=False) as subscription:
            while True:
                observation = await subscription.next()
                if observation.error is not None:
                    if not observation.error.retryable:
                        raise observation.error
                    continue
                if observation.endpoint is None:
                    return
                change = StatusChange.to(observation.endpoint)
                if last is None or replace(last, endpoint=observation.endpoint) != change:
                    last = change
                    yield change

    async def wait(
        self,
        name: str,
        namespace: str,
        goal: Goal = Goal.RUNNING,
        *,
        timeout: float | None = None,
        on_observation: Callable[[Observation], None] | None = None,
    ) -> Endpoint | None:
        """Wait until the goal is reached; returns the endpoint, or None for a deleted one.

        `timeout` is in seconds, None for no limit. `on_observation` receives every observation and must not block.
        Raises `InferenceEndpointTimeoutError`; as soon as the goal can no longer be reached, `DeploymentFailed`,
        `Paused`, `ScaledToZero` or `NotFound`; the error of an observation unless it is retryable.

        >>> watcher.record_change("acme", await client.pause("chat"))
        >>> endpoint = await watcher.wait("chat", "acme", Goal.PAUSED, timeout=60)
        >>> print(endpoint.state)
        paused
        """
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must not be negative")
        started = anyio.current_time()
        try:
            with anyio.fail_after(0 if self._ended else timeout) as limit, self._ending(limit):
                async with self.watch(name, namespace, health=goal.needs_health) as subscription:
                    while True:
                        observation = await subscription.next()
                        if on_observation is not None:
                            on_observation(observation)
                        if self._is_reached(goal, observation, (namespace, name)):
                            return observation.endpoint
        except TimeoutError as error:
            if isinstance(error, InferenceEndpointTimeoutError):
                raise
            waited = round(anyio.current_time() - started, 1)
            raise wait_timeout_error(name, namespace, goal, waited if timeout is None else timeout) from None

    def end_waits(self) -> None:
        """End all waits as if their time were up, and each later one: the process is about to end.

        >>> watcher.end_waits()
        """
        self._ended = True
        for limit in self._waits:
            limit.deadline = -math.inf

    @contextmanager
    def _ending(self, limit: anyio.CancelScope) -> Iterator[None]:
        """Let `end_waits` end what is in this block."""
        self._waits.add(limit)
        try:
            yield
        finally:
            self._waits.discard(limit)

    def _is_reached(self, goal: Goal, observation: Observation, key: Key) -> bool:
        """Raises if the goal can no longer be reached."""
        endpoint = observation.endpoint
        if observation.error is not None:
            if observation.error.retryable:
                return False
            raise observation.error
        result = evaluate(goal, endpoint, healthy=bool(observation.healthy), changed_at=self._changed_at.get(key))
        if result.reachability is not Reachability.UNREACHABLE:
            return result.reachability is Reachability.REACHED
        label = "/".join(key)
        if endpoint is None:
            raise NotFound(f"Endpoint {label} does not exist.", hint="list_endpoints shows which exist.")
        message = f"Endpoint {label} will not become {goal.value.replace('_', ' ')}: {result.reason}."
        raise error_for_state(endpoint, message)


def wait_timeout_error(
    name: str, namespace: str, goal: Goal, timeout: float, *, state: str = ""
) -> InferenceEndpointTimeoutError:
    """The error of a wait whose goal was not reached within `timeout` seconds."""
    now = f": it is {state}" if state else ""
    return InferenceEndpointTimeoutError(
        f"Endpoint {namespace}/{name} was not {goal.value.replace('_', ' ')} within {timeout:g} s{now}.",
        hint="It continues by itself: wait again, or read its logs.",
    )


async def add_last_log_lines(
    failure: DeploymentFailed, client: AsyncEndpointsClient, name: str, namespace: str
) -> None:
    """Add the container's last log lines to a failure, if they can be read."""
    with suppress(InferenceEndpointError):
        failure.add_log_lines(entry.line for entry in await client.logs(name, namespace, tail=LOG_LINES))
