"""Resume an endpoint."""

from functools import partial

from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints_mcp.tools.approved_change import carry_out
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace, PlanToken
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.lifecycle.state_change import StateChange
from inference_endpoints_mcp.tools.outputs import EndpointOutput
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.RESUME, toolset=Toolset.LIFECYCLE, title="Resume an endpoint")
async def resume_endpoint(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Start a paused, failed or scaled-to-zero endpoint again. Billing starts. Returns once accepted: then call
    wait_for_endpoint."""
    change = StateChange(
        operations.RESUME,
        call.endpoints.resume,
        unchanged_in={State.RUNNING, State.PENDING, State.INITIALIZING, State.UPDATING, State.UPDATE_FAILED},
        done="Accepted: it is starting.",
        next_tool="wait_for_endpoint",
    )
    propose = partial(change.propose, call, endpoint_name, namespace, dry_run)
    return await carry_out(call, propose, dry_run=dry_run, plan_token=plan_token)
