"""The ceiling on what a namespace may cost per hour, from live prices and what already runs."""

import asyncio
from dataclasses import dataclass
from typing import Any

from inference_endpoints import operations
from inference_endpoints.client import AsyncEndpointsClient
from inference_endpoints.errors import Refused
from inference_endpoints.hardware import Prices
from inference_endpoints.http import EndpointCall
from inference_endpoints.listing import HardwareListing
from inference_endpoints.models import Endpoint
from inference_endpoints.operations import Request
from inference_endpoints.plan import hardware_after, hardware_id, most_replicas

BY_OPERATOR = "Only the operator of this server can change that"


class PriceCeiling:
    """Refuses what could bring a namespace above `limit` USD per hour, at the most replicas it may run."""

    def __init__(self, limit: float, client: AsyncEndpointsClient, listing: HardwareListing) -> None:
        self._limit = limit
        self._client = client
        self._listing = listing
        self._deciding = asyncio.Lock()
        self._under_way: dict[asyncio.Task[Any], _Spending] = {}

    async def check(self, request: Request) -> None:
        """Raises `Refused` if this change may not be sent."""
        namespace = request.arguments["namespace"]
        if request.operation is operations.CREATE:
            body = request.body or {}
            provider = body.get("provider", {})
            hardware = hardware_id(provider.get("vendor", ""), provider.get("region", ""), body.get("compute", {}))
            await self._check(namespace, str(body.get("name", "")), hardware, most_replicas(body))
        elif request.operation in {operations.UPDATE, operations.RESUME}:
            current = await self._client.get(request.arguments["name"], namespace)
            await self._check_change(namespace, current, request.body or {})

    async def check_wake(self, call: EndpointCall) -> None:
        """Raises `Refused` if waking this endpoint by calling it would pass the ceiling."""
        endpoint = call.endpoint
        await self._check(call.namespace, endpoint.name, endpoint.hardware, most_replicas({}, endpoint))

    async def _check_change(self, namespace: str, current: Endpoint, body: dict[str, Any]) -> None:
        hardware = hardware_after(body, current)
        replicas, allowed = most_replicas(body, current), most_replicas({}, current)
        if current.state.billed and hardware == current.hardware and replicas <= allowed:
            return  # it runs already and would not cost more
        await self._check(namespace, current.name, hardware, replicas)

    async def _check(self, namespace: str, name: str, hardware: str, replicas: int) -> None:
        async with self._deciding:
            spending = _Spending(namespace, name, await self._cost(namespace, name, hardware, replicas))
            task = asyncio.current_task()
            assert task is not None
            self._under_way[task] = spending

    async def _cost(self, namespace: str, name: str, hardware: str, replicas: int) -> float:
        """USD per hour of what is asked for. Raises `Refused` if it would pass the ceiling with all the rest."""
        vendors = await self._listing.vendors(namespace)
        price = next((found.price_per_hour for *_, found in vendors.instances() if found.id == hardware), None)
        if price is None:
            raise Refused(
                "The price of this hardware is not published, so it cannot be held against the ceiling of "
                f"${self._limit:g}/h: nothing was changed.",
                hint=f"Take listed hardware. {BY_OPERATOR} (--max-price-per-hour).",
            )
        allowed = {spending.name: spending.per_hour for spending in self._allowed(namespace) if spending.name != name}
        others = await self._client.list(namespace)
        running, unpriced = Prices(vendors).total(other for other in others if other.name not in {name, *allowed})
        running += sum(allowed.values())
        if unpriced or running + price * replicas > self._limit + 1e-9:
            unknown = f" and {unpriced} endpoint(s) of unknown price" if unpriced else ""
            raise Refused(
                f"This may cost ${price * replicas:g}/h at {replicas} replica(s). With what runs in the namespace "
                f"(${running:g}/h{unknown}) it would pass the ceiling of ${self._limit:g}/h: nothing was changed.",
                hint=f"Pause something, or ask for less. {BY_OPERATOR} (--max-price-per-hour).",
            )
        return price * replicas

    def _allowed(self, namespace: str) -> list["_Spending"]:
        """What others were allowed a moment ago and may be sending now: no listing shows it yet."""
        mine = asyncio.current_task()
        self._under_way = {task: each for task, each in self._under_way.items() if task is not mine and not task.done()}
        return [spending for spending in self._under_way.values() if spending.namespace == namespace]


@dataclass(frozen=True)
class _Spending:
    namespace: str
    name: str
    per_hour: float
