"""Scale an endpoint to zero."""

from functools import partial

from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints_mcp.tools.approved_change import carry_out
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace, PlanToken
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.lifecycle.state_change import StateChange
from inference_endpoints_mcp.tools.outputs import EndpointOutput
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.SCALE_TO_ZERO, toolset=Toolset.LIFECYCLE, title="Scale an endpoint to zero")
async def scale_endpoint_to_zero(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Stop all replicas and their billing now. The endpoint keeps its URL, and the next call wakes it."""
    change = StateChange(
        operations.SCALE_TO_ZERO,
        call.endpoints.scale_to_zero,
        unchanged_in={State.SCALED_TO_ZERO},
        done="It is scaled to zero and not billed. The next call wakes it.",
        next_tool=None,
    )
    propose = partial(change.propose, call, endpoint_name, namespace, dry_run)
    return await carry_out(call, propose, dry_run=dry_run, plan_token=plan_token)
