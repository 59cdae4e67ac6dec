"""Checks starts against the price limits, from live prices and the endpoints that already run."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.deploy.prices import Prices
from inference_endpoints.errors import Forbidden, NotFound, Refused, Unauthorized
from inference_endpoints.hardware_cache import HardwareCache
from inference_endpoints_mcp.policy.limits import TOTAL_PRICE_LIMIT
from inference_endpoints_mcp.policy.planned_start import PlannedStart
from inference_endpoints_mcp.policy.rules import OwnedLimits


@dataclass(frozen=True)
class Spending:
    """USD per hour that one endpoint may come to cost: infinite where no price is published."""

    namespace: str
    name: str
    replicas: int
    per_hour: float


class Budget:
    """Refuses a start that could exceed the price limit of its namespace or of all namespaces, at its most replicas."""

    def __init__(self, client: AsyncEndpointsClient, hardware_cache: HardwareCache) -> None:
        self._client = client
        self._hardware_cache = hardware_cache
        self._deciding = asyncio.Lock()
        self._under_way: list[Spending] = []
        """Starts that were allowed and are being sent. No list of endpoints shows them yet."""

    @asynccontextmanager
    async def reserve(self, start: PlannedStart, owned_limits: Sequence[OwnedLimits]) -> AsyncIterator[list[str]]:
        """Check a start against these price limits, and count it while it is sent.

        Raises `Refused` if an enforced limit would be exceeded; yields the warnings of the others.
        """
        async with self._deciding:
            spending = _spending(start)
            warnings = [warning for owned in owned_limits for warning in await self._check(owned, spending)]
            self._under_way.append(spending)
        try:
            yield warnings
        finally:
            self._under_way.remove(spending)

    async def refusals(self, start: PlannedStart, owned_limits: Sequence[OwnedLimits]) -> list[Refused]:
        """Every refusal a start would meet now. Nothing is counted."""
        async with self._deciding:
            spending, found = _spending(start), []
            for owned in owned_limits:
                try:
                    await self._check(owned, spending)
                except Refused as refusal:
                    found.append(refusal)
            return found

    async def _check(self, owned: OwnedLimits, spending: Spending) -> list[str]:
        """The warnings of limits that only warn. Raises `Refused` if an enforced limit would be exceeded."""
        warnings = []
        for rule, limit in owned.limits.price_limits.items():
            elsewhere = (await self._client.whoami()).namespaces if rule == TOTAL_PRICE_LIMIT else []
            try:
                running = await self._running({spending.namespace, *elsewhere}, spending)
                reason = _reason_if_exceeded(limit, spending, running)
            except (Unauthorized, Forbidden):
                reason = (
                    "The token may not read the endpoints of every namespace that this limit covers, so what runs "
                    "there cannot be counted"
                )
            if reason is None:
                continue
            if owned.limits.budget == "enforce":
                raise owned.refuse(rule, reason)
            warnings.append(reason)
        return warnings

    async def _running(self, namespaces: set[str], excluded: Spending) -> tuple[float, int]:
        """USD per hour that everything else there may come to cost, and how many endpoints have no known price."""
        totals = await asyncio.gather(*(self._running_in(namespace, excluded) for namespace in namespaces))
        return sum(cost for cost, _ in totals), sum(unpriced for _, unpriced in totals)

    async def _running_in(self, namespace: str, excluded: Spending) -> tuple[float, int]:
        allowed = {each.name: each.per_hour for each in self._under_way if each.namespace == namespace}
        counted = {*allowed, excluded.name} if namespace == excluded.namespace else set(allowed)
        allowed.pop(excluded.name if namespace == excluded.namespace else "", None)
        try:
            others = await self._client.list(namespace)
        except NotFound:
            return 0.0, 0  # the service has no such namespace, so nothing runs there
        running = [other for other in others if other.state.may_be_billed and other.name not in counted]
        prices = Prices(await self._hardware_cache.fresh_listing(namespace)) if running else None
        costs = [prices.at_most(other) for other in running] if prices else []
        known = [cost for cost in costs if cost is not None]
        return sum(known) + sum(allowed.values()), len(costs) - len(known)


def _spending(start: PlannedStart) -> Spending:
    per_hour = start.per_hour_at_most
    return Spending(start.namespace, start.name, start.most_replicas, math.inf if per_hour is None else per_hour)


def _reason_if_exceeded(limit: float, spending: Spending, running: tuple[float, int]) -> str | None:
    """The reason if the limit would be exceeded, else None."""
    cost, unpriced = running
    if math.isinf(spending.per_hour):
        return "The price of this hardware is not published, so the price limit cannot be checked"
    if not unpriced and cost + spending.per_hour <= limit + 1e-9:
        return None
    unknown = f" and {unpriced} endpoint(s) of unknown price" if unpriced else ""
    return (
        f"This may cost ${spending.per_hour:g}/h at {spending.replicas} replica(s). Together with the running "
        f"endpoints (up to ${cost:g}/h{unknown}) it would exceed the limit of ${limit:g}/h"
    )
