"""Reads the endpoints of a namespace for their pollers: each by a get, or many by one list."""

import asyncio
import contextvars
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any

import anyio

from inference_endpoints.clients.client import PAGE_SIZE, AsyncEndpointsClient
from inference_endpoints.errors import NotFound
from inference_endpoints.transport.http import Sleep
from inference_endpoints.watching.observation import Observation

MAX_GETS_PER_BATCH = 8
"""A batch of so few endpoints is always read by gets."""

_Batch = dict[str, "asyncio.Future[Observation | None]"]


class NamespaceReader:
    """Reads the endpoints of one namespace.

    Reads that are requested in the same turn of the event loop form a batch. One list answers a batch if that takes
    fewer requests than gets. Pollers of the same interval share a tick, so that their reads form a batch.
    """

    def __init__(self, client: AsyncEndpointsClient, namespace: str, gets: asyncio.Semaphore, sleep: Sleep) -> None:
        self.client = client
        self.namespace = namespace
        self.poller_count = 0
        self._gets = gets
        self._sleep = sleep
        self._started_at = anyio.current_time()
        self._list_requests = 1.0
        """Pages of the last list; infinite if the namespace cannot be listed."""
        self._batch: _Batch = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticks: dict[float, asyncio.Task[None]] = {}

    @property
    def requests_per_round(self) -> float:
        """Requests that it takes to read the endpoints of all pollers once."""
        return self._list_requests if self._is_list_cheaper(self.poller_count) else self.poller_count

    async def read(self, name: str, last: Observation | None) -> Observation:
        """Observe an endpoint, by a request that begins after this call. `last` is the observation before.

        A list may lag behind: an endpoint that it lacks is read by a get, and an older state is not returned.
        """
        if not self._batch:
            self._start(self._read_batch(), f"read {self.namespace}")
        future = self._batch[name] = asyncio.get_running_loop().create_future()
        listed = await future
        if listed is None or (listed.is_gone and not (last and last.is_gone)):
            return await self._get(name)
        return last if last and listed.is_older_than(last) else listed

    def tick(self, interval: float) -> "asyncio.Task[None]":
        """Ends at the next multiple of `interval` seconds, counted from the start of this reader."""
        tick = self._ticks.get(interval)
        if tick is None or tick.done():
            seconds = interval - (anyio.current_time() - self._started_at) % interval
            self._ticks = {other: task for other, task in self._ticks.items() if not task.done()}
            tick = self._ticks[interval] = self._start(self._sleep(seconds), f"tick {self.namespace}")
        return tick

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _start(self, coroutine: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        # Many callers share the task, so it inherits no context of the first.
        task = asyncio.create_task(coroutine, name=name, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _get(self, name: str) -> Observation:
        try:
            async with self._gets:
                return Observation(await self.client.get(name, self.namespace))
        except NotFound:
            return Observation(None)
        except Exception as error:
            return Observation.failed(error, f"{self.namespace}/{name}")

    def _is_list_cheaper(self, count: int) -> bool:
        return count > max(MAX_GETS_PER_BATCH, self._list_requests)

    async def _read_batch(self) -> None:
        batch, self._batch = self._batch, {}
        rest: Observation | None = None  # of the endpoints that the list does not answer; None: read them by gets
        if self._is_list_cheaper(len(batch)):
            try:
                rest = await self._list(batch)
            except Exception as error:
                rest = Observation.failed(error, self.namespace)
                if rest.error is not None and not rest.error.retryable:  # gets may still work
                    rest, self._list_requests = None, float("inf")
        for name in batch:
            _answer(batch, name, rest)

    async def _list(self, batch: _Batch) -> Observation | None:
        """Answer each listed endpoint of the batch. Returns the observation of the others: they do not exist.

        None if the list is left early, because every endpoint is found or gets take fewer requests.
        """
        missing = set(batch)
        seen = pages = 0
        async with aclosing(self.client.iterate(self.namespace)) as endpoints:
            async for endpoint in endpoints:
                seen += 1
                pages = -(-seen // PAGE_SIZE)
                if endpoint.name in missing:
                    missing.remove(endpoint.name)
                    _answer(batch, endpoint.name, Observation(endpoint))
                if not missing or pages >= len(batch):
                    self._list_requests = pages
                    return None
        self._list_requests = max(pages, 1)
        return Observation(None)


def _answer(batch: _Batch, name: str, observation: Observation | None) -> None:
    """Set the observation of one endpoint, unless it is set already or its poller no longer waits."""
    if not batch[name].done():
        batch[name].set_result(observation)
