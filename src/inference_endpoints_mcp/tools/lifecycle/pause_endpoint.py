"""Pause an endpoint."""

from functools import partial

from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints_mcp.tools.approved_change import carry_out
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace, PlanToken
from inference_endpoints_mcp.tools.call_context import Call
from inference_endpoints_mcp.tools.lifecycle.state_change import StateChange
from inference_endpoints_mcp.tools.outputs import EndpointOutput
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.PAUSE, toolset=Toolset.LIFECYCLE, title="Pause an endpoint")
async def pause_endpoint(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Stop an endpoint and its billing. It stays stopped until resumed; use scale_endpoint_to_zero if it should wake
    by itself."""
    change = StateChange(
        operations.PAUSE,
        call.endpoints.pause,
        unchanged_in={State.PAUSED},
        done="It is paused and not billed. It does not answer until it is resumed.",
        next_tool="resume_endpoint",
    )
    propose = partial(change.propose, call, endpoint_name, namespace, dry_run)
    return await carry_out(call, propose, dry_run=dry_run, plan_token=plan_token)
