"""The question to a person before a change, and the form for the answer.

What a change opens, costs and interrupts comes first, then every setting that can name code, callers or an address, in
full. Of many harmless settings only the number and a hash are shown. A plan that is too large to be shown is refused.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, Field, StrictBool, StrictStr

from inference_endpoints.deploy.plan import MASK, WAKE, Plan
from inference_endpoints.errors import Refused
from inference_endpoints.models import EndpointConfiguration
from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.approval.proposal import AnyProposal, Proposal, ProposedSet, shared_lines
from inference_endpoints_mcp.approval.wording import (
    LONGEST_QUOTE,
    describe_cost,
    describe_exposures,
    describe_sum,
    named,
    quoted,
)
from inference_endpoints_mcp.policy.plain_values import is_plain
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import clean_line

LONGEST_QUESTION = 6_000
"""Characters. Hosts show a question in a dialog, and nobody reads more there."""
HARMLESS_SHOWN = 5
MOST_IN_DETAIL = 20
"""Endpoints of a set that are shown with their model and hardware."""
_HARMLESS = ("name", "tags", "notifications", "model.task", "model.fromCatalog")
"""Settings, with all below them, that name no code, caller or address, and change no cost."""
_ORDER = ("type", "model.secrets", "model.image", "model.command", "model.args", "model.repository", "model")
"""Which settings come first; those that are not known here come before all others, scaling and hardware last."""
_IN_THE_HARDWARE = ("provider", "compute.accelerator", "compute.instanceType", "compute.instanceSize", "name")
"""What a new endpoint's name and hardware say already."""
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

    def approves(self, proposal: AnyProposal) -> bool:
        return isinstance(proposal, Proposal) and self.name.strip() == proposal.name


class SetDeletionForm(BaseModel):
    """The form for deleting several endpoints: nobody types that by habit."""

    count: int = Field(title="Number of endpoints", description="Type how many are deleted.")
    pattern: StrictStr = Field(title="Filter, or first name", description="Type it as the question shows it.")

    def approves(self, proposal: AnyProposal) -> bool:
        chosen = isinstance(proposal, ProposedSet) and " ".join(self.pattern.split()) == proposal.pattern
        return chosen and self.count == len(proposal.members)


class ApprovalForm(BaseModel):
    """The form for everything else."""

    approve: StrictBool = Field(title="Approve", description="Whether to go ahead.")

    def approves(self, proposal: AnyProposal) -> bool:
        return self.approve


Form = DeletionForm | SetDeletionForm | ApprovalForm


def choose_form(proposal: AnyProposal) -> type[Form]:
    if proposal.effect is not Effect.DESTROYS:
        return ApprovalForm
    return SetDeletionForm if isinstance(proposal, ProposedSet) else DeletionForm


def render_question(proposal: AnyProposal, redactor: Redactor) -> str:
    """The text of the question: the same for the same proposal, and without secrets.

    Raises `Refused` where it would be too long to be read.
    """
    several = isinstance(proposal, ProposedSet)
    subject = f"these {len(proposal.members)} endpoints" if several else f"endpoint {proposal.subject}"
    lines = [f"{_VERBS[proposal.operation]} {subject}?"]
    lines += ["This cannot be undone."] if proposal.effect is Effect.DESTROYS else []
    lines += shared_lines(proposal, lambda each: describe_exposures(each.plan, each.after))
    lines += [describe_sum(proposal) if isinstance(proposal, ProposedSet) else describe_cost(proposal)]
    lines += shared_lines(proposal, lambda each: [each.plan.interrupts] if each.plan.interrupts else [])
    lines += _describe_set(proposal) if isinstance(proposal, ProposedSet) else [_describe_endpoint(proposal)]
    lines += shared_lines(proposal, lambda each: _describe_settings(each.plan, redactor))
    lines += shared_lines(proposal, lambda each: [clean_line(warning) for warning in each.plan.warnings])
    question = redactor.text("\n".join([*lines, f"(Plan {proposal.id})"]))
    if len(question) > LONGEST_QUESTION:
        raise Refused(
            "This plan is too large to be shown to a person, so it cannot be approved: nothing was changed.",
            hint="Make several smaller changes, one after the other.",
        )
    return question


def _describe_set(proposal: ProposedSet) -> Iterator[str]:
    """Exactly which endpoints, each with its state and price; of a few also what they run."""
    if proposal.effect is Effect.DESTROYS:
        yield f"To approve, type {len(proposal.members)} and: {proposal.pattern}"
    namespaces = {member.namespace for member in proposal.members}
    chosen = f"Those that match {proposal.where}, in" if proposal.where else "In"
    yield f"{chosen} {', '.join(named(one) for one in sorted(namespaces))}:"
    for member in proposal.members:
        name = member.name if len(namespaces) == 1 else member.subject
        state = clean_line(member.current.state.value, 40) if member.current else "new"
        price = member.cost.per_hour_now
        costs = "at an unknown price" if price is None else f"${price:g}/h"
        detail = f". {_describe_endpoint(member)}" if len(proposal.members) <= MOST_IN_DETAIL else ""
        yield f"- {name}: {state}, {costs}{detail}"


def _describe_endpoint(proposal: Proposal) -> str:
    current = proposal.current
    if current is None:
        return f"It will run {_code(proposal.after)} on {named(proposal.plan.cost.hardware_id)}."
    return f"It runs {_code(current)} on {named(current.hardware_id)}, created {clean_line(current.identity, 40)}."


def _code(endpoint: EndpointConfiguration) -> str:
    engine = endpoint.model.image_key
    repository = quoted(endpoint.model.repository, LONGEST_QUOTE)
    return f"{repository} in a {named(engine)} container" if engine else repository


def _describe_settings(plan: Plan, redactor: Redactor) -> Iterator[str]:
    """The settings of a new endpoint, or those that change: first those that can name code, callers or an address."""
    risky: list[str] = []
    harmless: list[str] = []
    for path, before, after in sorted(_settings(plan), key=lambda setting: _rank(setting[0])):
        (risky if _is_risky(path, after) else harmless).append(_line(path, before, after, redactor))
    if risky or harmless:
        yield "Settings:"
    yield from (f"- {line}" for line in risky)
    if len(harmless) <= HARMLESS_SHOWN:
        yield from (f"- {line}" for line in harmless)
    elif harmless:
        digest = hashlib.sha256("\n".join(harmless).encode()).hexdigest()[:12]
        yield f"- {len(harmless)} more that name no code, caller or address (hash {digest})"


def _settings(plan: Plan) -> Iterator[tuple[str, Any, Any]]:
    """Each setting with its value before and after; of variables each its own. A new endpoint has none before."""
    if plan.changes:
        for change in plan.changes:
            before, after = change.before, change.after
            if change.setting == "model.env" and isinstance(after, dict):
                old = before if isinstance(before, dict) else {}
                yield from ((f"model.env.{name}", old.get(name), value) for name, value in after.items())
            else:
                yield change.setting, before, after
    else:
        given = _flattened(plan.masked() or {})
        yield from ((path, None, value) for path, value in given if value and not _is_one_of(path, _IN_THE_HARDWARE))


def _flattened(payload: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in payload.items():
        if isinstance(value, dict) and value and f"{path}{key}" != "model.image":
            yield from _flattened(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


def _is_risky(path: str, after: Any) -> bool:
    if path.startswith("model.env."):
        return not is_plain(after)
    return not _is_one_of(path, _HARMLESS)


def _rank(path: str) -> int:
    known = next((rank for rank, each in enumerate(_ORDER, start=1) if _is_one_of(path, (each,))), 0)
    return known or (len(_ORDER) + 1 if _is_one_of(path, ("compute", "provider", *_HARMLESS)) else 0)


def _is_one_of(path: str, settings: Iterable[str]) -> bool:
    return any(path == each or path.startswith(f"{each}.") for each in settings)


def _line(path: str, before: Any, after: Any, redactor: Redactor) -> str:
    """`path: before → after`. What is approved is shown in full; what was there before may be cut."""
    new = quoted(_masked(path, after, redactor))
    setting = path if path.replace(".", "").isidentifier() else quoted(path)
    if before is None:
        return f"{setting}: {new}"
    return f"{setting}: {quoted(_masked(path, before, redactor), LONGEST_QUOTE)} → {new}"


def _masked(path: str, value: Any, redactor: Redactor) -> Any:
    if path.startswith("model.secrets"):
        return dict.fromkeys(value, MASK) if isinstance(value, dict) else MASK
    return next(iter(redactor.data({path.rpartition(".")[2]: value}).values()))
