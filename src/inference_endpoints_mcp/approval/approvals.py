"""Issues and redeems approvals: the policy, the open plan tokens, and the audit trail."""

import time
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Literal

from inference_endpoints_mcp.approval.approval_policy import ApprovalOutcome, ApprovalPolicy
from inference_endpoints_mcp.approval.plan_ledger import InProcessPlanLedger, PlanLedger
from inference_endpoints_mcp.approval.plan_token import PlanTokens, Rejection
from inference_endpoints_mcp.policy.audit.audit_trail import AuditTrail

if TYPE_CHECKING:
    from inference_endpoints_mcp.approval.proposal import AnyProposal

PLAN_VALID_S = 600.0
"""Seconds for which a plan's token is valid. A question is open for as long as the operator lets a person take."""

Approver = Literal["person", "token"]
"""Who approves: a person whom the host asks, or whoever returns a plan's token."""


class Approvals:
    """`now` returns seconds since the epoch. Servers with the same ledger redeem each other's tokens."""

    def __init__(
        self,
        policy: ApprovalPolicy,
        audit: AuditTrail,
        open_ledger: Callable[[], PlanLedger] = InProcessPlanLedger,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.policy = policy
        self.tokens = PlanTokens(open_ledger, now)
        self._audit = audit

    def with_policy(self, policy: ApprovalPolicy) -> "Approvals":
        """The same under another policy: plans that are open stay so."""
        other = copy(self)
        other.policy = policy
        return other

    def issue(self, caller: str, proposal: "AnyProposal", by: Approver, question: str | None = None) -> str:
        """A token for this plan: for a model or host to return, or beside a question that a person answers."""
        self.audit("plan", proposal, by=by, question=question)
        valid_for = PLAN_VALID_S if by == "token" else self.policy.answer_timeout_s
        return self.tokens.issue(_bound(caller, proposal, by), valid_for)

    async def redeem(self, token: str, caller: str, proposal: "AnyProposal", by: Approver) -> Rejection | None:
        """Why a token is not valid for this plan, None if it is. It is valid once."""
        return await self.tokens.redeem(token, _bound(caller, proposal, by))

    def audit(
        self,
        event: str,
        proposal: "AnyProposal",
        outcome: ApprovalOutcome | None = None,
        *,
        by: Approver,
        reason: str | None = None,
        question: str | None = None,
    ) -> None:
        """A line about a plan that was shown for approval, with the words for a person, or about how that ended."""
        self._audit.write(
            event,
            operation=proposal.operation,
            endpoint=proposal.subject,
            effect=",".join(sorted(proposal.effects)),
            price_per_hour_at_most_usd=proposal.price,
            plan=proposal.id,
            by=by,
            outcome=outcome.value if outcome else None,
            message=reason,
            question=question,
        )


def _bound(caller: str, proposal: "AnyProposal", by: Approver) -> dict[str, str]:
    return {"caller": f"{by} {caller}", **proposal.bound}
