"""The four steps of an endpoint's life after it was created: pause, resume, scale to zero, delete."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from inference_endpoints.deploy.plan import plan_step
from inference_endpoints.errors import NotFound
from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as Status
from inference_endpoints.transport import operations
from inference_endpoints.transport.operations import Effect, Operation
from inference_endpoints_mcp.tools.answers import (
    BackendName,
    EndpointAnswer,
    NextCall,
    backend_of,
    billing_from_now,
    call_of,
    facts_of,
    trying,
)
from inference_endpoints_mcp.tools.approved_change import Step, proposal_of, proposing
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace
from inference_endpoints_mcp.tools.context import Call, CallScope
from inference_endpoints_mcp.tools.spec import Toolset, tool


@tool(uses=operations.PAUSE, toolset=Toolset.LIFECYCLE, title="Pause an endpoint")
@proposing
async def pause_endpoint(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", dry_run: DryRun = False
) -> Step | EndpointAnswer:
    """Stop an endpoint and its billing. It stays stopped until resumed; use scale_endpoint_to_zero if it should wake
    by itself."""
    action = _Action(
        operations.PAUSE,
        call.endpoints.pause,
        done={Status.PAUSED},
        told="It is paused and not billed. It does not answer until it is resumed.",
        follow=partial(_tool, "resume_endpoint"),
    )
    return await action.propose(call, endpoint_name, namespace, dry_run)


@tool(uses=operations.RESUME, toolset=Toolset.LIFECYCLE, title="Resume an endpoint")
@proposing
async def resume_endpoint(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", dry_run: DryRun = False
) -> Step | EndpointAnswer:
    """Start a paused, failed or scaled-to-zero endpoint again. Billing starts. Returns once accepted: then
    wait_for_endpoint."""
    action = _Action(
        operations.RESUME,
        call.endpoints.resume,
        done={Status.RUNNING, Status.PENDING, Status.INITIALIZING, Status.UPDATING, Status.UPDATE_FAILED},
        told="Accepted: it is starting.",
        follow=partial(_tool, "wait_for_endpoint"),
    )
    return await action.propose(call, endpoint_name, namespace, dry_run)


@tool(uses=operations.SCALE_TO_ZERO, toolset=Toolset.LIFECYCLE, title="Scale an endpoint to zero")
@proposing
async def scale_endpoint_to_zero(
    call: Call, endpoint_name: EndpointName, namespace: Namespace = "", dry_run: DryRun = False
) -> Step | EndpointAnswer:
    """Stop all replicas and their billing now. The endpoint keeps its address, and the next call to it wakes it."""
    action = _Action(
        operations.SCALE_TO_ZERO,
        call.endpoints.scale_to_zero,
        done={Status.SCALED_TO_ZERO},
        told="It is scaled to zero and not billed. The next call wakes it.",
        follow=trying,
    )
    return await action.propose(call, endpoint_name, namespace, dry_run)


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
        preview=EndpointAnswer(**await _facts(call, current, namespace), changed=False),
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


_SETTLED = {Status.RUNNING, Status.UPDATE_FAILED}


@dataclass(frozen=True)
class _Action:
    """One operation without arguments: `done` are the states in which there is nothing to do."""

    operation: Operation[Any]
    send: Callable[[str, str], Awaitable[Endpoint]]
    done: set[Status]
    told: str
    follow: Callable[[Endpoint, str], NextCall]

    async def propose(
        self, call: CallScope, endpoint_name: str, namespace: str, dry_run: bool
    ) -> Step | EndpointAnswer:
        namespace, name = await call.target(endpoint_name, namespace)
        current = await call.endpoints.get(name, namespace)
        done = current.state in self.done
        if done and not dry_run:
            return await self._answer(call, current, namespace, changed=False)
        plan = plan_step(self.operation, current, namespace, await call.listing.vendors(namespace))
        proposal = proposal_of(call, plan, namespace, name, current)
        already = [f"It already is {current.state.value}: nothing would be sent."] if done else []
        return Step(
            proposal=proposal.warning(*already),
            preview=EndpointAnswer(**await _facts(call, current, namespace), changed=False),
            act=partial(self._act, call, namespace, name),
            dry_run=dry_run,
        )

    async def _act(self, call: CallScope, namespace: str, name: str) -> EndpointAnswer:
        changed = await self.send(name, namespace)
        call.changed(namespace, changed)
        return await self._answer(call, changed, namespace, changed=True)

    async def _answer(self, call: CallScope, endpoint: Endpoint, namespace: str, *, changed: bool) -> EndpointAnswer:
        facts, told = await _facts(call, endpoint, namespace), self.told
        if self.operation.effect is Effect.SPENDS:
            told = f"{told} {billing_from_now(facts['backend'], facts['price_per_hour_usd'])}"
        return EndpointAnswer(
            **facts,
            changed=changed,
            now=told if changed else f"It already is {endpoint.state.value}: nothing was sent.",
            next=[self.follow(endpoint, namespace)] if changed or endpoint.state not in _SETTLED else [],
        )


def _tool(tool: str, endpoint: Endpoint, namespace: str) -> NextCall:
    return call_of(tool, namespace, endpoint.name)


async def _facts(call: CallScope, endpoint: Endpoint, namespace: str) -> dict[str, Any]:
    prices = await call.listing.prices(namespace)
    return facts_of(endpoint, namespace, prices, call.endpoints.backend.name)
