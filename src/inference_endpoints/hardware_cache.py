"""The hardware listing, cached for a short time: prices change rarely, and most answers show one."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.deploy.prices import Prices
from inference_endpoints.models import HardwareListing

MAX_PRICE_AGE_S = 300.0
"""Oldest listing for prices that are shown."""
MAX_OFFER_AGE_S = 10.0
"""Oldest listing for what is available now."""


@dataclass
class HardwareCache:
    """One cached listing for each namespace, read again when it is too old for its purpose. `now` returns seconds."""

    client: AsyncEndpointsClient
    now: Callable[[], float] = time.monotonic
    _cached: dict[str, tuple[float, HardwareListing]] = field(default_factory=dict, repr=False)
    _changed_at: dict[str, float] = field(default_factory=dict, repr=False)
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock), repr=False)

    def for_client(self, client: AsyncEndpointsClient) -> "HardwareCache":
        """This cache, read through another client, whose guard then applies."""
        return replace(self, client=client)

    def record_change(self, namespace: str) -> None:
        """Record a change of ours: it may change what the quota allows."""
        self._changed_at[namespace] = self.now()

    async def listing(self, namespace: str) -> HardwareListing:
        """What is available now: at most 10 s old, and newer than our own last change."""
        age = self.now() - self._changed_at.get(namespace, float("-inf"))
        return await self._listed(namespace, min(MAX_OFFER_AGE_S, age))

    async def fresh_listing(self, namespace: str) -> HardwareListing:
        """The listing as it is at this moment: for decisions about money."""
        return await self._listed(namespace, 0.0)

    async def prices(self, namespace: str) -> Prices:
        return Prices(await self._listed(namespace, MAX_PRICE_AGE_S))

    async def _listed(self, namespace: str, max_age: float) -> HardwareListing:
        async with self._locks[namespace]:  # a namespace that does not answer delays no other
            cached = self._cached.get(namespace)
            if cached is None or self.now() - cached[0] >= max_age:
                cached = (self.now(), await self.client.hardware(namespace))
                self._cached[namespace] = cached
            return cached[1]
