"""The one path of every change: proposed by a tool, shown, approved and carried out here, in both protocol eras.

A tool's function says what it proposes, and is asked again in every round of a call: what is carried out is always
the proposal as it is then, and an approval of another one does not count.
"""

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
from mcp import MCPError
from mcp.server.mcpserver import AcceptedElicitation, Context, Elicit, ElicitationResult, Resolve
from mcp.types import ElicitResult
from pydantic import Field

from inference_endpoints.deploy.plan import Plan
from inference_endpoints.errors import Refused
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.operations import Effect
from inference_endpoints_mcp.approval.confirmation import (
    Confirm,
    NotAsPlanned,
    Outcome,
    cannot_ask,
    not_approved,
    nothing,
)
from inference_endpoints_mcp.approval.proposal import Proposal
from inference_endpoints_mcp.approval.questions import Form, form_of, question
from inference_endpoints_mcp.tools.call_context import Call, CallContext
from inference_endpoints_mcp.tools.outputs import EndpointOutput, NextCall, backend_of_hardware, plan_summary

PLAN_META = "io.github.inference-endpoints-mcp/plan_token"
"""Where a token travels that no model reads (`--confirm host`): in `_meta` of the answer, and of the next request."""
LONGEST_CALL = 2_000
"""Characters of arguments that are repeated as the call that carries a plan out."""

_MODERN = "2026-07-28"

PlanToken = Annotated[str, Field(max_length=200, description="From a plan: carries it out.")]


@dataclass(frozen=True)
class Step:
    """A change a tool proposes. `preview` is its answer as long as nothing is done, `act` does what was planned."""

    proposal: Proposal
    preview: EndpointOutput
    act: Callable[[], Awaitable[EndpointOutput]]
    dry_run: bool

    @property
    def to_approve(self) -> Proposal | None:
        return None if self.dry_run else self.proposal


def proposal_of(call: CallContext, plan: Plan, namespace: str, name: str, current: Endpoint | None) -> Proposal:
    """A plan as a proposal: on a local backend, whatever is not this machine is simulated."""
    backend = backend_of_hardware(plan.cost.hardware, call.endpoints.backend.name)
    return Proposal(plan, namespace, name, current, backend)


Propose = Callable[..., Awaitable[Step | EndpointOutput]]
"""Gives the change, or the answer where there is nothing to do."""


@dataclass(frozen=True)
class Decision:
    """How asking ended. `midway` is an answer that came while the call went on: what was asked about may be old."""

    outcome: Outcome
    midway: bool = False


def proposing(propose: Propose) -> Callable[..., Awaitable[EndpointOutput]]:
    """A tool's function of one that proposes: it takes the same arguments, and a plan's token."""
    decide = deciding(propose)

    async def carry_out(
        context: Context[Any, Any], proposed: Any, decision: Decision, plan_token: PlanToken = "", **arguments: Any
    ) -> EndpointOutput:
        call: CallContext = arguments["call"]
        if plan_token and call.approvals.confirmation.how is Confirm.HOST:
            raise Refused(
                "This server takes approval from the host, not as plan_token: nothing was changed.",
                hint="Leave plan_token out; the person approves it in the host.",
            )
        if isinstance(proposed, EndpointOutput):
            return proposed
        assert isinstance(proposed, Step)
        if proposed.dry_run:
            return await _previewed(call, proposed)
        if decision.outcome is Outcome.TO_PLAN:
            return await _by_plan(call, context, proposed, plan_token)
        await settle(call, decision, proposed.proposal, lambda: propose(**arguments))
        return await proposed.act()

    return _with_signature(carry_out, propose, decide)


def deciding(propose: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Decision]]:
    """A resolver that has approved what another proposes: anything with a `to_approve`, None if nothing is to be."""

    async def ask(
        call: Call, context: Context[Any, Any], proposed: Annotated[Any, Resolve(propose)]
    ) -> Decision | Elicit[Form]:
        proposal, approvals = _to_approve(proposed), call.approvals
        if proposal is None or not approvals.confirmation.needed(proposal):
            return Decision(Outcome.NOT_NEEDED)
        plan = proposal.plan
        await call.guard.check(proposal.send, {"operation": plan.operation, "endpoint": plan.endpoint})
        if approvals.confirmation.how is not Confirm.ELICIT:
            return Decision(Outcome.TO_PLAN)
        if _can_ask(context):
            return await _ask(call, context, proposal)
        if Effect.DESTROYS in proposal.effects:
            raise cannot_ask(proposal)
        return Decision(Outcome.TO_PLAN)

    async def decide(
        proposed: Annotated[Any, Resolve(propose)], answer: Annotated[ElicitationResult[Any], Resolve(ask)]
    ) -> Decision:
        if isinstance(answer, AcceptedElicitation) and isinstance(answer.data, Decision):
            return answer.data
        proposal = _to_approve(proposed)
        assert proposal is not None
        return Decision(_outcome(answer, proposal))

    return decide


async def settle(
    call: CallContext, decision: Decision, proposal: Proposal, again: Callable[[], Awaitable[Any]]
) -> None:
    """Return if this proposal may be carried out. Raises `Refused` where it was not approved.

    `again` proposes anew, after an answer that came midway.
    """
    outcome = decision.outcome
    if outcome is Outcome.NOT_NEEDED:
        return
    if outcome is Outcome.APPROVED and decision.midway:
        now = _to_approve(await again())
        outcome = outcome if now is not None and now.id == proposal.id else Outcome.DRIFTED
    call.approvals.note("approval", proposal, outcome, by="person")
    if outcome is not Outcome.APPROVED:
        raise not_approved(outcome, proposal)


async def _ask(call: CallContext, context: Context[Any, Any], proposal: Proposal) -> Decision | Elicit[Form]:
    asked = Elicit(question(proposal, call.redactor), form_of(proposal))
    approvals = call.approvals
    if context.protocol_version == _MODERN:
        answers = context.input_responses
        if answers:
            wrong = Outcome.MALFORMED if any(map(_is_malformed, answers.values())) else None
            wrong = approvals.questions.close(call.caller, proposal) or wrong
            return Decision(wrong) if wrong else asked
        approvals.questions.put(call.caller, proposal)
        approvals.note("plan", proposal, by="person")
        return asked
    # Older hosts are asked in the middle of the call, and some that say they can ask show nothing and never answer.
    approvals.note("plan", proposal, by="person")
    with anyio.move_on_after(approvals.confirmation.within):
        try:
            return Decision(_outcome(await context.elicit(asked.message, asked.schema), proposal), midway=True)
        except (ValueError, MCPError):
            return Decision(Outcome.MALFORMED)
    return Decision(Outcome.TIMED_OUT)


async def _by_plan(call: CallContext, context: Context[Any, Any], step: Step, plan_token: str) -> EndpointOutput:
    """Carry out the plan whose token this is; without one, show the plan."""
    by_host = call.approvals.confirmation.how is Confirm.HOST
    token = str((context.request_context.meta or {}).get(PLAN_META) or "") if by_host else plan_token
    if not token:
        said = "The person approves it in the host." if by_host else "Call again with plan_token if the user agrees."
        return _planned(call, context, step, f"This is the plan: nothing was changed. {said}")
    broken = call.approvals.spend(token, call.caller, step.proposal)
    if broken is None:
        return await step.act()
    said = f"{broken.said}: {nothing(step.proposal)}."
    raise NotAsPlanned(said, _planned(call, context, step, said))


def _planned(call: CallContext, context: Context[Any, Any], step: Step, now: str) -> EndpointOutput:
    """The plan with a new token, where the model reads it or where only the host does."""
    token = call.approvals.sealed(call.caller, step.proposal)
    shown = step.preview.model_copy(update={"plan": plan_summary(step.proposal.plan), "now": now})
    if call.approvals.confirmation.how is Confirm.HOST:
        return shown.for_host({PLAN_META: token})
    sent = context.request_context.params or {}
    again = {**(sent.get("arguments") or {}), "plan_token": token}
    short = len(json.dumps(again)) <= LONGEST_CALL
    return shown.model_copy(
        update={"plan_token": token, "next": [NextCall(tool=sent["name"], arguments=again)] if short else []}
    )


async def _previewed(call: CallContext, step: Step) -> EndpointOutput:
    """The plan, with what stands in its way now."""
    proposal, approvals = step.proposal, call.approvals
    refusals = [f"It would be refused: {refusal}" for refusal in await call.guard.refusals(proposal.send)]
    needed = " Carrying it out needs approval." if approvals.confirmation.needed(proposal) else ""
    plan = plan_summary(proposal.warning(*refusals).plan)
    return step.preview.model_copy(update={"plan": plan, "now": f"Dry run: nothing was changed.{needed}"})


def _with_signature(
    carry_out: Callable[..., Awaitable[EndpointOutput]], propose: Propose, decide: Callable[..., Awaitable[Decision]]
) -> Callable[..., Awaitable[EndpointOutput]]:
    """`carry_out` as the SDK and the contract are to see it: the arguments of `propose`, a token, and what the SDK
    resolves first.
    """
    own = inspect.signature(carry_out).parameters
    resolved = {"proposed": Annotated[Any, Resolve(propose)], "decision": Annotated[Decision, Resolve(decide)]}
    added = [own[name].replace(annotation=annotation) for name, annotation in resolved.items()]
    asked = inspect.signature(propose)
    parameters = [*asked.parameters.values(), own["context"], *added, own["plan_token"]]
    signature = asked.replace(
        parameters=[each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters],
        return_annotation=EndpointOutput,
    )
    annotations = {each.name: each.annotation for each in parameters} | {"return": EndpointOutput}
    vars(carry_out).update(__signature__=signature)
    carry_out.__annotations__ = annotations
    carry_out.__name__, carry_out.__doc__, carry_out.__module__ = propose.__name__, propose.__doc__, propose.__module__
    return carry_out


def _to_approve(proposed: Any) -> Proposal | None:
    found: Proposal | None = getattr(proposed, "to_approve", None)
    return found


def _outcome(answer: ElicitationResult[Any], proposal: Proposal) -> Outcome:
    if isinstance(answer, AcceptedElicitation):
        form: Form = answer.data
        return form.outcome(proposal)
    return Outcome.DECLINED if answer.action == "decline" else Outcome.CANCELLED


def _is_malformed(answer: object) -> bool:
    """What the SDK would not take for an answer to a form."""
    return not isinstance(answer, ElicitResult) or (answer.action == "accept" and answer.content is None)


def _can_ask(context: Context[Any, Any]) -> bool:
    """Whether this host declared that it can show a form, and this connection can carry the question."""
    capabilities = context.client_capabilities
    asking = capabilities.elicitation if capabilities else None
    if asking is None or (asking.form is None and asking.url is not None):
        return False
    return context.protocol_version == _MODERN or bool(context.session.can_send_request)
