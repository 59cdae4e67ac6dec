"""What approving needs of one server: who approves what, the questions and tokens that are out, and the trail."""

import time
from collections.abc import Callable
from typing import Any

from inference_endpoints_mcp.approval.confirmation import Confirmation, Outcome
from inference_endpoints_mcp.approval.plan_token import Broken, Seal
from inference_endpoints_mcp.approval.proposal import Proposal
from inference_endpoints_mcp.approval.questions import Questions
from inference_endpoints_mcp.policy.audit_trail import Audit


class Approvals:
    """`now` gives seconds on any clock that does not go back."""

    def __init__(self, confirmation: Confirmation, audit: Audit, now: Callable[[], float] = time.monotonic) -> None:
        self.confirmation = confirmation
        self.questions = Questions(confirmation.within, now)
        self._seal = Seal(now)
        self._audit = audit

    def sealed(self, caller: str, proposal: Proposal) -> str:
        """A token for this plan, and a line that it was given out."""
        self.note("plan", proposal, by="token")
        return self._seal.token({"caller": caller, **proposal.bound})

    def spend(self, token: str, caller: str, proposal: Proposal) -> Broken | None:
        """Why a token does not hold for this plan, None if it does. It holds once."""
        broken = self._seal.spend(token, {"caller": caller, **proposal.bound})
        outcome = broken.outcome if broken else Outcome.APPROVED
        self.note("approval", proposal, outcome, by="token", said=broken.said if broken else None)
        return broken

    def note(
        self, event: str, proposal: Proposal, outcome: Outcome | None = None, *, by: str, said: str | None = None
    ) -> None:
        """A line about a plan that was shown to be approved, by a person or a token, or about how that ended."""
        facts: dict[str, Any] = {
            "operation": proposal.plan.operation,
            "endpoint": proposal.plan.endpoint,
            "effect": ",".join(sorted(proposal.effects)),
            "price_per_hour_at_most_usd": proposal.price,
            "plan": proposal.id,
            "by": by,
            "outcome": outcome.value if outcome else None,
            "said": said,
        }
        self._audit.note(event, **facts)
