"""Show what endpoints cost, and which calls save how much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field

from inference_endpoints.all_namespaces import ALL_NAMESPACES
from inference_endpoints.deploy.costs import EndpointCost, Per, cost_of
from inference_endpoints.deploy.prices import HOURS_PER_MONTH
from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints.models import Endpoint, HardwareListing
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
COMPUTED_FROM = (
    "Published prices times the replicas now, and the time of each endpoint's last call. No billing API exists: "
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
        next=[saving.call for saving in savings[:2]],
    )


async def query_costs(
    call: CallContext, namespace: str
) -> tuple[list[NamespacedCost], Mapping[str, InferenceEndpointError]]:
    """What each endpoint costs, most expensive first; and the namespaces without an answer."""

    async def fetch(namespace: str) -> tuple[Sequence[Endpoint], HardwareListing]:
        return await call.endpoints.list(namespace), await call.hardware_cache.listing(namespace)

    queried = await query_namespaces(call, namespace, fetch)
    at = datetime.now(UTC)
    costs = [
        NamespacedCost(one, cost_of(endpoint, listing, at))
        for one, (endpoints, listing) in queried.results.items()
        for endpoint in endpoints
    ]
    costs.sort(key=lambda one: (-(one.cost.now or 0), -(one.cost.at_most or 0), one.namespace, one.cost.endpoint.name))
    return costs, queried.errors


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
    return summary + (f" ${hourly:.2f}/h can be saved: see savings." if hourly else "")
