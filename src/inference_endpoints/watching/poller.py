"""Observes one endpoint for all its subscribers."""

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import anyio

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.watching.event_stream import EventStreamListener
from inference_endpoints.watching.namespace_reader import NamespaceReader
from inference_endpoints.watching.observation import Observation, Subscription
from inference_endpoints.watching.request_limits import RequestLimits


class Poller:
    """Observes one endpoint until it is closed: at each tick of its interval, and for each event and new subscriber.

    `on_failure` is called if the poller itself fails.
    """

    def __init__(
        self, reader: NamespaceReader, name: str, limits: RequestLimits, on_failure: Callable[["Poller"], None]
    ) -> None:
        self.reader = reader
        self.subscriptions: set[Subscription] = set()
        self._name = name
        self._label = f"{reader.namespace}/{name}"
        self._limits = limits
        self._on_failure = on_failure
        self._last: Observation | None = None
        self._check_health_at = 0.0
        self._woken = asyncio.Event()
        self._listener = EventStreamListener(
            partial(reader.client.events, name, reader.namespace), self._label, limits.event_streams, self._woken.set
        )
        # It works for all subscribers, so it inherits no context of the first.
        self._task = asyncio.create_task(self._run(), name=f"watch {self._label}", context=contextvars.Context())

    def subscribe(self, *, health: bool) -> Subscription:
        subscription = Subscription(health)
        self.subscriptions.add(subscription)
        self._woken.set()
        return subscription

    def observe_again(self) -> None:
        """Observe it now. An observation that is under way may have begun too early."""
        self._woken.set()

    def close(self) -> None:
        self._task.cancel()
        self._listener.close()

    async def _run(self) -> None:
        try:
            while True:
                await self._poll()
        except Exception as error:
            self._on_failure(self)
            self._listener.close()
            failed = replace(Observation.failed(error, self._label), began_at=anyio.current_time())
            for subscription in self.subscriptions:
                subscription.publish(failed)

    async def _poll(self) -> None:
        """One observation, and the pause after it."""
        self._woken.clear()
        subscribers = tuple(self.subscriptions)  # a later subscriber waits for a later observation
        began_at = anyio.current_time()
        observation = replace(await self._observe(), began_at=began_at)
        for subscription in subscribers:
            subscription.publish(observation)
        self._listener.start()
        interval = self._interval(observation)
        self._last = observation
        await self._wait_for(self.reader.tick(interval))

    async def _wait_for(self, tick: "asyncio.Task[None]") -> None:
        """Until the tick, an event or a new subscriber."""
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait([woken, tick], return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        if tick.done():
            tick.result()  # a pause that fails must not become a loop without pauses

    async def _observe(self) -> Observation:
        observation = await self.reader.read(self._name, self._last)
        if not observation.has_health_route or not any(each.health for each in self.subscriptions):
            return observation
        known = self._last.healthy if self._last else None
        if known is not None and anyio.current_time() < self._check_health_at:
            return replace(observation, healthy=known)
        self._check_health_at = anyio.current_time() + self._limits.health_check_interval
        return replace(observation, healthy=await self._check_health(observation))

    async def _check_health(self, observation: Observation) -> bool:
        """Call the health route, which keeps the endpoint awake."""
        assert observation.endpoint is not None
        try:
            async with self._limits.health_checks:
                return await self.reader.client.is_healthy(observation.endpoint, self.reader.namespace)
        except InferenceEndpointError:
            return False

    def _interval(self, observation: Observation) -> float:
        changed = self._last is None or observation.fingerprint != self._last.fingerprint
        transient = observation.endpoint is not None and observation.endpoint.state.changing
        changing = changed or transient or observation.healthy is False
        return self._limits.interval(changing=changing, streamed=self._listener.is_live)
