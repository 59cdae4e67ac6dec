"""The ceilings on what may be spent per hour, from live prices and what already runs."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import Forbidden, NotFound, Unauthorized
from inference_endpoints.hardware import Prices
from inference_endpoints.listing import HardwareListing
from inference_endpoints_mcp.guard.intent import Intent
from inference_endpoints_mcp.guard.limits import Limits
from inference_endpoints_mcp.guard.rules import refused

_NOT_OURS = (Unauthorized, Forbidden, NotFound)


@dataclass(frozen=True)
class Spending:
    """USD per hour that one endpoint may come to cost."""

    namespace: str
    name: str
    replicas: int
    per_hour: float


class Ceilings:
    """Refuses what could bring a namespace, or all of them, above a ceiling, at the most replicas it may run."""

    def __init__(self, client: AsyncEndpointsClient, listing: HardwareListing) -> None:
        self._client = client
        self._listing = listing
        self._deciding = asyncio.Lock()
        self._under_way: list[Spending] = []
        """What was allowed and is being sent: no listing shows it yet."""

    @asynccontextmanager
    async def held(self, intent: Intent, layers: Iterable[tuple[Limits, str]]) -> AsyncIterator[None]:
        """Hold an intent against the ceilings of these limits, and count it while it is sent. Raises `Refused`."""
        async with self._deciding:
            spending = await self._decide(intent, list(layers))
            self._under_way.append(spending)
        try:
            yield
        finally:
            self._under_way.remove(spending)

    async def _decide(self, intent: Intent, layers: list[tuple[Limits, str]]) -> Spending:
        vendors = await self._listing.vendors(intent.namespace)
        price = next((found.price_per_hour for *_, found in vendors.instances() if found.id == intent.hardware), None)
        if price is None:
            whose = layers[0][1]
            said = "The price of this hardware is not published, so it cannot be held against the ceiling"
            raise refused("max_price_per_hour", said, whose)
        spending = Spending(intent.namespace, intent.name, intent.most, price * intent.most)
        for limits, whose in layers:
            if limits.max_price_per_hour is not None:
                running = await self._running([intent.namespace], spending)
                _check("max_price_per_hour", limits.max_price_per_hour, spending, running, whose)
            if limits.max_total_price_per_hour is not None:
                running = await self._running((await self._client.whoami()).namespaces, spending)
                _check("max_total_price_per_hour", limits.max_total_price_per_hour, spending, running, whose)
        return spending

    async def _running(self, namespaces: list[str], besides: Spending) -> tuple[float, int]:
        """USD per hour of everything else there, and how many endpoints have no known price."""
        totals = await asyncio.gather(*(self._running_in(namespace, besides) for namespace in namespaces))
        return sum(cost for cost, _ in totals), sum(unpriced for _, unpriced in totals)

    async def _running_in(self, namespace: str, besides: Spending) -> tuple[float, int]:
        allowed = {each.name: each.per_hour for each in self._under_way if each.namespace == namespace}
        counted = {*allowed, besides.name} if namespace == besides.namespace else set(allowed)
        allowed.pop(besides.name if namespace == besides.namespace else "", None)
        try:
            others = await self._client.list(namespace)
            prices = Prices(await self._listing.vendors(namespace))
        except _NOT_OURS:
            return 0.0, 0  # an organization without Inference Endpoints has nothing that runs
        cost, unpriced = prices.total(other for other in others if other.name not in counted)
        return cost + sum(allowed.values()), unpriced


def _check(rule: str, ceiling: float, spending: Spending, running: tuple[float, int], whose: str) -> None:
    cost, unpriced = running
    if not unpriced and cost + spending.per_hour <= ceiling + 1e-9:
        return
    unknown = f" and {unpriced} endpoint(s) of unknown price" if unpriced else ""
    raise refused(
        rule,
        f"This may cost ${spending.per_hour:g}/h at {spending.replicas} replica(s). With what runs "
        f"(${cost:g}/h{unknown}) it would pass the ceiling of ${ceiling:g}/h",
        whose,
    )
