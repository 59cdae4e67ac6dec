"""A call wakes an endpoint that is scaled to zero, which is billed. The operator can require approval for it."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from mcp.server.mcpserver import Resolve

from inference_endpoints.deploy.plan import plan_wake
from inference_endpoints.errors import Refused
from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as Status
from inference_endpoints.transport.backend import HUGGING_FACE
from inference_endpoints_mcp.approval.confirmation import Outcome
from inference_endpoints_mcp.approval.proposal import Proposal
from inference_endpoints_mcp.tools.approved_change import Decision, deciding, proposal_of, settle
from inference_endpoints_mcp.tools.call_context import Call, CallContext, Progress
from inference_endpoints_mcp.tools.outputs import backend_of


@dataclass(frozen=True)
class CallTarget:
    """The endpoint to call. `to_approve` is set where waking it needs approval."""

    namespace: str
    endpoint: Endpoint
    to_approve: Proposal | None = None


async def _resolve_target(call: Call, endpoint_name: str, namespace: str) -> CallTarget:
    namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
    endpoint = await call.endpoints.get(name, namespace)
    if endpoint.state is not Status.SCALED_TO_ZERO or not _needs_approval(call, endpoint):
        return CallTarget(namespace, endpoint)
    plan = plan_wake(endpoint, namespace, await call.hardware.vendors(namespace))
    return CallTarget(namespace, endpoint, proposal_of(call, plan, namespace, name, endpoint))


Target = Annotated[CallTarget, Resolve(_resolve_target)]
WakeDecision = Annotated[Decision, Resolve(deciding(_resolve_target))]


async def may_wake(call: CallContext, target: CallTarget, decision: Decision) -> bool:
    """Whether the call may wake the endpoint. Raises `Refused` if it is scaled to zero and waking it is not approved.

    The tools for calls take no plan token, because they are used most: resume_endpoint has one.
    """
    proposal = target.to_approve
    if proposal is None:
        # If it scales to zero only now, nobody has approved waking it.
        return not _needs_approval(call, target.endpoint)
    if decision.outcome is Outcome.TO_PLAN:
        price = "is billed" if proposal.price is None else f"may cost ${proposal.price:g}/h"
        raise Refused(
            f"It is scaled to zero. Waking it {price} and needs approval: it was not woken.",
            hint="Call resume_endpoint, which shows the plan.",
        )
    await settle(call, decision, proposal, lambda: _resolve_target(call, target.endpoint.name, target.namespace))
    return True


def _needs_approval(call: CallContext, endpoint: Endpoint) -> bool:
    return call.approvals.confirmation.bills(backend_of(endpoint, call.endpoints.backend.name))


def report_waking(progress: Progress, name: str) -> Callable[[str], Awaitable[None]]:
    """Returns the `on_wait` that reports the wait for a woken endpoint."""
    started = time.monotonic()

    def message() -> str:
        return f"waking {name} · {time.monotonic() - started:.0f}s"

    async def on_wait(_: str) -> None:
        progress.report(message)

    return on_wait


def call_summary(call: CallContext, endpoint: Endpoint, woke: bool, seconds: float) -> str:
    """How long the call took, and whether it woke the endpoint."""
    if not woke:
        return f"Answered in {seconds:.2f} s."
    billed = " and is billed again" if call.endpoints.backend.name == HUGGING_FACE else ""
    minutes = endpoint.compute.scaling.scale_to_zero_timeout
    idle = f" It scales to zero again after {minutes} idle minutes." if minutes else ""
    return f"It was scaled to zero: this call woke it{billed}, and was answered in {seconds:.1f} s.{idle}"
