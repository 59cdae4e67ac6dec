"""Pause, resume, and scale to zero: changes of an endpoint's state, without settings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from inference_endpoints.deploy.plan import plan_state_change
from inference_endpoints.models import Endpoint
from inference_endpoints.models.status import InferenceEndpointStatus as State
from inference_endpoints.transport import operations
from inference_endpoints.transport.effect import Effect
from inference_endpoints.transport.operations import Operation
from inference_endpoints_mcp.tools.approved_change import ProposedChange, proposal_of
from inference_endpoints_mcp.tools.arguments import DryRun, Names, NamespaceOfSet, OneName, PlanToken, Where
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.lifecycle.change_set import SummaryWords, carry_out_on
from inference_endpoints_mcp.tools.lifecycle.choice import Choice, Target
from inference_endpoints_mcp.tools.outputs import (
    STATE_SENTENCES,
    EndpointOutput,
    billing_note,
    describe_endpoint,
    next_call,
    state_word,
)
from inference_endpoints_mcp.tools.spec import Toolset, tool

_NOTHING_FOLLOWS = {State.RUNNING, State.UPDATE_FAILED}


@tool(uses=operations.PAUSE, toolset=Toolset.LIFECYCLE, title="Pause an endpoint")
async def pause_endpoint(
    call: Call,
    endpoint_name: OneName = "",
    names: Names = [],  # noqa: B006
    where: Where = "",
    namespace: NamespaceOfSet = "",
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Stop endpoints and their billing. They stay stopped until resumed; use scale_endpoint_to_zero if calls should
    wake them."""
    change = _StateChange(
        call,
        operations.PAUSE,
        call.endpoints.pause,
        unchanged_in={State.PAUSED},
        done=STATE_SENTENCES[State.PAUSED],
        words=SummaryWords("are paused"),
        reaches=State.PAUSED,
    )
    return await change.carry_out(Choice(endpoint_name, names, where, namespace), dry_run, plan_token)


@tool(uses=operations.RESUME, toolset=Toolset.LIFECYCLE, title="Resume an endpoint")
async def resume_endpoint(
    call: Call,
    endpoint_name: OneName = "",
    names: Names = [],  # noqa: B006
    where: Where = "",
    namespace: NamespaceOfSet = "",
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Start paused, failed or scaled-to-zero endpoints again. Billing starts. Returns once accepted: then call
    wait_for_endpoint."""
    change = _StateChange(
        call,
        operations.RESUME,
        call.endpoints.resume,
        unchanged_in={State.RUNNING, State.PENDING, State.INITIALIZING, State.UPDATING, State.UPDATE_FAILED},
        done="Accepted: it is starting.",
        words=SummaryWords("are starting", "wait_for_endpoint"),
        next_tool="wait_for_endpoint",
    )
    return await change.carry_out(Choice(endpoint_name, names, where, namespace), dry_run, plan_token)


@tool(uses=operations.SCALE_TO_ZERO, toolset=Toolset.LIFECYCLE, title="Scale an endpoint to zero")
async def scale_endpoint_to_zero(
    call: Call,
    endpoint_name: OneName = "",
    names: Names = [],  # noqa: B006
    where: Where = "",
    namespace: NamespaceOfSet = "",
    dry_run: DryRun = False,
    plan_token: PlanToken = "",
) -> EndpointOutput:
    """Stop all replicas and their billing now. Endpoints keep their URLs, and the next call wakes them."""
    change = _StateChange(
        call,
        operations.SCALE_TO_ZERO,
        call.endpoints.scale_to_zero,
        unchanged_in={State.SCALED_TO_ZERO},
        done=STATE_SENTENCES[State.SCALED_TO_ZERO],
        words=SummaryWords("are scaled to zero"),
        reaches=State.SCALED_TO_ZERO,
    )
    return await change.carry_out(Choice(endpoint_name, names, where, namespace), dry_run, plan_token)


@dataclass(frozen=True)
class _StateChange:
    """An operation without arguments.

    In the `unchanged_in` states nothing is sent. `done` tells what is done to one once its state is `reaches`, `words`
    to several. `next_tool` is called next; empty for what ends here.
    """

    call: CallContext
    operation: Operation[Any]
    send: Callable[[str, str], Awaitable[Endpoint]]
    unchanged_in: set[State]
    done: str
    words: SummaryWords
    reaches: State | None = None
    next_tool: str = ""

    async def carry_out(self, choice: Choice, dry_run: bool, plan_token: str) -> EndpointOutput:
        # A dry run for one shows the plan also where nothing would be sent.
        propose = partial(self._propose, dry_run=dry_run and not choice.is_several)
        return await carry_out_on(self.call, choice, propose, self.words, dry_run=dry_run, plan_token=plan_token)

    async def _propose(self, target: Target, *, dry_run: bool) -> ProposedChange | EndpointOutput:
        call, namespace, current = self.call, target.namespace, target.require()
        unchanged = current.state in self.unchanged_in
        if unchanged and not dry_run:
            return await self._output(current, namespace, changed=False)
        plan = plan_state_change(self.operation, current, namespace, target.listing)
        proposal = proposal_of(call, plan, namespace, current.name, current)
        warnings = [f"It already is {state_word(current)}: nothing would be sent."] if unchanged else []
        return ProposedChange(
            proposal=proposal.with_warnings(*warnings),
            preview=EndpointOutput(**await describe_endpoint(call, current, namespace), changed=False),
            apply=partial(self._apply, namespace, current.name),
        )

    async def _apply(self, namespace: str, name: str) -> EndpointOutput:
        changed = await self.send(name, namespace)
        self.call.record_change(namespace, changed)
        return await self._output(changed, namespace, changed=True)

    async def _output(self, endpoint: Endpoint, namespace: str, *, changed: bool) -> EndpointOutput:
        fields = await describe_endpoint(self.call, endpoint, namespace)
        reached = self.reaches is None or endpoint.state is self.reaches
        done = self.done if reached else f"Accepted. It still is {state_word(endpoint)}."
        now = done if changed else f"It already is {state_word(endpoint)}: nothing was sent."
        if changed and self.operation.effect is Effect.SPENDS:
            now = f"{now} {billing_note(fields['backend'], fields['price_per_hour_usd'])}"
        following = self.next_tool and (reached if changed else endpoint.state not in _NOTHING_FOLLOWS)
        return EndpointOutput(
            **fields,
            changed=changed,
            now=now,
            next=[next_call(self.next_tool, namespace, endpoint.name)] if following else [],
        )
