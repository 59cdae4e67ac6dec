"""A plan as tools show it: of one endpoint, or of several together."""

import json
from typing import Any

from pydantic import BaseModel, Field

from inference_endpoints.deploy.plan import Plan, PlannedCost
from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.approval.proposal import AnyProposal, Proposal, shared_lines
from inference_endpoints_mcp.privacy.answer_text import LinesOfData, Ours, Word
from inference_endpoints_mcp.privacy.token_bound import token_bound

MAX_PAYLOAD_TOKENS = 2_500
"""Longest payload that is shown."""
MAX_CHANGES, MAX_VALUE_CHARACTERS = 40, 200
MAX_CHANGES_TOKENS = 2_500


class PlanSummary(BaseModel):
    """The planned request, and what it costs in USD."""

    effect: Word = Field(description="What it does now: none for a change of what is paused.")
    exposes: list[Ours] = Field(default_factory=list)
    interrupts: Ours | None = None
    payload: LinesOfData | None = None
    changes: list[LinesOfData] = Field(default_factory=list)
    per_hour_now_usd: float | None = None
    per_hour_after_usd: float | None = Field(default=None, description="As soon as it is carried out.")
    per_hour_at_most_usd: float | None = Field(default=None, description="At the most replicas.")
    per_month_at_most_usd: float | None = None
    quota_left: int | None = None
    warnings: list[Ours] = Field(default_factory=list)


def summarize(proposal: AnyProposal, *warnings: str) -> PlanSummary:
    """The plan of a proposal, with further warnings. That of several has the sums of their costs, and what they share.
    What differs is in their rows."""
    if isinstance(proposal, Proposal):
        return plan_summary(proposal.plan.with_warnings(*warnings))
    first = plan_summary(proposal.members[0].plan)
    payloads = [member.plan.masked() for member in proposal.members]
    interrupted = shared_lines(proposal, lambda one: [one.plan.interrupts] if one.plan.interrupts else [])
    return PlanSummary(
        effect=next(one for one in _EFFECTS if one in {_effect_now(member.plan) for member in proposal.members}),
        exposes=shared_lines(proposal, lambda one: [exposure.subject for exposure in one.plan.exposes]),
        interrupts=" ".join(interrupted) or None,
        payload=first.payload if payloads.count(payloads[0]) == len(payloads) else None,
        warnings=[*_quota_warnings(proposal), *shared_lines(proposal, lambda one: one.plan.warnings), *warnings],
        **_cost_fields(proposal.cost),
    )


def _quota_warnings(proposal: AnyProposal) -> list[str]:
    """The quotas that all together exceed, though each alone may not."""
    taken: dict[str, int] = {}
    left: dict[str, int] = {}
    for plan in (member.plan for member in proposal.members):
        if plan.quota_left is not None and plan.quota_more is not None:
            kind = plan.cost.hardware_id.rpartition("-")[0]
            taken[kind] = taken.get(kind, 0) + plan.quota_more
            left[kind] = min(left.get(kind, plan.quota_left + plan.quota_more), plan.quota_left + plan.quota_more)
    return [
        f"Together they take {count} accelerators of {kind} from a quota that has {left[kind]} left."
        for kind, count in taken.items()
        if count > left[kind]
    ]


_EFFECTS = ("destroys", "exposes", "spends", "disrupts", "reads", "none")


def _effect_now(plan: Plan) -> str:
    """The gravest effect that this change has now: changing what is paused interrupts nothing."""
    if plan.effect is not Effect.DISRUPTS:
        return plan.effect.value
    if plan.exposes or plan.spends:
        return "exposes" if plan.exposes else "spends"
    return "disrupts" if plan.interrupts else "none"


def _cost_fields(cost: PlannedCost) -> dict[str, float | None]:
    return {
        "per_hour_now_usd": cost.per_hour_now,
        "per_hour_after_usd": cost.per_hour_after,
        "per_hour_at_most_usd": cost.per_hour_at_most,
        "per_month_at_most_usd": cost.per_month_at_most,
    }


def plan_summary(plan: Plan) -> PlanSummary:
    """The plan of one endpoint, shortened where it is too long to show."""
    payload, warnings = plan.masked(), list(plan.warnings)
    if token_bound(json.dumps(payload, ensure_ascii=False)) > MAX_PAYLOAD_TOKENS:
        payload = None
        warnings.append("The payload is too long to show.")
    changes = [
        {"setting": change.setting, "before": _shortened(change.before), "after": _shortened(change.after)}
        for change in plan.changes[:MAX_CHANGES]
    ]
    while token_bound(json.dumps(changes, ensure_ascii=False)) > MAX_CHANGES_TOKENS:
        changes.pop()
    if len(plan.changes) > len(changes):
        warnings.append(f"{len(plan.changes) - len(changes)} more changes are not shown.")
    return PlanSummary(
        effect=_effect_now(plan),
        exposes=[exposure.subject for exposure in plan.exposes],
        interrupts=plan.interrupts or None,
        payload=payload,
        changes=changes,
        quota_left=plan.quota_left,
        warnings=warnings,
        **_cost_fields(plan.cost),
    )


def _shortened(value: Any) -> Any:
    """The value; its length where it is too long."""
    length = len(json.dumps(value))
    return value if length <= MAX_VALUE_CHARACTERS else f"({length} characters)"
