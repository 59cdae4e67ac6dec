"""Show what endpoints cost, and which calls save how much."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from inference_endpoints.clients.all_namespaces import ALL_NAMESPACES
from inference_endpoints.deploy.costs import Costs, EndpointCost, MeasuredRequests, Per, SavingName
from inference_endpoints.deploy.prices import HOURS_PER_MONTH
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.models import AllGraphs, Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.privacy.answer_text import Name, Ours, Word
from inference_endpoints_mcp.tools.arguments import Limit, NamespaceOrAll, Offset
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.namespace_queries import query_namespaces, refused_namespaces, refused_note
from inference_endpoints_mcp.tools.outputs import (
    BackendName,
    NextCall,
    PagedOutput,
    RefusedNamespaces,
    backend_of,
    next_call,
    state_word,
    take_page,
)
from inference_endpoints_mcp.tools.spec import Toolset, tool

MAX_SAVINGS = 10
MAX_TOGETHER = 20
"""Endpoints in one proposed call."""
MAX_MEASURED, MAX_READS_AT_ONCE, READ_TIMEOUT_S = 20, 8, 5.0
"""Endpoints whose metrics are read to find their last request: how many, how many at once, seconds for each."""
AT_ONCE = 5
"""Endpoints whose cost is computed before others get their turn. A call over HTTP needs some forty turns."""
MEASURED = timedelta(days=7)
"""How far back."""
COMPUTED_FROM = (
    "Published prices times the replicas now, and the time of each endpoint's last call: by the service, and by the "
    f"metrics of the last 7 days for the {MAX_MEASURED} dearest. No billing API exists: "
    "the invoice, discounts and past costs are unknown."
)


class CostRow(BaseModel):
    """Costs in USD per hour. `idle_minutes` since the last call or change; only for endpoints that are billed now."""

    endpoint_name: Name
    namespace: Name
    state: Word
    hardware: Name
    replicas: int
    cost_now_per_hour_usd: float | None = None
    cost_at_most_per_hour_usd: float | None = Field(default=None, description="At its maximum of replicas.")
    idle_minutes: int | None = None
    backend: BackendName


class SavingRow(BaseModel):
    endpoint_name: Name
    rule: SavingName
    saves_usd: float
    per: Per
    why: Ours
    call: NextCall


class CostsOutput(PagedOutput):
    endpoints: list[CostRow]
    cost_now_per_hour_usd: float
    cost_now_per_month_usd: float = Field(description="At this rate.")
    cost_at_most_per_hour_usd: float = Field(description="At all maximums of replicas; paused ones excluded.")
    unpriced: int = Field(description="Endpoints without a published price. No sum includes them.")
    savings: list[SavingRow] = Field(description="Largest first.")
    computed_from: Ours = COMPUTED_FROM
    refused: RefusedNamespaces = None


@dataclass(frozen=True)
class NamespacedCost:
    namespace: str
    cost: EndpointCost


@tool(uses=operations.LIST, toolset=Toolset.ACCOUNT, title="Show what endpoints cost")
async def get_costs(
    call: Call, namespace: NamespaceOrAll = ALL_NAMESPACES, limit: Limit = 20, offset: Offset = 0
) -> CostsOutput:
    """Show what endpoints cost per hour, now and at most, most expensive first; how long each is idle, and which calls
    save how much."""

    costs, errors = await query_costs(call, namespace)
    backend = call.endpoints.backend.name
    page, following = take_page([_row(one, backend) for one in costs], offset, limit)
    savings = list_savings(costs)
    now, at_most = sum_known(costs, "now"), sum_known(costs, "at_most")
    return CostsOutput(
        endpoints=page,
        total=len(costs),
        next_offset=following,
        cost_now_per_hour_usd=now,
        cost_now_per_month_usd=round(now * HOURS_PER_MONTH, 2),
        cost_at_most_per_hour_usd=at_most,
        unpriced=sum(one.cost.now is None for one in costs),
        savings=savings[:MAX_SAVINGS],
        refused=refused_namespaces(errors),
        now=_summary(costs, now, at_most, savings, backend) + refused_note(errors),
        next=_together(savings)[:2],
    )


async def query_costs(
    call: CallContext, namespace: str
) -> tuple[list[NamespacedCost], Mapping[str, InferenceEndpointError]]:
    """What each endpoint costs, most expensive first; and the namespaces without an answer."""

    async def fetch(namespace: str) -> tuple[Sequence[Endpoint], Costs]:
        return await call.endpoints.list(namespace), await call.hardware_cache.costs(namespace)

    queried = await query_namespaces(call, namespace, fetch)
    at = call.endpoints.http.clock.now()
    known = {one: costs for one, (_, costs) in queried.results.items()}
    everything = [(one, endpoint) for one, (endpoints, _) in queried.results.items() for endpoint in endpoints]
    measured = await _measure_requests(call, everything, known, at)
    costs = []
    for number, (one, endpoint) in enumerate(everything, 1):
        costs.append(NamespacedCost(one, known[one].of(endpoint, at, measured.get((one, endpoint.name)))))
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)  # a large fleet delays no other caller
    costs.sort(key=lambda one: (-(one.cost.now or 0), -(one.cost.at_most or 0), one.namespace, one.cost.endpoint.name))
    return costs, queried.errors


async def _measure_requests(
    call: CallContext, everything: Sequence[tuple[str, Endpoint]], known: Mapping[str, Costs], at: datetime
) -> dict[tuple[str, str], MeasuredRequests]:
    """The last requests of the dearest endpoints that run, by their metrics, as far as these can be read."""
    prices = {one: costs.prices for one, costs in known.items()}
    running = [each for each in everything if each[1].state is State.RUNNING and prices[each[0]].now(each[1])]
    running.sort(key=lambda each: -(prices[each[0]].now(each[1]) or 0.0))
    reading = asyncio.Semaphore(MAX_READS_AT_ONCE)

    async def read(namespace: str, name: str) -> MeasuredRequests | None:
        with suppress(InferenceEndpointError, TimeoutError):
            async with reading, asyncio.timeout(READ_TIMEOUT_S):
                return _last_request(await call.endpoints.metrics(name, namespace, start=MEASURED, stop=at), at)
        return None

    chosen = [(namespace, endpoint.name) for namespace, endpoint in running[:MAX_MEASURED]]
    results = await asyncio.gather(*(read(*each) for each in chosen))
    return {each: found for each, found in zip(chosen, results, strict=True) if found is not None}


def _last_request(graphs: AllGraphs, at: datetime) -> MeasuredRequests | None:
    """When metrics begin, and when the last window with a response ends; None for metrics that show no time at all.

    A window shows no shorter time than its width: what it says of the time within is rounded towards now.
    """
    counted = [point for series in graphs.replicas_running.series for point in series.data if point.y is not None]
    answered = [point for series in graphs.response_status_code.series for point in series.data if point.y]
    width = timedelta(seconds=graphs.time_window_seconds or 0)
    times = [point.x for point in (*counted, *answered) if point.x.tzinfo and point.x <= at]
    if not times:
        return None
    last = max((point.x for point in answered if point.x.tzinfo), default=None)
    return MeasuredRequests(min(min(times) + width, at), min(last + width, at) if last else None)


def _together(savings: Sequence[SavingRow]) -> list[NextCall]:
    """The calls that save, those alike as one for several endpoints; the one that saves most first."""
    alike: dict[str, list[SavingRow]] = {}
    for saving in savings:
        others = {name: value for name, value in saving.call.arguments.items() if name != "endpoint_name"}
        alike.setdefault(f"{saving.call.tool} {sorted(others.items())}", []).append(saving)
    calls = []
    for group in alike.values():
        call = group[0].call
        if len(group) > 1:
            others = {name: value for name, value in call.arguments.items() if name != "endpoint_name"}
            call = NextCall(
                tool=call.tool, arguments={"names": [one.endpoint_name for one in group[:MAX_TOGETHER]], **others}
            )
        calls.append((sum(one.saves_usd for one in group), call))
    return [call for _, call in sorted(calls, key=lambda each: -each[0])]


def sum_known(costs: Sequence[NamespacedCost], which: Literal["now", "at_most"]) -> float:
    """The sum of all that are known, in USD per hour."""
    values = (one.cost.now if which == "now" else one.cost.at_most for one in costs)
    return round(sum((value for value in values if value is not None), 0.0), 4)


def _row(priced: NamespacedCost, backend: str) -> CostRow:
    cost, endpoint = priced.cost, priced.cost.endpoint
    return CostRow(
        endpoint_name=endpoint.name,
        namespace=priced.namespace,
        state=state_word(endpoint),
        hardware=endpoint.hardware_id,
        replicas=endpoint.status.ready_replica,
        cost_now_per_hour_usd=cost.now,
        cost_at_most_per_hour_usd=cost.at_most,
        idle_minutes=None if cost.idle is None else int(cost.idle.total_seconds() // 60),
        backend=backend_of(endpoint, backend),
    )


def list_savings(costs: Sequence[NamespacedCost]) -> list[SavingRow]:
    """Savings per hour come before savings that happen only sometimes; the largest first."""
    found = [
        SavingRow(
            endpoint_name=one.cost.endpoint.name,
            rule=saving.rule,
            saves_usd=round(saving.usd, 4),
            per=saving.per,
            why=saving.why,
            call=next_call(saving.operation.name, one.namespace, one.cost.endpoint.name, **saving.settings),
        )
        for one in costs
        if (saving := one.cost.saving) is not None
    ]
    return sorted(found, key=lambda row: (row.per != "hour", -row.saves_usd))


def _summary(
    costs: Sequence[NamespacedCost], now: float, at_most: float, savings: Sequence[SavingRow], backend: str
) -> str:
    if not costs:
        return "There are no endpoints: nothing is billed."
    simulated = " (simulated: nothing is billed)" if backend == LOCAL and now else ""
    summary = f"{len(costs)} endpoint(s) cost ${now:.2f}/h now and ${at_most:.2f}/h at most{simulated}."
    hourly = sum(row.saves_usd for row in savings if row.per == "hour")
    if hourly:
        return f"{summary} ${hourly:.2f}/h can be saved: see savings."
    return summary if savings else f"{summary} {_why_none(costs)}"


def _why_none(costs: Sequence[NamespacedCost]) -> str:
    """Why no saving is offered."""
    billed = [one for one in costs if one.cost.now]
    if not billed:
        return "Nothing is billed, so nothing can be saved."
    unknown = sum(one.cost.idle is None for one in billed)
    reason = "Each that is billed was used within the last hour or is starting, and its hardware is needed"
    return f"No saving was found. {reason}" + (f", or it is not known when ({unknown})." if unknown else ".")
