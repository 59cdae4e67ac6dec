"""Shares the connections to the control plane and to endpoints, so that no caller waits for those of another."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from inference_endpoints.errors import RateLimited
from inference_endpoints.transport import operations
from inference_endpoints.transport.guard import EndpointCall
from inference_endpoints.transport.http import MAX_CONNECTIONS
from inference_endpoints.transport.operations import Request
from inference_endpoints_mcp.policy.caller import caller_id

MAX_WAIT_S = 20.0
"""Seconds that a request waits until its own caller's requests leave it a connection."""

_FOR_ALL_CALLERS = {operations.HARDWARE.name}
"""Reads whose answer is cached for all callers. They count for no caller."""


class ConnectionShares:
    """A guard that refuses nothing and counts connections by caller.

    A caller gets another connection only while it uses fewer than are free: one caller can use half of them, each of
    two a third, and a new caller always finds one.
    """

    def __init__(self, total: int = MAX_CONNECTIONS) -> None:
        self._total = total
        self._used: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Event]] = []

    @asynccontextmanager
    async def guard_request(self, request: Request) -> AsyncIterator[None]:
        async with self._connection("" if request.operation.name in _FOR_ALL_CALLERS else caller_id()):
            yield

    @asynccontextmanager
    async def guard_call(self, call: EndpointCall) -> AsyncIterator[None]:
        async with self._connection(caller_id()):
            yield

    @asynccontextmanager
    async def _connection(self, caller: str) -> AsyncIterator[None]:
        """Count a connection of a caller. Raises `RateLimited` if it uses up its share for too long."""
        await self._take(caller)
        try:
            yield
        finally:
            self._release(caller)

    async def _take(self, caller: str) -> None:
        if self._may_take(caller):
            self._used[caller] += 1
            return
        waiter = caller, asyncio.Event()
        self._waiting.append(waiter)
        try:
            with anyio.fail_after(MAX_WAIT_S):
                await waiter[1].wait()
        except BaseException as error:
            if waiter[1].is_set():
                self._release(caller)
            else:
                self._waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                raise RateLimited(
                    "This caller's other requests use all connections it may have: nothing was sent.",
                    hint="Try again when one has ended.",
                    retry_after=MAX_WAIT_S,
                ) from error
            raise

    def _may_take(self, caller: str) -> bool:
        return self._used[caller] < self._total - self._used.total()

    def _release(self, caller: str) -> None:
        self._used -= Counter([caller])  # drops a caller that has none left
        for waiter in list(self._waiting):
            if self._may_take(waiter[0]):
                self._used[waiter[0]] += 1
                self._waiting.remove(waiter)
                waiter[1].set()
