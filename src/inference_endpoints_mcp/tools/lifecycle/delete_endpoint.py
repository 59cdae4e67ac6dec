"""Delete endpoints."""

from functools import partial
from typing import Annotated

from pydantic import Field

from inference_endpoints.deploy.plan import plan_state_change
from inference_endpoints.errors import NotFound
from inference_endpoints.transport import operations
from inference_endpoints_mcp.tools.approved_change import ProposedChange, proposal_of
from inference_endpoints_mcp.tools.arguments import DryRun, Names, NamespaceOfSet, OneName, PlanToken, Where
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.lifecycle.change_set import SummaryWords, carry_out_on
from inference_endpoints_mcp.tools.lifecycle.choice import Choice, Target
from inference_endpoints_mcp.tools.outputs import BackendName, EndpointOutput, NextCall, backend_of, describe_endpoint
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.DELETE, toolset=Toolset.LIFECYCLE, title="Delete an endpoint")
async def delete_endpoint(
    call: Call,
    endpoint_name: OneName = "",
    names: Names = [],  # noqa: B006
    where: Where = "",
    namespace: NamespaceOfSet = "",
    dry_run: DryRun = False,
    confirm: Annotated[bool, Field(description="Ignored. It does not approve the deletion.")] = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Delete endpoints permanently. To only stop their billing, pause them."""
    choice, words = Choice(endpoint_name, names, where, namespace), SummaryWords("are deleted")
    propose = partial(_propose, call)
    return await carry_out_on(call, choice, propose, words, dry_run=dry_run, plan_token=plan_token)


async def _propose(call: CallContext, target: Target) -> ProposedChange | EndpointOutput:
    namespace, name, current = target.namespace, target.name, target.current
    if current is None:
        return _not_found_output(call, namespace, name, target.similar)
    plan = plan_state_change(operations.DELETE, current, namespace, target.listing)
    return ProposedChange(
        proposal=proposal_of(call, plan, namespace, name, current),
        preview=EndpointOutput(**await describe_endpoint(call, current, namespace), changed=False),
        apply=partial(_delete, call, namespace, name, backend_of(current, call.endpoints.backend.name)),
    )


async def _delete(call: CallContext, namespace: str, name: str, backend: BackendName) -> EndpointOutput:
    try:
        await call.endpoints.delete(name, namespace)
    except NotFound:
        return _not_found_output(call, namespace, name)
    call.record_deletion(namespace, name)
    return EndpointOutput(
        endpoint_name=name,
        namespace=namespace,
        backend=backend,
        changed=True,
        now="It is deleted and not billed any more. It cannot be restored.",
        next=[NextCall(tool="list_endpoints", arguments={"namespace": namespace})],
    )


def _not_found_output(call: CallContext, namespace: str, name: str, similar: str = "") -> EndpointOutput:
    backend = backend_of(None, call.endpoints.backend.name)
    now = f"There is no such endpoint: nothing to delete. {similar}".strip()
    return EndpointOutput(endpoint_name=name, namespace=namespace, backend=backend, changed=False, now=now)
