"""Listening to the service's events, which say when to look at an endpoint."""

import asyncio
import contextvars
import logging
import random
from collections.abc import Callable
from contextlib import aclosing, suppress

import anyio

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import InferenceEndpointError

log = logging.getLogger(__name__)

MIN_EVENT_INTERVAL_S = 0.25
"""Seconds between two events that are acted on, however many come."""
MAX_STREAMS = 16
"""Streams that are listened to at a time: each holds a connection of the client's, of which there are a hundred."""
RECONNECT_DELAYS_S = (5.0, 300.0)
"""Seconds until a stream that was refused or broke off is asked for again: at first, and at most."""


class EventStreams:
    """The streams that are listened to at a time."""

    def __init__(self, client: AsyncEndpointsClient) -> None:
        self.client = client
        self.open = 0


class EventStreamListener:
    """Listens to one endpoint. `told` says whether its stream brings anything."""

    def __init__(self, hearing: EventStreams, namespace: str, name: str, called: Callable[[], None]) -> None:
        self._streams = hearing
        self._namespace, self._name = namespace, name
        self._called = called
        self._task: asyncio.Task[None] | None = None
        self._retry_at, self._retry_s = 0.0, RECONNECT_DELAYS_S[0]
        self.told = False

    def listen(self) -> None:
        """Call for every event, unless that is done, was tried just now, or is done for enough others."""
        if self._task is not None or self._streams.open >= MAX_STREAMS or anyio.current_time() < self._retry_at:
            return
        self._streams.open += 1
        name = f"listen {self._namespace}/{self._name}"
        self._task = asyncio.create_task(self._hear(), name=name, context=contextvars.Context())
        self._task.add_done_callback(self._ended)

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ended(self, _: "asyncio.Task[None]") -> None:
        self._streams.open -= 1
        self._task, self.told = None, False

    async def _hear(self) -> None:
        """Until the stream ends. What went wrong with it is not worth telling: whatever it is, looking shows."""
        try:
            with suppress(InferenceEndpointError):
                async with aclosing(self._streams.client.events(self._name, self._namespace)) as events:
                    async for _ in events:
                        self.told, self._retry_s = True, RECONNECT_DELAYS_S[0]
                        self._called()
                        await anyio.sleep(MIN_EVENT_INTERVAL_S)
        except Exception:
            log.exception("listening to %s/%s failed", self._namespace, self._name)
        finally:
            self._retry_at = anyio.current_time() + self._retry_s * random.uniform(0.8, 1.0)  # noqa: S311
            self._retry_s = min(2 * self._retry_s, RECONNECT_DELAYS_S[1])
