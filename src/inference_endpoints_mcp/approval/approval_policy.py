"""Who approves changes, which changes need it, and how a request for approval can end."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import BaseModel

from inference_endpoints.errors import Refused
from inference_endpoints.transport.effect import Effect
from inference_endpoints_mcp.policy.effects import ASKED_BY_DEFAULT, EFFECTS

if TYPE_CHECKING:
    from inference_endpoints_mcp.approval.proposal import AnyProposal


class ApprovalMethod(StrEnum):
    """How changes are approved.

    `ELICIT` asks a person through the host. `PLAN` takes two calls, which a model can make alone: a speed bump, not
    consent. `HOST` is the same with a token no model reads, for a host's own button. `OFF` asks nobody.
    """

    ELICIT = "elicit"
    PLAN = "plan"
    HOST = "host"
    OFF = "off"


@dataclass(frozen=True)
class ApprovalPolicy:
    """Which changes need approval, and how they are approved.

    Spending needs approval only above `min_price_per_hour`, in USD; an unknown price counts as higher. This machine
    costs nothing. Simulated spending needs approval only with `include_simulated`. A person may take
    `answer_timeout_s` seconds to answer.
    """

    method: ApprovalMethod = ApprovalMethod.ELICIT
    effects: frozenset[Effect] = ASKED_BY_DEFAULT
    min_price_per_hour: float = 0.0
    include_simulated: bool = False
    answer_timeout_s: float = 600.0

    def effects_to_approve(self, proposal: "AnyProposal") -> frozenset[Effect]:
        """The effects for which a change needs approval; empty where it needs none."""
        found = proposal.effects & self.effects if self.method is not ApprovalMethod.OFF else frozenset()
        return found if self._costs(proposal) else found - {Effect.SPENDS}

    def reason_not_to_ask(self, proposal: "AnyProposal") -> str:
        """Why a change needs no approval, as the end of a sentence."""
        if self.method is ApprovalMethod.OFF:
            return "the operator of this server asks for no approval"
        if Effect.SPENDS not in proposal.effects:
            return "it cannot cost more, and opens nothing to others"
        if proposal.backend != "huggingface":
            return "nothing is billed for it"
        return "it stays within what the operator of this server lets pass"

    def charges_need_approval(self, backend: str) -> bool:
        """Whether spending on this backend needs approval at all."""
        spending = self.method is not ApprovalMethod.OFF and Effect.SPENDS in self.effects
        return spending and (backend == "huggingface" or (backend == "simulated" and self.include_simulated))

    def _costs(self, proposal: "AnyProposal") -> bool:
        price = proposal.price
        return self.charges_need_approval(proposal.backend) and (price is None or price > self.min_price_per_hour)


class ApprovalOutcome(StrEnum):
    """How a request for approval ended."""

    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"
    MALFORMED = "malformed"
    DRIFTED = "drifted"


_REASONS = {
    ApprovalOutcome.DECLINED: "It was not approved",
    ApprovalOutcome.CANCELLED: "The question was closed, so it was not approved",
    ApprovalOutcome.TIMED_OUT: "It was not approved in time",
    ApprovalOutcome.MALFORMED: "The host's answer does not fit the question, so it was not approved",
    ApprovalOutcome.DRIFTED: "The change or its price is different now, or this question was answered before, "
    "so it was not approved",
}


class InvalidPlanToken(Refused):
    """A plan token is not valid. `plan` is the current plan, with a new token."""

    def __init__(self, message: str, plan: BaseModel) -> None:
        super().__init__(message, hint="The current plan is in this result: ask the user about it.")
        self.plan = plan


class PlanDrifted(Refused):
    """What was approved is not what would be done now."""


def not_approved(outcome: ApprovalOutcome, proposal: "AnyProposal", because: str) -> Refused:
    kind = PlanDrifted if outcome is ApprovalOutcome.DRIFTED else Refused
    return kind(
        f"{_REASONS[outcome]}: {nothing_done(proposal)}.",
        hint=f"A person is asked because it {because}. Ask the user what they want.",
    )


def cannot_ask(proposal: "AnyProposal", effect: Effect) -> Refused:
    """For a host that cannot ask, and a change with an effect that only a person approves."""
    instead = "Pausing stops the billing as well. " if effect is Effect.DESTROYS else ""
    return Refused(
        f"{EFFECTS[effect].doing} needs a person's approval, and this host cannot ask for it: "
        f"{nothing_done(proposal)}.",
        hint=f"{instead}The operator of this server can choose another kind of approval (--confirm plan or host), or "
        "none (--confirm off).",
    )


def nothing_done(proposal: "AnyProposal") -> str:
    return "nothing was deleted" if proposal.effect is Effect.DESTROYS else "nothing was changed"
