"""Every change passes here: a tool proposes it, a person or a token approves it, then it is sent.

The approval must fit the proposal at that moment; an approval of another proposal is refused.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import MCPError
from mcp.server.elicitation import AcceptedElicitation, render_elicitation_schema
from mcp.server.mcpserver import Context
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import ValidationError

from inference_endpoints.deploy.plan import Plan
from inference_endpoints.errors import Refused
from inference_endpoints.models import Endpoint
from inference_endpoints.transport.operations import Effect
from inference_endpoints_mcp.approval.approval_policy import (
    ApprovalMethod,
    NotAsPlanned,
    Outcome,
    cannot_ask,
    not_approved,
    nothing_done,
)
from inference_endpoints_mcp.approval.proposal import Proposal
from inference_endpoints_mcp.approval.questions import choose_form, render_question
from inference_endpoints_mcp.tools.call_context import CallContext, InputNeeded
from inference_endpoints_mcp.tools.outputs import EndpointOutput, NextCall, backend_of_hardware, plan_summary

PLAN_META = "io.github.inference-endpoints-mcp/plan_token"
"""Where a token travels that no model reads (`--confirm host`): in `_meta` of the answer, and of the next request."""
LONGEST_CALL = 2_000
"""Characters of arguments that are repeated as the call that carries a plan out."""

_MODERN = "2026-07-28"
_APPROVAL = "approval"
"""The key of our question in `input_requests`."""


@dataclass(frozen=True)
class ProposedChange:
    """A change a tool proposes. `preview` is its output as long as nothing is done, `apply` does what was planned."""

    proposal: Proposal
    preview: EndpointOutput
    apply: Callable[[], Awaitable[EndpointOutput]]


Propose = Callable[[], Awaitable[ProposedChange | EndpointOutput]]
"""Gives the change, or the output where there is nothing to do. It is called again to see whether that changed."""


def proposal_of(call: CallContext, plan: Plan, namespace: str, name: str, current: Endpoint | None) -> Proposal:
    """A plan as a proposal: on a local backend, whatever is not this machine is simulated."""
    backend = backend_of_hardware(plan.cost.hardware, call.endpoints.backend.name)
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

    async def proposed_now() -> Proposal | None:
        now = await propose()
        return now.proposal if isinstance(now, ProposedChange) else None

    if await approve_without_token(call, change.proposal, proposed_now):
        return await change.apply()
    token = str((call.mcp.request_context.meta or {}).get(PLAN_META) or "") if by_host else plan_token
    return await _by_token(call, change, token)


async def approve_without_token(
    call: CallContext, proposal: Proposal, proposed_now: Callable[[], Awaitable[Proposal | None]]
) -> bool:
    """True if no approval is needed or a person approved; False if a plan token must decide.

    `proposed_now` gives the proposal anew, since an answer can take minutes.

    Raises `Refused` where it was not approved, `InputNeeded` where the call has to be made again with the answer.
    """
    approvals = call.approvals
    if not approvals.policy.requires_approval(proposal):
        return True
    plan = proposal.plan
    await call.guard.check(proposal.request_to_send, {"operation": plan.operation, "endpoint": plan.endpoint})
    if approvals.policy.method is not ApprovalMethod.ELICIT:
        return False
    if not _can_ask(call.mcp):
        if Effect.DESTROYS in proposal.effects:
            raise cannot_ask(proposal)
        return False
    if call.mcp.protocol_version == _MODERN:
        outcome = _ask_between_calls(call, proposal)
    else:
        outcome = await _ask_within_call(call, proposal)
        if outcome is Outcome.APPROVED:
            now = await proposed_now()
            outcome = outcome if now is not None and now.id == proposal.id else Outcome.DRIFTED
    approvals.audit("approval", proposal, outcome, by="person")
    if outcome is not Outcome.APPROVED:
        raise not_approved(outcome, proposal)
    return True


def _ask_between_calls(call: CallContext, proposal: Proposal) -> Outcome:
    """The modern era: the call ends with the question, and is made again with the answer and the question's token."""
    answers = call.mcp.input_responses
    if not answers:
        request = ElicitRequestFormParams(
            message=render_question(proposal, call.redactor),
            requested_schema=render_elicitation_schema(choose_form(proposal)),
        )
        token = call.approvals.issue(call.caller, proposal, by="person")
        inputs = {_APPROVAL: ElicitRequest(params=request)}
        raise InputNeeded(InputRequiredResult(input_requests=inputs, request_state=token))
    rejection = call.approvals.redeem(call.mcp.request_state or "", call.caller, proposal, by="person")
    return rejection.outcome if rejection else _outcome(answers, proposal)


async def _ask_within_call(call: CallContext, proposal: Proposal) -> Outcome:
    """The legacy era. Some hosts that declare that they can ask show nothing and never answer."""
    call.approvals.audit("plan", proposal, by="person")
    with anyio.move_on_after(call.approvals.policy.answer_timeout_s):
        try:
            answer = await call.mcp.elicit(render_question(proposal, call.redactor), choose_form(proposal))
        except (ValueError, MCPError):
            return Outcome.MALFORMED
        if isinstance(answer, AcceptedElicitation):
            return Outcome.APPROVED if answer.data.approves(proposal) else Outcome.DECLINED
        return Outcome.DECLINED if answer.action == "decline" else Outcome.CANCELLED
    return Outcome.TIMED_OUT


def _outcome(answers: Mapping[str, object], proposal: Proposal) -> Outcome:
    answer = answers.get(_APPROVAL)
    if not isinstance(answer, ElicitResult):
        return Outcome.MALFORMED
    if answer.action != "accept":
        return Outcome.DECLINED if answer.action == "decline" else Outcome.CANCELLED
    try:
        form = choose_form(proposal).model_validate(answer.content)
    except ValidationError:
        return Outcome.MALFORMED
    return Outcome.APPROVED if form.approves(proposal) else Outcome.DECLINED


async def _by_token(call: CallContext, change: ProposedChange, token: str) -> EndpointOutput:
    """Carry out the plan whose token this is; without one, show the plan."""
    proposal = change.proposal
    if not token:
        by_host = call.approvals.policy.method is ApprovalMethod.HOST
        how = "The person approves it in the host." if by_host else "Call again with plan_token if the user agrees."
        return _planned(call, change, f"This is the plan: nothing was changed. {how}")
    rejection = call.approvals.redeem(token, call.caller, proposal, by="token")
    outcome = rejection.outcome if rejection else Outcome.APPROVED
    call.approvals.audit("approval", proposal, outcome, by="token", reason=rejection.reason if rejection else None)
    if rejection is None:
        return await change.apply()
    message = f"{rejection.reason}: {nothing_done(proposal)}."
    raise NotAsPlanned(message, _planned(call, change, message))


def _planned(call: CallContext, change: ProposedChange, now: str) -> EndpointOutput:
    """The plan with a new token, where the model reads it or where only the host does."""
    token = call.approvals.issue(call.caller, change.proposal, by="token")
    output = change.preview.model_copy(update={"plan": plan_summary(change.proposal.plan), "now": now})
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
    refusals = [f"It would be refused: {refusal}" for refusal in await call.guard.refusals(proposal.request_to_send)]
    needed = " Carrying it out needs approval." if call.approvals.policy.requires_approval(proposal) else ""
    plan = plan_summary(proposal.with_warnings(*refusals).plan)
    return change.preview.model_copy(update={"plan": plan, "now": f"Dry run: nothing was changed.{needed}"})


def _can_ask(context: Context[Any, Any]) -> bool:
    """Whether this host declared that it can show a form, and this connection can carry the question."""
    capabilities = context.client_capabilities
    asking = capabilities.elicitation if capabilities else None
    if asking is None or (asking.form is None and asking.url is not None):
        return False
    return context.protocol_version == _MODERN or bool(context.session.can_send_request)
