"""Watching endpoints: one poller per endpoint, however many wait for it.

How a poller looks, alone or with others, is the matter of `looking`. Events that say when to look are listened to
beside it. Without them, polling finds every change, only later.
"""

import asyncio
import contextvars
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import anyio

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import (
    DeploymentFailed,
    InferenceEndpointError,
    InferenceEndpointTimeoutError,
    NotFound,
    Paused,
    ScaledToZero,
)
from inference_endpoints.models import Endpoint, InferenceEndpointStatus
from inference_endpoints.watching.event_stream import EventStreamListener, EventStreams
from inference_endpoints.watching.goals import Goal, Reachability, evaluate
from inference_endpoints.watching.observation import Observation, StatusChange, Subscription
from inference_endpoints.watching.observer import Key, Observer, unexpected

CHANGING_INTERVAL_S = 1.0
"""Seconds between two looks while something changes."""
IDLE_INTERVAL_S = 5.0
"""Seconds between two looks while nothing does."""
STREAMED_INTERVAL_S = 15.0
"""Seconds between two looks while nothing does, and a stream would say so if something did."""
MAX_REQUESTS_PER_S = 50.0
"""Looks at all endpoints together, each page of a list being one, and as many checks of health. Where more would be
due, all pauses grow alike: what changes is still looked at more often than what does not."""

_NEVER_BECAUSE: dict[InferenceEndpointStatus, type[InferenceEndpointError]] = {
    InferenceEndpointStatus.PAUSED: Paused,
    InferenceEndpointStatus.SCALED_TO_ZERO: ScaledToZero,
}


@dataclass
class _Poller:
    """`urgent` asks for a new look: somebody joined, or an event came. `handed` is what a list told. `pace` is how many
    looks a second are due, `checks` whether health is asked as well, `check_at` when it is again.
    """

    subscriptions: set[Subscription] = field(default_factory=set)
    task: asyncio.Task[None] = field(init=False)
    listener: EventStreamListener = field(init=False)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    urgent: bool = False
    handed: Observation | None = None
    pace: float = 1 / CHANGING_INTERVAL_S
    checks: bool = False
    check_at: float | None = None

    def call(self) -> None:
        self.urgent = True
        self.woken.set()

    def hand(self, look: Observation) -> None:
        self.handed = look
        self.woken.set()

    async def until(self, other: "asyncio.Future[Any]") -> None:
        """Until woken, or the other is done."""
        woken = asyncio.ensure_future(self.woken.wait())
        try:
            await asyncio.wait([woken, other], return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()

    def end(self) -> None:
        self.task.cancel()
        self.listener.end()


class Watcher:
    """Shares looks at endpoints among all who watch them.

    `poll_interval` bounds the time between two looks, in seconds, as long as there are few enough endpoints for that;
    `sleep` is the seam for tests.

    >>> client = AsyncEndpointsClient()
    >>> watcher = Watcher(client)
    """

    def __init__(
        self,
        client: AsyncEndpointsClient,
        *,
        poll_interval: float = STREAMED_INTERVAL_S,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._client = client
        self._poll_interval = poll_interval
        self._sleep = sleep
        self._pollers: dict[Key, _Poller] = {}
        self._changed_at: dict[Key, datetime] = {}
        self._observer = Observer(client, self._paces, self._hand)
        self._streams = EventStreams(client)
        self._crowd: tuple[float, float, float] | None = None

    @property
    def polled(self) -> set[Key]:
        """The endpoints that are being looked at."""
        return set(self._pollers)

    def changed(self, namespace: str, endpoint: Endpoint) -> None:
        """Note the answer to a change of ours, so that no older state is mistaken for its outcome.

        >>> watcher.changed("acme", await client.pause("chat"))
        """
        if endpoint.status.updated_at is not None:
            self._changed_at[namespace, endpoint.name] = endpoint.status.updated_at

    @asynccontextmanager
    async def watch(self, name: str, namespace: str, *, health: bool = True) -> AsyncIterator[Subscription]:
        """Observe an endpoint for as long as the context lasts; the first observation comes at once.

        `health`: ask the health route of a running one as well. That keeps it awake, and wakes one that just fell
        asleep.

        >>> async with watcher.watch("chat", "acme") as subscription:
        ...     observation = await subscription.next()
        >>> print(observation.endpoint.state, observation.healthy)
        running True
        """
        key = (namespace, name)
        subscription = Subscription(health)
        poller = self._pollers.get(key)
        if poller is None:
            poller = self._pollers[key] = _Poller()
            poller.listener = EventStreamListener(self._streams, namespace, name, poller.call)
            self._crowd = None
            # It looks for all who watch, so it takes nothing over from the context of the first.
            poller.task = asyncio.create_task(
                self._poll(key, poller), name=f"watch {namespace}/{name}", context=contextvars.Context()
            )
            poller.task.add_done_callback(partial(self._died, key, poller))
        poller.subscriptions.add(subscription)
        poller.call()
        try:
            yield subscription
        finally:
            poller.subscriptions.discard(subscription)
            if not poller.subscriptions:
                if self._pollers.get(key) is poller:
                    del self._pollers[key]
                poller.end()
                if not any(other == namespace for other, _ in self._pollers):
                    self._observer.forget(namespace)

    async def changes(self, name: str, namespace: str) -> AsyncGenerator[StatusChange]:
        """What an endpoint is now, and then every change of it that is seen, until it is deleted.

        Raises what looking raises, but survives a passing failure. Close it when leaving it early.

        >>> async for change in watcher.changes("chat", "acme"):
        ...     print(change.state, change.ready_replicas)
        ...     break
        running 1
        """
        last: StatusChange | None = None
        async with self.watch(name, namespace, health=False) as subscription:
            while True:
                look = await subscription.next()
                if look.error is not None:
                    if not look.error.retryable:
                        raise look.error
                    continue
                if look.endpoint is None:
                    return
                change = StatusChange.to(look.endpoint)
                if last is None or replace(last, endpoint=look.endpoint) != change:
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
        """Wait until the goal is reached; returns the endpoint, or None for one that was to be deleted.

        `timeout` is in seconds, None for no limit. `on_observation` is told every look and must not block.
        Raises `InferenceEndpointTimeoutError`; as soon as the goal can no longer be reached, `DeploymentFailed`,
        `Paused`, `ScaledToZero` or `NotFound`. A passing failure to look is survived.

        >>> watcher.changed("acme", await client.pause("chat"))
        >>> endpoint = await watcher.wait("chat", "acme", Goal.PAUSED, timeout=60)
        >>> print(endpoint.state)
        paused
        """
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must not be negative")
        try:
            with anyio.fail_after(timeout):
                async with self.watch(name, namespace, health=goal.needs_health) as subscription:
                    while True:
                        look = await subscription.next()
                        if on_observation is not None:
                            on_observation(look)
                        if self._decided(look, goal, (namespace, name)):
                            return look.endpoint
        except TimeoutError as error:
            if isinstance(error, InferenceEndpointTimeoutError):
                raise
            raise InferenceEndpointTimeoutError(
                f"Endpoint {namespace}/{name} was not {goal.value.replace('_', ' ')} within {timeout:g} s.",
                hint="It goes on by itself; wait again, or look at its state.",
            ) from None

    def _decided(self, look: Observation, goal: Goal, key: Key) -> bool:
        """Whether the goal is reached. Raises if it never will be."""
        if look.error is not None:
            if look.error.retryable:
                return False
            raise look.error
        evaluation = evaluate(goal, look.endpoint, healthy=bool(look.healthy), changed_at=self._changed_at.get(key))
        if evaluation.reachability is not Reachability.UNREACHABLE:
            return evaluation.reachability is Reachability.REACHED
        label = "/".join(key)
        if look.endpoint is None:
            raise NotFound(f"Endpoint {label} does not exist.", hint="list_endpoints shows what does.")
        kind = _NEVER_BECAUSE.get(look.endpoint.state, DeploymentFailed)
        raise kind(
            f"Endpoint {label} will not become {goal.value.replace('_', ' ')}: {evaluation.reason}.",
            hint="Resume it first." if kind in _NEVER_BECAUSE.values() else "",
            upstream=look.endpoint.status.error_message or "",
        )

    async def _poll(self, key: Key, poller: _Poller) -> None:
        last: Observation | None = None
        while True:
            look = await self._look(key, poller, last)
            for subscription in tuple(poller.subscriptions):
                subscription.publish(look)
            poller.listener.listen()
            await self._nap(
                poller, self._pause(poller, look, news=last is None or look.fingerprint != last.fingerprint)
            )
            last = look

    def _died(self, key: Key, poller: _Poller, task: "asyncio.Task[None]") -> None:
        """Tell whoever watches that polling ended, rather than leave them waiting. A later one gets a new poller."""
        error = None if task.cancelled() else task.exception()
        if not isinstance(error, Exception):
            return
        if self._pollers.get(key) is poller:
            del self._pollers[key]
        poller.listener.end()
        for subscription in tuple(poller.subscriptions):
            subscription.publish(Observation(None, error=unexpected(error, "/".join(key))))

    async def _nap(self, poller: _Poller, seconds: float) -> None:
        """Until it is time for another look, a list shows one, or somebody joins."""
        if poller.urgent or poller.handed is not None:
            return
        poller.woken.clear()
        slept = asyncio.ensure_future(self._sleep(seconds))
        try:
            await poller.until(slept)
            if slept.done():
                slept.result()  # a pause that fails must not become a loop without pauses
        finally:
            slept.cancel()

    async def _look(self, key: Key, poller: _Poller, last: Observation | None) -> Observation:
        fresh, poller.urgent = poller.urgent, False
        look, alone = await self._seen(key, poller, last, fresh=fresh)
        if not look.has_health_route or not any(subscription.health for subscription in poller.subscriptions):
            return look
        known = last.healthy if last is not None else None
        early = poller.check_at is not None and anyio.current_time() < poller.check_at
        if known is not None and early and not fresh and not alone:
            return replace(look, healthy=known)
        poller.check_at = None
        return await self._observer.checked(look, key[0])

    async def _seen(
        self, key: Key, poller: _Poller, last: Observation | None, *, fresh: bool
    ) -> tuple[Observation, bool]:
        """What the endpoint is, and whether it was looked at alone."""
        while fresh or poller.handed is None:
            poller.handed = None
            listed = self._observer.share(key[0], fresh=fresh)
            if listed is None:
                return await self._observer.alone(key), True
            poller.woken.clear()
            await (asyncio.wait([listed]) if fresh else poller.until(listed))
            fresh = False
        look, poller.handed = poller.handed, None
        if look.is_gone and (last is None or not last.is_gone):
            return await self._observer.alone(key), True
        return (last if last is not None and look.is_older_than(last) else look), False

    def _hand(self, key: Key, look: Observation) -> None:
        if key in self._pollers:
            self._pollers[key].hand(look)

    def _pause(self, poller: _Poller, look: Observation, *, news: bool) -> float:
        moving = news or (look.endpoint is not None and (look.endpoint.state.changing or look.healthy is False))
        calm = STREAMED_INTERVAL_S if poller.listener.told else IDLE_INTERVAL_S
        pause = min(CHANGING_INTERVAL_S if moving else calm, self._poll_interval)
        poller.pace, poller.checks = 1 / pause, look.healthy is not None
        jitter = random.uniform(0.8, 1.0)  # noqa: S311
        crowd, checks = self._crowds()
        if poller.check_at is None:
            poller.check_at = anyio.current_time() + pause * checks * jitter
        return pause * crowd * jitter

    def _crowds(self) -> tuple[float, float]:
        """How many times as many requests are due as are sent, and how many times as many checks of health."""
        now = anyio.current_time()
        if self._crowd is None or now >= self._crowd[0]:
            namespaces: dict[str, dict[str, float]] = defaultdict(dict)
            for (namespace, name), poller in self._pollers.items():
                namespaces[namespace][name] = poller.pace
            looks = sum(self._observer.cost(*each) for each in namespaces.items())
            checks = sum(poller.pace for poller in self._pollers.values() if poller.checks)
            self._crowd = now + CHANGING_INTERVAL_S / 4, looks / MAX_REQUESTS_PER_S, checks / MAX_REQUESTS_PER_S
        return max(1.0, self._crowd[1]), max(1.0, self._crowd[2])

    def _paces(self, namespace: str) -> dict[str, float]:
        return {name: poller.pace for (each, name), poller in self._pollers.items() if each == namespace}
