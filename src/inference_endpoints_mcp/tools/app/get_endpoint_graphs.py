"""Every point of an endpoint's metrics: for the plots of the app."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, Field

from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, ShortLine, Word
from inference_endpoints_mcp.tools.arguments import EndpointName, Namespace
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.observe.get_endpoint_metric import UNITS, StageRow, list_series, list_stages
from inference_endpoints_mcp.tools.outputs import BackendName, ToolOutput, backend_of
from inference_endpoints_mcp.tools.spec import Toolset, tool

MAX_SERIES, MAX_POINTS = 60, 1_000


class GraphSeries(BaseModel):
    metric: Word
    of: ShortLine
    unit: Word | None = None
    at: list[int] = Field(description="Seconds since the epoch.")
    values: list[float]


class GraphsOutput(ToolOutput):
    endpoint_name: Name
    namespace: Name
    backend: BackendName
    since: int = Field(description="Seconds since the epoch.")
    until: int
    series: list[GraphSeries]
    replica_stages: list[StageRow]


@tool(
    uses=operations.METRICS,
    toolset=Toolset.OBSERVE,
    title="Show an endpoint's graphs",
    shows=("get_endpoint_metric",),
)
async def get_endpoint_graphs(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    minutes: Annotated[int, Field(ge=1, le=43_200)] = 30,
) -> GraphsOutput:
    """All points of an endpoint's metrics, and the stages of its replicas, for the app."""
    namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
    endpoint = await call.endpoints.get(name, namespace)
    backend = backend_of(endpoint, call.endpoints.backend.name)
    until = call.endpoints.http.clock.now()
    since = until - timedelta(minutes=minutes)
    graphs = await call.endpoints.metrics(name, namespace, start=since, stop=until)
    series = []
    for kind, of, one in list_series(graphs, "all"):
        points = [(int(point.x.timestamp()), point.y) for point in one.data[-MAX_POINTS:] if point.y is not None]
        if points:
            at, values = zip(*points, strict=True)
            unit = UNITS.get(kind) if backend != "huggingface" else None
            series.append(GraphSeries(metric=kind, of=of, unit=unit, at=list(at), values=list(values)))
    return GraphsOutput(
        endpoint_name=name,
        namespace=namespace,
        backend=backend,
        since=int(since.timestamp()),
        until=int(until.timestamp()),
        series=series[:MAX_SERIES],
        replica_stages=list_stages(graphs.replicas_status) or [],
        now=f"{len(series)} series of the last {minutes} min.",
    )
