"""The hardware listing, cached for a short time: prices change rarely, and most answers show one."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.deploy.costs import Costs
from inference_endpoints.deploy.prices import Prices
from inference_endpoints.models import HardwareListing

MAX_PRICE_AGE_S = 300.0
"""Oldest listing for prices that are shown."""
MAX_OFFER_AGE_S = 10.0
"""Oldest listing for what is available now."""


@dataclass(frozen=True)
class _CachedListing:
    """A listing, and when it was read. What is computed from it is computed once."""

    read_at: float
    listing: HardwareListing

    @cached_property
    def costs(self) -> Costs:
        return Costs(self.listing)


@dataclass
class HardwareCache:
    """One cached listing for each namespace, read again when it is too old for its purpose. `now` returns seconds."""

    client: AsyncEndpointsClient
    now: Callable[[], float] = time.monotonic
    _cached: dict[str, "_CachedListing"] = field(default_factory=dict, repr=False)
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
        return (await self._cached_listing(namespace, self._offer_age(namespace))).listing

    async def fresh_listing(self, namespace: str) -> HardwareListing:
        """The listing as it is at this moment: for decisions about money."""
        return (await self._cached_listing(namespace, 0.0)).listing

    async def prices(self, namespace: str) -> Prices:
        return (await self._cached_listing(namespace, MAX_PRICE_AGE_S)).costs.prices

    async def costs(self, namespace: str) -> Costs:
        """What endpoints cost on what is available now, as `listing`."""
        return (await self._cached_listing(namespace, self._offer_age(namespace))).costs

    def _offer_age(self, namespace: str) -> float:
        """Seconds that a listing may be old to show what is available now."""
        return min(MAX_OFFER_AGE_S, self.now() - self._changed_at.get(namespace, float("-inf")))

    async def _cached_listing(self, namespace: str, max_age: float) -> "_CachedListing":
        async with self._locks[namespace]:  # a namespace that does not answer delays no other
            cached = self._cached.get(namespace)
            if cached is None or self.now() - cached.read_at >= max_age:
                cached = _CachedListing(self.now(), await self.client.hardware(namespace))
                self._cached[namespace] = cached
            return cached
