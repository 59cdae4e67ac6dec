"""Progress notifications that a slow reader cannot hold up."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.mcpserver import Context

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.tools.call_context import Progress, ProgressMessage

HEARTBEAT_S = 5.0
"""Seconds after which something is told even though nothing changed."""
SHORTEST_GAP_S = 0.2
"""Seconds between two messages: what changes faster, like the words of a chat, is told together."""
LONGEST_MESSAGE = 199

Notify = Callable[[float, float | None, str | None], Awaitable[None]]


class Silence:
    """For a caller who does not listen."""

    def report(self, message: ProgressMessage) -> None:
        pass


class Teller:
    """Sends the newest message whenever it changes, and at every heartbeat.

    Sending waits for the host to read, so it has a task of its own, and what was overtaken is never sent.
    """

    def __init__(
        self,
        notify: Notify,
        now: Callable[[], float] = time.monotonic,
        heartbeat: float = HEARTBEAT_S,
        gap: float = SHORTEST_GAP_S,
    ) -> None:
        self._notify = notify
        self._now = now
        self._heartbeat = heartbeat
        self._gap = gap
        self._message: ProgressMessage | None = None
        self._news = asyncio.Event()

    def report(self, message: ProgressMessage) -> None:
        self._message = message
        self._news.set()

    async def run(self) -> None:
        started, last = self._now(), -1.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat):
                    await self._news.wait()
            self._news.clear()
            if self._message is None:
                continue
            last = max(round(self._now() - started, 1), round(last + 0.1, 1))
            await self._notify(last, None, self._message()[:LONGEST_MESSAGE])
            await asyncio.sleep(self._gap)


@asynccontextmanager
async def report_progress(context: Context[Any, Any], redactor: Redactor) -> AsyncIterator[Progress]:
    """Notify this call's host for as long as the context lasts; nothing is sent after it, and no secret ever."""
    if not listens(context):
        yield Silence()
        return

    async def notify(progress: float, total: float | None, message: str | None) -> None:
        await context.report_progress(progress, total, redactor.text(message or ""))

    teller = Teller(notify)
    task = asyncio.create_task(teller.run(), name="progress")
    try:
        yield teller
    finally:
        task.cancel()
        # A host that has gone away ends the notifications, not the call.
        await asyncio.gather(task, return_exceptions=True)


def listens(context: Context[Any, Any]) -> bool:
    """Whether the host asked for progress. A token may be 0."""
    meta = context.request_context.meta
    return bool(meta) and (meta or {}).get("progress_token") is not None
