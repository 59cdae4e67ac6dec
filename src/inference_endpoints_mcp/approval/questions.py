"""What a person is asked before a change, and the questions that are open."""

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from inference_endpoints.deploy.plan import WAKE, Plan
from inference_endpoints.transport.operations import Effect
from inference_endpoints_mcp.approval.confirmation import Outcome
from inference_endpoints_mcp.approval.proposal import Proposal
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import line

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


class Form(BaseModel):
    """What a person fills in. What a host sends instead is taken as no answer."""

    def outcome(self, proposal: Proposal) -> Outcome:
        raise NotImplementedError


class TypedName(Form):
    """For what cannot be undone."""

    model_config = ConfigDict(json_schema_extra={"required": ["name"]})

    name: Annotated[str | None, BeforeValidator(lambda value: value if isinstance(value, str) else None)] = Field(
        default=None, title="Endpoint name", description="Type the endpoint's name to delete it."
    )

    def outcome(self, proposal: Proposal) -> Outcome:
        if self.name is None:
            return Outcome.MALFORMED
        return Outcome.APPROVED if self.name.strip() == proposal.name else Outcome.DECLINED


class Approve(Form):
    """For everything else."""

    model_config = ConfigDict(json_schema_extra={"required": ["approve"]})

    approve: Annotated[bool | None, BeforeValidator(lambda value: value if isinstance(value, bool) else None)] = Field(
        default=None, title="Approve", description="Whether to go ahead."
    )

    def outcome(self, proposal: Proposal) -> Outcome:
        if self.approve is None:
            return Outcome.MALFORMED
        return Outcome.APPROVED if self.approve else Outcome.DECLINED


def form_of(proposal: Proposal) -> type[Form]:
    return TypedName if proposal.plan.effect is Effect.DESTROYS else Approve


def question(proposal: Proposal, redactor: Redactor) -> str:
    """What the person is asked: the same words as long as the proposal is the same, and no secret."""
    plan, verb = proposal.plan, _VERBS[proposal.plan.operation]
    said = [f"{verb} endpoint {plan.endpoint}?", *_what(proposal)]
    if plan.effect is Effect.DESTROYS:
        said.append("This cannot be undone.")
    said += [_price(proposal)] if plan.spends else []
    changed = list(_changes(plan, redactor))
    said += [f"Settings: {'; '.join(changed)}."] if changed else []
    said += [line(warning) for warning in plan.warnings]
    return redactor.text(" ".join([*said, f"(Plan {proposal.id})"]))


def _what(proposal: Proposal) -> list[str]:
    request, current, hardware = proposal.plan.request, proposal.current, line(proposal.plan.cost.hardware)
    if current is None:
        return [f"It will run {line(str(request and request.repository), 100)} on {hardware}."]
    created = f"created {current.identity}"
    return [f"It runs {line(current.model.repository, 100)} on {line(current.hardware)}, {created}."]


def _price(proposal: Proposal) -> str:
    cost = proposal.plan.cost
    if cost.per_hour_at_max is None:
        return "Its price is not published."
    simulated = "; simulated, so nothing is billed" if proposal.backend == "simulated" else ""
    return (
        f"It may then cost ${cost.per_hour_at_min:g} to ${cost.per_hour_at_max:g} per hour on {line(cost.hardware)} "
        f"(${cost.per_month_at_max:g} a month at most{simulated})."
    )


def _changes(plan: Plan, redactor: Redactor) -> Iterator[str]:
    """The settings of a new endpoint, or those that change, in brief."""
    told = [
        f"{change.setting}: {_brief(change.setting, change.before, redactor)} → "
        f"{_brief(change.setting, change.after, redactor)}"
        for change in plan.changes
    ] or [f"{path}: {_brief(path, value, redactor)}" for path, value in _settings(plan.masked() or {})]
    yield from (line(each, 2 * LONGEST_SETTING) for each in told[:SETTINGS_SHOWN])
    if len(told) > SETTINGS_SHOWN:
        yield f"{len(told) - SETTINGS_SHOWN} more"


def _settings(payload: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in payload.items():
        if isinstance(value, dict) and value:
            yield from _settings(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _brief(path: str, value: Any, redactor: Redactor) -> str:
    shown = redactor.data({path.rpartition(".")[2]: value})
    return line(json.dumps(*shown.values(), ensure_ascii=False), LONGEST_SETTING)


class Questions:
    """The questions put to people and not answered yet. Each answer counts once, for `within` seconds."""

    def __init__(self, within: float, now: Callable[[], float]) -> None:
        self._within = within
        self._now = now
        self._open: dict[tuple[str, str], float] = {}

    def put(self, caller: str, proposal: Proposal) -> None:
        forgotten = self._now() - 2 * self._within
        self._open = {key: asked for key, asked in self._open.items() if asked > forgotten}
        self._open[caller, proposal.id] = self._now()

    def close(self, caller: str, proposal: Proposal) -> Outcome | None:
        """Take an answer to the question about this proposal: why it does not count, None if it does."""
        asked = self._open.pop((caller, proposal.id), None)
        if asked is None:
            return Outcome.DRIFTED
        return None if self._now() - asked <= self._within else Outcome.TIMED_OUT
