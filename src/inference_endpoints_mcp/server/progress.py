"""Progress notifications that a slow host cannot hold up."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.mcpserver import Context

from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.server.mcp_host import wants_progress
from inference_endpoints_mcp.tools.call_context import MAX_PROGRESS_LENGTH, Progress, ProgressMessage

HEARTBEAT_S = 5.0
"""Seconds after which a notification is sent even if nothing changed."""
MIN_INTERVAL_S = 0.2
"""Seconds between two notifications. Faster changes, such as the words of a chat, are sent together."""

Notify = Callable[[float, float | None, str | None], Awaitable[None]]


class NoProgress:
    """For a host that does not want progress."""

    def report(self, message: ProgressMessage) -> None:
        pass

    def expect(self, seconds: float) -> None:
        pass


class ProgressReporter:
    """Sends the newest message whenever it changes, and at every heartbeat.

    Sending waits until the host reads, so `run` belongs in a task of its own. An outdated message is never sent.
    """

    def __init__(
        self,
        notify: Notify,
        now: Callable[[], float] = time.monotonic,
        heartbeat: float = HEARTBEAT_S,
        min_interval: float = MIN_INTERVAL_S,
    ) -> None:
        self._notify = notify
        self._now = now
        self._heartbeat = heartbeat
        self._min_interval = min_interval
        self._message: ProgressMessage | None = None
        self._changed = asyncio.Event()
        self._expected_s: float | None = None

    def report(self, message: ProgressMessage) -> None:
        self._message = message
        self._changed.set()

    def expect(self, seconds: float) -> None:
        self._expected_s = seconds

    async def run(self) -> None:
        started, last = self._now(), -1.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heartbeat):
                    await self._changed.wait()
            self._changed.clear()
            if self._message is None:
                continue
            last = max(round(self._now() - started, 1), round(last + 0.1, 1))
            # What takes longer than expected has no end that is known.
            total = self._expected_s if self._expected_s is not None and last < self._expected_s else None
            await self._notify(last, total, self._message()[:MAX_PROGRESS_LENGTH])
            await asyncio.sleep(self._min_interval)


@asynccontextmanager
async def report_progress(context: Context[Any, Any], redactor: Redactor) -> AsyncIterator[Progress]:
    """Notify the host of this call while the context is open. Secrets are masked."""
    if not wants_progress(context):
        yield NoProgress()
        return

    async def notify(progress: float, total: float | None, message: str | None) -> None:
        await context.report_progress(progress, total, redactor.text(message or ""))

    reporter = ProgressReporter(notify)
    task = asyncio.create_task(reporter.run(), name="progress")
    try:
        yield reporter
    finally:
        task.cancel()
        # Not `gather`: cancelled itself, it raises the error of its task, which the scope of this request does not
        # recognize as its own, and the whole session would end.
        await asyncio.wait({task})
        # A host that went away ends the notifications, not the call.
        if not task.cancelled():
            task.exception()
