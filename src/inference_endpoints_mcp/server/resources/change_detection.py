"""Detect changes of a resource: read it again and again, and publish when it differs."""

import asyncio
import contextvars
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

import anyio

from inference_endpoints.errors import InferenceEndpointError, NotFound
from inference_endpoints.watching.event_stream import EventStreamListener
from inference_endpoints_mcp.server.resources.fingerprints import fingerprint_endpoint

if TYPE_CHECKING:
    from inference_endpoints.watching.watcher import Watcher

FingerprintStream = Callable[[], AsyncGenerator[Hashable]]
"""Yields a resource's fingerprint again and again. It differs whenever there is a change to publish."""

log = logging.getLogger(__name__)

MIN_READ_INTERVAL_S = 1.0
"""Shortest time between two reads, however much a stream brings."""
_UNKNOWN: Hashable = object()
"""The fingerprint after a failed read that may succeed later."""


class ChangeDetector:
    """Publishes each change of a resource, once for all its subscribers."""

    def __init__(self, fingerprints: FingerprintStream, publish: Callable[[], Awaitable[None]], name: str) -> None:
        self.subscribers = 0
        self._fingerprints = fingerprints
        self._publish = publish
        self._first_read: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._first_read.add_done_callback(lambda first: first.cancelled() or first.exception())
        # It reads for all subscribers, so it must not inherit the context of the first one.
        self._task = asyncio.create_task(self._run(), name=f"watch {name}", context=contextvars.Context())

    @property
    def has_ended(self) -> bool:
        return self._task.done()

    async def wait_started(self) -> None:
        """Return after the first read: every later change is published. Raises the error of the first read."""
        await asyncio.shield(self._first_read)

    def stop(self) -> None:
        self._task.cancel()
        self._first_read.cancel()

    async def _run(self) -> None:
        previous: Hashable = _UNKNOWN
        try:
            async with aclosing(self._fingerprints()) as fingerprints:
                async for fingerprint in fingerprints:
                    if self._first_read.done() and fingerprint not in (previous, _UNKNOWN):
                        await self._publish()
                    if not self._first_read.done():
                        self._first_read.set_result(None)
                    previous = previous if fingerprint is _UNKNOWN else fingerprint
        except Exception as error:
            if not isinstance(error, InferenceEndpointError):
                log.exception("%s failed", self._task.get_name())
            if not self._first_read.done():
                self._first_read.set_exception(error)
                return
            # The next reader gets the error.
            await self._publish()


async def observe_endpoint(watcher: "Watcher", namespace: str, name: str) -> AsyncGenerator[Hashable]:
    """Fingerprints of the endpoint itself, from the watcher, without its health route: a call would keep it awake."""
    async with watcher.watch(name, namespace, health=False) as subscription:
        while True:
            observation = await subscription.next()
            if observation.error is None:
                yield fingerprint_endpoint(observation.endpoint)
            elif observation.error.retryable:
                yield _UNKNOWN
            else:
                raise observation.error


async def poll_fingerprint(
    read: Callable[[], Awaitable[Hashable]], interval_s: float, may_differ: asyncio.Event | None = None
) -> AsyncGenerator[Hashable]:
    """Read the fingerprint at this interval, with jitter, and at once where `may_differ` is set."""
    may_differ = may_differ or asyncio.Event()
    while True:
        may_differ.clear()
        try:
            fingerprint = await read()
        except NotFound:
            fingerprint = None
        except InferenceEndpointError as error:
            if not error.retryable:
                raise
            fingerprint = _UNKNOWN
        yield fingerprint
        longest = interval_s * random.uniform(0.8, 1.0)  # noqa: S311
        shortest = min(longest, MIN_READ_INTERVAL_S)
        await asyncio.sleep(shortest)
        with suppress(TimeoutError):
            await asyncio.wait_for(may_differ.wait(), longest - shortest)


async def stream_fingerprint(
    read: Callable[[], Awaitable[Hashable]],
    open_stream: Callable[[], AsyncGenerator[object]],
    label: str,
    open_streams: anyio.Semaphore,
    interval_s: float,
) -> AsyncGenerator[Hashable]:
    """Read the fingerprint whenever the stream brings something, and at this interval in case it does not."""
    may_differ = asyncio.Event()
    listener = EventStreamListener(open_stream, label, open_streams, may_differ.set)
    try:
        async with aclosing(poll_fingerprint(read, interval_s, may_differ)) as fingerprints:
            async for fingerprint in fingerprints:
                listener.start()
                yield fingerprint
    finally:
        listener.close()
