"""The stream of status events: an endpoint's document, at once and after every change of its status.

The service has such a stream, and what its events carry is not published: ours carry what a GET would answer with.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from starlette.responses import Response, StreamingResponse

from inference_endpoints_local.control.endpoint import Entry
from inference_endpoints_local.control.executor import Runner
from inference_endpoints_local.state.record import Power
from inference_endpoints_local.wire import responses

KEEP_ALIVE_S = 15.0
"""Seconds of silence after which a comment is sent, so that both ends know the other is there."""
MOST = 256
"""Streams at a time; each holds a connection."""


class Events:
    """The streams of one plane. `document` is what is told of an endpoint."""

    def __init__(self, runner: Runner, document: Callable[[Entry], responses.Endpoint]) -> None:
        self._runner = runner
        self._document = document
        self._ended = asyncio.Event()
        self.open = 0

    @property
    def full(self) -> bool:
        return self.open >= MOST

    def of(self, entry: Entry) -> Response:
        """The events of an endpoint, until it is deleted or the plane ends."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._told(entry), media_type="text/event-stream", headers=headers)

    def end(self) -> None:
        """End every stream, so that the plane can."""
        self._ended.set()

    async def _told(self, entry: Entry) -> AsyncIterator[str]:
        self.open += 1
        ended = asyncio.create_task(self._ended.wait())
        told: tuple[object, ...] | None = None
        try:
            while not self._ended.is_set() and entry.record.power is not Power.GONE:
                if told != _told_by(entry):
                    told = _told_by(entry)
                    yield f"data: {json.dumps(self._document(entry))}\n\n"
                elif not await self._changed(entry, told, ended):
                    yield ": keep-alive\n\n"
        finally:
            self.open -= 1
            ended.cancel()

    async def _changed(self, entry: Entry, told: tuple[object, ...], ended: "asyncio.Task[bool]") -> bool:
        """Wait for a change, or for the end. False if there was neither for so long that a word is due."""
        change = asyncio.create_task(self._runner.until(entry, lambda now: _told_by(now) != told))
        try:
            done, _ = await asyncio.wait({change, ended}, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()
            with suppress(asyncio.CancelledError):
                await change
        return bool(done)


def _told_by(entry: Entry) -> tuple[object, ...]:
    """What has to differ for an event: not when it was last called, which every call changes."""
    return entry.status, entry.record.power, entry.record.updated_ns
