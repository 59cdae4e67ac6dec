"""What pause, resume and scale to zero have in common: a change of state without settings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from inference_endpoints.deploy.plan import plan_state_change
from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport.operations import Effect, Operation
from inference_endpoints_mcp.tools.approved_change import ProposedChange, proposal_of
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.outputs import (
    EndpointOutput,
    NextCall,
    billing_note,
    describe_endpoint,
    next_call,
    trial_call,
)

_NOTHING_FOLLOWS = {State.RUNNING, State.UPDATE_FAILED}


@dataclass(frozen=True)
class StateChange:
    """An operation without arguments.

    In the `unchanged_in` states nothing is sent. `next_tool` is called next; None calls the endpoint itself.
    """

    operation: Operation[Any]
    send: Callable[[str, str], Awaitable[Endpoint]]
    unchanged_in: set[State]
    done: str
    next_tool: str | None

    async def propose(
        self, call: CallContext, endpoint_name: str, namespace: str, dry_run: bool
    ) -> ProposedChange | EndpointOutput:
        namespace, name = await call.resolve_endpoint(endpoint_name, namespace)
        current = await call.endpoints.get(name, namespace)
        unchanged = current.state in self.unchanged_in
        if unchanged and not dry_run:
            return await self._output(call, current, namespace, changed=False)
        plan = plan_state_change(self.operation, current, namespace, await call.hardware_cache.listing(namespace))
        proposal = proposal_of(call, plan, namespace, name, current)
        warnings = [f"It already is {current.state.value}: nothing would be sent."] if unchanged else []
        return ProposedChange(
            proposal=proposal.with_warnings(*warnings),
            preview=EndpointOutput(**await describe_endpoint(call, current, namespace), changed=False),
            apply=partial(self._apply, call, namespace, name),
        )

    async def _apply(self, call: CallContext, namespace: str, name: str) -> EndpointOutput:
        changed = await self.send(name, namespace)
        call.record_change(namespace, changed)
        return await self._output(call, changed, namespace, changed=True)

    async def _output(self, call: CallContext, endpoint: Endpoint, namespace: str, *, changed: bool) -> EndpointOutput:
        fields = await describe_endpoint(call, endpoint, namespace)
        now = self.done if changed else f"It already is {endpoint.state.value}: nothing was sent."
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
