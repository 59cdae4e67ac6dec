"""The ceilings on what may be spent per hour, from live prices and what already runs."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.deploy.hardware import Prices
from inference_endpoints.errors import Forbidden, NotFound, Refused, Unauthorized
from inference_endpoints.hardware_cache import HardwareCache
from inference_endpoints_mcp.policy.intent import Intent
from inference_endpoints_mcp.policy.limits import TOTAL
from inference_endpoints_mcp.policy.rules import Layer

_NOT_OURS = (Unauthorized, Forbidden, NotFound)


@dataclass(frozen=True)
class Spending:
    """USD per hour that one endpoint may come to cost: infinite where no price is published."""

    namespace: str
    name: str
    replicas: int
    per_hour: float


class Budget:
    """Refuses what could bring a namespace, or all of them, above a ceiling, at the most replicas it may run."""

    def __init__(self, client: AsyncEndpointsClient, listing: HardwareCache) -> None:
        self._client = client
        self._listing = listing
        self._deciding = asyncio.Lock()
        self._under_way: list[Spending] = []
        """What was allowed and is being sent. No listing shows it yet."""

    @asynccontextmanager
    async def reserved(self, intent: Intent, layers: Sequence[Layer]) -> AsyncIterator[list[str]]:
        """Hold an intent against the ceilings of these layers, and count it while it is sent.

        Raises `Refused` where a ceiling is enforced; gives the warnings of those that only warn.
        """
        async with self._deciding:
            spending = await self._spending(intent)
            warnings = [warning for layer in layers for warning in await self._check(layer, spending)]
            self._under_way.append(spending)
        try:
            yield warnings
        finally:
            self._under_way.remove(spending)

    async def refusals(self, intent: Intent, layers: Sequence[Layer]) -> list[Refused]:
        """Every refusal an intent would meet now. Nothing is counted."""
        async with self._deciding:
            spending, found = await self._spending(intent), []
            for layer in layers:
                try:
                    await self._check(layer, spending)
                except Refused as refusal:
                    found.append(refusal)
            return found

    async def _spending(self, intent: Intent) -> Spending:
        vendors = await self._listing.vendors(intent.namespace)
        price = Prices(vendors).of(intent.after.hardware)
        most = intent.most_replicas
        return Spending(intent.namespace, intent.name, most, math.inf if price is None else price * most)

    async def _check(self, layer: Layer, spending: Spending) -> list[str]:
        """The warnings of ceilings that only warn. Raises `Refused` for one that is enforced."""
        warnings = []
        for rule, ceiling in layer.limits.ceilings.items():
            elsewhere = (await self._client.whoami()).namespaces if rule == TOTAL else []
            reason = _over(ceiling, spending, await self._running({spending.namespace, *elsewhere}, spending))
            if reason is None:
                continue
            if layer.limits.budget == "enforce":
                raise layer.refuse(rule, reason)
            warnings.append(reason)
        return warnings

    async def _running(self, namespaces: set[str], besides: Spending) -> tuple[float, int]:
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


def _over(ceiling: float, spending: Spending, running: tuple[float, int]) -> str | None:
    """The reason where a ceiling would be passed, None if it holds."""
    cost, unpriced = running
    if math.isinf(spending.per_hour):
        return "The price of this hardware is not published, so the price limit cannot be checked"
    if not unpriced and cost + spending.per_hour <= ceiling + 1e-9:
        return None
    unknown = f" and {unpriced} endpoint(s) of unknown price" if unpriced else ""
    return (
        f"This may cost ${spending.per_hour:g}/h at {spending.replicas} replica(s). Together with the running "
        f"endpoints (${cost:g}/h{unknown}) it would exceed the limit of ${ceiling:g}/h"
    )
