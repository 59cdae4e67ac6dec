"""Checks starts against the price limits, from live prices and the endpoints that already run."""

import asyncio
import itertools
import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from inference_endpoints.clients.client import AsyncEndpointsClient
from inference_endpoints.clients.hardware_cache import HardwareCache
from inference_endpoints.deploy.prices import Prices
from inference_endpoints.errors import Forbidden, NotFound, Refused, Unauthorized
from inference_endpoints_mcp.policy.limits import TOTAL_PRICE_LIMIT
from inference_endpoints_mcp.policy.owned_limits import OwnedLimits
from inference_endpoints_mcp.policy.planned_start import PlannedStart
from inference_endpoints_mcp.replicas.shared_state import SharedState, SharedStateUnavailable

_PENDING_STARTS = "pending starts"
"""Starts of endpoints that any server process has allowed and is sending. No list of endpoints shows them yet."""


@dataclass(frozen=True)
class Spending:
    """USD per hour that endpoints of a namespace, started together, may come to cost: infinite where no price is
    published."""

    namespace: str
    names: frozenset[str]
    replicas: int
    per_hour: float

    @classmethod
    def of_text(cls, text: str) -> "Spending":
        """Raises `SharedStateUnavailable` for what no replica of this server wrote."""
        try:
            namespace, names, replicas, per_hour = json.loads(text)
            if not (isinstance(per_hour, int | float) and per_hour >= 0 and isinstance(replicas, int)):
                raise ValueError("no price or no number")
            return cls(namespace, frozenset(names), replicas, per_hour)
        except (TypeError, ValueError, RecursionError) as error:
            raise SharedStateUnavailable from error

    def to_text(self) -> str:
        return json.dumps([self.namespace, sorted(self.names), self.replicas, self.per_hour])


class Budget:
    """Refuses a start that could exceed the price limit of its namespace or of all namespaces, at its most replicas."""

    def __init__(self, client: AsyncEndpointsClient, hardware_cache: HardwareCache, shared: SharedState) -> None:
        self._client = client
        self._hardware_cache = hardware_cache
        self._shared = shared

    @asynccontextmanager
    async def reserve(self, start: PlannedStart, owned_limits: Sequence[OwnedLimits]) -> AsyncIterator[list[str]]:
        """Check a start against these price limits, and count it while it is sent.

        Raises `Refused` if an enforced limit would be exceeded; yields the warnings of the others.
        """
        (spending,) = _spendings([start])
        async with AsyncExitStack() as sending:
            async with self._shared.lock(_PENDING_STARTS):
                warnings = [warning for owned in owned_limits for warning in await self._check(owned, spending, [])]
                await sending.enter_async_context(self._shared.slot(_PENDING_STARTS, spending.to_text()))
            yield warnings

    async def refusals(self, starts: Sequence[PlannedStart], owned_limits: Sequence[OwnedLimits]) -> list[Refused]:
        """Every refusal these starts would meet now, all of them together. Nothing is counted."""
        found, spendings = [], _spendings(starts)
        for owned, spending in itertools.product(owned_limits, spendings):
            try:
                await self._check(owned, spending, [other for other in spendings if other is not spending])
            except Refused as refusal:
                found.append(refusal)
        return found

    async def _check(self, owned: OwnedLimits, spending: Spending, others: Sequence[Spending]) -> list[str]:
        """Check a spending that starts together with others. Returns the warnings of limits that only warn.

        Raises `Refused` if an enforced limit would be exceeded.
        """
        warnings = []
        for rule, limit in owned.limits.price_limits.items():
            elsewhere = (await self._client.whoami()).namespaces if rule == TOTAL_PRICE_LIMIT else []
            try:
                running = await self._running({spending.namespace, *elsewhere}, spending, others)
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

    async def _running(self, namespaces: set[str], spending: Spending, others: Sequence[Spending]) -> tuple[float, int]:
        """USD per hour that these namespaces may come to cost without `spending`, and how many endpoints have no known
        price. Others that start together with it count as running."""
        totals = await asyncio.gather(*(self._running_in(namespace, spending, others) for namespace in namespaces))
        return sum(cost for cost, _ in totals), sum(unpriced for _, unpriced in totals)

    async def _running_in(self, namespace: str, spending: Spending, others: Sequence[Spending]) -> tuple[float, int]:
        starting = {name for each in (spending, *others) if each.namespace == namespace for name in each.names}
        # Before the list is read: what is no longer under way by then is in it.
        sent = map(Spending.of_text, await self._shared.members(_PENDING_STARTS))
        under_way = {
            name: each.per_hour
            for each in sent
            for name in each.names
            if each.namespace == namespace and name not in starting
        }
        try:
            endpoints = await self._client.list(namespace)
        except NotFound:
            return 0.0, 0  # the service has no such namespace, so nothing runs there
        running = [each for each in endpoints if each.state.may_be_billed and each.name not in starting]
        prices = Prices(await self._hardware_cache.fresh_listing(namespace)) if running else None
        # What is being changed counts as what it is or what it becomes, whichever costs more.
        costs = {each.name: prices.at_most(each) for each in running} if prices else {}
        unpriced = [name for name, cost in costs.items() if cost is None and name not in under_way]
        known = {name: max(costs.get(name) or 0.0, under_way.get(name, 0.0)) for name in {*costs, *under_way}}
        started_too = sum(each.per_hour for each in others if each.namespace == namespace)
        return sum(known.values()) + started_too, len(unpriced)


def _spendings(starts: Sequence[PlannedStart]) -> list[Spending]:
    """What these starts may come to cost, one sum for each namespace."""
    by_namespace: dict[str, list[PlannedStart]] = {}
    for start in starts:
        by_namespace.setdefault(start.namespace, []).append(start)
    return [
        Spending(
            namespace,
            frozenset(start.name for start in group),
            sum(start.most_replicas for start in group),
            sum(math.inf if start.per_hour_at_most is None else start.per_hour_at_most for start in group),
        )
        for namespace, group in by_namespace.items()
    ]


def _reason_if_exceeded(limit: float, spending: Spending, running: tuple[float, int]) -> str | None:
    """The reason if the limit would be exceeded, else None."""
    cost, unpriced = running
    if math.isinf(spending.per_hour):
        return "The price of this hardware is not published, so the price limit cannot be checked"
    if not unpriced and cost + spending.per_hour <= limit + 1e-9:
        return None
    unknown = f" and {unpriced} endpoint(s) of unknown price" if unpriced else ""
    return (
        f"This may cost ${spending.per_hour:g}/h at {spending.replicas} replica(s). Together with all that "
        f"runs or starts as well (up to ${cost:g}/h{unknown}) it would exceed the limit of ${limit:g}/h"
    )
