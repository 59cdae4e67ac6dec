"""A call wakes an endpoint that is scaled to zero, which is billed. The operator can require approval for it."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inference_endpoints.deploy.plan import plan_wake
from inference_endpoints.errors import Refused
from inference_endpoints.models import Endpoint, format_duration
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport.backend import HUGGING_FACE
from inference_endpoints_mcp.approval.proposal import Proposal
from inference_endpoints_mcp.tools.approved_change import approve_without_token, how_approved, proposal_of
from inference_endpoints_mcp.tools.call_context import CallContext, Progress
from inference_endpoints_mcp.tools.outputs import backend_of

SEEN_LATELY_S = 300.0


@dataclass(frozen=True)
class WakePermission:
    """Whether a call may wake its endpoint, and whether and why a person was asked about that."""

    given: bool
    how: str


async def find_endpoint(call: CallContext, namespace: str, name: str) -> Endpoint:
    """The endpoint: as it was seen lately, if it ran then and it does not matter whether the call wakes it.

    If it is no longer so, its answer shows that, and it is looked up.
    """
    seen = call.endpoints.seen.recent(namespace, name, SEEN_LATELY_S)
    if seen is not None and seen.state is State.RUNNING and seen.url and not _wake_matters(call, seen):
        return seen
    return await call.endpoints.get(name, namespace)


def _wake_matters(call: CallContext, endpoint: Endpoint) -> bool:
    backend = backend_of(endpoint, call.endpoints.backend.name)
    return call.approvals.policy.charges_need_approval(backend) or call.guard.must_check_waking(endpoint)


async def may_wake(call: CallContext, endpoint: Endpoint, namespace: str) -> WakePermission:
    """Whether the call may wake the endpoint. Raises `Refused` if it is scaled to zero and waking it is not approved.

    The tools for calls have no plan_token argument, to keep their schemas short: resume_endpoint has one.
    """
    billed = call.approvals.policy.charges_need_approval(backend_of(endpoint, call.endpoints.backend.name))
    if endpoint.state is not State.SCALED_TO_ZERO or not billed:
        # If it scales to zero only now, nobody has approved waking it.
        return WakePermission(not billed, "Nobody was asked: waking it needs no approval.")
    proposal = await _wake_proposal(call, endpoint, namespace)

    async def proposed_now() -> Proposal:
        return await _wake_proposal(call, await call.endpoints.get(endpoint.name, namespace), namespace)

    if await approve_without_token(call, proposal, proposed_now):
        return WakePermission(True, how_approved(call, proposal))
    price = "is billed" if proposal.price is None else f"may cost ${proposal.price:g}/h"
    raise Refused(
        f"It is scaled to zero. Waking it {price} and needs approval: it was not woken.",
        hint="Call resume_endpoint, which shows the plan.",
    )


async def _wake_proposal(call: CallContext, endpoint: Endpoint, namespace: str) -> Proposal:
    plan = plan_wake(endpoint, namespace, await call.hardware_cache.fresh_listing(namespace))
    return proposal_of(call, plan, namespace, endpoint.name, endpoint)


def report_waking(progress: Progress, name: str) -> Callable[[str], Awaitable[None]]:
    """Returns the `on_wait` that reports the wait for a woken endpoint, or for one that has too much to do."""
    started = time.monotonic()

    async def on_wait(sentence: str) -> None:
        what = f"{name} is overloaded" if sentence.startswith("overloaded") else f"waking {name}"
        progress.report(lambda: f"{what} · {format_duration(time.monotonic() - started)}")

    return on_wait


def call_summary(call: CallContext, endpoint: Endpoint, woke: bool, seconds: float, permission: WakePermission) -> str:
    """How long the call took, and whether it woke the endpoint."""
    if not woke:
        return f"Answered in {seconds:.2f} s."
    billed = " and is billed again" if call.endpoints.backend.name == HUGGING_FACE else ""
    minutes = endpoint.compute.scaling.scale_to_zero_timeout
    idle = f" It scales to zero again after {minutes} idle minutes." if minutes else ""
    now = f"It was scaled to zero: this call woke it{billed}, and was answered in {seconds:.1f} s.{idle}"
    return f"{now} {permission.how}"
