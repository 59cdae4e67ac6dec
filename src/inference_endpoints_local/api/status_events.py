"""The stream of status events: an endpoint's document, at once and after every change of its status.

The service has such a stream, but does not publish the content of its events. Ours carry the document of a GET.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.responses import Response, StreamingResponse

from inference_endpoints_local.api.request_handling import server_sent_event
from inference_endpoints_local.control.executor import Executor
from inference_endpoints_local.control.managed_endpoint import ManagedEndpoint
from inference_endpoints_local.state.record import PowerState
from inference_endpoints_local.wire import responses

KEEP_ALIVE_INTERVAL_S = 15.0
"""Seconds without an event after which a comment is sent, so that each side sees that the other is alive."""
MAX_STREAMS = 256
"""The most streams at a time. Each holds a connection."""


class StatusEvents:
    """The streams of one plane. `document` makes the document that an event carries."""

    def __init__(self, executor: Executor, document: Callable[[ManagedEndpoint], responses.EndpointDocument]) -> None:
        self._executor = executor
        self._document = document
        self._ended = asyncio.Event()
        self.open_streams = 0

    @property
    def is_full(self) -> bool:
        return self.open_streams >= MAX_STREAMS

    def stream(self, endpoint: ManagedEndpoint) -> Response:
        """The events of an endpoint, until it is deleted or the plane ends."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream_events(endpoint), media_type="text/event-stream", headers=headers)

    def close(self) -> None:
        """End every stream, so that the plane can end."""
        self._ended.set()

    async def _stream_events(self, endpoint: ManagedEndpoint) -> AsyncIterator[str]:
        self.open_streams += 1
        ended = asyncio.create_task(self._ended.wait())
        last_sent: tuple[object, ...] | None = None
        try:
            while not self._ended.is_set() and endpoint.record.power is not PowerState.DELETED:
                if last_sent != _fingerprint(endpoint):
                    last_sent = _fingerprint(endpoint)
                    yield server_sent_event(self._document(endpoint))
                elif not await self._changed(endpoint, last_sent, ended):
                    yield ": keep-alive\n\n"
        finally:
            self.open_streams -= 1
            ended.cancel()

    async def _changed(
        self, endpoint: ManagedEndpoint, last_sent: tuple[object, ...], ended: "asyncio.Task[bool]"
    ) -> bool:
        """Wait for a change or the end. False if neither came within `KEEP_ALIVE_INTERVAL_S`."""
        change = asyncio.create_task(self._executor.wait_until(endpoint, lambda now: _fingerprint(now) != last_sent))
        try:
            done, _ = await asyncio.wait(
                {change, ended}, timeout=KEEP_ALIVE_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            change.cancel()
            with suppress(asyncio.CancelledError):
                await change
        return bool(done)


def _fingerprint(endpoint: ManagedEndpoint) -> tuple[object, ...]:
    """The values whose change causes an event. The time of the last call is not among them: every call changes it."""
    return endpoint.status, endpoint.record.power, endpoint.record.updated_ns
