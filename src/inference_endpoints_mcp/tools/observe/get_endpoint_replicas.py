"""List the replicas of an endpoint."""

from pydantic import BaseModel, Field

from inference_endpoints.models import Replica, rfc3339
from inference_endpoints.transport import operations
from inference_endpoints_mcp.privacy.answer_text import Name, Word
from inference_endpoints_mcp.privacy.untrusted_text import clean_line
from inference_endpoints_mcp.tools.arguments import EndpointName, Limit, Namespace, Offset
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.outputs import PagedOutput, take_page
from inference_endpoints_mcp.tools.spec import Toolset, tool


class ReplicaRow(BaseModel):
    replica: Name
    stage: Word
    live: bool = Field(description="Of the endpoint's live version.")
    updating: bool | None = Field(default=None, description="Of the version that is rolled out.")
    version: Name | None = None
    started_at: Word | None = None
    stopped_at: Word | None = None
    exit_code: int | None = None


class ReplicasOutput(PagedOutput):
    endpoint_name: Name
    namespace: Name
    replicas: list[ReplicaRow]


@tool(uses=operations.REPLICAS, toolset=Toolset.OBSERVE, title="List an endpoint's replicas")
async def get_endpoint_replicas(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", limit: Limit = 20, offset: Offset = 0
) -> ReplicasOutput:
    """List the replicas of an endpoint with their stage. get_endpoint_logs takes their ids."""
    namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
    replicas = await call.endpoints.replicas(name, namespace)
    running = sum(replica.status.running for replica in replicas)
    rows = [_row(replica) for replica in replicas]
    page, following = take_page(rows, offset, limit)
    return ReplicasOutput(
        endpoint_name=name,
        namespace=namespace,
        replicas=page,
        total=len(rows),
        next_offset=following,
        now=f"{running} of {len(rows)} replica(s) running{f'; {len(page)} shown' if len(page) < len(rows) else ''}.",
    )


def _row(replica: Replica) -> ReplicaRow:
    status = replica.status
    return ReplicaRow(
        replica=clean_line(replica.id),
        stage=clean_line(status.stage),
        live=status.live,
        updating=status.updating or None,
        version=clean_line(replica.version_id, 96) if replica.version_id else None,
        started_at=rfc3339(status.started_at, "seconds") if status.started_at else None,
        stopped_at=rfc3339(status.stopped_at, "seconds") if status.stopped_at else None,
        exit_code=status.exit_code,
    )
