"""Scale an endpoint to zero."""

from inference_endpoints.models.status import InferenceEndpointStatus as Status
from inference_endpoints.transport import operations
from inference_endpoints_mcp.tools.approved_change import Step, proposing
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.lifecycle.state_change import StateChange
from inference_endpoints_mcp.tools.outputs import EndpointOutput
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.SCALE_TO_ZERO, toolset=Toolset.LIFECYCLE, title="Scale an endpoint to zero")
@proposing
async def scale_endpoint_to_zero(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", dry_run: DryRun = False
) -> Step | EndpointOutput:
    """Stop all replicas and their billing now. The endpoint keeps its URL, and the next call wakes it."""
    change = StateChange(
        operations.SCALE_TO_ZERO,
        call.endpoints.scale_to_zero,
        unchanged_in={Status.SCALED_TO_ZERO},
        done="It is scaled to zero and not billed. The next call wakes it.",
        next_tool=None,
    )
    return await change.propose(call, endpoint_name, namespace, dry_run)
