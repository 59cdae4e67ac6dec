"""What is looked at for those who watch a resource, and how a change in it is noticed."""

import asyncio
import contextvars
import json
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing

from inference_endpoints.errors import InferenceEndpointError, NotFound
from inference_endpoints.models import Endpoint
from inference_endpoints.watching.watcher import Watcher

Looks = Callable[[], AsyncGenerator[Hashable]]
"""Looks again and again; what is seen differs as soon as there is something to announce."""

log = logging.getLogger(__name__)

_UNCERTAIN: Hashable = object()
"""Seen when looking failed and may yet succeed."""


class Watch:
    """Announces each change in what is seen, for all who watch the same thing."""

    def __init__(self, looks: Looks, announce: Callable[[], Awaitable[None]], name: str) -> None:
        self.watchers = 0
        self._looks = looks
        self._announce = announce
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._first.add_done_callback(lambda first: first.cancelled() or first.exception())
        # It looks for all who watch, so it takes nothing over from the context of the first.
        self._task = asyncio.create_task(self._run(), name=f"watch {name}", context=contextvars.Context())

    @property
    def ended(self) -> bool:
        return self._task.done()

    async def begun(self) -> None:
        """Return once it was looked: whatever changes from here on is announced. Raises what prevents looking."""
        await asyncio.shield(self._first)

    def stop(self) -> None:
        self._task.cancel()
        self._first.cancel()

    async def _run(self) -> None:
        before: Hashable = _UNCERTAIN
        try:
            async with aclosing(self._looks()) as looks:
                async for seen in looks:
                    if self._first.done() and seen not in (before, _UNCERTAIN):
                        await self._announce()
                    if not self._first.done():
                        self._first.set_result(None)
                    before = before if seen is _UNCERTAIN else seen
        except Exception as error:
            if not isinstance(error, InferenceEndpointError):
                log.exception("%s failed", self._task.get_name())
            if not self._first.done():
                self._first.set_exception(error)
                return
            # Whoever reads it next is told what is wrong.
            await self._announce()


async def looks_at(watcher: Watcher, namespace: str, name: str) -> AsyncGenerator[Hashable]:
    """The endpoint itself, as often as the watcher looks. Its health route is left alone: asking would keep it up."""
    async with watcher.watch(name, namespace, health=False) as subscription:
        while True:
            observation = await subscription.next()
            if observation.error is None:
                yield _document(observation.endpoint)
            elif observation.error.retryable:
                yield _UNCERTAIN
            else:
                raise observation.error


def _document(endpoint: Endpoint | None) -> Hashable:
    """All that is said of an endpoint but when it was last used: being called is no change."""
    if endpoint is None:
        return None
    status = {key: value for key, value in endpoint.raw["status"].items() if key != "lastUsedAt"}
    return json.dumps({**endpoint.raw, "status": status}, sort_keys=True)


async def again(look: Callable[[], Awaitable[Hashable]], every: float) -> AsyncGenerator[Hashable]:
    """Look every so many seconds."""
    while True:
        try:
            seen = await look()
        except NotFound:
            seen = None
        except InferenceEndpointError as trouble:
            if not trouble.retryable:
                raise
            seen = _UNCERTAIN
        yield seen
        await asyncio.sleep(every * random.uniform(0.8, 1.0))  # noqa: S311
