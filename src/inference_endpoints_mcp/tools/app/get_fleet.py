"""All endpoints at once, with what they cost: for the app."""

from pydantic import BaseModel, Field

from inference_endpoints.clients.all_namespaces import ALL_NAMESPACES
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, RepositoryLine, Word
from inference_endpoints_mcp.tools.account.get_costs import (
    NamespacedCost,
    SavingRow,
    list_savings,
    query_costs,
    sum_known,
)
from inference_endpoints_mcp.tools.arguments import NamespaceOrAll
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.namespace_queries import refused_namespaces, refused_note
from inference_endpoints_mcp.tools.outputs import (
    BackendName,
    RefusedNamespaces,
    ToolOutput,
    backend_of,
    state_word,
)
from inference_endpoints_mcp.tools.spec import Toolset, tool

MAX_ROWS = 5_000
MAX_SAVINGS = 20


class FleetRow(BaseModel):
    """One endpoint. Costs are in USD per hour."""

    endpoint_name: Name
    namespace: Name
    state: Word
    repository: RepositoryLine
    hardware: Name
    ready_replicas: int
    target_replicas: int
    max_replica: int
    cost_now_per_hour_usd: float | None = None
    cost_at_most_per_hour_usd: float | None = None
    idle_minutes: int | None = None
    backend: BackendName


class FleetOutput(ToolOutput):
    endpoints: list[FleetRow] = Field(description="Most expensive first.")
    total: int
    cost_now_per_hour_usd: float
    cost_at_most_per_hour_usd: float
    unpriced: int
    savings: list[SavingRow]
    refused: RefusedNamespaces = None


@tool(
    uses=operations.LIST,
    toolset=Toolset.LIFECYCLE,
    title="Show the fleet",
    shows=("list_endpoints", "get_costs"),
)
async def get_fleet(call: Call, namespace: NamespaceOrAll = ALL_NAMESPACES) -> FleetOutput:
    """All endpoints with state, replicas, costs and idle time, for the app."""
    costs, errors = await query_costs(call, namespace)
    backend = call.endpoints.backend.name
    return FleetOutput(
        endpoints=[_row(one, backend) for one in costs[:MAX_ROWS]],
        total=len(costs),
        cost_now_per_hour_usd=sum_known(costs, "now"),
        cost_at_most_per_hour_usd=sum_known(costs, "at_most"),
        unpriced=sum(one.cost.now is None for one in costs),
        savings=list_savings(costs)[:MAX_SAVINGS],
        refused=refused_namespaces(errors),
        now=f"{len(costs)} endpoint(s)." + refused_note(errors),
    )


def _row(priced: NamespacedCost, backend: str) -> FleetRow:
    cost, endpoint = priced.cost, priced.cost.endpoint
    return FleetRow(
        endpoint_name=endpoint.name,
        namespace=priced.namespace,
        state=state_word(endpoint),
        repository=endpoint.model.repository,
        hardware=endpoint.hardware_id,
        ready_replicas=endpoint.status.ready_replica,
        target_replicas=endpoint.status.target_replica,
        max_replica=endpoint.compute.scaling.max_replica,
        cost_now_per_hour_usd=cost.now,
        cost_at_most_per_hour_usd=cost.at_most,
        idle_minutes=None if cost.idle is None else int(cost.idle.total_seconds() // 60),
        backend=backend_of(endpoint, backend),
    )
