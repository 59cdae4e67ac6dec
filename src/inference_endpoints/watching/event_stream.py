"""Listens to streams of the service, which only show when to read something again."""

import asyncio
import contextvars
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

import anyio

from inference_endpoints.errors import InferenceEndpointError

log = logging.getLogger(__name__)

MIN_EVENT_INTERVAL_S = 0.25
"""Events that come faster than this are merged."""
RECONNECT_DELAYS_S = (5.0, 300.0)
"""The first and the longest delay before a refused or broken stream is opened again."""


class EventStreamListener:
    """Listens to one stream, and calls `on_event` for what it brings.

    `open_streams` is shared by several listeners and limits the open streams.
    """

    def __init__(
        self,
        open_stream: Callable[[], AsyncGenerator[object]],
        label: str,
        open_streams: anyio.Semaphore,
        on_event: Callable[[], None],
    ) -> None:
        self._open_stream = open_stream
        self._label = label
        self._open_streams = open_streams
        self._on_event = on_event
        self._task: asyncio.Task[None] | None = None
        self._retry_at, self._delay_s = 0.0, RECONNECT_DELAYS_S[0]
        self.is_live = False
        """Whether the stream is open and has brought an event."""

    def start(self) -> None:
        """Open the stream, unless it is open, failed just now, or too many others are open."""
        if self._task is not None or anyio.current_time() < self._retry_at:
            return
        try:
            self._open_streams.acquire_nowait()
        except anyio.WouldBlock:
            return
        context = contextvars.Context()
        self._task = asyncio.create_task(self._listen(), name=f"listen {self._label}", context=context)
        self._task.add_done_callback(self._release)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _release(self, _: "asyncio.Task[None]") -> None:
        self._open_streams.release()
        self._task, self.is_live = None, False

    async def _listen(self) -> None:
        """Until the stream ends. An error of the stream is not reported: polling finds every change without it."""
        try:
            with suppress(InferenceEndpointError):
                async with aclosing(self._open_stream()) as events:
                    async for _ in events:
                        self.is_live, self._delay_s = True, RECONNECT_DELAYS_S[0]
                        self._on_event()
                        await anyio.sleep(MIN_EVENT_INTERVAL_S)
        except Exception:
            log.exception("listening to %s failed", self._label)
        finally:
            self._retry_at = anyio.current_time() + self._delay_s * random.uniform(0.8, 1.0)  # noqa: S311
            self._delay_s = min(2 * self._delay_s, RECONNECT_DELAYS_S[1])
