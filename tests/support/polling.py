"""Waiting for what no event announces."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.support.hang import HANG_TIMEOUT_S

from inference_endpoints_local.engines.child_process import process_identity

POLL_INTERVAL_S = 0.02


async def until_ended(pid: int) -> None:
    """Wait until a process has ended."""
    await eventually(lambda: process_identity(pid) is None, f"process {pid} has ended")


async def eventually(
    condition: Callable[[], Any], what: str = "the condition is true", within: float = HANG_TIMEOUT_S
) -> None:
    """Wait until the condition, which may be a coroutine function, is true. Fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        result = condition()
        if await result if asyncio.iscoroutine(result) else result:
            return
        assert time.monotonic() < deadline, f"in time: {what}"
        await asyncio.sleep(POLL_INTERVAL_S)
