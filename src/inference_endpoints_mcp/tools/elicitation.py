"""Asks a person to approve a proposal, through the host's form: within the call in the legacy era, between two calls in
the modern one.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from mcp import MCPError
from mcp.server.elicitation import AcceptedElicitation, render_elicitation_schema
from mcp.server.mcpserver import Context
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import ValidationError

from inference_endpoints_mcp.approval.approval_policy import ApprovalOutcome
from inference_endpoints_mcp.approval.proposal import AnyProposal
from inference_endpoints_mcp.approval.questions import choose_form
from inference_endpoints_mcp.tools.call_context import CallContext, InputNeeded

_MODERN = "2026-07-28"
_APPROVAL = "approval"
"""The key of our question in `input_requests`."""


def can_ask(context: Context[Any, Any]) -> bool:
    """Whether this host declared that it can show a form, and this connection can carry the question."""
    capabilities = context.client_capabilities
    asking = capabilities.elicitation if capabilities else None
    if asking is None or (asking.form is None and asking.url is not None):
        return False
    return context.protocol_version == _MODERN or bool(context.session.can_send_request)


async def ask_person(
    call: CallContext, proposal: AnyProposal, question: str, proposed_now: Callable[[], Awaitable[AnyProposal | None]]
) -> ApprovalOutcome:
    """The person's answer to this question, for the proposal as it is after the answer.

    Raises `InputNeeded` to end the call with the question.
    """
    if call.mcp.protocol_version == _MODERN:
        return await _ask_between_calls(call, proposal, question)
    outcome = await _ask_within_call(call, proposal, question)
    call.hold.restart()
    if outcome is ApprovalOutcome.APPROVED:
        now = await proposed_now()
        return outcome if now is not None and now.id == proposal.id else ApprovalOutcome.DRIFTED
    return outcome


async def _ask_between_calls(call: CallContext, proposal: AnyProposal, question: str) -> ApprovalOutcome:
    """The modern era: the call ends with the question, and is made again with the answer and the question's token."""
    answers = call.mcp.input_responses
    if not answers:
        request = ElicitRequestFormParams(
            message=question,
            requested_schema=render_elicitation_schema(choose_form(proposal)),
        )
        token = call.approvals.issue(call.caller, proposal, by="person", question=question)
        inputs = {_APPROVAL: ElicitRequest(params=request)}
        raise InputNeeded(InputRequiredResult(input_requests=inputs, request_state=token))
    rejection = await call.approvals.redeem(call.mcp.request_state or "", call.caller, proposal, by="person")
    return rejection.outcome if rejection else _outcome(answers, proposal)


async def _ask_within_call(call: CallContext, proposal: AnyProposal, question: str) -> ApprovalOutcome:
    """The legacy era. Some hosts that declare that they can ask show nothing and never answer."""
    call.approvals.audit("plan", proposal, by="person", question=question)
    with anyio.move_on_after(call.approvals.policy.answer_timeout_s):
        try:
            answer = await call.mcp.elicit(question, choose_form(proposal))
        except (ValueError, MCPError):
            return ApprovalOutcome.MALFORMED
        if isinstance(answer, AcceptedElicitation):
            return ApprovalOutcome.APPROVED if answer.data.approves(proposal) else ApprovalOutcome.DECLINED
        return ApprovalOutcome.DECLINED if answer.action == "decline" else ApprovalOutcome.CANCELLED
    return ApprovalOutcome.TIMED_OUT


def _outcome(answers: Mapping[str, object], proposal: AnyProposal) -> ApprovalOutcome:
    answer = answers.get(_APPROVAL)
    if not isinstance(answer, ElicitResult):
        return ApprovalOutcome.MALFORMED
    if answer.action != "accept":
        return ApprovalOutcome.DECLINED if answer.action == "decline" else ApprovalOutcome.CANCELLED
    try:
        form = choose_form(proposal).model_validate(answer.content)
    except ValidationError:
        return ApprovalOutcome.MALFORMED
    return ApprovalOutcome.APPROVED if form.approves(proposal) else ApprovalOutcome.DECLINED
