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
from inference_endpoints.watching.event_stream import Ear, Hearing
from inference_endpoints.watching.goals import Goal, Prospect, judge
from inference_endpoints.watching.observation import Look, Slot, StatusChange
from inference_endpoints.watching.polling import Key, Looking, unexpected

QUICK_S = 1.0
"""Seconds between two looks while something changes."""
CALM_S = 5.0
"""Seconds between two looks while nothing does."""
TOLD_S = 15.0
"""Seconds between two looks while nothing does, and a stream would say so if something did."""
MOST_LOOKS_A_SECOND = 50.0
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

    slots: set[Slot] = field(default_factory=set)
    task: asyncio.Task[None] = field(init=False)
    ear: Ear = field(init=False)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    urgent: bool = False
    handed: Look | None = None
    pace: float = 1 / QUICK_S
    checks: bool = False
    check_at: float | None = None

    def call(self) -> None:
        self.urgent = True
        self.woken.set()

    def hand(self, look: Look) -> None:
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
        self.ear.end()


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
        self._looking = Looking(client, self._paces, self._hand)
        self._hearing = Hearing(client)
        self._crowd: tuple[float, float, float] | None = None

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
            poller.ear = Ear(self._hearing, namespace, name, poller.call)
            self._crowd = None
            # It looks for all who watch, so it takes nothing over from the context of the first.
            poller.task = asyncio.create_task(
                self._poll(key, poller), name=f"watch {namespace}/{name}", context=contextvars.Context()
            )
            poller.task.add_done_callback(partial(self._died, key, poller))
        poller.slots.add(slot)
        poller.call()
        try:
            yield slot
        finally:
            poller.slots.discard(slot)
            if not poller.slots:
                if self._pollers.get(key) is poller:
                    del self._pollers[key]
                poller.end()
                if not any(other == namespace for other, _ in self._pollers):
                    self._looking.forget(namespace)

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
            look = await self._look(key, poller, last)
            for slot in tuple(poller.slots):
                slot.put(look)
            poller.ear.listen()
            await self._nap(poller, self._pause(poller, look, news=last is None or look.gist != last.gist))
            last = look

    def _died(self, key: Key, poller: _Poller, task: "asyncio.Task[None]") -> None:
        """Tell whoever watches that polling ended, rather than leave them waiting. A later one gets a new poller."""
        error = None if task.cancelled() else task.exception()
        if not isinstance(error, Exception):
            return
        if self._pollers.get(key) is poller:
            del self._pollers[key]
        poller.ear.end()
        for slot in tuple(poller.slots):
            slot.put(Look(None, trouble=unexpected(error, "/".join(key))))

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

    async def _look(self, key: Key, poller: _Poller, last: Look | None) -> Look:
        fresh, poller.urgent = poller.urgent, False
        look, alone = await self._seen(key, poller, last, fresh=fresh)
        if not look.may_serve or not any(slot.health for slot in poller.slots):
            return look
        known = last.healthy if last is not None else None
        early = poller.check_at is not None and anyio.current_time() < poller.check_at
        if known is not None and early and not fresh and not alone:
            return replace(look, healthy=known)
        poller.check_at = None
        return await self._looking.checked(look, key[0])

    async def _seen(self, key: Key, poller: _Poller, last: Look | None, *, fresh: bool) -> tuple[Look, bool]:
        """What the endpoint is, and whether it was looked at alone."""
        while fresh or poller.handed is None:
            poller.handed = None
            listed = self._looking.share(key[0], fresh=fresh)
            if listed is None:
                return await self._looking.alone(key), True
            poller.woken.clear()
            await (asyncio.wait([listed]) if fresh else poller.until(listed))
            fresh = False
        look, poller.handed = poller.handed, None
        if look.gone and (last is None or not last.gone):
            return await self._looking.alone(key), True
        return (last if last is not None and look.behind(last) else look), False

    def _hand(self, key: Key, look: Look) -> None:
        if key in self._pollers:
            self._pollers[key].hand(look)

    def _pause(self, poller: _Poller, look: Look, *, news: bool) -> float:
        moving = news or (look.endpoint is not None and (look.endpoint.state.changing or look.healthy is False))
        calm = TOLD_S if poller.ear.told else CALM_S
        pause = min(QUICK_S if moving else calm, self._refresh_every)
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
            looks = sum(self._looking.cost(*each) for each in namespaces.items())
            checks = sum(poller.pace for poller in self._pollers.values() if poller.checks)
            self._crowd = now + QUICK_S / 4, looks / MOST_LOOKS_A_SECOND, checks / MOST_LOOKS_A_SECOND
        return max(1.0, self._crowd[1]), max(1.0, self._crowd[2])

    def _paces(self, namespace: str) -> dict[str, float]:
        return {name: poller.pace for (each, name), poller in self._pollers.items() if each == namespace}
