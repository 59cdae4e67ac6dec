"""List the replicas of an endpoint."""

from pydantic import BaseModel

from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import EndpointName, Limit, Namespace, Offset
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.outputs import ToolOutput, take_page
from inference_endpoints_mcp.tools.spec import Toolset, tool


class ReplicaRow(BaseModel):
    replica: str
    stage: str
    live: bool


class ReplicasOutput(ToolOutput):
    endpoint_name: str
    namespace: str
    replicas: list[ReplicaRow]
    total: int
    next_offset: int | None = None


@tool(uses=operations.REPLICAS, toolset=Toolset.OBSERVE, title="List an endpoint's replicas")
async def get_endpoint_replicas(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", limit: Limit = 20, offset: Offset = 0
) -> ReplicasOutput:
    """List the replicas of an endpoint with their stage. get_endpoint_logs takes their ids."""
    namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
    replicas = await call.endpoints.replicas(name, namespace)
    live = sum(replica.status.live for replica in replicas)
    rows = [
        ReplicaRow(replica=clean_line(replica.id), stage=clean_line(replica.status.stage), live=replica.status.live)
        for replica in replicas
    ]
    page, following = take_page(rows, offset, limit)
    return ReplicasOutput(
        endpoint_name=name,
        namespace=namespace,
        replicas=page,
        total=len(rows),
        next_offset=following,
        now=f"{live} of {len(rows)} replica(s) live{f'; {len(page)} shown' if len(page) < len(rows) else ''}.",
    )
