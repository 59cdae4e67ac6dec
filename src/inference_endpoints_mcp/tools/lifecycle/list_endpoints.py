"""List the endpoints of one namespace, or of all."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from inference_endpoints.clients.all_namespaces import ALL_NAMESPACES
from inference_endpoints.deploy.costs import idle_time
from inference_endpoints.deploy.prices import Prices
from inference_endpoints.models import Endpoint
from inference_endpoints.transport import operations
from inference_endpoints.transport.backend import LOCAL
from inference_endpoints_mcp.privacy.answer_text import Name, RepositoryLine, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import Limit, NamespaceOrAll, Offset, State
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.lifecycle.endpoint_filter import EndpointFilter
from inference_endpoints_mcp.tools.namespace_queries import query_namespaces, refused_namespaces, refused_note
from inference_endpoints_mcp.tools.outputs import (
    BackendName,
    PagedOutput,
    RefusedNamespaces,
    backend_of,
    last_used,
    state_word,
    take_page,
)
from inference_endpoints_mcp.tools.spec import Toolset, tool

Sort = Annotated[
    Literal["newest", "name", "price", "idle"],
    Field(description="price: by what it costs now, highest first; idle: longest first."),
]


class EndpointRow(BaseModel):
    """An endpoint in a list; with its namespace where the list covers several."""

    endpoint_name: Name
    namespace: Name | None = None
    state: Word
    repository: RepositoryLine
    hardware: Name
    ready_replicas: int
    target_replicas: int
    price_per_hour_usd: float | None = Field(default=None, description="Per replica.")
    last_used_at: Word | None = Field(
        default=None, description="Last call, or when it began to run; if it is not running."
    )
    backend: BackendName


class EndpointListOutput(PagedOutput):
    namespace: Name
    endpoints: list[EndpointRow]
    shown: int
    cost_now_per_hour_usd: float = Field(description="Of all endpoints that match.")
    refused: RefusedNamespaces = None


@tool(uses=operations.LIST, toolset=Toolset.LIFECYCLE, title="List endpoints")
async def list_endpoints(
    call: Call,
    namespace: NamespaceOrAll = "",
    state: Annotated[State, Field(description="Only endpoints in this state.")] = "any",
    search: Annotated[str, Field(max_length=100, description="Part of a name or model.")] = "",
    where: Annotated[
        str,
        Field(
            max_length=200,
            description="Conditions that all hold: state=paused,failed name=ci-* tag=eval idle>7d; "
            "also model=, type=, task=, hardware=.",
        ),
    ] = "",
    sort: Sort = "newest",
    limit: Limit = 20,
    offset: Offset = 0,
) -> EndpointListOutput:
    """List endpoints with state, hardware and price, and what all of them cost per hour now. Tools that change
    endpoints take the same `where`."""
    backend = call.endpoints.backend.name
    wanted = EndpointFilter.parse(where)

    async def fetch(namespace: str) -> tuple[list[Endpoint], Prices]:
        listed = await call.endpoints.list(namespace, **wanted.query)
        at = call.endpoints.http.clock.now()
        found = [one for one in listed if _matches(one, state, search) and wanted.matches(one, at)]
        return found, await call.hardware_cache.prices(namespace)

    queried = await query_namespaces(call, namespace, fetch)
    at = call.endpoints.http.clock.now()
    in_all = namespace == ALL_NAMESPACES
    namespace = ALL_NAMESPACES if in_all else next(iter(queried.results))
    found = [(one, prices, each) for one, (endpoints, prices) in queried.results.items() for each in endpoints]
    found.sort(key=lambda row: _ORDER[sort](row[2], row[1], at))
    rows = [_row(one if in_all else None, prices, endpoint, backend) for one, prices, endpoint in found]
    totals = [prices.total(endpoints) for endpoints, prices in queried.results.values()]
    cost, unpriced = sum(cost for cost, _ in totals), sum(unpriced for _, unpriced in totals)
    page, following = take_page(rows, offset, limit)
    return EndpointListOutput(
        namespace=namespace,
        endpoints=page,
        total=len(rows),
        shown=len(page),
        next_offset=following,
        cost_now_per_hour_usd=round(cost, 4),
        refused=refused_namespaces(queried.errors),
        now=_summary(Counter(row.state for row in rows), cost, unpriced, backend) + refused_note(queried.errors),
    )


_ORDER: dict[str, Callable[[Endpoint, Prices, datetime], Any]] = {
    "newest": lambda endpoint, _, at: at - (endpoint.status.created_at or at),
    "name": lambda endpoint, *_: endpoint.name,
    "price": lambda endpoint, prices, _: -(prices.now(endpoint) or 0.0),
    "idle": lambda endpoint, _, at: -(idle_time(endpoint, at) or timedelta(0)),
}
"""By what a list is sorted. What is equal stays in the service's order: newest first."""


def _row(namespace: str | None, prices: Prices, endpoint: Endpoint, backend: str) -> EndpointRow:
    return EndpointRow(
        endpoint_name=endpoint.name,
        namespace=namespace,
        state=state_word(endpoint),
        repository=clean_line(endpoint.model.repository, 80),
        hardware=endpoint.hardware_id,
        ready_replicas=endpoint.status.ready_replica,
        target_replicas=endpoint.status.target_replica,
        price_per_hour_usd=prices.replica(endpoint),
        last_used_at=None if endpoint.state.billed else last_used(endpoint),
        backend=backend_of(endpoint, backend),
    )


def _matches(endpoint: Endpoint, state: str, search: str) -> bool:
    text = f"{endpoint.name} {endpoint.model.repository}".lower()
    return (state in ("any", endpoint.state)) and search.lower() in text


def _summary(states: Counter[str], cost: float, unpriced: int, backend: str) -> str:
    if not states:
        return "No endpoints match."
    counted = ", ".join(f"{count} {state}" for state, count in states.most_common())
    unknown = f", without {unpriced} of unknown price" if unpriced else ""
    simulated = " (simulated: nothing is billed)" if backend == LOCAL and cost else ""
    return f"{states.total()} endpoint(s): {counted}. They cost ${cost:.2f}/h now{unknown}{simulated}."
