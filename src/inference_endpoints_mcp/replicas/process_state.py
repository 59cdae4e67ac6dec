"""Shared state of one process: nothing else shares it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from inference_endpoints_mcp.replicas.shared_state import NoFreeSlot


class ProcessState:
    """Implements `SharedState` for a server that is alone."""

    open_channel = None

    def __init__(self) -> None:
        self._claims: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._groups: dict[str, list[str]] = {}

    async def claim(self, name: str, valid_s: float) -> bool:
        if await self.is_claimed(name):
            return False
        now = time.monotonic()
        self._claims = {each: until for each, until in self._claims.items() if until > now}
        self._claims[name] = now + valid_s
        return True

    async def is_claimed(self, name: str) -> bool:
        return self._claims.get(name, 0.0) > time.monotonic()

    def lock(self, name: str) -> AbstractAsyncContextManager[None]:
        return self._locks.setdefault(name, asyncio.Lock())

    @asynccontextmanager
    async def slot(self, group: str, member: str = "", limit: int | None = None) -> AsyncIterator[None]:
        members = self._groups.setdefault(group, [])
        if limit is not None and len(members) >= limit:
            raise NoFreeSlot
        members.append(member)
        try:
            yield
        finally:
            members.remove(member)
            if not members:
                self._groups.pop(group, None)

    async def members(self, group: str) -> list[str]:
        return list(self._groups.get(group, []))

    async def is_reachable(self) -> bool:
        return True

    async def aclose(self) -> None:
        pass
