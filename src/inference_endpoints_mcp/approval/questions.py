"""The question to a person before a change, and the form for the answer."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, Field, StrictBool, StrictStr

from inference_endpoints.deploy.plan import WAKE, Plan
from inference_endpoints.transport.operations import Effect
from inference_endpoints_mcp.approval.proposal import Proposal
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import clean_line

SETTINGS_SHOWN, LONGEST_SETTING = 40, 120
_VERBS = {
    "create_endpoint": "Create",
    "update_endpoint": "Update",
    "pause_endpoint": "Pause",
    "resume_endpoint": "Resume",
    "scale_endpoint_to_zero": "Scale to zero",
    "delete_endpoint": "Delete",
    WAKE: "Wake, by calling it,",
}


class DeletionForm(BaseModel):
    """The form for what cannot be undone."""

    name: StrictStr = Field(title="Endpoint name", description="Type the endpoint's name to delete it.")

    def approves(self, proposal: Proposal) -> bool:
        return self.name.strip() == proposal.name


class ApprovalForm(BaseModel):
    """The form for everything else."""

    approve: StrictBool = Field(title="Approve", description="Whether to go ahead.")

    def approves(self, proposal: Proposal) -> bool:
        return self.approve


Form = DeletionForm | ApprovalForm


def choose_form(proposal: Proposal) -> type[Form]:
    return DeletionForm if proposal.plan.effect is Effect.DESTROYS else ApprovalForm


def render_question(proposal: Proposal, redactor: Redactor) -> str:
    """The text of the question: the same for the same proposal, and without secrets."""
    plan, verb = proposal.plan, _VERBS[proposal.plan.operation]
    parts = [f"{verb} endpoint {plan.endpoint}?", *_describe_endpoint(proposal)]
    if plan.effect is Effect.DESTROYS:
        parts.append("This cannot be undone.")
    parts += [_price(proposal)] if plan.spends else []
    changed = list(_changes(plan, redactor))
    parts += [f"Settings: {'; '.join(changed)}."] if changed else []
    parts += [clean_line(warning) for warning in plan.warnings]
    return redactor.text(" ".join([*parts, f"(Plan {proposal.id})"]))


def _describe_endpoint(proposal: Proposal) -> list[str]:
    request, current, hardware = proposal.plan.request, proposal.current, clean_line(proposal.plan.cost.hardware_id)
    if current is None:
        return [f"It will run {clean_line(str(request and request.repository), 100)} on {hardware}."]
    created = f"created {current.identity}"
    return [f"It runs {clean_line(current.model.repository, 100)} on {clean_line(current.hardware_id)}, {created}."]


def _price(proposal: Proposal) -> str:
    cost = proposal.plan.cost
    if cost.per_hour_at_max is None:
        return "Its price is not published."
    simulated = "; simulated, so nothing is billed" if proposal.backend == "simulated" else ""
    hardware = clean_line(cost.hardware_id)
    return (
        f"It may then cost ${cost.per_hour_at_min:g} to ${cost.per_hour_at_max:g} per hour on {hardware} "
        f"(${cost.per_month_at_max:g} a month at most{simulated})."
    )


def _changes(plan: Plan, redactor: Redactor) -> Iterator[str]:
    """The settings of a new endpoint, or those that change, in brief."""
    lines = [
        f"{change.setting}: {_short_value(change.setting, change.before, redactor)} → "
        f"{_short_value(change.setting, change.after, redactor)}"
        for change in plan.changes
    ] or [f"{path}: {_short_value(path, value, redactor)}" for path, value in _settings(plan.masked() or {})]
    yield from (clean_line(each, 2 * LONGEST_SETTING) for each in lines[:SETTINGS_SHOWN])
    if len(lines) > SETTINGS_SHOWN:
        yield f"{len(lines) - SETTINGS_SHOWN} more"


def _settings(payload: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in payload.items():
        if isinstance(value, dict) and value:
            yield from _settings(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _short_value(path: str, value: Any, redactor: Redactor) -> str:
    masked = redactor.data({path.rpartition(".")[2]: value})
    return clean_line(json.dumps(*masked.values(), ensure_ascii=False), LONGEST_SETTING)
