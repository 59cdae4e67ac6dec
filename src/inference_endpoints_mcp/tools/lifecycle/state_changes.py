"""Pause, resume, and scale to zero: changes of an endpoint's state, without settings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from inference_endpoints.deploy.plan import plan_state_change
from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints.transport.operations import Effect, Operation
from inference_endpoints_mcp.tools.approved_change import ProposedChange, carry_out, proposal_of
from inference_endpoints_mcp.tools.arguments import DryRun, EndpointName, Namespace, PlanToken
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.outputs import (
    STATE_SENTENCES,
    EndpointOutput,
    NextCall,
    billing_note,
    describe_endpoint,
    next_call,
    state_word,
    trial_call,
)
from inference_endpoints_mcp.tools.spec import Toolset, tool

_NOTHING_FOLLOWS = {State.RUNNING, State.UPDATE_FAILED}


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
    change = _StateChange(
        call,
        operations.PAUSE,
        call.endpoints.pause,
        unchanged_in={State.PAUSED},
        done=STATE_SENTENCES[State.PAUSED],
        next_tool="resume_endpoint",
    )
    return await change.carry_out(endpoint_name, namespace, dry_run, plan_token)


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
    change = _StateChange(
        call,
        operations.RESUME,
        call.endpoints.resume,
        unchanged_in={State.RUNNING, State.PENDING, State.INITIALIZING, State.UPDATING, State.UPDATE_FAILED},
        done="Accepted: it is starting.",
        next_tool="wait_for_endpoint",
    )
    return await change.carry_out(endpoint_name, namespace, dry_run, plan_token)


@tool(uses=operations.SCALE_TO_ZERO, toolset=Toolset.LIFECYCLE, title="Scale an endpoint to zero")
async def scale_endpoint_to_zero(
    call: Call,
    endpoint_name: EndpointName,
    namespace: Namespace = "",
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Stop all replicas and their billing now. The endpoint keeps its URL, and the next call wakes it."""
    change = _StateChange(
        call,
        operations.SCALE_TO_ZERO,
        call.endpoints.scale_to_zero,
        unchanged_in={State.SCALED_TO_ZERO},
        done=STATE_SENTENCES[State.SCALED_TO_ZERO],
    )
    return await change.carry_out(endpoint_name, namespace, dry_run, plan_token)


@dataclass(frozen=True)
class _StateChange:
    """An operation without arguments.

    In the `unchanged_in` states nothing is sent. `next_tool` is called next; None calls the endpoint itself.
    """

    call: CallContext
    operation: Operation[Any]
    send: Callable[[str, str], Awaitable[Endpoint]]
    unchanged_in: set[State]
    done: str
    next_tool: str | None = None

    async def carry_out(self, endpoint_name: str, namespace: str, dry_run: bool, plan_token: str) -> EndpointOutput:
        propose = partial(self._propose, endpoint_name, namespace, dry_run)
        return await carry_out(self.call, propose, dry_run=dry_run, plan_token=plan_token)

    async def _propose(self, endpoint_name: str, namespace: str, dry_run: bool) -> ProposedChange | EndpointOutput:
        call = self.call
        namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
        current = await call.endpoints.get(name, namespace)
        unchanged = current.state in self.unchanged_in
        if unchanged and not dry_run:
            return await self._output(current, namespace, changed=False)
        plan = plan_state_change(self.operation, current, namespace, await call.hardware_cache.fresh_listing(namespace))
        proposal = proposal_of(call, plan, namespace, name, current)
        warnings = [f"It already is {state_word(current)}: nothing would be sent."] if unchanged else []
        return ProposedChange(
            proposal=proposal.with_warnings(*warnings),
            preview=EndpointOutput(**await describe_endpoint(call, current, namespace), changed=False),
            apply=partial(self._apply, namespace, name),
        )

    async def _apply(self, namespace: str, name: str) -> EndpointOutput:
        changed = await self.send(name, namespace)
        self.call.record_change(namespace, changed)
        return await self._output(changed, namespace, changed=True)

    async def _output(self, endpoint: Endpoint, namespace: str, *, changed: bool) -> EndpointOutput:
        fields = await describe_endpoint(self.call, endpoint, namespace)
        now = self.done if changed else f"It already is {state_word(endpoint)}: nothing was sent."
        if changed and self.operation.effect is Effect.SPENDS:
            now = f"{now} {billing_note(fields['backend'], fields['price_per_hour_usd'])}"
        following = changed or endpoint.state not in _NOTHING_FOLLOWS
        return EndpointOutput(
            **fields, changed=changed, now=now, next=[self._next_call(endpoint, namespace)] if following else []
        )

    def _next_call(self, endpoint: Endpoint, namespace: str) -> NextCall:
        if self.next_tool is None:
            return trial_call(endpoint, namespace)
        return next_call(self.next_tool, namespace, endpoint.name)
