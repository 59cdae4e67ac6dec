"""How endpoints are looked at: each alone, or many of one namespace together, by listing it."""

import asyncio
import contextvars
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from inference_endpoints.client import PAGE_SIZE, AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError, NotFound
from inference_endpoints.watching.observation import Observation

log = logging.getLogger(__name__)

MIN_BATCH = 8
"""So many endpoints of a namespace are looked at singly, however little a list would cost."""
MAX_CONCURRENT_REQUESTS = 50
"""Endpoints that are asked for at a time, and as many health routes: half of the client's connections."""

Key = tuple[str, str]


@dataclass
class _Round:
    """A list of a namespace, made when the one `before` it is done. Once it has `begun`, it may tell what was."""

    before: asyncio.Task[None] | None
    task: asyncio.Task[None] = field(init=False)
    begun: bool = False


class Observer:
    """Looks at endpoints for those who watch them.

    `paces` tells of a namespace how many looks a second are due at which of its endpoints. What is seen in a list is
    given to `hand`, for each of them; a look without an endpoint means that the list did not have it.
    """

    def __init__(
        self,
        client: AsyncEndpointsClient,
        paces: Callable[[str], Mapping[str, float]],
        hand: Callable[[Key, Observation], None],
    ) -> None:
        self._client = client
        self._paces = paces
        self._hand = hand
        # As many as the last list took; inf where listing is refused.
        self._pages: dict[str, float] = {}
        self._rounds: dict[str, _Round] = {}
        self._alone: Counter[str] = Counter()
        self._gets, self._checks = (
            asyncio.Semaphore(MAX_CONCURRENT_REQUESTS),
            asyncio.Semaphore(MAX_CONCURRENT_REQUESTS),
        )

    def share(self, namespace: str, *, fresh: bool) -> asyncio.Task[None] | None:
        """Have the namespace listed, which lasts as long as the task; None if the endpoint should be looked at alone.

        That is so where looking at each costs less. `fresh`: only what is asked from now on will do, which is asked
        alone unless many others want it at the same time.
        """
        current = self._rounds.get(namespace)
        if fresh and self._alone[namespace] < MIN_BATCH:
            return None
        if current is None and not self._worth(self._paces(namespace), self._pages.get(namespace, 1)):
            return None
        if current is None or (fresh and current.begun):
            current = self._begin(namespace, current)
        return current.task

    def cost(self, namespace: str, paces: Mapping[str, float]) -> float:
        """Requests a second that looking at a namespace takes."""
        pages = self._pages.get(namespace, 1)
        return pages * max(paces.values()) if self._worth(paces, pages) else sum(paces.values())

    def forget(self, namespace: str) -> None:
        """Nobody watches the namespace any more."""
        self._pages.pop(namespace, None)
        current = self._rounds.pop(namespace, None)
        if current is not None:
            for task in (current.task, current.before):
                if task is not None:
                    task.cancel()

    async def alone(self, key: Key) -> Observation:
        namespace, name = key
        self._alone[namespace] += 1
        try:
            async with self._gets:
                return Observation(await self._client.get(name, namespace))
        except NotFound:
            return Observation(None)
        except Exception as error:
            return Observation(None, error=unexpected(error, "/".join(key)))
        finally:
            self._alone[namespace] -= 1

    async def checked(self, look: Observation, namespace: str) -> Observation:
        """The look with what the health route answers. Asking keeps an endpoint awake."""
        assert look.endpoint is not None
        try:
            async with self._checks:
                return replace(look, healthy=await self._client.is_healthy(look.endpoint, namespace))
        except InferenceEndpointError:
            return replace(look, healthy=False)

    @staticmethod
    def _worth(paces: Mapping[str, float], pages: float) -> bool:
        """Whether a list, as often as the most restless wants to be looked at, costs less than a look at each."""
        return len(paces) > MIN_BATCH and pages * max(paces.values()) < sum(paces.values())

    def _begin(self, namespace: str, before: _Round | None) -> _Round:
        current = self._rounds[namespace] = _Round(before.task if before else None)
        current.task = asyncio.create_task(
            self._round(namespace, current), name=f"list {namespace}", context=contextvars.Context()
        )
        return current

    async def _round(self, namespace: str, this: _Round) -> None:
        if this.before is not None:
            await asyncio.wait([this.before])
        this.begun, this.before = True, None
        paces = self._paces(namespace)
        left, trouble = set(paces), None
        try:
            await self._list(namespace, paces, left)
        except Exception as error:
            trouble = unexpected(error, namespace)
            if not trouble.retryable:
                # It says nothing of the endpoints, which may be looked at one by one.
                self._pages[namespace] = float("inf")
                left.clear()
        finally:
            if self._rounds.get(namespace) is this:
                del self._rounds[namespace]
        for name in left:
            self._hand((namespace, name), Observation(None, error=trouble))

    async def _list(self, namespace: str, paces: Mapping[str, float], left: set[str]) -> None:
        """Hand out what is listed, page by page, until no name is left to find, or finding it would cost too much: then
        nothing can be said of those left.
        """
        seen = pages = 0
        async with aclosing(self._client.iterate(namespace)) as listed:
            async for endpoint in listed:
                seen += 1
                pages = -(-seen // PAGE_SIZE)
                if endpoint.name in left:
                    left.discard(endpoint.name)
                    self._hand((namespace, endpoint.name), Observation(endpoint))
                if not left:
                    break
                if not self._worth(paces, pages):
                    left.clear()
                    break
        self._pages[namespace] = max(pages, 1)


def unexpected(error: Exception, what: str) -> InferenceEndpointError:
    """What whoever waits is told, rather than left waiting for what has died."""
    if isinstance(error, InferenceEndpointError):
        return error
    log.error("looking at %s failed", what, exc_info=error)
    failure = InferenceEndpointError("Observer at the endpoint failed unexpectedly.", hint="Try again.")
    failure.__cause__ = error
    return failure
