"""Resume an endpoint."""

from functools import partial

from inference_endpoints.models.status import InferenceEndpointStatus as Status
from inference_endpoints.transport import operations
from inference_endpoints_mcp.tools.approved_change import Step, proposing
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace
from inference_endpoints_mcp.tools.context import Call
from inference_endpoints_mcp.tools.lifecycle.state_change import StateChange, call_with
from inference_endpoints_mcp.tools.outputs import EndpointAnswer
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.RESUME, toolset=Toolset.LIFECYCLE, title="Resume an endpoint")
@proposing
async def resume_endpoint(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", dry_run: DryRun = False
) -> Step | EndpointAnswer:
    """Start a paused, failed or scaled-to-zero endpoint again. Billing starts. Returns once accepted: then
    wait_for_endpoint."""
    action = StateChange(
        operations.RESUME,
        call.endpoints.resume,
        done={Status.RUNNING, Status.PENDING, Status.INITIALIZING, Status.UPDATING, Status.UPDATE_FAILED},
        told="Accepted: it is starting.",
        follow=partial(call_with, "wait_for_endpoint"),
    )
    return await action.propose(call, endpoint_name, namespace, dry_run)
