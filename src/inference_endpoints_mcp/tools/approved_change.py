"""Every change passes here: a tool proposes it, a person or a token approves it, then it is sent.

The approval must fit the proposal at that moment; an approval of another proposal is refused.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inference_endpoints.deploy.plan import Plan
from inference_endpoints.errors import Refused
from inference_endpoints.models import Endpoint
from inference_endpoints_mcp.approval.approval_policy import (
    ApprovalMethod,
    ApprovalOutcome,
    InvalidPlanToken,
    PlanDrifted,
    cannot_ask,
    not_approved,
    nothing_done,
)
from inference_endpoints_mcp.approval.proposal import AnyProposal, Proposal
from inference_endpoints_mcp.approval.questions import render_question
from inference_endpoints_mcp.policy.effects import EFFECTS, gravest_first, reasons
from inference_endpoints_mcp.tools.call_context import CallContext
from inference_endpoints_mcp.tools.elicitation import ask_person, can_ask
from inference_endpoints_mcp.tools.outputs import EndpointOutput, NextCall, backend_of_hardware
from inference_endpoints_mcp.tools.plan_summary import summarize

PLAN_META = "io.github.inference-endpoints-mcp/plan_token"
"""Where a token travels that no model reads (`--confirm host`): in `_meta` of the answer, and of the next request."""
LONGEST_CALL = 2_000
"""Characters of arguments that are repeated as the call that carries a plan out."""


@dataclass(frozen=True)
class ProposedChange:
    """A change a tool proposes. `preview` is its output as long as nothing is done, `apply` does what was planned."""

    proposal: AnyProposal
    preview: EndpointOutput
    apply: Callable[[], Awaitable[EndpointOutput]]


Propose = Callable[[], Awaitable[ProposedChange | EndpointOutput]]
"""Gives the change, or the output where there is nothing to do. It is called again to see whether that changed."""


def proposal_of(call: CallContext, plan: Plan, namespace: str, name: str, current: Endpoint | None) -> Proposal:
    """A plan as a proposal: on a local backend, whatever is not this machine is simulated."""
    backend = backend_of_hardware(plan.cost.hardware_id, call.endpoints.backend.name)
    return Proposal(plan, namespace, name, current, backend)


async def carry_out(
    call: CallContext, propose: Propose, *, dry_run: bool = False, plan_token: str = ""
) -> EndpointOutput:
    """Carry out what is proposed, with the approval it needs; or show the plan.

    Raises `Refused` where it was not approved, `InputNeeded` where a person has to be asked first.
    """
    by_host = call.approvals.policy.method is ApprovalMethod.HOST
    if plan_token and by_host:
        raise Refused(
            "This server takes approval from the host, not as plan_token: nothing was changed.",
            hint="Leave plan_token out; the person approves it in the host.",
        )
    change = await propose()
    if isinstance(change, EndpointOutput):
        return change
    if dry_run:
        return await _preview(call, change)

    latest: ProposedChange | EndpointOutput = change

    async def proposed_now() -> AnyProposal | None:
        nonlocal latest
        latest = await propose()
        return latest.proposal if isinstance(latest, ProposedChange) else None

    try:
        approved = await approve_without_token(call, change.proposal, proposed_now)
    except PlanDrifted as drifted:
        raise InvalidPlanToken(drifted.message, _shown(latest)) from drifted
    if approved:
        return _with_approval(await change.apply(), how_approved(call, change.proposal))
    token = str((call.mcp.request_context.meta or {}).get(PLAN_META) or "") if by_host else plan_token
    return await _by_token(call, change, token)


async def approve_without_token(
    call: CallContext, proposal: AnyProposal, proposed_now: Callable[[], Awaitable[AnyProposal | None]]
) -> bool:
    """True if no approval is needed or a person approved; False if a plan token must decide.

    `proposed_now` gives the proposal anew, since an answer can take minutes.

    Raises `Refused` where it was not approved, `InputNeeded` where the call has to be made again with the answer.
    """
    approvals = call.approvals
    needed = approvals.policy.effects_to_approve(proposal)
    if not needed and len(proposal.members) == 1:
        return True
    question = render_question(proposal, call.redactor) if needed else ""
    requests = [member.request_to_send for member in proposal.members]
    await call.guard.check(requests, {"operation": proposal.operation, "endpoint": proposal.subject})
    if not needed:
        return True
    if approvals.policy.method is not ApprovalMethod.ELICIT:
        return False
    if not can_ask(call.mcp):
        for effect in gravest_first(needed):
            if EFFECTS[effect].needs_person:
                raise cannot_ask(proposal, effect)
        return False
    outcome = await ask_person(call, proposal, question, proposed_now)
    approvals.audit("approval", proposal, outcome, by="person")
    if outcome is not ApprovalOutcome.APPROVED:
        raise not_approved(outcome, proposal, reasons(needed))
    return True


async def _by_token(call: CallContext, change: ProposedChange, token: str) -> EndpointOutput:
    """Carry out the plan whose token this is; without one, show the plan."""
    proposal = change.proposal
    if not token:
        by_host = call.approvals.policy.method is ApprovalMethod.HOST
        how = "The person approves it in the host." if by_host else "Call again with plan_token if the user agrees."
        return _planned(call, change, f"This is the plan: nothing was changed. {how}")
    rejection = await call.approvals.redeem(token, call.caller, proposal, by="token")
    outcome = rejection.outcome if rejection else ApprovalOutcome.APPROVED
    call.approvals.audit("approval", proposal, outcome, by="token", reason=rejection.reason if rejection else None)
    if rejection is None:
        needed = call.approvals.policy.effects_to_approve(proposal)
        how = f"Its plan's token approved it; that was needed because it {reasons(needed)}."
        return _with_approval(await change.apply(), how)
    message = f"{rejection.reason}: {nothing_done(proposal)}."
    raise InvalidPlanToken(message, _planned(call, change, message))


def _with_approval(output: EndpointOutput, how: str) -> EndpointOutput:
    """The output of a change that was made, with whether and why it was asked about."""
    return output.model_copy(update={"now": f"{output.now} {how}"}) if output.changed else output


def how_approved(call: CallContext, proposal: AnyProposal) -> str:
    """Whether a person approved this proposal, and why, or why nobody was asked."""
    policy = call.approvals.policy
    needed = policy.effects_to_approve(proposal)
    if needed:
        return f"A person was asked, because it {reasons(needed)}, and approved it."
    return f"Nobody was asked: {policy.reason_not_to_ask(proposal)}."


def _shown(change: ProposedChange | EndpointOutput) -> EndpointOutput:
    """What would be done now, without a token."""
    if isinstance(change, EndpointOutput):
        return change
    return change.preview.model_copy(update={"plan": summarize(change.proposal)})


def _planned(call: CallContext, change: ProposedChange, now: str) -> EndpointOutput:
    """The plan with a new token, where the model reads it or where only the host does."""
    token = call.approvals.issue(call.caller, change.proposal, by="token")
    output = _shown(change).model_copy(update={"now": now})
    if call.approvals.policy.method is ApprovalMethod.HOST:
        return output.for_host({PLAN_META: token})
    sent = call.mcp.request_context.params or {}
    again = {**(sent.get("arguments") or {}), "plan_token": token}
    short = len(json.dumps(again)) <= LONGEST_CALL
    return output.model_copy(
        update={"plan_token": token, "next": [NextCall(tool=sent["name"], arguments=again)] if short else []}
    )


async def _preview(call: CallContext, change: ProposedChange) -> EndpointOutput:
    """The plan, with every refusal it would meet now."""
    proposal = change.proposal
    requests = [member.request_to_send for member in proposal.members]
    refusals = [f"It would be refused: {refusal}" for refusal in await call.guard.refusals(*requests)]
    effects = call.approvals.policy.effects_to_approve(proposal)
    needed = f"Carrying it out needs approval, because it {reasons(effects)}." if effects else ""
    now = f"Dry run: nothing was changed. {needed}".strip()
    return change.preview.model_copy(update={"plan": summarize(proposal, *refusals), "now": now})
