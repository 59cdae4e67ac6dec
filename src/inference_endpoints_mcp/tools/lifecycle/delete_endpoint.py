"""Delete an endpoint."""

from functools import partial
from typing import Annotated

from pydantic import Field

from inference_endpoints.deploy.plan import plan_step
from inference_endpoints.errors import NotFound
from inference_endpoints.transport import operations
from inference_endpoints_mcp.tools.approved_change import Step, proposal_of, proposing
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace
from inference_endpoints_mcp.tools.context import Call, CallScope
from inference_endpoints_mcp.tools.lifecycle.state_change import priced_facts
from inference_endpoints_mcp.tools.outputs import BackendName, EndpointAnswer, NextCall, backend_of
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.DELETE, toolset=Toolset.LIFECYCLE, title="Delete an endpoint")
@proposing
async def delete_endpoint(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    dry_run: DryRun = False,
    confirm: Annotated[bool, Field(description="Accepted, but it is not consent.")] = False,
) -> Step | EndpointAnswer:
    """Delete an endpoint for good, with whatever approval the operator wants. To only stop its billing, pause it."""
    namespace, name = await call.target(endpoint_name, namespace)
    try:
        current = await call.endpoints.get(name, namespace)
    except NotFound:
        return _gone(call, namespace, name)
    plan = plan_step(operations.DELETE, current, namespace, await call.listing.vendors(namespace))
    return Step(
        proposal=proposal_of(call, plan, namespace, name, current),
        preview=EndpointAnswer(**await priced_facts(call, current, namespace), changed=False),
        act=partial(_delete, call, namespace, name, backend_of(current, call.endpoints.backend.name)),
        dry_run=dry_run,
    )


async def _delete(call: CallScope, namespace: str, name: str, backend: BackendName) -> EndpointAnswer:
    try:
        await call.endpoints.delete(name, namespace)
    except NotFound:
        return _gone(call, namespace, name)
    call.listing.changed(namespace)
    return EndpointAnswer(
        endpoint_name=name,
        namespace=namespace,
        backend=backend,
        changed=True,
        now="It is deleted and not billed any more. This cannot be undone.",
        next=[NextCall(tool="list_endpoints", arguments={"namespace": namespace})],
    )


def _gone(call: CallScope, namespace: str, name: str) -> EndpointAnswer:
    backend = backend_of(None, call.endpoints.backend.name)
    now = "There is no such endpoint: nothing to delete."
    return EndpointAnswer(endpoint_name=name, namespace=namespace, backend=backend, changed=False, now=now)
