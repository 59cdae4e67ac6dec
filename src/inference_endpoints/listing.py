"""The hardware listing, kept for a while: prices change rarely and every answer shows one."""

import asyncio
import time
from collections.abc import Callable

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.hardware import Prices
from inference_endpoints.models import Vendors

SHOWING_S = 300.0
"""Age in seconds up to which a listing may be shown."""
DECIDING_S = 10.0
"""Age in seconds up to which a listing may decide about money."""


class HardwareListing:
    """One listing per namespace, fetched when the one at hand is too old for its purpose."""

    def __init__(self, client: AsyncEndpointsClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._kept: dict[str, tuple[float, Vendors]] = {}
        self._fetching = asyncio.Lock()

    async def vendors(self, namespace: str, max_age: float = SHOWING_S) -> Vendors:
        async with self._fetching:
            kept = self._kept.get(namespace)
            if kept is None or self._now() - kept[0] > max_age:
                kept = (self._now(), await self._client.hardware(namespace))
                self._kept[namespace] = kept
            return kept[1]

    async def prices(self, namespace: str, max_age: float = SHOWING_S) -> Prices:
        return Prices(await self.vendors(namespace, max_age))
