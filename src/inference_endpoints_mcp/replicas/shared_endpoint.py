"""One endpoint that is watched here, or read here for other replicas."""

import asyncio
import contextvars
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from inference_endpoints.errors import Refused
from inference_endpoints.watching.observation import Observation, Subscription
from inference_endpoints.watching.observation_source import Key, ObservationSource

_PAUSE_S = 1.0
"""Seconds after an error that will not pass, before an endpoint is watched anew for those who still watch it."""


@dataclass(frozen=True)
class _Subscriber:
    """Receives observations that begin after it did: after `since`, or after this replica asked for the `asked`th time
    where another one reads."""

    subscription: Subscription
    since: float
    asked: int


@dataclass(frozen=True)
class ReplicaRequest:
    """Another replica requests observations that begin after it asked for the `asked`th time, at `since`. It has to
    repeat that before `until`. `answered` is the last time it asked before an observation began."""

    health: bool
    asked: int
    since: float
    until: float
    answered: int


class SharedEndpoint:
    """Its subscribers in this replica get the observations of its own poller, or those that another replica publishes.

    `pollers` are this replica's own, `on_observed` gets what they observe. `permit` raises `Refused` where nothing of a
    namespace may be read here. Times are those of the event loop's clock.
    """

    def __init__(
        self,
        key: Key,
        pollers: ObservationSource,
        permit: Callable[[str], None],
        on_observed: Callable[["SharedEndpoint", Observation], None],
    ) -> None:
        self.key = key
        self.requests: dict[str, ReplicaRequest] = {}
        """By other replicas, of this one."""
        self.asked = self.least = 0
        """How often this replica had asked when it asked for this last, and when it began to follow who leads."""
        self.lost_at = float("inf")
        """When the replica that leads counts as lost unless it publishes something."""
        self._pollers = pollers
        self._permit = permit
        self._on_observed = on_observed
        self._subscribers: list[_Subscriber] = []
        self._own: Subscription | None = None
        self._polling: asyncio.Task[None] | None = None
        self._last: Observation | None = None

    @property
    def is_watched(self) -> bool:
        """By subscribers of this replica."""
        return bool(self._subscribers)

    @property
    def is_polled(self) -> bool:
        """By this replica."""
        return self._polling is not None

    @property
    def needs_health(self) -> bool:
        """Whether a subscriber of this replica needs the health route to be called."""
        return any(each.subscription.health for each in self._subscribers)

    def subscribe(self, *, health: bool) -> Subscription:
        subscription = Subscription(health)
        self._subscribers.append(_Subscriber(subscription, anyio.current_time(), self.asked))
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscribers = [each for each in self._subscribers if each.subscription is not subscription]
        self._note_health()

    def poll(self) -> None:
        """Let this replica read it, from now on."""
        if self._polling is None:
            # It works for all subscribers, so it inherits no context of the first.
            context = contextvars.Context()
            self._polling = asyncio.create_task(self._poll(), name=f"share {'/'.join(self.key)}", context=context)

    def observe_now(self) -> None:
        """Let this replica read it now, and from now on."""
        self._note_health()
        self.poll()
        namespace, name = self.key
        self._pollers.observe_again(name, namespace)

    def stop_polling(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
        self._polling = self._own = None

    def take_request(self, replica: str, *, health: bool, asked: int, valid_s: float) -> None:
        """Another replica requests observations of it."""
        now = anyio.current_time()
        before = self.requests.get(replica)
        if before is not None and before.asked >= asked:
            self.requests[replica] = replace(before, health=health, until=now + valid_s)
            self._note_health()
            return
        answered = before.answered if before else 0
        self.requests[replica] = ReplicaRequest(health, asked, since=now, until=now + valid_s, answered=answered)
        self.observe_now()

    def keep_requests(self, keeps: Callable[[str, ReplicaRequest], bool]) -> None:
        """Forget the requests of others, except those for which `keeps` is true."""
        self.requests = {replica: request for replica, request in self.requests.items() if keeps(replica, request)}
        self._note_health()

    def take(self, observation: Observation, answered: int) -> None:
        """Let subscribers have what another replica read after we asked for the `answered`th time."""
        subscribers = [each for each in self._subscribers if each.asked <= answered]
        self._publish(observation, subscribers)

    async def _poll(self) -> None:
        namespace, name = self.key
        while True:
            async with self._pollers.watch(name, namespace, health=self._health) as self._own:
                while True:
                    observation = await self._own.next()
                    began_at = observation.began_at
                    for replica, request in self.requests.items():
                        if request.since <= began_at:
                            self.requests[replica] = replace(request, answered=request.asked)
                    self._publish(observation, [each for each in self._subscribers if each.since <= began_at])
                    self._on_observed(self, observation)
                    if observation.error is not None and not observation.error.retryable:
                        break  # its poller may have ended
            await anyio.sleep(_PAUSE_S)

    def _publish(self, observation: Observation, subscribers: list[_Subscriber]) -> None:
        """Unless it shows an older state than the last: it may come from another replica than that."""
        if self._last is not None and observation.is_older_than(self._last):
            return
        self._last = observation
        try:
            self._permit(self.key[0])
        except Refused as error:
            observation = Observation(None, error=error)
        for each in subscribers:
            each.subscription.publish(observation)

    @property
    def _health(self) -> bool:
        return self.needs_health or any(each.health for each in self.requests.values())

    def _note_health(self) -> None:
        if self._own is not None:
            self._own.health = self._health
