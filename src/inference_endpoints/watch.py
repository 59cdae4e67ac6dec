"""Watching endpoints: one poller per endpoint, however many wait for it.

Beside it one stream of the service's events is listened to, which say when to look. Where there is none, or it breaks
off, polling alone finds every change, only later.
"""

import asyncio
import contextvars
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

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
from inference_endpoints.goals import Goal, Prospect, judge
from inference_endpoints.models import Endpoint, InferenceEndpointStatus

log = logging.getLogger(__name__)

QUICK_S = 1.0
"""Seconds between two looks while something changes."""
CALM_S = 5.0
"""Seconds between two looks while nothing does."""
TOLD_S = 15.0
"""Seconds between two looks while nothing does, and a stream would say so if something did."""
MOST_LOOKS_A_SECOND = 50.0
"""Looks at all endpoints together. Where more would be due, all pauses grow alike: what changes is still looked at more
often than what does not."""
GAP_S = 0.25
"""Seconds between two events that are acted on, however many come."""
MOST_STREAMS = 16
"""Streams a watcher listens to at a time: each holds a connection of the client's, of which there are a hundred."""
RETRY_S = (5.0, 300.0)
"""Seconds until a stream that was refused or broke off is asked for again: at first, and at most."""

_NEVER_BECAUSE: dict[InferenceEndpointStatus, type[InferenceEndpointError]] = {
    InferenceEndpointStatus.PAUSED: Paused,
    InferenceEndpointStatus.SCALED_TO_ZERO: ScaledToZero,
}

Key = tuple[str, str]


@dataclass(frozen=True)
class Look:
    """One look at an endpoint. `endpoint` is None once it is gone; `trouble` is a failure to look.

    `healthy` is None where nobody asked the health route.
    """

    endpoint: Endpoint | None
    healthy: bool | None = None
    trouble: InferenceEndpointError | None = None

    @property
    def gist(self) -> tuple[object, ...]:
        """What has to differ for a look to be news."""
        if self.endpoint is None:
            return (None, type(self.trouble))
        status = self.endpoint.status
        replicas = (status.ready_replica, status.target_replica)
        return status.state, *replicas, status.message, status.error_message, self.healthy, type(self.trouble)


@dataclass(frozen=True)
class StatusChange:
    """What became of an endpoint. `message` is the service's own word on it, which may quote the container."""

    state: InferenceEndpointStatus
    ready_replicas: int
    target_replicas: int
    message: str
    endpoint: Endpoint = field(repr=False)

    @classmethod
    def to(cls, endpoint: Endpoint) -> "StatusChange":
        status = endpoint.status
        message = status.error_message or status.message or ""
        return cls(status.state, status.ready_replica, status.target_replica, message, endpoint)


class Slot:
    """Where a watcher finds the newest look: a slow one misses what was overtaken, and holds nobody up."""

    def __init__(self, health: bool) -> None:
        self.health = health
        self._newest: Look | None = None
        self._arrived = asyncio.Event()

    def put(self, look: Look) -> None:
        self._newest = look
        self._arrived.set()

    async def next(self) -> Look:
        await self._arrived.wait()
        self._arrived.clear()
        assert self._newest is not None
        return self._newest


@dataclass
class _Poller:
    """`called` ends the pause before the next look: somebody joined, or an event came. `ear` listens to the stream, and
    `told` says whether it brings anything, `pace` how many looks a second are due.
    """

    slots: set[Slot] = field(default_factory=set)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False)
    ear: asyncio.Task[None] | None = None
    told: bool = False
    pace: float = 1 / QUICK_S
    retry_at: float = 0.0
    retry_s: float = RETRY_S[0]

    @property
    def listens(self) -> bool:
        return self.ear is not None and not self.ear.done()

    def end(self) -> None:
        for task in (self.task, self.ear):
            if task is not None:
                task.cancel()


class Watcher:
    """Shares looks at endpoints among all who watch them.

    `refresh_every` bounds the time between two looks, in seconds, as long as there are few enough endpoints for that;
    `sleep` is the seam for tests.
    """

    def __init__(
        self,
        client: AsyncEndpointsClient,
        *,
        refresh_every: float = TOLD_S,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._client = client
        self._refresh_every = refresh_every
        self._sleep = sleep
        self._pollers: dict[Key, _Poller] = {}
        self._changed_at: dict[Key, datetime] = {}

    @property
    def polled(self) -> set[Key]:
        """The endpoints that are being looked at."""
        return set(self._pollers)

    def changed(self, namespace: str, endpoint: Endpoint) -> None:
        """Note the answer to a change of ours, so that no older state is mistaken for its outcome."""
        if endpoint.status.updated_at is not None:
            self._changed_at[namespace, endpoint.name] = endpoint.status.updated_at

    @asynccontextmanager
    async def watch(self, name: str, namespace: str, *, health: bool = True) -> AsyncIterator[Slot]:
        """Look at an endpoint for as long as the context lasts; each look arrives in the slot, the first at once.

        `health`: ask the health route of a running one as well. That keeps it awake, and wakes one that just fell
        asleep.
        """
        key = (namespace, name)
        slot = Slot(health)
        poller = self._pollers.get(key)
        if poller is None:
            poller = self._pollers[key] = _Poller()
            # It looks for all who watch, so it takes nothing over from the context of the first.
            poller.task = asyncio.create_task(
                self._poll(key, poller), name=f"watch {namespace}/{name}", context=contextvars.Context()
            )
        poller.slots.add(slot)
        poller.called.set()
        try:
            yield slot
        finally:
            poller.slots.discard(slot)
            if not poller.slots:
                self._pollers.pop(key, None)
                poller.end()

    async def changes(self, name: str, namespace: str) -> AsyncGenerator[StatusChange]:
        """What an endpoint is now, and then every change of it that is seen, until it is deleted.

        Raises what looking raises, but survives a passing failure. Close it when leaving it early.
        """
        last: StatusChange | None = None
        async with self.watch(name, namespace, health=False) as slot:
            while True:
                look = await slot.next()
                if look.trouble is not None:
                    if not look.trouble.retryable:
                        raise look.trouble
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
        on_look: Callable[[Look], None] | None = None,
    ) -> Endpoint | None:
        """Wait until the goal is reached; returns the endpoint, or None for one that was to be deleted.

        `timeout` is in seconds, None for no limit. `on_look` is told every look and must not block.
        Raises `InferenceEndpointTimeoutError`; as soon as the goal can no longer be reached, `DeploymentFailed`,
        `Paused`, `ScaledToZero` or `NotFound`. A passing failure to look is survived.
        """
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must not be negative")
        try:
            with anyio.fail_after(timeout):
                async with self.watch(name, namespace, health=goal.serves) as slot:
                    while True:
                        look = await slot.next()
                        if on_look is not None:
                            on_look(look)
                        if self._decided(look, goal, (namespace, name)):
                            return look.endpoint
        except TimeoutError as error:
            if isinstance(error, InferenceEndpointTimeoutError):
                raise
            raise InferenceEndpointTimeoutError(
                f"Endpoint {namespace}/{name} was not {goal.value.replace('_', ' ')} within {timeout:g} s.",
                hint="It goes on by itself; wait again, or look at its state.",
            ) from None

    def _decided(self, look: Look, goal: Goal, key: Key) -> bool:
        """Whether the goal is reached. Raises if it never will be."""
        if look.trouble is not None:
            if look.trouble.retryable:
                return False
            raise look.trouble
        judgement = judge(goal, look.endpoint, healthy=bool(look.healthy), changed_at=self._changed_at.get(key))
        if judgement.prospect is not Prospect.NEVER:
            return judgement.prospect is Prospect.REACHED
        label = "/".join(key)
        if look.endpoint is None:
            raise NotFound(f"Endpoint {label} does not exist.", hint="list_endpoints shows what does.")
        kind = _NEVER_BECAUSE.get(look.endpoint.state, DeploymentFailed)
        raise kind(
            f"Endpoint {label} will not become {goal.value.replace('_', ' ')}: {judgement.why}.",
            hint="Resume it first." if kind in _NEVER_BECAUSE.values() else "",
            upstream=look.endpoint.status.error_message or "",
        )

    async def _poll(self, key: Key, poller: _Poller) -> None:
        last: Look | None = None
        while True:
            poller.called.clear()
            look = await self._look(key, health=any(slot.health for slot in poller.slots))
            for slot in tuple(poller.slots):
                slot.put(look)
            self._listen(key, poller)
            await self._nap(poller, self._pause(poller, look, news=last is None or look.gist != last.gist))
            last = look

    def _listen(self, key: Key, poller: _Poller) -> None:
        """Listen to the endpoint's events, unless that is done, was tried just now, or is done for enough others."""
        others = sum(other.listens for other in self._pollers.values())
        if poller.listens or others >= MOST_STREAMS or anyio.current_time() < poller.retry_at:
            return
        poller.ear = asyncio.create_task(
            self._hear(key, poller), name=f"listen {'/'.join(key)}", context=contextvars.Context()
        )

    async def _hear(self, key: Key, poller: _Poller) -> None:
        """Let every event end the pause before the next look, until the stream ends. What went wrong with it is not
        worth telling: whatever it is, looking shows.
        """
        namespace, name = key
        try:
            with suppress(InferenceEndpointError):
                async with aclosing(self._client.events(name, namespace)) as events:
                    async for _ in events:
                        poller.told, poller.retry_s = True, RETRY_S[0]
                        poller.called.set()
                        await anyio.sleep(GAP_S)
        except Exception:
            log.exception("listening to %s/%s failed", namespace, name)
        finally:
            poller.told = False
            poller.retry_at = anyio.current_time() + poller.retry_s * random.uniform(0.8, 1.0)  # noqa: S311
            poller.retry_s = min(2 * poller.retry_s, RETRY_S[1])

    async def _nap(self, poller: _Poller, seconds: float) -> None:
        """Until it is time for another look, or somebody joins."""
        ends = [asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(poller.called.wait())]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    async def _look(self, key: Key, *, health: bool) -> Look:
        namespace, name = key
        try:
            endpoint = await self._client.get(name, namespace)
            if not health or endpoint.state is not InferenceEndpointStatus.RUNNING or endpoint.url is None:
                return Look(endpoint)
        except NotFound:
            return Look(None)
        except InferenceEndpointError as trouble:
            return Look(None, trouble=trouble)
        except Exception as crash:
            # Whoever waits is told, rather than left waiting for a poller that has died.
            log.exception("looking at %s/%s failed", namespace, name)
            failure = InferenceEndpointError("Looking at the endpoint failed unexpectedly.", hint="Try again.")
            failure.__cause__ = crash
            return Look(None, trouble=failure)
        try:
            return Look(endpoint, healthy=await self._client.healthy(endpoint, namespace))
        except InferenceEndpointError:
            return Look(endpoint, healthy=False)

    def _pause(self, poller: _Poller, look: Look, *, news: bool) -> float:
        moving = news or (look.endpoint is not None and (look.endpoint.state.changing or look.healthy is False))
        calm = TOLD_S if poller.told else CALM_S
        pause = min(QUICK_S if moving else calm, self._refresh_every)
        poller.pace = 1 / pause
        crowd = sum(other.pace for other in self._pollers.values()) / MOST_LOOKS_A_SECOND
        return pause * max(1.0, crowd) * random.uniform(0.8, 1.0)  # noqa: S311
