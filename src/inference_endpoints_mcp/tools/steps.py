"""The four steps of an endpoint's life after it was created: pause, resume, scale to zero, delete."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from inference_endpoints import operations
from inference_endpoints.errors import NotFound
from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as Status
from inference_endpoints.operations import Effect, Operation
from inference_endpoints.plan import plan_step
from inference_endpoints_mcp.tools.answers import (
    EndpointAnswer,
    NextCall,
    backend_of,
    billing_from_now,
    call_of,
    facts_of,
    plan_answer,
)
from inference_endpoints_mcp.tools.approval import DeletionApproval
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace
from inference_endpoints_mcp.tools.ports import Call, CallScope
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.PAUSE, toolset=Toolset.LIFECYCLE, title="Pause an endpoint")
async def pause_endpoint(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", dry_run: DryRun = False
) -> EndpointAnswer:
    """Stop an endpoint and its billing. It stays stopped until resumed; use scale_endpoint_to_zero if it should wake
    by itself."""
    step = _Step(
        operations.PAUSE,
        call.endpoints.pause,
        done={Status.PAUSED},
        told="It is paused and not billed. It does not answer until it is resumed.",
        follow="resume_endpoint",
    )
    return await step.take(call, endpoint_name, namespace, dry_run)


@tool(uses=operations.RESUME, toolset=Toolset.LIFECYCLE, title="Resume an endpoint")
async def resume_endpoint(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", dry_run: DryRun = False
) -> EndpointAnswer:
    """Start a paused, failed or scaled-to-zero endpoint again. Billing starts. Returns once accepted: then
    wait_for_endpoint."""
    step = _Step(
        operations.RESUME,
        call.endpoints.resume,
        done={Status.RUNNING, Status.PENDING, Status.INITIALIZING, Status.UPDATING, Status.UPDATE_FAILED},
        told="Accepted: it is starting.",
        follow="wait_for_endpoint",
    )
    return await step.take(call, endpoint_name, namespace, dry_run)


@tool(uses=operations.SCALE_TO_ZERO, toolset=Toolset.LIFECYCLE, title="Scale an endpoint to zero")
async def scale_endpoint_to_zero(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", dry_run: DryRun = False
) -> EndpointAnswer:
    """Stop all replicas and their billing now. The endpoint keeps its address, and the next call to it wakes it."""
    step = _Step(
        operations.SCALE_TO_ZERO,
        call.endpoints.scale_to_zero,
        done={Status.SCALED_TO_ZERO},
        told="It is scaled to zero and not billed. The next call wakes it.",
        follow="call_endpoint",
    )
    return await step.take(call, endpoint_name, namespace, dry_run)


@tool(uses=operations.DELETE, toolset=Toolset.LIFECYCLE, title="Delete an endpoint")
async def delete_endpoint(
    call: Call,
    approval: DeletionApproval,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    dry_run: DryRun = False,
    confirm: Annotated[bool, Field(description="Accepted, but not consent: a person is asked.")] = False,
) -> EndpointAnswer:
    """Delete an endpoint for good. A person is asked to approve it. To only stop its billing, pause it."""
    namespace, name = await call.target(endpoint_name, namespace)
    backend = backend_of(None, call.endpoints.backend.name)
    try:
        current = await call.endpoints.get(name, namespace)
        if dry_run:
            return await _planned(operations.DELETE, call, current, namespace)
        approval.check(current)
        await call.endpoints.delete(name, namespace)
        call.listing.changed(namespace)
    except NotFound:
        now = "There is no such endpoint: nothing to delete."
        return EndpointAnswer(endpoint_name=name, namespace=namespace, backend=backend, changed=False, now=now)
    return EndpointAnswer(
        endpoint_name=name,
        namespace=namespace,
        backend=backend_of(current, call.endpoints.backend.name),
        changed=True,
        now="It is deleted and not billed any more. This cannot be undone.",
        next=[NextCall(tool="list_endpoints", arguments={"namespace": namespace})],
    )


_SETTLED = {Status.RUNNING, Status.UPDATE_FAILED}


@dataclass(frozen=True)
class _Step:
    """One operation without arguments: `done` are the states in which there is nothing to do."""

    operation: Operation[Any]
    send: Callable[[str, str], Awaitable[Endpoint]]
    done: set[Status]
    told: str
    follow: str

    async def take(self, call: CallScope, endpoint_name: str, namespace: str, dry_run: bool) -> EndpointAnswer:
        namespace, name = await call.target(endpoint_name, namespace)
        current = await call.endpoints.get(name, namespace)
        if dry_run:
            return await _planned(self.operation, call, current, namespace)
        changed = current.state not in self.done
        if changed:
            current = await self.send(name, namespace)
            call.changed(namespace, current)
        prices = await call.listing.prices(namespace)
        facts = facts_of(current, namespace, prices, call.endpoints.backend.name)
        told = self.told
        if self.operation.effect is Effect.SPENDS:
            told = f"{told} {billing_from_now(facts['backend'], facts['price_per_hour_usd'])}"
        return EndpointAnswer(
            **facts,
            changed=changed,
            now=told if changed else f"It already is {current.state.value}: nothing was sent.",
            next=[call_of(self.follow, namespace, name)] if changed or current.state not in _SETTLED else [],
        )


async def _planned(operation: Operation[Any], call: CallScope, current: Endpoint, namespace: str) -> EndpointAnswer:
    plan = plan_step(operation, current, namespace, await call.listing.vendors(namespace))
    prices = await call.listing.prices(namespace)
    return EndpointAnswer(
        **facts_of(current, namespace, prices, call.endpoints.backend.name),
        changed=False,
        plan=plan_answer(plan),
        now=f"Dry run: nothing was changed. It is {current.state.value} now.",
    )
