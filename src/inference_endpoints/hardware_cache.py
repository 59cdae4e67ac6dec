"""The hardware listing, kept for a while: prices change rarely and every answer shows one."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.deploy.hardware import Prices
from inference_endpoints.models import Vendors

PRICES_S = 300.0
"""Age in seconds up to which prices may be shown."""
OFFERS_S = 10.0
"""Age in seconds up to which a listing may say what can be had, or decide about money."""


@dataclass
class HardwareListing:
    """One listing per namespace, fetched when the one at hand is too old for its purpose. `now` gives seconds."""

    client: AsyncEndpointsClient
    now: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[float, Vendors]] = field(default_factory=dict, repr=False)
    _changed_at: dict[str, float] = field(default_factory=dict, repr=False)
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def read_by(self, client: AsyncEndpointsClient) -> "HardwareListing":
        """The same listings, fetched by another client and behind its guard."""
        return replace(self, client=client)

    def changed(self, namespace: str) -> None:
        """Note a change of ours, after which other hardware may be within quota."""
        self._changed_at[namespace] = self.now()

    async def vendors(self, namespace: str) -> Vendors:
        """What can be had now: at most 10 s old, and newer than our own last change."""
        age = self.now() - self._changed_at.get(namespace, float("-inf"))
        return await self._listed(namespace, min(OFFERS_S, age))

    async def prices(self, namespace: str) -> Prices:
        return Prices(await self._listed(namespace, PRICES_S))

    async def _listed(self, namespace: str, max_age: float) -> Vendors:
        async with self._fetching:
            kept = self._kept.get(namespace)
            if kept is None or self.now() - kept[0] >= max_age:
                kept = (self.now(), await self.client.hardware(namespace))
                self._kept[namespace] = kept
            return kept[1]
